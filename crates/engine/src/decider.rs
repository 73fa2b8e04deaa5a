//! Where everything that changes state is decided: one task a service. Work that waits is sorted
//! by priority and decided one after another on predicted states; the commits go to the journal
//! in that order without waiting for each other's sync. Where one fails, those that built on it
//! fail with it and are decided again.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use backbone::commit::{Answer, Commit, Fence, Outcome, Source};
use backbone::journal;
use backbone::outcome::Refusal;
use backbone::saga::PendingCall;
use backbone::timer::Timer;
use backbone::work::{Decision, Idempotency, Origin, Priority};
use backbone::workspace::{Draft, Key, Workspace};
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use kernel::{ErrorKind, Timestamp};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tracing::Span;

use crate::assemble::{Assembled, Stamp, assemble};
use crate::cache::Cache;
use crate::host::{Host, Loaded};
use crate::marks::Marks;
use crate::sealing::KeyTable;
use crate::spans;

/// How often a job is decided again after conflicts before it is given up.
const CONFLICTS_MAX: u32 = 200;

/// How many jobs may wait for loads and syncs at a time.
const IN_FLIGHT_MAX: usize = 4_096;

/// How many states are remembered.
const STATES_MAX: usize = 8_192;

/// One decision of a job.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) origin: Origin,
    /// Ends when the job is settled.
    pub(crate) span: Span,
    /// Parts of one lane take effect in order or not at all: after a failure the rest waits.
    pub(crate) lane: Option<Arc<str>>,
    pub(crate) decision: Decision,
}

/// What became of a part.
#[derive(Clone, Debug)]
pub(crate) enum PartOutcome {
    Done(Value),
    Failed(Refusal),
    /// An earlier part of its lane failed.
    Behind,
}

/// What a job does once its parts are decided, in the same commit.
pub(crate) type Finish = Box<dyn Fn(&[PartOutcome], &mut Workspace<'_>) -> Result<(), Refusal> + Send>;

/// Decisions that become one commit.
#[derive(Default)]
pub(crate) struct Job {
    pub(crate) parts: Vec<Part>,
    pub(crate) source: Option<Source>,
    pub(crate) idempotency: Option<Idempotency>,
    /// With this a failed part does not stop the others; without it, nothing is committed.
    pub(crate) finish: Option<Finish>,
    pub(crate) priority: Priority,
    /// The lease under which it is done.
    pub(crate) fence: Option<Fence>,
}

/// A job that is durable.
#[derive(Debug)]
pub(crate) struct JobDone {
    pub(crate) outcomes: Vec<PartOutcome>,
    pub(crate) position: u64,
    pub(crate) repeated: Option<Answer>,
}

/// Why a job is not.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum JobError {
    #[error("{0}")]
    Unavailable(String),
    #[error("{0}")]
    Failed(String),
    #[error("the engine is shutting down")]
    Closed,
    /// These deliveries took effect before.
    #[error("{} deliveries took effect before", .0.len())]
    Taken(Vec<uuid::Uuid>),
    #[error("the lease {0} was taken over")]
    Fenced(String),
}

pub(crate) type Reply = oneshot::Sender<Result<JobDone, JobError>>;

struct Queued {
    job: Job,
    reply: Reply,
    sequence: u64,
    conflicts: u32,
    /// All that it asked for so far: on a shared store it is loaded anew, and together.
    needs: BTreeSet<Key>,
}

struct Submitted {
    queued: Queued,
    outcomes: Vec<PartOutcome>,
    ticket: u64,
    touched: Vec<Key>,
    timers: Vec<(String, Option<Timer>)>,
    calls: Vec<PendingCall>,
    marks: Marks,
    told: Vec<String>,
}

struct Prepared {
    submitted: Submitted,
    assembled: Assembled,
    built_on: Vec<u64>,
    answer: Option<Answer>,
    now: Timestamp,
}

enum Decided {
    Ready(Box<(Vec<PartOutcome>, Draft)>),
    Rejected(Vec<PartOutcome>),
    Missing(BTreeSet<Key>),
}

type States = Vec<(Key, Loaded)>;
type Load = BoxFuture<'static, (Vec<Queued>, Result<States, journal::Error>)>;
type Sync = BoxFuture<'static, (Submitted, Result<Outcome, journal::Error>)>;

/// The task that decides a service's work.
pub(crate) struct Decider {
    host: Arc<Host>,
    inbox: mpsc::Receiver<(Job, Reply)>,
    cache: Cache,
    ready: Vec<Queued>,
    loads: FuturesUnordered<Load>,
    syncs: FuturesUnordered<Sync>,
    next_ticket: u64,
    next_sequence: u64,
}

impl Decider {
    pub(crate) fn new(host: Arc<Host>, inbox: mpsc::Receiver<(Job, Reply)>) -> Self {
        let is_shared = host.leases().is_shared();
        Self {
            host,
            inbox,
            cache: Cache::new(STATES_MAX).of_shared_store(is_shared),
            ready: Vec::new(),
            loads: FuturesUnordered::new(),
            syncs: FuturesUnordered::new(),
            next_ticket: 1,
            next_sequence: 1,
        }
    }

    /// Runs until the last sender is gone and everything taken in is settled.
    pub(crate) async fn run(mut self) {
        let mut open = true;
        let mut arrived = Vec::new();
        while open || !self.loads.is_empty() || !self.syncs.is_empty() || !self.ready.is_empty() {
            let room = IN_FLIGHT_MAX.saturating_sub(self.waiting());
            tokio::select! {
                biased;
                Some((submitted, outcome)) = self.syncs.next(), if !self.syncs.is_empty() => {
                    self.settle(submitted, outcome);
                }
                Some((jobs, loaded)) = self.loads.next(), if !self.loads.is_empty() => {
                    self.take_loaded(jobs, loaded);
                }
                count = self.inbox.recv_many(&mut arrived, room.min(256)), if open && room > 0 => {
                    open = count > 0;
                }
            }
            self.drain(&mut arrived);
            self.decide_ready().await;
            self.cache.end_round();
        }
    }

    fn waiting(&self) -> usize {
        self.loads.len() + self.syncs.len() + self.ready.len()
    }

    /// Takes in everything that is there already, so that it is decided and sorted together.
    fn drain(&mut self, arrived: &mut Vec<(Job, Reply)>) {
        use futures::FutureExt;
        while let Some(Some((submitted, outcome))) = self.syncs.next().now_or_never() {
            self.settle(submitted, outcome);
        }
        while let Some(Some((jobs, loaded))) = self.loads.next().now_or_never() {
            self.take_loaded(jobs, loaded);
        }
        while arrived.len() < 1_024 && self.waiting() < IN_FLIGHT_MAX {
            let Ok(job) = self.inbox.try_recv() else { break };
            arrived.push(job);
        }
        for (job, reply) in arrived.drain(..) {
            let sequence = self.next_sequence;
            self.next_sequence += 1;
            self.ready.push(Queued { job, reply, sequence, conflicts: 0, needs: BTreeSet::new() });
        }
    }

    async fn decide_ready(&mut self) {
        if self.ready.is_empty() {
            return;
        }
        let mut ready = std::mem::take(&mut self.ready);
        ready.sort_by_key(|queued| (queued.job.priority, queued.sequence));
        let (mut missing, mut waiting, mut prepared) = (BTreeSet::new(), Vec::new(), Vec::new());
        for mut queued in ready {
            match self.decide(&queued.job) {
                Decided::Missing(keys) => {
                    queued.needs.extend(keys);
                    missing.extend(self.cache.lacks(&queued.needs).cloned());
                    waiting.push(queued);
                }
                Decided::Rejected(outcomes) => {
                    spans::close(&queued.job.parts, &outcomes);
                    let _ = queued.reply.send(Ok(JobDone { outcomes, position: 0, repeated: None }));
                }
                Decided::Ready(decided) => prepared.push(self.prepare(queued, *decided)),
            }
        }
        if !waiting.is_empty() {
            self.load(waiting, missing.into_iter().collect());
        }
        if !prepared.is_empty() {
            self.submit(prepared).await;
        }
    }

    /// Loads as a task of its own: it may hold a connection or a turn that the commit of others waits
    /// for, and nobody would go on with it here meanwhile.
    fn load(&mut self, waiting: Vec<Queued>, keys: Vec<Key>) {
        let host = self.host.clone();
        let (reply, answer) = oneshot::channel();
        let load = async move {
            let _ = reply.send(host.load_each(keys).await);
        };
        self.host.environment().spawner.spawn("load", Box::pin(load));
        let ended = |_| {
            let reason = "the load ended without an answer".to_owned();
            Err(journal::Error::Unavailable { operation: "loading states", reason })
        };
        self.loads.push(Box::pin(async move { (waiting, answer.await.unwrap_or_else(ended)) }));
    }

    fn decide(&self, job: &Job) -> Decided {
        let environment = self.host.environment();
        let now = environment.clock.now();
        let mut ws = Workspace::new(&self.cache, &*environment.ids, now, Origin::default());
        let mut outcomes = Vec::with_capacity(job.parts.len());
        let mut failed_lanes: BTreeSet<&str> = BTreeSet::new();
        let mut missing = BTreeSet::new();
        for part in &job.parts {
            if part.lane.as_deref().is_some_and(|lane| failed_lanes.contains(lane)) {
                outcomes.push(PartOutcome::Behind);
                continue;
            }
            let mut nested = ws.nested(part.origin.clone());
            let decide = || part.span.in_scope(|| (part.decision)(&mut nested));
            let decided = guarded(part.name, decide).and_then(|value| {
                let draft = nested.into_draft();
                self.host.fits(&draft).map(|()| (value, draft))
            });
            match decided {
                Ok((value, draft)) => {
                    ws.absorb(draft);
                    outcomes.push(PartOutcome::Done(value));
                }
                Err(Refusal::Missing(keys)) => missing.extend(keys),
                Err(refusal) => {
                    failed_lanes.extend(part.lane.as_deref());
                    outcomes.push(PartOutcome::Failed(refusal));
                }
            }
        }
        if !missing.is_empty() {
            return Decided::Missing(missing);
        }
        match &job.finish {
            None if outcomes.iter().any(|o| !matches!(o, PartOutcome::Done(_))) => {
                return Decided::Rejected(outcomes);
            }
            None => {}
            Some(finish) => match guarded("finish", || finish(&outcomes, &mut ws)) {
                Ok(()) => {}
                Err(Refusal::Missing(keys)) => return Decided::Missing(keys.into_iter().collect()),
                Err(refusal) => return Decided::Rejected(vec![PartOutcome::Failed(refusal)]),
            },
        }
        Decided::Ready(Box::new((outcomes, ws.into_draft())))
    }

    fn prepare(&mut self, queued: Queued, decided: (Vec<PartOutcome>, Draft)) -> Prepared {
        let (outcomes, mut draft) = decided;
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let assembled = assemble(&draft);
        let touched: Vec<Key> = draft.changes.keys().chain(draft.reads.keys()).cloned().collect();
        let mut built_on: Vec<u64> =
            touched.iter().map(|key| self.cache.ticket(key)).filter(|t| *t != 0).collect();
        built_on.sort_unstable();
        built_on.dedup();
        let timers = timer_changes(&draft);
        for (key, change) in std::mem::take(&mut draft.changes) {
            match change.base {
                Some(_) => self.cache.predict(key, change.slot, ticket),
                None => self.cache.drop_key(&key),
            }
        }
        let now = self.host.environment().clock.now();
        let answer = queued.job.idempotency.as_ref().map(|idempotency| Answer {
            key: idempotency.key.clone(),
            fingerprint: idempotency.fingerprint,
            body: answer_of(&outcomes),
            at: now,
        });
        let calls = std::mem::take(&mut draft.calls);
        let (marks, told) = (Marks::of(&assembled), self.host.told().topics(&assembled));
        let submitted = Submitted { queued, outcomes, ticket, touched, timers, calls, marks, told };
        Prepared { submitted, assembled, built_on, answer, now }
    }

    async fn submit(&mut self, prepared: Vec<Prepared>) {
        let persons: BTreeSet<_> = prepared.iter().flat_map(|p| p.assembled.persons()).copied().collect();
        let persons: Vec<_> = persons.into_iter().collect();
        let keys = match self.host.keys().ensure(&persons).await {
            Ok(keys) => persons.into_iter().zip(keys).collect::<KeyTable>(),
            Err(error) => {
                for Prepared { submitted, .. } in prepared {
                    self.give_up(submitted, JobError::Unavailable(error.to_string()));
                }
                return;
            }
        };
        let master_key = self.host.keys().master_id();
        for Prepared { submitted, assembled, built_on, answer, now } in prepared {
            let ids = self.host.environment().ids.clone();
            let stamp = Stamp { service: self.host.service(), now, ids: &*ids, master_key: &master_key };
            let source = submitted.queued.job.source.clone();
            match assembled.seal(&stamp, &keys, source, answer) {
                Err(unfit) => self.give_up(submitted, JobError::Failed(unfit.to_string())),
                Ok(commit) if commit.is_empty() && built_on.is_empty() => {
                    self.settle(submitted, Ok(Outcome::Committed { position: 0 }));
                }
                Ok(commit) => {
                    let ticket = submitted.ticket;
                    let fence = submitted.queued.job.fence.clone();
                    let submission = self.host.journal().submit(Commit { ticket, built_on, fence, ..commit });
                    self.syncs.push(Box::pin(async move {
                        let lost = || journal::Error::Unavailable {
                            operation: "committing",
                            reason: "the journal went away".to_owned(),
                        };
                        (submitted, submission.await.unwrap_or_else(|_| Err(lost())))
                    }));
                }
            }
        }
    }

    fn forget(&mut self, submitted: &Submitted) {
        for key in &submitted.touched {
            self.cache.forget(key, submitted.ticket);
        }
    }

    fn give_up(&mut self, submitted: Submitted, error: JobError) {
        self.forget(&submitted);
        let _ = submitted.queued.reply.send(Err(error));
    }

    fn settle(&mut self, submitted: Submitted, outcome: Result<Outcome, journal::Error>) {
        match outcome {
            Ok(Outcome::Committed { position }) => {
                for key in &submitted.touched {
                    self.cache.confirm(key, submitted.ticket);
                }
                let Submitted { queued, outcomes, timers, calls, marks, told, .. } = submitted;
                spans::close(&queued.job.parts, &outcomes);
                self.host.signs().committed(marks);
                self.host.committed(timers, calls);
                self.host.told().tell(&told);
                let _ = queued.reply.send(Ok(JobDone { outcomes, position, repeated: None }));
            }
            Ok(Outcome::Duplicate(answer)) => {
                self.forget(&submitted);
                let outcomes = submitted.outcomes;
                let done = JobDone { outcomes, position: 0, repeated: Some(answer) };
                let _ = submitted.queued.reply.send(Ok(done));
            }
            Ok(Outcome::Conflict { which }) => {
                self.forget(&submitted);
                let mut queued = submitted.queued;
                queued.conflicts += 1;
                metrics::counter!("a4co_commit_conflicts_total", "service" => self.host.service())
                    .increment(1);
                if queued.conflicts > CONFLICTS_MAX {
                    let message = format!("gave up after {CONFLICTS_MAX} conflicts, the last on {which}");
                    let _ = queued.reply.send(Err(JobError::Unavailable(message)));
                } else {
                    self.ready.push(queued);
                }
            }
            Ok(Outcome::Taken { events }) => self.give_up(submitted, JobError::Taken(events)),
            Ok(Outcome::Fenced { lease }) => self.give_up(submitted, JobError::Fenced(lease)),
            Err(error @ journal::Error::Malformed(_)) => {
                self.give_up(submitted, JobError::Failed(error.to_string()));
            }
            Err(error) => {
                if !submitted.timers.is_empty() || !submitted.calls.is_empty() {
                    self.host.doubts().notify_one();
                }
                self.give_up(submitted, JobError::Unavailable(error.to_string()));
            }
        }
    }

    /// Takes in what was loaded for these jobs together. A state that cannot be read stops those that
    /// asked for it, and nobody else.
    fn take_loaded(&mut self, jobs: Vec<Queued>, loaded: Result<States, journal::Error>) {
        let states = match loaded {
            Ok(states) => states,
            Err(error) => {
                for queued in jobs {
                    let _ = queued.reply.send(Err(JobError::Unavailable(error.to_string())));
                }
                return;
            }
        };
        let mut unreadable = BTreeMap::new();
        for (key, state) in states {
            match state {
                Ok(slot) => self.cache.loaded(key, slot),
                Err(reason) => drop(unreadable.insert(key, reason)),
            }
        }
        for queued in jobs {
            match queued.needs.iter().find_map(|key| unreadable.get(key)) {
                None => self.ready.push(queued),
                Some(reason) => {
                    let service = self.host.service();
                    tracing::error!(service, reason, "a state cannot be read");
                    let _ = queued.reply.send(Err(JobError::Failed(reason.clone())));
                }
            }
        }
    }
}

/// Runs a decision; a panic is a failure that counts as an attempt.
pub(crate) fn guarded<T>(name: &str, decide: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    std::panic::catch_unwind(AssertUnwindSafe(decide)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(Refusal::failed(ErrorKind::Transient, format!("{name} panicked: {text}")))
    })
}

fn answer_of(outcomes: &[PartOutcome]) -> bytes::Bytes {
    let value = match outcomes.first() {
        Some(PartOutcome::Done(value)) => value,
        _ => &Value::Null,
    };
    serde_json::to_vec(value).expect("values are JSON").into()
}

fn timer_changes(draft: &Draft) -> Vec<(String, Option<Timer>)> {
    let timers = draft.changes.iter().filter(|(key, _)| key.kind.name() == backbone::timer::TIMERS.name);
    timers
        .filter_map(|(key, change)| {
            let timer = change.slot.state.downcast_ref::<Option<Timer>>()?;
            Some((key.id.to_string(), timer.clone()))
        })
        .collect()
}
