//! The table of streams (communication.md), the one place that lists contexts.

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use backbone::relaying::MESSAGE_BYTES_MAX;
use kernel::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the broker knows a message id.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
const UNLIMITED: i64 = -1;

/// How long a stream keeps a message within its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// Until a limit is reached.
    Limits,
    /// Until every consumer has acknowledged it.
    Interest,
}

/// What gives way when a stream is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discard {
    /// The oldest message.
    Old,
    /// The one that comes: publishing fails.
    New,
}

/// Where a stream keeps its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// On disk.
    File,
    /// In memory: a restart loses them.
    Memory,
}

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSpec {
    /// `ORDERS`.
    pub name: &'static str,
    /// `order`: the stream takes `order.>`.
    pub context: &'static str,
    /// How long a message stays.
    pub retention: Retention,
    /// What gives way.
    pub discard: Discard,
    /// The most messages.
    pub messages_max: Option<u32>,
    /// The most age.
    pub age_max: Duration,
    /// Where it is kept.
    pub storage: Storage,
    /// On how many servers; a single server makes it one.
    pub replicas: usize,
    /// A message is to be on disk before it is acknowledged, where the server can.
    pub syncs_always: bool,
}

impl StreamSpec {
    /// A stream of events with limits, in files on three servers.
    pub const fn limited(name: &'static str, context: &'static str, messages: u32, days: u32) -> Self {
        Self {
            name,
            context,
            retention: Retention::Limits,
            discard: Discard::Old,
            messages_max: Some(messages),
            age_max: Duration::from_secs(DAY.as_secs() * days as u64),
            storage: Storage::File,
            replicas: 3,
            syncs_always: false,
        }
    }

    /// The subjects that it takes.
    pub(crate) fn subjects(&self) -> String {
        format!("{}.>", self.context)
    }

    /// The row as the server's configuration.
    pub(crate) fn config(&self) -> Config {
        Config {
            name: self.name.to_owned(),
            subjects: vec![self.subjects()],
            retention: match self.retention {
                Retention::Limits => RetentionPolicy::Limits,
                Retention::Interest => RetentionPolicy::Interest,
            },
            discard: match self.discard {
                Discard::Old => DiscardPolicy::Old,
                Discard::New => DiscardPolicy::New,
            },
            storage: match self.storage {
                Storage::File => StorageType::File,
                Storage::Memory => StorageType::Memory,
            },
            max_messages: self.messages_max.map_or(UNLIMITED, i64::from),
            max_messages_per_subject: UNLIMITED,
            max_bytes: UNLIMITED,
            max_consumers: -1,
            max_age: self.age_max,
            max_message_size: MESSAGE_BYTES_MAX as i32,
            num_replicas: self.replicas,
            duplicate_window: DUPLICATE_WINDOW,
            ..Config::default()
        }
    }
}

/// The product's streams.
pub fn product_table() -> Vec<StreamSpec> {
    let small = |name, context| StreamSpec::limited(name, context, 500_000, 7);
    let synced = |spec| StreamSpec { syncs_always: true, ..spec };
    vec![
        synced(StreamSpec::limited("ORDERS", "order", 1_000_000, 30)),
        small("INVENTORY", "inventory"),
        synced(StreamSpec::limited("PAYMENTS", "payment", 2_000_000, 365)),
        small("USERS", "user"),
        small("ARTISANS", "artisan"),
        small("PRODUCTS", "product"),
        small("CARTS", "cart"),
        small("SHIPPING", "shipping"),
        small("LOYALTY", "loyalty"),
        small("CHAT", "chat"),
        small("CMS", "cms"),
        small("AUTH", "auth"),
        StreamSpec {
            retention: Retention::Interest,
            messages_max: None,
            storage: Storage::Memory,
            replicas: 1,
            ..StreamSpec::limited("NOTIFICATIONS", "notification", 0, 1)
        },
        StreamSpec { discard: Discard::New, ..StreamSpec::limited("DLQ", "dlq", 100_000, 30) },
    ]
}
