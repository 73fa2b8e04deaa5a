//! A stage for one module: runs its decisions, reactions, timers and saga calls in memory, one
//! after another, without the engine. For the tests of services; what only crashes, concurrency
//! and encryption show is tested with the engine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use kernel::{Duration, Envelope, Event, Timestamp};
use uuid::Uuid;

use crate::aggregate::Aggregate;
use crate::calls::{CallError, CallReply, CallRequest};
use crate::collection::ColumnValue;
use crate::commit::StoredEvent;
use crate::context::Context;
use crate::document::Document;
use crate::environment::{Environment, Ids, Secrets};
use crate::ephemeral::NoHints;
use crate::journal::{Stored, StoredDocument, Want};
use crate::module::Module;
use crate::outcome::Refusal;
use crate::saga::{AnyInstance, CallKey, PendingCall, SAGAS};
use crate::timer::Timer;
use crate::work::Origin;
use crate::workspace::{DocumentKind, Draft, Key, Kind, Payload, Slot, States, Workspace};

mod ports;
mod query;

type Answers = Box<dyn Fn(&CallRequest) -> Result<CallReply, CallError> + Send>;

/// A document at rest.
struct Resting {
    stored: StoredDocument,
    columns: Vec<ColumnValue>,
}

#[derive(Default)]
struct Memory {
    slots: BTreeMap<Key, Slot>,
    documents: BTreeMap<(&'static str, String), Resting>,
    streams: BTreeMap<String, Vec<StoredEvent>>,
    answers: BTreeMap<String, (u64, Bytes)>,
}

impl States for Memory {
    fn get(&self, key: &Key) -> Option<Slot> {
        if let Some(slot) = self.slots.get(key) {
            return Some(slot.clone());
        }
        let blank = match key.kind.want(&key.id) {
            Want::Stream(_) => Stored::Stream { snapshot: None, events: Vec::new() },
            Want::Document(collection, id) | Want::Shadow(collection, id) => {
                let resting = self.documents.get(&(collection.name, id));
                Stored::Document(resting.map(|resting| resting.stored.clone()))
            }
        };
        key.kind.restore(blank).ok()
    }
}

struct Inner {
    service: &'static str,
    module: Option<Module>,
    memory: Memory,
    now: Timestamp,
    published: Vec<Envelope>,
    calls: Vec<PendingCall>,
    answers: Answers,
}

struct StageIds(Mutex<u64>);

impl Ids for StageIds {
    fn uuid(&self) -> Uuid {
        let mut next = self.0.lock().expect("no test panics while it makes an id");
        *next += 1;
        Uuid::from_u128((0x0190_0000_0000_7000_8000_u128 << 48) | u128::from(*next))
    }

    fn random(&self) -> u64 {
        kernel::stable_hash(self.uuid().as_bytes())
    }
}

/// The same in every run, and another each time: worth nothing as secrets.
#[derive(Default)]
struct StageSecrets(Mutex<u64>);

impl Secrets for StageSecrets {
    fn bytes(&self) -> [u8; 32] {
        let mut next = self.0.lock().expect("no test panics while it makes a secret");
        *next += 1;
        let mut bytes = [0xA4; 32];
        bytes[24..].copy_from_slice(&next.to_be_bytes());
        bytes
    }
}

/// A stage for one module; clones share it.
#[derive(Clone)]
pub struct Stage {
    inner: Arc<Mutex<Inner>>,
    ids: Arc<StageIds>,
    secrets: Arc<StageSecrets>,
}

impl Stage {
    /// An empty stage for `service`, at 2026-01-05 10:00 UTC.
    pub fn new(service: &'static str) -> Self {
        let inner = Inner {
            service,
            module: None,
            memory: Memory::default(),
            now: Timestamp::from_micros(1_767_607_200_000_000),
            published: Vec::new(),
            calls: Vec::new(),
            answers: Box::new(|request| {
                Err(CallError::Unreachable { to: request.spec.to, reason: "the stage has no answer".into() })
            }),
        };
        Self {
            inner: Arc::new(Mutex::new(inner)),
            ids: Arc::new(StageIds(Mutex::new(0))),
            secrets: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The context to make the module with.
    pub fn context(&self) -> Context {
        let service = self.lock().service;
        let stage = Arc::new(self.clone());
        let (ids, secrets) = (self.ids.clone(), self.secrets.clone());
        let environment = Environment { clock: stage.clone(), ids, secrets, spawner: stage.clone() };
        let hints = Arc::new(NoHints);
        Context {
            service,
            commands: stage.clone(),
            documents: stage.clone(),
            calls: stage,
            environment,
            hints,
        }
    }

    /// Puts the module on the stage.
    pub fn mount(&self, module: Module) {
        self.lock().module = Some(module);
    }

    /// Makes and mounts a module in one go.
    pub fn with(service: &'static str, make: impl FnOnce(&Context) -> Module) -> Self {
        let stage = Self::new(service);
        stage.mount(make(&stage.context()));
        stage
    }

    /// Answers the module's calls to other services from now on.
    pub fn answer_calls(
        &self,
        answers: impl Fn(&CallRequest) -> Result<CallReply, CallError> + Send + 'static,
    ) {
        self.lock().answers = Box::new(answers);
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.lock().now
    }

    /// A new id.
    pub fn uuid(&self) -> Uuid {
        self.ids.uuid()
    }

    /// Runs a decision and commits it.
    pub fn run<T>(
        &self,
        decide: impl FnOnce(&mut Workspace<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let origin = Origin { correlation_id: "test".into(), causation_id: "test".into(), traceparent: None };
        self.run_as(origin, decide)
    }

    fn run_as<T>(
        &self,
        origin: Origin,
        decide: impl FnOnce(&mut Workspace<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut inner = self.lock();
        let now = inner.now;
        let mut ws = Workspace::new(&inner.memory, &*self.ids, now, origin);
        let result = decide(&mut ws)?;
        let draft = ws.into_draft();
        inner.commit(draft, &self.ids);
        Ok(result)
    }

    /// Gives the module a public event, as if it had arrived. Events that the module does not
    /// react to are a mistake of the test.
    pub fn receive<E: Event>(&self, event: &E) -> Result<(), Refusal> {
        let envelope = Envelope {
            id: self.uuid().into(),
            source: E::TYPE.producer.to_owned(),
            kind: E::TYPE.name.to_owned(),
            subject: event.subject().to_string(),
            time: self.now(),
            correlation_id: "test".to_owned(),
            causation_id: "test".to_owned(),
            sequence: 0,
            traceparent: None,
            key_id: None,
            data: serde_json::to_vec(event).expect("events are JSON").into(),
        };
        self.deliver(&envelope)
    }

    /// Gives the module an envelope; twice is a redelivery.
    pub fn deliver(&self, envelope: &Envelope) -> Result<(), Refusal> {
        let run = {
            let inner = self.lock();
            let module = inner.module.as_ref().expect("mount the module first");
            let reaction = module.reactions.iter().find(|reaction| reaction.event.name == envelope.kind);
            reaction
                .unwrap_or_else(|| panic!("{} has no reaction to {}", inner.service, envelope.kind))
                .run
                .clone()
        };
        let origin = Origin {
            correlation_id: envelope.correlation_id.clone(),
            causation_id: envelope.id.to_string(),
            traceparent: envelope.traceparent.clone(),
        };
        self.run_as(origin, |ws| run(envelope, ws))
    }

    /// Everything published so far and not taken, in order.
    pub fn published(&self) -> Vec<Envelope> {
        self.lock().published.clone()
    }

    /// Takes all published events of a type.
    pub fn take<E: Event>(&self) -> Vec<E> {
        let mut inner = self.lock();
        let (taken, left) =
            std::mem::take(&mut inner.published).into_iter().partition(|e: &Envelope| e.kind == E::TYPE.name);
        inner.published = left;
        let taken: Vec<Envelope> = taken;
        taken
            .iter()
            .map(|e| serde_json::from_slice(&e.data).expect("published events are readable"))
            .collect()
    }

    /// Forgets what was published.
    pub fn clear_published(&self) {
        self.lock().published.clear();
    }

    /// Makes the saga calls that wait, and those that follow, until none is left.
    pub fn perform_calls(&self) {
        loop {
            let calls = std::mem::take(&mut self.lock().calls);
            if calls.is_empty() {
                return;
            }
            for call in calls {
                self.perform(call);
            }
        }
    }

    fn perform(&self, call: PendingCall) {
        let registration = {
            let inner = self.lock();
            let module = inner.module.as_ref().expect("mount the module first");
            let found = module.sagas.iter().find(|saga| saga.name == call.saga).cloned();
            found.unwrap_or_else(|| panic!("saga {} is not registered", call.saga))
        };
        let key = CallKey { key: call.key.clone(), correlation_id: call.correlation_id.clone() };
        let result = futures::executor::block_on((registration.perform)(call.call, key));
        self.run(|ws| (registration.replied)(call.id, &call.key, &result, ws)).expect("replies are taken in");
    }

    /// Forgets which calls were asked for, as a crash does, and resumes them from the sagas'
    /// records, as the engine does.
    pub fn crash_and_resume(&self) {
        let mut inner = self.lock();
        inner.calls.clear();
        let mut resumed = Vec::new();
        for ((collection, _), resting) in &inner.memory.documents {
            if *collection != SAGAS.name {
                continue;
            }
            let saga: AnyInstance = serde_json::from_slice(&resting.stored.body).expect("sagas are readable");
            let module = inner.module.as_ref().expect("mount the module first");
            let name = module.sagas.iter().find(|known| known.name == saga.saga).map(|known| known.name);
            for call in &saga.calls {
                resumed.push(PendingCall {
                    saga: name.expect("the saga is registered"),
                    id: saga.id,
                    key: call.key.clone(),
                    call: call.call.clone(),
                    correlation_id: saga.correlation_id.clone(),
                    traceparent: saga.traceparent.clone(),
                });
            }
        }
        inner.calls = resumed;
    }

    /// Lets time pass; timers fire when they are due, in order.
    pub fn advance(&self, duration: Duration) {
        let end = self.now().plus(duration);
        while let Some(timer) = self.next_timer().filter(|timer| timer.due <= end) {
            let fire = {
                let mut inner = self.lock();
                inner.now = inner.now.max(timer.due);
                let module = inner.module.as_ref().expect("mount the module first");
                let timers = module.timers.iter().chain(module.sagas.iter().map(|saga| &saga.timer));
                let found = timers.into_iter().find(|handler| handler.name == timer.name);
                found.unwrap_or_else(|| panic!("timer {} has no handler", timer.name)).fire.clone()
            };
            self.run(|ws| {
                ws.delete::<Timer>(timer.id());
                fire(&timer, ws)
            })
            .expect("timers fire");
        }
        self.lock().now = end;
    }

    fn next_timer(&self) -> Option<Timer> {
        let inner = self.lock();
        let timers = inner.memory.documents.iter().filter(|((name, _), _)| *name == Timer::COLLECTION.name);
        let read = timers.map(|(_, resting)| {
            serde_json::from_slice::<Timer>(&resting.stored.body).expect("timers are readable")
        });
        read.min_by_key(|timer| (timer.due, timer.id()))
    }

    /// A document.
    pub fn get<D: Document>(&self, id: impl ToString) -> Option<D> {
        let inner = self.lock();
        let resting = inner.memory.documents.get(&(D::COLLECTION.name, id.to_string()))?;
        Some(serde_json::from_slice(&resting.stored.body).expect("documents are readable"))
    }

    /// All documents of a collection, by id.
    pub fn all<D: Document>(&self) -> Vec<D> {
        let inner = self.lock();
        let documents = inner.memory.documents.iter().filter(|((name, _), _)| *name == D::COLLECTION.name);
        documents
            .map(|(_, resting)| serde_json::from_slice(&resting.stored.body).expect("documents are readable"))
            .collect()
    }

    /// The state of an aggregate.
    pub fn state<A: Aggregate>(&self, id: impl ToString) -> A::State {
        self.run(|ws| ws.state::<A>(id)).map(Arc::unwrap_or_clone).expect("states are at hand")
    }
}

fn bytes(payload: &Payload) -> Bytes {
    match payload {
        Payload::Plain(bytes) => bytes.clone(),
        Payload::Personal { value, .. } => serde_json::to_vec(value).expect("values are JSON").into(),
    }
}

impl Inner {
    fn commit(&mut self, draft: Draft, ids: &StageIds) {
        for outgoing in &draft.outgoing {
            let kind = outgoing.announcement.kind;
            assert_eq!(kind.producer, self.service, "{} is published by {} alone", kind.name, kind.producer);
            if let Some(module) = &self.module {
                let declared = module.publishes.iter().any(|event| event.name == kind.name);
                assert!(declared, "{} publishes {} without declaring it", self.service, kind.name);
            }
            self.published.push(Envelope {
                id: ids.uuid().into(),
                source: self.service.to_owned(),
                kind: kind.name.to_owned(),
                subject: outgoing.announcement.subject.clone(),
                time: self.now,
                correlation_id: outgoing.origin.correlation_id.clone(),
                causation_id: outgoing.origin.causation_id.clone(),
                sequence: outgoing.sequence,
                traceparent: outgoing.origin.traceparent.clone(),
                key_id: None,
                data: bytes(&outgoing.announcement.payload),
            });
        }
        for (key, change) in draft.changes {
            let writes = key.kind.write(&key.id, &change);
            if let Some(stream) = writes.stream {
                let now = self.now;
                let events = change.events.iter().map(|event| StoredEvent {
                    version: event.version,
                    name: event.name.to_owned(),
                    schema: event.schema,
                    at: now,
                    correlation_id: event.origin.correlation_id.clone(),
                    causation_id: event.origin.causation_id.clone(),
                    person: event.person,
                    data: bytes(&event.payload),
                });
                self.memory.streams.entry(stream).or_default().extend(events);
                self.memory.slots.insert(key, change.slot);
            }
            for document in writes.documents {
                self.write(document);
            }
        }
        self.calls.extend(draft.calls);
    }

    fn write(&mut self, document: crate::workspace::DraftDocument) {
        let place = (document.collection.name, document.id.clone());
        let Some((payload, columns, person)) = document.body else {
            self.memory.documents.remove(&place);
            return;
        };
        assert_eq!(
            columns.len(),
            document.collection.columns.len(),
            "a value for each column of {}",
            place.0
        );
        let version = self.memory.documents.get(&place).map_or(0, |resting| resting.stored.version) + 1;
        let stored = StoredDocument { id: document.id, version, person, body: bytes(&payload) };
        self.memory.documents.insert(place, Resting { stored, columns });
    }
}

/// The kind of a document, for tests that make keys by hand.
pub fn kind_of<D: Document>() -> &'static dyn Kind {
    DocumentKind::<D>::kind()
}
