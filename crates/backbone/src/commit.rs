//! A commit is a value: everything that changes together, with the versions it was decided on.
//! No transaction object travels through the code, so the same code runs on every journal, and a
//! journal can write many commits with one sync.

use bytes::Bytes;
use kernel::{Envelope, Timestamp};
use uuid::Uuid;

use crate::collection::{Collection, ColumnValue};

/// All that one decision changes, written entirely or not at all.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// Names this commit among those in flight; see `built_on`.
    pub ticket: u64,
    /// Tickets of commits not yet answered whose predicted state this one was decided on: where
    /// one of them fails, this one is a conflict.
    pub built_on: Vec<u64>,
    /// The answer to keep under a caller's idempotency key.
    pub answer: Option<Answer>,
    /// Private events appended to streams.
    pub appends: Vec<Append>,
    /// Documents written.
    pub puts: Vec<Put>,
    /// Documents removed.
    pub deletes: Vec<Delete>,
    /// Versions that were read and must still hold.
    pub guards: Vec<Guard>,
    /// Public events, in order.
    pub outgoing: Vec<Envelope>,
    /// The deliveries whose effects these are.
    pub source: Option<Source>,
    /// The lease under which this was done: where it was taken over since, nothing is written.
    pub fence: Option<Fence>,
}

/// A lease, as whoever holds it knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// Its name.
    pub lease: String,
    /// The number under which it was taken; whoever takes it over gets a greater one.
    pub token: u64,
}

impl Commit {
    /// True where nothing would be written.
    pub fn is_empty(&self) -> bool {
        self.answer.is_none()
            && self.appends.is_empty()
            && self.puts.is_empty()
            && self.deletes.is_empty()
            && self.outgoing.is_empty()
            && self.source.is_none()
    }
}

/// A caller's idempotency key with the answer it got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Scope and key: `POST /api/orders|<caller>|<Idempotency-Key>`.
    pub key: String,
    /// Stable hash of the request: another body under the same key is the caller's mistake.
    pub fingerprint: u64,
    /// What is answered again.
    pub body: Bytes,
    /// When it was given.
    pub at: Timestamp,
}

/// Events appended to one stream.
#[derive(Clone, Debug)]
pub struct Append {
    /// The stream: `order-<uuid>`.
    pub stream: String,
    /// How many events the stream has; appending to another version is a conflict.
    pub expected: u64,
    /// At least one.
    pub events: Vec<StoredEvent>,
    /// A snapshot of the state after these events, now and then.
    pub snapshot: Option<Snapshot>,
}

/// A private event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// 1 is the stream's first.
    pub version: u64,
    /// The event's name in its aggregate.
    pub name: String,
    /// The aggregate's schema number when it was written; upcasters lift older ones.
    pub schema: u32,
    /// When it was committed, by the store's clock.
    pub at: Timestamp,
    /// The whole business flow.
    pub correlation_id: String,
    /// The event or command that caused it.
    pub causation_id: String,
    /// The person whom encrypted fields are about.
    pub person: Option<Uuid>,
    /// JSON, personal fields encrypted.
    pub data: Bytes,
}

/// The state of a stream after `version` events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// How many events it contains.
    pub version: u64,
    /// Hash of the state's shape; another hash means replay, never an error.
    pub schema: u64,
    /// The person whom encrypted fields are about.
    pub person: Option<Uuid>,
    /// JSON, personal fields encrypted.
    pub data: Bytes,
}

/// What version a document must have for a write to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is: the document belongs to something else that is checked.
    Any,
    /// Exactly this one; 0 means that it must not exist.
    Version(u64),
}

/// A document written. Its version becomes the old one plus one.
#[derive(Clone, Debug)]
pub struct Put {
    /// Where it belongs.
    pub collection: &'static Collection,
    /// Write to the collection's shadow (a rebuild) instead.
    pub shadow: bool,
    /// Its key.
    pub id: String,
    /// The version it was decided on.
    pub expected: Expected,
    /// The person whom encrypted fields are about.
    pub person: Option<Uuid>,
    /// JSON, personal fields encrypted.
    pub body: Bytes,
    /// A value for each declared column, in order.
    pub columns: Vec<ColumnValue>,
}

/// A document removed.
#[derive(Clone, Debug)]
pub struct Delete {
    /// Where it belongs.
    pub collection: &'static Collection,
    /// Its key.
    pub id: String,
    /// The version it was decided on.
    pub expected: Expected,
}

/// Something read, not written, whose version must still hold.
#[derive(Clone, Debug)]
pub struct Guard {
    /// What was read.
    pub target: Target,
    /// The version it had.
    pub version: u64,
}

/// Something with a version.
#[derive(Clone, Debug)]
pub enum Target {
    /// A stream.
    Stream(String),
    /// A document of a collection.
    Document(&'static Collection, String),
}

/// Where a commit's cause came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A consumer that reads the log by position: the commit moves its checkpoint from one
    /// position to another, over a prefix without gaps. Moving it twice is a conflict.
    Checkpoint {
        /// `order-inventory`.
        consumer: String,
        /// Where it stood.
        from: u64,
        /// Where it stands after this commit.
        to: u64,
    },
    /// Deliveries from a broker: each claimed once per consumer, for ever.
    Inbox {
        /// `order-inventory`.
        consumer: String,
        /// Ids of the events.
        events: Vec<Uuid>,
    },
}

/// How a commit ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is durable. `position` is that of its last public event, or of the log's end.
    Committed {
        /// A position to wait for.
        position: u64,
    },
    /// Something it was decided on has changed: decide again.
    Conflict {
        /// What changed.
        which: String,
    },
    /// The idempotency key was used before.
    Duplicate(Answer),
    /// These deliveries of the commit's inbox source took effect before: leave them out and
    /// decide again.
    Taken {
        /// Ids of the events.
        events: Vec<Uuid>,
    },
    /// The commit's lease was taken over: whoever held it stops.
    Fenced {
        /// The lease.
        lease: String,
    },
}
