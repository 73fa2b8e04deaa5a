//! Timers: durable rows, with the due times also in a heap. A timer is fired by a decision that
//! removes its row; late, twice or after completion is harmless because the handler looks at the
//! state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use backbone::collection::{Direction, LIMIT_MAX, Query};
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

/// How many due timers are fired in one commit.
const BATCH: usize = 128;

/// A timer that could not be fired is tried again after this.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Due {
    by_time: BTreeSet<(Timestamp, String)>,
    by_id: BTreeMap<String, Timer>,
}

/// The due times of a service's timers.
#[derive(Default)]
pub(crate) struct TimerHeap {
    due: Mutex<Due>,
    changed: Notify,
}

impl TimerHeap {
    fn lock(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Takes in what a durable commit set and cleared.
    pub(crate) fn change(&self, timers: Vec<(String, Option<Timer>)>) {
        let mut due = self.lock();
        for (id, timer) in timers {
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
            taken.extend(due.by_id.remove(&id));
        }
        taken
    }

    fn next(&self) -> Option<Timestamp> {
        self.lock().by_time.first().map(|(at, _)| *at)
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().by_id.len()
    }
}

/// Fills the heap from the rows.
pub(crate) async fn load(host: &Host) -> Result<(), journal::Error> {
    let mut after: Option<(ColumnValue, String)> = None;
    loop {
        let mut query = Query::all(&TIMERS).sorted("due", Direction::Ascending);
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
pub(crate) async fn run(host: Arc<Host>, handlers: Arc<Vec<TimerHandler>>, mut shutdown: Shutdown) {
    let clock = host.environment().clock.clone();
    loop {
        let now = clock.now();
        metrics::gauge!("a4co_timers_waiting", "service" => host.service()).set(host.timers().len() as f64);
        let due = host.timers().take_due(now);
        if due.is_empty() {
            let wait = host.timers().next().map_or(Duration::from_secs(3_600), |next| next.since(now));
            tokio::select! {
                biased;
                () = shutdown.wait() => return,
                () = host.timers().changed.notified() => {}
                () = clock.sleep(wait.max(Duration::from_millis(1))) => {}
            }
            continue;
        }
        if shutdown.is_on() {
            return;
        }
        if let Err(error) = fire(&host, &handlers, &due).await {
            tracing::warn!(service = host.service(), %error, "timers could not be fired, they are tried again");
            host.timers().change(due.into_iter().map(|timer| (timer.id(), Some(timer))).collect());
            clock.sleep(RETRY).await;
        }
    }
}

async fn fire(host: &Host, handlers: &[TimerHandler], due: &[Timer]) -> Result<(), JobError> {
    let parts = due.iter().map(|timer| part(handlers, timer.clone())).collect();
    let job = Job {
        parts,
        source: None,
        idempotency: None,
        finish: Some(Box::new(|_, _| Ok(()))),
        priority: Priority::High,
    };
    let done = host.perform(job).await?;
    let early = done.outcomes.iter().filter_map(|outcome| match outcome {
        PartOutcome::Done(row) => serde_json::from_value::<Timer>(row.clone()).ok(),
        _ => None,
    });
    host.timers().remind(early.collect());
    let failed: Vec<(String, Option<Timer>)> = done
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
            Some((timer.id(), Some(Timer { due, ..timer.clone() })))
        })
        .collect();
    if !failed.is_empty() {
        host.timers().change(failed);
    }
    Ok(())
}

fn part(handlers: &[TimerHandler], timer: Timer) -> Part {
    let handler = handlers.iter().find(|handler| handler.name == timer.name).cloned();
    let correlation_id = timer.key.clone();
    let origin = Origin { correlation_id, causation_id: format!("timer:{}", timer.id()), traceparent: None };
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
    Part { name: "timer", origin, lane: None, decision: Arc::new(decision) }
}
