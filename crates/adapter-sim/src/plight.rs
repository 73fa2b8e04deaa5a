//! What a living process suffers: it stands still while the clock goes on, or somebody does not
//! hear it.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::sync::Notify;

use crate::process::Process;

/// Whom a process talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The store, all but its leases.
    Store,
    /// What keeps the leases: requests for them go over connections of their own.
    Leases,
    /// The broker.
    Broker,
}

#[derive(Default)]
struct State {
    is_paused: bool,
    /// What it had submitted arrives only after the pause.
    holds: bool,
    cut: BTreeSet<Side>,
    /// The tasks that wanted to go on during the pause.
    sleepers: Vec<Waker>,
}

/// What a process suffers now.
#[derive(Default)]
pub(crate) struct Plight {
    state: Mutex<State>,
    changed: Notify,
}

impl Plight {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pause(&self, holds: bool) {
        let mut state = self.state();
        (state.is_paused, state.holds) = (true, holds);
    }

    pub(crate) fn resume(&self) {
        let sleepers = {
            let mut state = self.state();
            (state.is_paused, state.holds) = (false, false);
            std::mem::take(&mut state.sleepers)
        };
        self.changed.notify_waiters();
        sleepers.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn cut(&self, side: Side) {
        self.state().cut.insert(side);
        self.changed.notify_waiters();
    }

    pub(crate) fn heal(&self) {
        self.state().cut.clear();
        self.changed.notify_waiters();
    }

    pub(crate) fn is_cut(&self, side: Side) -> bool {
        self.state().cut.contains(&side)
    }

    /// Waits while what was submitted is held up.
    pub(crate) async fn until_delivered(&self) {
        loop {
            // Before looking: a change in between wakes it.
            let changed = self.changed.notified();
            if !self.state().holds {
                return;
            }
            changed.await;
        }
    }

    fn poll_awake(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if !state.is_paused {
            return Poll::Ready(());
        }
        state.sleepers.push(context.waker().clone());
        Poll::Pending
    }
}

/// A future that stands still while its process does.
pub(crate) struct Within<F> {
    process: Arc<Process>,
    future: Pin<Box<F>>,
}

impl<F> Within<F> {
    pub(crate) fn new(process: Arc<Process>, future: F) -> Self {
        Self { process, future: Box::pin(future) }
    }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        ready!(self.process.plight.poll_awake(context));
        self.future.as_mut().poll(context)
    }
}
