//! Makes the calls that sagas decided, after the commit that recorded them, and takes in what
//! came back. After a crash the recorded calls are made again under the same keys.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backbone::collection::{Compare, LIMIT_MAX, Query};
use backbone::journal;
use backbone::saga::{AnyInstance, CallFailure, CallKey, PendingCall, SAGAS, SagaRegistration};
use backbone::trace;
use backbone::work::{Origin, Priority};
use backbone::workspace::Workspace;
use kernel::Duration;
use serde_json::Value;
use tokio::sync::{Notify, Semaphore};
use tracing::Instrument;

use crate::decider::{Job, JobError, Part, PartOutcome};
use crate::host::Host;
use crate::shutdown::Shutdown;
use crate::spans::{self, Opened};

/// How many calls a service makes at a time.
const CALLS_MAX: usize = 256;

/// A call that is out for so long on a shared store was made by a replica that went away: longer
/// than the limits and retries of any call.
const ORPHANED_AFTER: Duration = Duration::from_secs(30);

/// How often such calls are looked for.
const ORPHANS_LOOKED_FOR_EVERY: Duration = Duration::from_secs(5);

/// A reply that could not be recorded is recorded again after this.
const RETRY: Duration = Duration::from_millis(500);

#[derive(Default)]
struct Calls {
    waiting: Vec<PendingCall>,
    /// Keys of calls that wait or are being made: asked for again, they are made once.
    known: BTreeSet<String>,
}

/// Calls that wait to be made. Bounded by the sagas that recorded them.
#[derive(Default)]
pub(crate) struct Caller {
    calls: Mutex<Calls>,
    changed: Notify,
}

impl Caller {
    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for calls.
    pub(crate) fn ask(&self, calls: Vec<PendingCall>) {
        let mut inside = self.lock();
        for call in calls {
            if inside.known.insert(call.key.clone()) {
                inside.waiting.push(call);
            }
        }
        drop(inside);
        self.changed.notify_one();
    }

    fn take(&self) -> Vec<PendingCall> {
        std::mem::take(&mut self.lock().waiting)
    }

    /// A call was made and its reply is recorded.
    fn made(&self, key: &str) {
        self.lock().known.remove(key);
    }
}

/// Finds the calls that are recorded and not answered: those of before the last stop, and those of
/// commits whose outcome nobody heard. On a shared store other replicas are making theirs: see
/// `recall`.
pub(crate) async fn resume(host: &Host, sagas: &[SagaRegistration]) -> Result<(), journal::Error> {
    if host.leases().is_shared() {
        return Ok(());
    }
    resume_of(host, sagas, Query::all(&SAGAS).equal("calling", true)).await
}

/// On a shared store, one replica under a lease makes the calls again whose replica went away. The
/// other side knows them by their keys, so one that is only slow does no harm.
pub(crate) async fn recall(host: Arc<Host>, sagas: Arc<Vec<SagaRegistration>>, shutdown: Shutdown) {
    let leases = host.leases();
    if leases.is_shared() {
        let look = |_| look_for_orphans(&host, &sagas, shutdown.clone());
        leases.hold(&host, "sagas", &shutdown, look).await;
    }
}

async fn look_for_orphans(
    host: &Host,
    sagas: &[SagaRegistration],
    mut shutdown: Shutdown,
) -> Result<(), String> {
    let clock = host.environment().clock.clone();
    loop {
        let before = clock.now().minus(ORPHANED_AFTER);
        let query = Query::all(&SAGAS).equal("calling", true).with("updated_at", Compare::AtMost, before);
        resume_of(host, sagas, query).await.map_err(|e| e.to_string())?;
        tokio::select! {
            biased;
            () = shutdown.wait() => return Ok(()),
            () = clock.sleep(ORPHANS_LOOKED_FOR_EVERY) => {}
        }
    }
}

async fn resume_of(host: &Host, sagas: &[SagaRegistration], of: Query) -> Result<(), journal::Error> {
    let mut after = None;
    loop {
        let mut query = of.clone();
        query.after = after;
        let page = host.journal().find(query).await?;
        let full = page.len() == LIMIT_MAX;
        let mut calls = Vec::new();
        for stored in &page {
            let saga: AnyInstance = serde_json::from_slice(&stored.body)
                .map_err(|e| journal::Error::Unusable(format!("saga {}: {e}", stored.id)))?;
            let Some(known) = sagas.iter().find(|known| known.name == saga.saga) else {
                return Err(journal::Error::Unusable(format!(
                    "saga {} is unknown to this program",
                    saga.saga
                )));
            };
            calls.extend(saga.calls.into_iter().map(|call| PendingCall {
                saga: known.name,
                id: saga.id,
                key: call.key,
                call: call.call,
                correlation_id: saga.correlation_id.clone(),
                traceparent: saga.traceparent.clone(),
            }));
        }
        host.caller().ask(calls);
        match page.last() {
            Some(last) if full => after = Some((backbone::collection::ColumnValue::Null, last.id.clone())),
            _ => return Ok(()),
        }
    }
}

/// Makes calls until shutdown.
pub(crate) async fn run(host: Arc<Host>, sagas: Arc<Vec<SagaRegistration>>, mut shutdown: Shutdown) {
    let by_name: Arc<BTreeMap<&'static str, SagaRegistration>> =
        Arc::new(sagas.iter().map(|saga| (saga.name, saga.clone())).collect());
    let room = Arc::new(Semaphore::new(CALLS_MAX));
    loop {
        for call in host.caller().take() {
            if shutdown.is_on() {
                return;
            }
            let Ok(permit) = room.clone().acquire_owned().await else { return };
            let (host, by_name, shutdown) = (host.clone(), by_name.clone(), shutdown.clone());
            let spawner = host.environment().spawner.clone();
            spawner.spawn(
                "saga-call",
                Box::pin(async move {
                    let key = call.key.clone();
                    let Opened { span, traceparent } = spans::saga_call(&host, &call);
                    // What the call asks of others, and what its reply moves, follow from it.
                    let call = PendingCall { traceparent: traceparent.clone(), ..call };
                    let made = make(&host, &by_name, call, shutdown).instrument(span);
                    trace::within(traceparent.as_deref(), made).await;
                    host.caller().made(&key);
                    drop(permit);
                }),
            );
        }
        tokio::select! {
            biased;
            () = shutdown.wait() => return,
            () = host.caller().changed.notified() => {}
        }
    }
}

async fn make(
    host: &Host,
    sagas: &BTreeMap<&'static str, SagaRegistration>,
    call: PendingCall,
    mut shutdown: Shutdown,
) {
    let Some(saga) = sagas.get(call.saga) else { return };
    let key = CallKey { key: call.key.clone(), correlation_id: call.correlation_id.clone() };
    // A call that is out when the word is given is dropped: its record stays, and the next start
    // makes it again under the same key.
    let result = tokio::select! {
        biased;
        result = (saga.perform)(call.call.clone(), key) => Arc::new(result),
        () = shutdown.wait() => return,
    };
    if let Err(failure) = result.as_ref() {
        spans::failed(&tracing::Span::current());
        let reason = match failure {
            CallFailure::Failed { reason, .. } | CallFailure::Unknown { reason } => reason,
        };
        tracing::info!(saga = call.saga, id = %call.id, key = call.key, reason, "a call of a saga gave no reply");
    }
    loop {
        match host.perform(reply(host, saga, &call, result.clone())).await {
            Ok(done) => {
                if let Some(PartOutcome::Failed(refusal)) = done.outcomes.first() {
                    let reason = refusal.to_string();
                    tracing::error!(saga = call.saga, id = %call.id, reason, "a reply could not be taken in");
                }
                return;
            }
            // The record stays: at the next start the call is made again under the same key.
            Err(JobError::Closed) => return,
            Err(_) if shutdown.is_on() => return,
            Err(error) => {
                tracing::warn!(saga = call.saga, id = %call.id, %error, "a reply is recorded again");
                host.environment().clock.sleep(RETRY).await;
            }
        }
    }
}

fn reply(
    host: &Host,
    saga: &SagaRegistration,
    call: &PendingCall,
    result: Arc<Result<Value, CallFailure>>,
) -> Job {
    let (replied, id, key) = (saga.replied, call.id, call.key.clone());
    let Opened { span, traceparent } = spans::saga_step(host, call, call.traceparent.as_deref());
    let (correlation_id, causation_id) = (call.correlation_id.clone(), call.key.clone());
    let origin = Origin { correlation_id, causation_id, traceparent };
    let decision = move |ws: &mut Workspace<'_>| replied(id, &key, &result, ws).map(|()| Value::Null);
    let part = Part { name: "saga-reply", origin, span, lane: None, decision: Arc::new(decision) };
    Job { parts: vec![part], priority: Priority::High, ..Job::default() }
}
