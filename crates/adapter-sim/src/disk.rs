//! What is durable.

use std::collections::BTreeMap;

use backbone::collection::{Collection, ColumnValue};
use backbone::commit::{Answer, Snapshot, StoredEvent};
use backbone::journal::{Recorded, Sent, StoredDocument};
use backbone::keyring::DataKey;
use bytes::Bytes;
use kernel::Timestamp;
use uuid::Uuid;

use crate::broker::Queue;
use crate::effects::Effect;
use crate::log::Log;

/// A stream.
#[derive(Clone, Default)]
pub(crate) struct Stream {
    pub(crate) events: Vec<StoredEvent>,
    pub(crate) snapshot: Option<Snapshot>,
}

/// A document at rest.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) version: u64,
    pub(crate) person: Option<Uuid>,
    pub(crate) body: Bytes,
    pub(crate) columns: Vec<ColumnValue>,
}

impl Row {
    pub(crate) fn document(&self, id: &str) -> StoredDocument {
        StoredDocument {
            id: id.to_owned(),
            version: self.version,
            person: self.person,
            body: self.body.clone(),
        }
    }
}

/// A lease at rest.
#[derive(Clone)]
pub(crate) struct Lease {
    pub(crate) owner: Uuid,
    pub(crate) token: u64,
    pub(crate) until: Timestamp,
}

/// The documents of a collection, by id.
pub(crate) type Table = BTreeMap<String, Row>;

/// What one service keeps.
#[derive(Clone, Default)]
pub(crate) struct Service {
    pub(crate) declared: BTreeMap<&'static str, &'static Collection>,
    pub(crate) streams: BTreeMap<String, Stream>,
    pub(crate) tables: BTreeMap<&'static str, Table>,
    pub(crate) shadows: BTreeMap<&'static str, Table>,
    pub(crate) answers: BTreeMap<String, Answer>,
    pub(crate) checkpoints: BTreeMap<String, u64>,
    /// When each delivery was claimed.
    pub(crate) inbox: BTreeMap<(String, Uuid), Timestamp>,
    pub(crate) feed: Vec<Recorded>,
    pub(crate) outgoing: Vec<Sent>,
    pub(crate) leases: BTreeMap<String, Lease>,
    /// What took effect, in order.
    pub(crate) effects: Vec<Effect>,
}

impl Service {
    pub(crate) fn stream_version(&self, name: &str) -> u64 {
        self.streams.get(name).map_or(0, |stream| stream.events.len() as u64)
    }

    pub(crate) fn table(&self, collection: &Collection, shadow: bool) -> Option<&Table> {
        if shadow { self.shadows.get(collection.name) } else { self.tables.get(collection.name) }
    }

    pub(crate) fn document_version(&self, collection: &Collection, shadow: bool, id: &str) -> u64 {
        self.table(collection, shadow).and_then(|table| table.get(id)).map_or(0, |row| row.version)
    }

    /// Those of `events` that the consumer's inbox has claimed.
    pub(crate) fn taken(&self, consumer: &str, events: &[Uuid]) -> Vec<Uuid> {
        let is_taken = |event: &&Uuid| self.inbox.contains_key(&(consumer.to_owned(), **event));
        events.iter().filter(is_taken).copied().collect()
    }

    pub(crate) fn checkpoint(&self, consumer: &str) -> u64 {
        self.checkpoints.get(consumer).copied().unwrap_or(0)
    }
}

/// Everything that survives: the database's file, the broker, the keys.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    pub(crate) services: BTreeMap<&'static str, Service>,
    pub(crate) log: Log,
    /// By consumer and partition.
    pub(crate) queues: BTreeMap<(String, u32), Queue>,
    /// The last number under which the broker delivered anything.
    pub(crate) deliveries: u64,
    /// `None` is an erased key.
    pub(crate) keys: BTreeMap<Uuid, Option<DataKey>>,
}
