//! Timers: durable rows, with the due times also in a heap. A timer is fired by a decision that
//! removes its row; late, twice or after completion is harmless because the handler looks at the
//! state. On a shared store one replica fires them, under a lease, and looks at the rows again and
//! again: other replicas set them too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use backbone::collection::{Compare, Direction, LIMIT_MAX, Query};
use backbone::commit::Fence;
use backbone::journal;
use backbone::outcome::Refusal;
use backbone::timer::{TIMERS, Timer, TimerHandler};
use backbone::work::{Origin, Priority};
use backbone::workspace::Workspace;
use backbone::{Document, collection::ColumnValue};
use kernel::{Duration, ErrorKind, Timestamp};
use serde_json::Value;
use tokio::sync::Notify;

use crate::decider::{Job, JobError, Part, PartOutcome};
use crate::host::Host;
use crate::shutdown::Shutdown;
use crate::spans::{self, Opened};

/// How many due timers are fired in one commit.
const BATCH: usize = 128;

/// A timer that could not be fired is tried again after this.
const RETRY: Duration = Duration::from_secs(1);

/// How often the rows of a shared store are read again, and twice as far ahead.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

#[derive(Default)]
struct Due {
    by_time: BTreeSet<(Timestamp, String)>,
    by_id: BTreeMap<String, Timer>,
    /// Taken out to be fired and not done with, with when they were first due.
    open: BTreeMap<String, Timestamp>,
}

/// The due times of a service's timers.
#[derive(Default)]
pub(crate) struct TimerHeap {
    due: Mutex<Due>,
    changed: Notify,
    /// Another replica fires them: nothing is kept here.
    is_elsewhere: AtomicBool,
}

/// While it lives, this replica fires a shared store's timers.
struct Here<'h>(&'h TimerHeap);

impl Drop for Here<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl TimerHeap {
    fn lock(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Leaves the timers to another replica.
    pub(crate) fn leave(&self) {
        self.is_elsewhere.store(true, Ordering::SeqCst);
        *self.lock() = Due::default();
    }

    fn take_over(&self) -> Here<'_> {
        self.is_elsewhere.store(false, Ordering::SeqCst);
        Here(self)
    }

    /// Takes in what a durable commit set and cleared.
    pub(crate) fn change(&self, timers: Vec<(String, Option<Timer>)>) {
        if self.is_elsewhere.load(Ordering::SeqCst) {
            return;
        }
        let mut due = self.lock();
        for (id, timer) in timers {
            due.open.remove(&id);
            if let Some(before) = due.by_id.remove(&id) {
                due.by_time.remove(&(before.due, id.clone()));
            }
            if let Some(timer) = timer {
                due.by_time.insert((timer.due, id.clone()));
                due.by_id.insert(id, timer);
            }
        }
        drop(due);
        self.changed.notify_one();
    }

    /// Takes in rows as they were read: what a commit said since then is newer. So a row only ever
    /// makes a timer fire earlier, and one that fires too early is put back.
    fn remind(&self, rows: Vec<Timer>) {
        let mut due = self.lock();
        for timer in rows {
            let id = timer.id();
            if let Some(known) = due.by_id.get(&id).map(|known| known.due) {
                if known <= timer.due {
                    continue;
                }
                due.by_time.remove(&(known, id.clone()));
            }
            due.by_time.insert((timer.due, id.clone()));
            due.by_id.insert(id, timer);
        }
        drop(due);
        self.changed.notify_one();
    }

    /// Takes the due ones out, at most a batch; those that fail are put back.
    fn take_due(&self, now: Timestamp) -> Vec<Timer> {
        let mut due = self.lock();
        let mut taken = Vec::new();
        while taken.len() < BATCH {
            let Some((at, id)) = due.by_time.first().cloned() else { break };
            if at > now {
                break;
            }
            due.by_time.remove(&(at, id.clone()));
            due.open.entry(id.clone()).or_insert(at);
            taken.extend(due.by_id.remove(&id));
        }
        taken
    }

    fn next(&self) -> Option<Timestamp> {
        self.lock().by_time.first().map(|(at, _)| *at)
    }

    /// Puts timers back that could not be fired: when they were first due is remembered.
    fn put_back(&self, timers: Vec<Timer>) {
        let mut due = self.lock();
        for timer in timers {
            // Set again meanwhile: that one counts.
            if !due.by_id.contains_key(&timer.id()) {
                due.by_time.insert((timer.due, timer.id()));
                due.by_id.insert(timer.id(), timer);
            }
        }
    }

    /// These are done with, whatever became of them.
    fn done(&self, timers: impl Iterator<Item = String>) {
        let mut due = self.lock();
        for id in timers {
            due.open.remove(&id);
        }
    }

    /// The timers that should have fired by `moment` and have not.
    pub(crate) fn late(&self, moment: Timestamp) -> Vec<String> {
        let due = self.lock();
        let open = due.open.iter().filter(|(_, at)| **at < moment).map(|(id, _)| id.clone());
        let waiting = due.by_time.iter().take_while(|(at, _)| *at < moment).map(|(_, id)| id);
        open.chain(waiting.filter(|id| !due.open.contains_key(*id)).cloned()).collect()
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().by_id.len()
    }
}

/// Fills the heap from the rows; on a shared store nothing is to be done before the lease is held.
pub(crate) async fn load(host: &Host) -> Result<(), journal::Error> {
    if host.leases().is_shared() {
        return Ok(());
    }
    read(host, Query::all(&TIMERS)).await
}

/// Reads the rows of a shared store that are due soon: whoever set them may be another replica.
async fn look_again(host: &Host, now: Timestamp) -> Result<(), journal::Error> {
    read(host, Query::all(&TIMERS).with("due", Compare::AtMost, now.plus(LOOK_AGAIN * 2))).await
}

async fn read(host: &Host, of: Query) -> Result<(), journal::Error> {
    let mut after: Option<(ColumnValue, String)> = None;
    loop {
        let mut query = of.clone().sorted("due", Direction::Ascending);
        query.after = after;
        let page = host.journal().find(query).await?;
        let full = page.len() == LIMIT_MAX;
        let mut timers = Vec::with_capacity(page.len());
        for stored in page {
            let timer: Timer = serde_json::from_slice(&stored.body)
                .map_err(|e| journal::Error::Unusable(format!("timer {}: {e}", stored.id)))?;
            timers.push(timer);
        }
        after = timers.last().map(|timer| (timer.due.into(), timer.id()));
        host.timers().remind(timers);
        if !full {
            return Ok(());
        }
    }
}

/// Fires timers until shutdown.
pub(crate) async fn run(host: Arc<Host>, handlers: Arc<Vec<TimerHandler>>, shutdown: Shutdown) {
    let leases = host.leases();
    if leases.is_shared() {
        host.timers().leave();
    }
    let fire = |fence| fire_due(&host, &handlers, fence, shutdown.clone());
    leases.hold(&host, "timers", &shutdown, fire).await;
}

async fn fire_due(
    host: &Host,
    handlers: &[TimerHandler],
    fence: Option<Fence>,
    mut shutdown: Shutdown,
) -> Result<(), String> {
    let clock = host.environment().clock.clone();
    let here = fence.is_some().then(|| host.timers().take_over());
    let mut look_at = clock.now();
    loop {
        let now = clock.now();
        if here.is_some() && now >= look_at {
            look_again(host, now).await.map_err(|e| e.to_string())?;
            look_at = now.plus(LOOK_AGAIN);
        }
        metrics::gauge!("a4co_timers_waiting", "service" => host.service()).set(host.timers().len() as f64);
        let due = host.timers().take_due(now);
        if due.is_empty() {
            let idle = if here.is_some() { look_at.since(now) } else { Duration::from_secs(3_600) };
            let wait = host.timers().next().map_or(idle, |next| next.since(now).min(idle));
            tokio::select! {
                biased;
                () = shutdown.wait() => return Ok(()),
                () = host.timers().changed.notified() => {}
                () = clock.sleep(wait.max(Duration::from_millis(1))) => {}
            }
            continue;
        }
        if shutdown.is_on() {
            return Ok(());
        }
        if let Err(error) = fire(host, handlers, &due, fence.clone()).await {
            if let JobError::Fenced(_) = error {
                return Err(error.to_string());
            }
            tracing::warn!(service = host.service(), %error, "timers could not be fired, they are tried again");
            host.timers().put_back(due);
            clock.sleep(RETRY).await;
        }
    }
}

async fn fire(
    host: &Host,
    handlers: &[TimerHandler],
    due: &[Timer],
    fence: Option<Fence>,
) -> Result<(), JobError> {
    let parts = due.iter().map(|timer| part(host, handlers, timer.clone())).collect();
    let finish: crate::decider::Finish = Box::new(|_, _| Ok(()));
    let job = Job { parts, finish: Some(finish), priority: Priority::High, fence, ..Job::default() };
    let done = host.perform(job).await?;
    let early = done.outcomes.iter().filter_map(|outcome| match outcome {
        PartOutcome::Done(row) => serde_json::from_value::<Timer>(row.clone()).ok(),
        _ => None,
    });
    host.timers().remind(early.collect());
    let done_with = done.outcomes.iter().zip(due);
    let done_with = done_with.filter(|(outcome, _)| matches!(outcome, PartOutcome::Done(_)));
    host.timers().done(done_with.map(|(_, timer)| timer.id()));
    let failed: Vec<Timer> = done
        .outcomes
        .iter()
        .zip(due)
        .filter_map(|(outcome, timer)| {
            let PartOutcome::Failed(refusal) = outcome else { return None };
            let reason = refusal.to_string();
            tracing::error!(
                service = host.service(),
                timer = timer.id(),
                reason,
                "a timer failed, it is tried again"
            );
            let due = host.environment().clock.now().plus(Duration::from_secs(60));
            Some(Timer { due, ..timer.clone() })
        })
        .collect();
    if !failed.is_empty() {
        host.timers().put_back(failed);
    }
    Ok(())
}

fn part(host: &Host, handlers: &[TimerHandler], timer: Timer) -> Part {
    let handler = handlers.iter().find(|handler| handler.name == timer.name).cloned();
    let correlation_id = timer.key.clone();
    let Opened { span, traceparent } = spans::timer(host, &timer);
    let origin = Origin { correlation_id, causation_id: format!("timer:{}", timer.id()), traceparent };
    let decision = move |ws: &mut Workspace<'_>| {
        // The row as it is now: it may have been moved or cleared since it was due.
        let Some(row) = ws.get::<Timer>(timer.id())? else { return Ok(Value::Null) };
        if row.due > ws.now() {
            return Ok(serde_json::to_value(&*row).expect("timers are JSON"));
        }
        let Some(handler) = &handler else {
            let message = format!("no handler for timer {}", timer.name);
            return Err(Refusal::failed(ErrorKind::Permanent, message));
        };
        ws.remove::<Timer>(timer.id())?;
        (handler.fire)(&row, ws)?;
        Ok(Value::Null)
    };
    Part { name: "timer", origin, span, lane: None, decision: Arc::new(decision) }
}
