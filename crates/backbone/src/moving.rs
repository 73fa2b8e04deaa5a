//! A market on its way from one store to another: rows as they are kept, with their positions,
//! versions and times. Two adapters that do not know each other hand them on.

use std::collections::BTreeMap;
use std::fmt;

use kernel::Timestamp;
use uuid::Uuid;

use crate::collection::{Collection, ColumnValue};
use crate::commit::{Answer, Snapshot};
use crate::journal::{Recorded, Sent, StoredDocument};

/// How many rows a service has, by table: `events`, `c_orders`.
pub type Counts = BTreeMap<String, u64>;

/// A document with the values of its declared columns.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptDocument {
    /// The document.
    pub document: StoredDocument,
    /// A value for each declared column, in order.
    pub columns: Vec<ColumnValue>,
}

/// A delivery that took effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptClaim {
    /// `order-inventory`.
    pub consumer: String,
    /// The event.
    pub event: Uuid,
    /// When it was claimed.
    pub at: Timestamp,
}

/// A person's data key, wrapped by a master key. Its bytes are not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// Whose.
    pub person: Uuid,
    /// The ciphertext; nothing where it was destroyed.
    pub wrapped: Vec<u8>,
    /// The master key that wraps it.
    pub master_id: String,
    /// When it was destroyed.
    pub erased_at: Option<Timestamp>,
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { person, master_id, erased_at, .. } = self;
        f.debug_tuple("WrappedKey").field(person).field(master_id).field(erased_at).finish()
    }
}

/// Rows of one table of a service: so many as fit into memory many times over.
#[derive(Clone, Debug, PartialEq)]
pub enum Page {
    /// Private events, in the order of their positions.
    Events(Vec<Recorded>),
    /// The latest snapshots, with their streams.
    Snapshots(Vec<(String, Snapshot)>),
    /// Documents of a collection.
    Documents(&'static Collection, Vec<KeptDocument>),
    /// Answers under idempotency keys, the oldest first.
    Answers(Vec<Answer>),
    /// The service's public events, in the order of their positions.
    Published(Vec<Sent>),
    /// What inboxes have claimed.
    Claims(Vec<KeptClaim>),
    /// Where consumers, projections and the relay stand.
    Checkpoints(Vec<(String, u64)>),
}

impl Page {
    /// How many rows it has.
    pub fn rows(&self) -> usize {
        match self {
            Page::Events(rows) => rows.len(),
            Page::Snapshots(rows) => rows.len(),
            Page::Documents(_, rows) => rows.len(),
            Page::Answers(rows) => rows.len(),
            Page::Published(rows) => rows.len(),
            Page::Claims(rows) => rows.len(),
            Page::Checkpoints(rows) => rows.len(),
        }
    }
}

/// Where a service's counters of positions stand: what is committed next comes after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Of its private events.
    pub events: u64,
    /// Of its public events.
    pub log: u64,
}

/// A public event, as far as it says who has to have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Its place in the log.
    pub position: u64,
    /// Its id.
    pub id: Uuid,
    /// Its type.
    pub kind: String,
    /// Who published it.
    pub source: String,
    /// When it was committed.
    pub time: Timestamp,
}
