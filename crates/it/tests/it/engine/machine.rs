//! A process among others of this one: its tasks can be ended as SIGKILL ends them, and stand still as
//! SIGSTOP makes them.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use backbone::environment::Spawner;
use futures::future::BoxFuture;
use tokio::task::JoinHandle;

/// Clones are the same one.
#[derive(Clone, Default)]
pub(super) struct Machine(Arc<State>);

#[derive(Default)]
struct State {
    tasks: Mutex<Vec<JoinHandle<()>>>,
    stands_still: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Machine {
    /// Ends every task where it stands; what the store or the broker has been asked goes on there.
    pub(super) async fn kill(&self) {
        let tasks = std::mem::take(&mut *self.0.tasks.lock().unwrap());
        tasks.iter().for_each(JoinHandle::abort);
        for task in tasks {
            // Cancelled, as it was told.
            let _ = task.await;
        }
    }

    /// Stands still until it is told to go on.
    pub(super) fn stand_still(&self) {
        self.0.stands_still.store(true, Ordering::SeqCst);
    }

    /// Goes on.
    pub(super) fn go_on(&self) {
        self.0.stands_still.store(false, Ordering::SeqCst);
        self.0.waiting.lock().unwrap().drain(..).for_each(Waker::wake);
    }
}

impl Spawner for Machine {
    fn spawn(&self, _: &'static str, task: BoxFuture<'static, ()>) {
        let task = tokio::spawn(Task { of: self.0.clone(), task });
        let mut tasks = self.0.tasks.lock().unwrap();
        tasks.retain(|task| !task.is_finished());
        tasks.push(task);
    }
}

struct Task {
    of: Arc<State>,
    task: BoxFuture<'static, ()>,
}

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.of.stands_still.load(Ordering::SeqCst) {
            self.of.waiting.lock().unwrap().push(context.waker().clone());
            // Told to go on in between, it would not be woken.
            if self.of.stands_still.load(Ordering::SeqCst) {
                return Poll::Pending;
            }
        }
        self.task.as_mut().poll(context)
    }
}
