//! The workspace: what a decision sees and what it leaves behind. A value in memory; the engine
//! turns what it holds into a commit.

use std::any::Any;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use kernel::{ErrorKind, Event, Timestamp};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::aggregate::{Aggregate, Announcement, Announcements};
use crate::collection::{Collection, ColumnValue};
use crate::document::Document;
use crate::environment::Ids;
use crate::journal::{Stored, Want};
use crate::outcome::Refusal;
use crate::saga::PendingCall;
use crate::work::Origin;

mod kinds;
#[cfg(test)]
mod tests;

pub use kinds::{AggregateKind, DocumentKind};

/// JSON on its way into a commit; the engine encrypts the personal fields.
#[derive(Clone, Debug)]
pub enum Payload {
    /// Nothing personal in it.
    Plain(Bytes),
    /// Fields to encrypt.
    Personal {
        /// The whole.
        value: Value,
        /// Its personal fields.
        fields: &'static [&'static str],
        /// Whom they are about.
        person: Uuid,
    },
}

impl Payload {
    /// Writes `value` as JSON. Personal fields stand at the top level, or inside the tag of an
    /// externally tagged enum.
    pub fn new<T: Serialize>(value: &T, fields: &'static [&'static str], person: Option<Uuid>) -> Self {
        match person {
            Some(person) if !fields.is_empty() => Payload::Personal {
                value: serde_json::to_value(value).expect("contracts and documents are JSON"),
                fields,
                person,
            },
            _ => Payload::Plain(serde_json::to_vec(value).expect("contracts and documents are JSON").into()),
        }
    }
}

/// Why a state could not be made from what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unrestored {
    /// The snapshot is of another shape: the whole stream is needed.
    Replay,
    /// Damage, or data of a newer program.
    Unreadable(String),
}

/// How a thing with a version is read and written; made from the types, never by hand.
pub trait Kind: Send + Sync + 'static {
    /// Unique in its service.
    fn name(&self) -> &'static str;
    /// What to ask the journal for.
    fn want(&self, id: &str) -> Want;
    /// The state from what the journal gave, personal fields already readable.
    fn restore(&self, stored: Stored) -> Result<Slot, Unrestored>;
    /// Its personal fields.
    fn personal(&self) -> &'static [&'static str];
    /// What a change writes.
    fn write(&self, id: &str, change: &Change) -> Writes;
}

/// Something with a version that decisions read and write.
#[derive(Clone)]
pub struct Key {
    /// How it is read and written.
    pub kind: &'static dyn Kind,
    /// Which one.
    pub id: Arc<str>,
}

impl Key {
    /// An aggregate.
    pub fn aggregate<A: Aggregate>(id: impl ToString) -> Self {
        Self { kind: AggregateKind::<A>::kind(), id: id.to_string().into() }
    }

    /// A document.
    pub fn document<D: Document>(id: impl ToString) -> Self {
        Self { kind: DocumentKind::<D>::kind(), id: id.to_string().into() }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.kind.name().cmp(other.kind.name()).then_with(|| self.id.cmp(&other.id))
    }
}

impl std::hash::Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.kind.name().hash(state);
        self.id.hash(state);
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind.name(), self.id)
    }
}

/// A state with its version. A document's state is an `Option`.
#[derive(Clone)]
pub struct Slot {
    /// How many events, or how many times written.
    pub version: u64,
    /// `A::State` or `Option<D>`.
    pub state: Arc<dyn Any + Send + Sync>,
}

/// Where a workspace finds states.
pub trait States {
    /// The state of `key`, where it is at hand.
    fn get(&self, key: &Key) -> Option<Slot>;
}

/// What a decision did to one thing.
#[derive(Clone)]
pub struct Change {
    /// Its version before; `None` where it does not matter.
    pub base: Option<u64>,
    /// Its state after.
    pub slot: Slot,
    /// Events to append (aggregates).
    pub events: Vec<DraftEvent>,
}

/// A private event on its way into a commit.
#[derive(Clone, Debug)]
pub struct DraftEvent {
    /// Its place in the stream.
    pub version: u64,
    /// Its name.
    pub name: &'static str,
    /// The schema number.
    pub schema: u32,
    /// The person whom personal fields are about.
    pub person: Option<Uuid>,
    /// The event.
    pub payload: Payload,
    /// What caused it.
    pub origin: Arc<Origin>,
}

/// A document on its way into a commit.
pub struct DraftDocument {
    /// Where it belongs.
    pub collection: &'static Collection,
    /// Its key.
    pub id: String,
    /// `None` removes it.
    pub body: Option<(Payload, Vec<ColumnValue>, Option<Uuid>)>,
    /// The version before; `None` where it does not matter.
    pub base: Option<u64>,
}

/// What a change writes.
#[derive(Default)]
pub struct Writes {
    /// The stream that the events go to.
    pub stream: Option<String>,
    /// Documents (the document itself, or an aggregate's view).
    pub documents: Vec<DraftDocument>,
    /// A snapshot: version, hash of the state's shape, person and state.
    pub snapshot: Option<(u64, u64, Option<Uuid>, Payload)>,
}

/// A public event on its way into a commit.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The event.
    pub announcement: Announcement,
    /// The aggregate's version × 1000 + index.
    pub sequence: u64,
    /// What caused it.
    pub origin: Arc<Origin>,
}

/// Everything that decisions did.
#[derive(Default)]
pub struct Draft {
    /// Things written.
    pub changes: BTreeMap<Key, Change>,
    /// Things read, with the version read.
    pub reads: BTreeMap<Key, u64>,
    /// Public events, in order.
    pub outgoing: Vec<Outgoing>,
    /// Calls that sagas want made once this is durable.
    pub calls: Vec<PendingCall>,
}

/// What a decision sees and what it leaves behind.
pub struct Workspace<'a> {
    states: &'a dyn States,
    ids: &'a dyn Ids,
    now: Timestamp,
    pub(crate) origin: Arc<Origin>,
    draft: Draft,
    last_version: u64,
    publishing: u64,
}

impl States for Workspace<'_> {
    fn get(&self, key: &Key) -> Option<Slot> {
        match self.draft.changes.get(key) {
            Some(change) => Some(change.slot.clone()),
            None => self.states.get(key),
        }
    }
}

impl<'a> Workspace<'a> {
    /// An empty workspace over `states`.
    pub fn new(states: &'a dyn States, ids: &'a dyn Ids, now: Timestamp, origin: Origin) -> Self {
        let origin = Arc::new(origin);
        Self { states, ids, now, origin, draft: Draft::default(), last_version: 0, publishing: 0 }
    }

    /// A workspace on top of this one: what it does can be taken over or forgotten.
    pub fn nested(&self, origin: Origin) -> Workspace<'_> {
        Workspace::new(self, self.ids, self.now, origin)
    }

    /// Takes over what a nested workspace did.
    pub fn absorb(&mut self, draft: Draft) {
        for (key, change) in draft.changes {
            match self.draft.changes.get_mut(&key) {
                Some(before) => {
                    // A document is written once a commit, however often it was changed on the
                    // way; one that is gone has no version.
                    let version = match (before.base, change.slot.version) {
                        (_, 0) => 0,
                        (Some(base), _) if change.events.is_empty() => base + 1,
                        (_, version) => version,
                    };
                    before.slot = Slot { version, state: change.slot.state };
                    before.events.extend(change.events);
                }
                None => {
                    self.draft.changes.insert(key, change);
                }
            }
        }
        for (key, version) in draft.reads {
            self.draft.reads.entry(key).or_insert(version);
        }
        self.draft.outgoing.extend(draft.outgoing);
        self.draft.calls.extend(draft.calls);
    }

    /// What was done here.
    pub fn into_draft(self) -> Draft {
        self.draft
    }

    /// Now, by the store's clock: the same for the whole decision.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// A new id (UUIDv7).
    pub fn uuid(&self) -> Uuid {
        self.ids.uuid()
    }

    /// What caused this decision.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    fn slot(&mut self, key: &Key) -> Result<Slot, Refusal> {
        let Some(slot) = States::get(self, key) else {
            return Err(Refusal::Missing(vec![key.clone()]));
        };
        if !self.draft.changes.contains_key(key) {
            self.draft.reads.entry(key.clone()).or_insert(slot.version);
        }
        Ok(slot)
    }

    /// Asks for several states at once, so that they are loaded in one round trip.
    pub fn need(&mut self, keys: impl IntoIterator<Item = Key>) -> Result<(), Refusal> {
        let missing: Vec<Key> = keys.into_iter().filter(|key| States::get(self, key).is_none()).collect();
        if missing.is_empty() { Ok(()) } else { Err(Refusal::Missing(missing)) }
    }

    // ── aggregates ──────────────────────────────────────────────────────────────────────────

    /// The state of an aggregate; the default where it has no events yet.
    pub fn state<A: Aggregate>(&mut self, id: impl ToString) -> Result<Arc<A::State>, Refusal> {
        self.slot(&Key::aggregate::<A>(id)).and_then(|slot| downcast(slot.state))
    }

    /// How many events an aggregate has.
    pub fn version<A: Aggregate>(&mut self, id: impl ToString) -> Result<u64, Refusal> {
        self.slot(&Key::aggregate::<A>(id)).map(|slot| slot.version)
    }

    /// Takes an aggregate to be new, without looking; where it is not, the commit is a conflict.
    /// Only for ids that were made in this decision.
    pub fn assume_new<A: Aggregate>(&mut self, id: impl ToString) {
        let slot = Slot { version: 0, state: Arc::new(A::State::default()) };
        let change = Change { base: Some(0), slot, events: Vec::new() };
        self.draft.changes.entry(Key::aggregate::<A>(id)).or_insert(change);
    }

    /// Decides a command, applies its events, and gives them.
    pub fn execute<A: Aggregate>(
        &mut self,
        id: impl ToString,
        command: A::Command,
    ) -> Result<Vec<A::Event>, Refusal> {
        let key = Key::aggregate::<A>(id);
        let slot = self.slot(&key)?;
        let state: Arc<A::State> = downcast(slot.state.clone())?;
        let events = A::decide(&state, command)?;
        self.append::<A>(key, slot.version, state, &events);
        Ok(events)
    }

    fn append<A: Aggregate>(&mut self, key: Key, base: u64, state: Arc<A::State>, events: &[A::Event]) {
        if events.is_empty() {
            return;
        }
        let mut state = Arc::unwrap_or_clone(state);
        let mut version = base;
        let mut drafts = Vec::with_capacity(events.len());
        for event in events {
            version += 1;
            state = A::evolve(state, event);
            let person = A::person(&state);
            drafts.push(DraftEvent {
                version,
                name: A::event_name(event),
                schema: A::SCHEMA,
                person: person.filter(|_| !A::PERSONAL.is_empty()),
                payload: Payload::new(event, A::PERSONAL, person),
                origin: self.origin.clone(),
            });
            let mut announcements = Announcements::default();
            A::announce(&state, event, &mut announcements);
            for (index, announcement) in announcements.items.into_iter().enumerate() {
                let sequence = version * 1000 + index as u64;
                let origin = self.origin.clone();
                self.draft.outgoing.push(Outgoing { announcement, sequence, origin });
            }
        }
        self.last_version = version;
        let slot = Slot { version, state: Arc::new(state) };
        match self.draft.changes.get_mut(&key) {
            Some(change) => {
                change.slot = slot;
                change.events.extend(drafts);
            }
            None => {
                self.draft.reads.remove(&key);
                self.draft.changes.insert(key, Change { base: Some(base), slot, events: drafts });
            }
        }
    }

    // ── documents ───────────────────────────────────────────────────────────────────────────

    /// A document, where there is one.
    pub fn get<D: Document>(&mut self, id: impl ToString) -> Result<Option<Arc<D>>, Refusal> {
        let slot = self.slot(&Key::document::<D>(id))?;
        let document: Arc<Option<D>> = downcast(slot.state)?;
        Ok(document.as_ref().clone().map(Arc::new))
    }

    /// The version of a document; 0 where there is none.
    pub fn document_version<D: Document>(&mut self, id: impl ToString) -> Result<u64, Refusal> {
        self.slot(&Key::document::<D>(id)).map(|slot| slot.version)
    }

    /// Writes a document; a concurrent writer's change in between is a conflict.
    pub fn put<D: Document>(&mut self, document: D) -> Result<(), Refusal> {
        let key = Key::document::<D>(document.id());
        let before = self.slot(&key)?;
        self.change_document(key, Some(before.version), before.version, Some(document));
        Ok(())
    }

    /// Writes a document that must not exist yet, without looking; where it does, the commit is
    /// a conflict. Only for ids that were made in this decision.
    pub fn create<D: Document>(&mut self, document: D) {
        let key = Key::document::<D>(document.id());
        self.change_document(key, Some(0), 0, Some(document));
    }

    /// Writes a document whatever is there, without looking: its caller owns the key.
    pub fn overwrite<D: Document>(&mut self, document: D) {
        let key = Key::document::<D>(document.id());
        self.change_document(key, None, 0, Some(document));
    }

    /// Removes a document; a concurrent writer's change in between is a conflict.
    pub fn remove<D: Document>(&mut self, id: impl ToString) -> Result<(), Refusal> {
        let key = Key::document::<D>(id);
        let before = self.slot(&key)?;
        self.change_document::<D>(key, Some(before.version), before.version, None);
        Ok(())
    }

    /// Removes a document whatever is there, without looking.
    pub fn delete<D: Document>(&mut self, id: impl ToString) {
        self.change_document::<D>(Key::document::<D>(id), None, 0, None);
    }

    fn change_document<D: Document>(
        &mut self,
        key: Key,
        base: Option<u64>,
        version: u64,
        document: Option<D>,
    ) {
        self.draft.reads.remove(&key);
        let there = document.is_some();
        let state: Arc<dyn Any + Send + Sync> = Arc::new(document);
        match self.draft.changes.get_mut(&key) {
            Some(change) => {
                let version = change.base.map_or(1, |base| base + 1);
                change.slot = Slot { version: if there { version } else { 0 }, state };
            }
            None => {
                let slot = Slot { version: if there { version + 1 } else { 0 }, state };
                self.last_version = version + 1;
                self.draft.changes.insert(key, Change { base, slot, events: Vec::new() });
            }
        }
    }

    // ── public events and calls ─────────────────────────────────────────────────────────────

    /// Publishes an event of a service whose state is documents (aggregates announce theirs).
    pub fn publish<E: Event>(&mut self, event: E) {
        let mut announcements = Announcements::default();
        announcements.publish(event);
        for announcement in announcements.items {
            let sequence = self.last_version * 1000 + self.publishing;
            self.publishing += 1;
            self.draft.outgoing.push(Outgoing { announcement, sequence, origin: self.origin.clone() });
        }
    }

    pub(crate) fn call_later(&mut self, call: PendingCall) {
        self.draft.calls.push(call);
    }
}

fn downcast<T: Send + Sync + 'static>(state: Arc<dyn Any + Send + Sync>) -> Result<Arc<T>, Refusal> {
    state
        .downcast::<T>()
        .map_err(|_| Refusal::failed(ErrorKind::Permanent, "two kinds of state share one name: rename one"))
}
