//! What the engine has of one service: its journal, its door, its timers and sagas.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use backbone::environment::Environment;
use backbone::journal::{self, Journal, Storage, Stored, Want};
use backbone::keyring::PersonKey;
use backbone::outcome::Refusal;
use backbone::saga::PendingCall;
use backbone::timer::Timer;
use backbone::trace::Tracing;
use backbone::work::{Commands, Done, Error, Idempotency, Origin, Work};
use backbone::workspace::{Draft, Key, Slot, Unrestored};
use tokio::sync::{Notify, mpsc, oneshot};
use uuid::Uuid;

use crate::decider::{Job, JobDone, JobError, Part, PartOutcome, Reply};
use crate::fit::{self, Published};
use crate::keys::Keys;
use crate::leases::Leases;
use crate::marks::ServiceSigns;
use crate::projections::{Gate, Gates};
use crate::sagas::Caller;
use crate::sealing::{self, KeyTable};
use crate::spans::{self, Opened};
use crate::timers::TimerHeap;
use crate::told::Told;

/// A state that was loaded, or why this program cannot read it.
pub(crate) type Loaded = Result<Slot, String>;

/// What a service is opened with.
pub(crate) struct Opening {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) leases: Leases,
}

/// One service as the engine sees it.
pub struct Host {
    service: &'static str,
    environment: Environment,
    keys: Arc<Keys>,
    tracing: Tracing,
    opened: OnceLock<Opening>,
    published: OnceLock<Published>,
    told: OnceLock<Told>,
    gates: Gates,
    door: mpsc::Sender<(Job, Reply)>,
    timers: TimerHeap,
    caller: Caller,
    commits: AtomicU64,
    committed: Notify,
    doubts: Notify,
    signs: ServiceSigns,
}

impl Host {
    pub(crate) fn new(
        service: &'static str,
        environment: Environment,
        keys: Arc<Keys>,
        tracing: Tracing,
    ) -> (Arc<Self>, mpsc::Receiver<(Job, Reply)>) {
        let (door, inbox) = mpsc::channel(1_024);
        let host = Self {
            service,
            environment,
            keys,
            tracing,
            opened: OnceLock::new(),
            published: OnceLock::new(),
            told: OnceLock::new(),
            gates: Gates::default(),
            door,
            timers: TimerHeap::default(),
            caller: Caller::default(),
            commits: AtomicU64::new(0),
            committed: Notify::new(),
            doubts: Notify::new(),
            signs: ServiceSigns::default(),
        };
        (Arc::new(host), inbox)
    }

    /// The service's name.
    pub fn service(&self) -> &'static str {
        self.service
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(crate) fn tracing(&self) -> Tracing {
        self.tracing
    }

    pub(crate) fn timers(&self) -> &TimerHeap {
        &self.timers
    }

    pub(crate) fn signs(&self) -> &ServiceSigns {
        &self.signs
    }

    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    pub(crate) fn open(&self, opening: Opening) {
        assert!(self.opened.set(opening).is_ok(), "a service's journal is opened once");
    }

    /// Takes in what the service's module declares that it publishes.
    pub(crate) fn declare(&self, published: Published) {
        assert!(self.published.set(published).is_ok(), "a service's module is mounted once");
    }

    /// Whether it publishes events of a context.
    pub(crate) fn publishes(&self, context: &str) -> bool {
        let is_of = |name: &&str| name.split('.').next() == Some(context);
        self.published.get().is_some_and(|published| published.iter().any(is_of))
    }

    /// Takes in whom to tell what was committed.
    pub(crate) fn tells(&self, told: Told) {
        assert!(self.told.set(told).is_ok(), "a service's module is mounted once");
    }

    /// Whom to tell what was committed.
    pub(crate) fn told(&self) -> &Told {
        self.told.get().expect("the engine mounts the module before anything runs")
    }

    /// Refuses what may not be committed: see `fit`.
    pub(crate) fn fits(&self, draft: &Draft) -> Result<(), Refusal> {
        let published = self.published.get().expect("the engine mounts the module before anything runs");
        fit::check(self.service, published, draft)
    }

    /// Where those who write to a projection's read model wait for their turn.
    pub(crate) fn gate(&self, projection: &'static str) -> Gate {
        self.gates.of(projection)
    }

    /// The service's journal.
    pub fn journal(&self) -> &Arc<dyn Journal> {
        &self.opened().journal
    }

    /// Where all services keep their journals: what they published is for all to read.
    pub(crate) fn storage(&self) -> &dyn Storage {
        &*self.opened().storage
    }

    /// What one replica alone may do, it does under one of these.
    pub(crate) fn leases(&self) -> Leases {
        self.opened().leases
    }

    fn opened(&self) -> &Opening {
        self.opened.get().expect("the engine opens the journal before anything runs")
    }

    /// What a durable commit sets in motion.
    pub(crate) fn committed(&self, timers: Vec<(String, Option<Timer>)>, calls: Vec<PendingCall>) {
        self.commits.fetch_add(1, Ordering::SeqCst);
        self.committed.notify_waiters();
        if !timers.is_empty() {
            self.timers.change(timers);
        }
        if !calls.is_empty() {
            self.caller.ask(calls);
        }
    }

    /// Rung when nobody knows whether a commit stands that sets timers or asks for calls.
    pub(crate) fn doubts(&self) -> &Notify {
        &self.doubts
    }

    /// How many commits of this service are durable.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }

    /// Waits until more than `seen` commits of this service are durable: a hint, not the truth.
    pub(crate) async fn commits_beyond(&self, seen: u64) {
        loop {
            // Before looking: a commit in between wakes it.
            let news = self.committed.notified();
            if self.commits() > seen {
                return;
            }
            news.await;
        }
    }

    /// Has a job decided and committed.
    pub(crate) async fn perform(&self, job: Job) -> Result<JobDone, JobError> {
        let (reply, answer) = oneshot::channel();
        self.door.send((job, reply)).await.map_err(|_| JobError::Closed)?;
        answer.await.unwrap_or(Err(JobError::Closed))
    }

    /// Loads states, all of which are wanted: one that this program cannot read is an error.
    pub(crate) async fn load(&self, keys: Vec<Key>) -> Result<Vec<(Key, Slot)>, journal::Error> {
        all_readable(self.load_each(keys).await?)
    }

    /// Loads states: one round trip for all. One that this program cannot read is said of it alone.
    pub(crate) async fn load_each(&self, keys: Vec<Key>) -> Result<Vec<(Key, Loaded)>, journal::Error> {
        self.load_from(keys, |want| want).await
    }

    /// Loads what a rebuild keeps aside of documents: all of it is wanted.
    pub(crate) async fn load_aside(&self, keys: Vec<Key>) -> Result<Vec<(Key, Slot)>, journal::Error> {
        let aside = |want| match want {
            Want::Document(collection, id) => Want::Shadow(collection, id),
            other => other,
        };
        all_readable(self.load_from(keys, aside).await?)
    }

    async fn load_from(
        &self,
        keys: Vec<Key>,
        place: fn(Want) -> Want,
    ) -> Result<Vec<(Key, Loaded)>, journal::Error> {
        let wants = keys.iter().map(|key| place(key.kind.want(&key.id))).collect();
        let stored = match self.journal().load(wants).await {
            // The store itself cannot read something among them: whose that is, it says of one alone.
            Err(journal::Error::Unusable(_)) if keys.len() > 1 => return self.load_apart(keys, place).await,
            Err(journal::Error::Unusable(reason)) => {
                return Ok(keys.into_iter().map(|key| (key, Err(reason.clone()))).collect());
            }
            stored => stored?,
        };
        let table = self.key_table(keys.iter().zip(&stored)).await?;
        let mut slots = Vec::with_capacity(keys.len());
        for (key, mut stored) in keys.into_iter().zip(stored) {
            reveal(&key, &mut stored, &table);
            let slot = match key.kind.restore(stored) {
                Ok(slot) => Ok(slot),
                Err(Unrestored::Replay) => self.replay(&key).await?,
                Err(Unrestored::Unreadable(reason)) => Err(reason),
            };
            slots.push((key, slot));
        }
        Ok(slots)
    }

    async fn load_apart(
        &self,
        keys: Vec<Key>,
        place: fn(Want) -> Want,
    ) -> Result<Vec<(Key, Loaded)>, journal::Error> {
        let mut loaded = Vec::with_capacity(keys.len());
        for key in keys {
            loaded.extend(Box::pin(self.load_from(vec![key], place)).await?);
        }
        Ok(loaded)
    }

    /// Restores a stream whose snapshot is of another shape from all its events.
    async fn replay(&self, key: &Key) -> Result<Loaded, journal::Error> {
        let Want::Stream(stream) = key.kind.want(&key.id) else {
            return Ok(Err(format!("{key:?} has no stream to replay")));
        };
        let mut events = Vec::new();
        loop {
            let after = events.last().map_or(0, |event: &backbone::commit::StoredEvent| event.version);
            let page = self.journal().history(&stream, after, 1_000).await?;
            if page.is_empty() {
                break;
            }
            events.extend(page);
        }
        let mut stored = Stored::Stream { snapshot: None, events };
        let table = self.key_table(std::iter::once((key, &stored))).await?;
        reveal(key, &mut stored, &table);
        Ok(key.kind.restore(stored).map_err(|why| match why {
            Unrestored::Unreadable(reason) => reason,
            Unrestored::Replay => format!("{key:?} cannot be read from all its events"),
        }))
    }

    async fn key_table(
        &self,
        stored: impl Iterator<Item = (&Key, &Stored)>,
    ) -> Result<KeyTable, journal::Error> {
        let mut persons: Vec<Uuid> = Vec::new();
        for (_, stored) in stored.filter(|(key, _)| !key.kind.personal().is_empty()) {
            match stored {
                Stored::Document(found) => persons.extend(found.as_ref().and_then(|d| d.person)),
                Stored::Stream { snapshot, events } => {
                    persons.extend(snapshot.as_ref().and_then(|snapshot| snapshot.person));
                    persons.extend(events.iter().filter_map(|event| event.person));
                }
            }
        }
        self.keys_of(persons).await
    }

    /// The keys of `persons`, as a table.
    pub(crate) async fn keys_of(&self, mut persons: Vec<Uuid>) -> Result<KeyTable, journal::Error> {
        persons.sort_unstable();
        persons.dedup();
        if persons.is_empty() {
            return Ok(KeyTable::new());
        }
        let unavailable = |e: backbone::keyring::Error| journal::Error::Unavailable {
            operation: "reading keys",
            reason: e.to_string(),
        };
        let keys = self.keys.find(&persons).await.map_err(unavailable)?;
        Ok(persons.into_iter().zip(keys).collect())
    }
}

fn all_readable(loaded: Vec<(Key, Loaded)>) -> Result<Vec<(Key, Slot)>, journal::Error> {
    loaded.into_iter().map(|(key, slot)| Ok((key, slot.map_err(journal::Error::Unusable)?))).collect()
}

fn reveal(key: &Key, stored: &mut Stored, table: &KeyTable) {
    let fields = key.kind.personal();
    if fields.is_empty() {
        return;
    }
    let key_of = |person: &Uuid| table.get(person).cloned().unwrap_or(PersonKey::Absent);
    match stored {
        Stored::Document(Some(found)) => {
            if let Some(person) = found.person {
                let place = sealing::document_place(key.kind.name(), &found.id);
                found.body = sealing::reveal(&found.body, fields, person, &place, &key_of(&person));
            }
        }
        Stored::Document(None) => {}
        Stored::Stream { snapshot, events } => {
            let Want::Stream(stream) = key.kind.want(&key.id) else { return };
            if let Some(snapshot) = snapshot
                && let Some(person) = snapshot.person
            {
                let place = sealing::event_place(&stream, snapshot.version);
                snapshot.data = sealing::reveal(&snapshot.data, fields, person, &place, &key_of(&person));
            }
            for event in events {
                if let Some(person) = event.person {
                    let place = sealing::event_place(&stream, event.version);
                    event.data = sealing::reveal(&event.data, fields, person, &place, &key_of(&person));
                }
            }
        }
    }
}

#[async_trait]
impl Commands for Host {
    async fn execute(&self, work: Work) -> Result<Done, Error> {
        let fingerprint = work.idempotency.as_ref().map(|idempotency| idempotency.fingerprint);
        let idempotency = work.idempotency.clone();
        let Opened { span, traceparent } =
            spans::command(self, work.name, work.origin.traceparent.as_deref());
        let origin = Origin { traceparent, ..work.origin };
        let part = Part { name: work.name, origin, span, lane: None, decision: work.decision };
        let job = Job {
            parts: vec![part],
            idempotency: work.idempotency,
            priority: work.priority,
            ..Job::default()
        };
        match self.perform(job).await {
            Ok(JobDone { repeated: Some(answer), .. }) => repeated(answer, fingerprint),
            Ok(JobDone { outcomes, position, .. }) => match outcomes.into_iter().next() {
                Some(PartOutcome::Done(value)) => {
                    let answer = serde_json::to_vec(&value).expect("values are JSON").into();
                    Ok(Done { answer, position, repeated: false })
                }
                Some(PartOutcome::Failed(backbone::Refusal::Rejected(rejection))) => Err(rejection.into()),
                Some(PartOutcome::Failed(other)) => Err(Error::Failed(other.to_string())),
                _ => Err(Error::Failed("a decision without an outcome".to_owned())),
            },
            // A commit whose answer was lost is not a failure: look it up by its key first.
            Err(JobError::Unavailable(reason)) => match idempotency {
                Some(idempotency) => match self.answered(&idempotency).await {
                    Ok(Some(done)) => Ok(done),
                    _ => Err(Error::Unavailable(reason)),
                },
                None => Err(Error::Unavailable(reason)),
            },
            Err(JobError::Failed(reason)) => Err(Error::Failed(reason)),
            // Neither deliveries nor a lease stand behind a command.
            Err(error @ (JobError::Taken(_) | JobError::Fenced(_))) => Err(Error::Failed(error.to_string())),
            Err(JobError::Closed) => Err(Error::Unavailable("the service is shutting down".to_owned())),
        }
    }

    async fn answered(&self, idempotency: &Idempotency) -> Result<Option<Done>, Error> {
        let found = self.journal().answer(&idempotency.key).await;
        match found.map_err(|e| Error::Unavailable(e.to_string()))? {
            None => Ok(None),
            Some(answer) => repeated(answer, Some(idempotency.fingerprint)).map(Some),
        }
    }
}

fn repeated(answer: backbone::commit::Answer, fingerprint: Option<u64>) -> Result<Done, Error> {
    if fingerprint.is_some_and(|fingerprint| fingerprint != answer.fingerprint) {
        return Err(Error::KeyReused);
    }
    Ok(Done { answer: answer.body, position: 0, repeated: true })
}
