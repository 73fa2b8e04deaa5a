//! The engine's own collections in every service's journal, declared once.

use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::collection::{Collection, Column, ColumnKind, ColumnValue};
use crate::document::Document;

mod failure_kinds;
mod operators;
mod rebuilding;
mod republishing;
mod standing;

pub use failure_kinds::{FAILURE_KINDS, FailureKind};
pub use operators::{OPERATOR_ACTS, OperatorAct};
pub use rebuilding::{
    Aim, AskedFor, Compared, Ending, Found, REBUILDS, Rebuilding, SET_ASIDE, SetAside, SwapWhen,
};
pub use republishing::{REPUBLISHING, Republishing};
pub use standing::{CatchingUp, STANDINGS, Standing};

/// All of them.
pub const SYSTEM_COLLECTIONS: &[&Collection] = &[
    &crate::timer::TIMERS,
    &crate::saga::SAGAS,
    &PARKED,
    &DEAD_LETTERS,
    &ATTEMPTS,
    &CLAIMS,
    &OPERATOR_ACTS,
    &REPUBLISHING,
    &STANDINGS,
    &FAILURE_KINDS,
    &REBUILDS,
    &SET_ASIDE,
];

/// Deliveries that wait: for their retry, or behind one that failed.
pub const PARKED: Collection = Collection {
    name: "parked",
    columns: &[
        Column::indexed("lane", ColumnKind::Text),
        Column::indexed("due", ColumnKind::Timestamp),
        Column::plain("position", ColumnKind::Integer),
    ],
    children: &[],
};

/// Deliveries that were given up, with the reason.
pub const DEAD_LETTERS: Collection = Collection {
    name: "dead_letters",
    columns: &[
        Column::indexed("consumer", ColumnKind::Text),
        Column::indexed("lane", ColumnKind::Text),
        Column::plain("kind", ColumnKind::Text),
        Column::indexed("moved_at", ColumnKind::Timestamp),
    ],
    children: &[],
};

/// The delivery that is alone in flight while a window is replayed after a crash.
pub const ATTEMPTS: Collection = Collection { name: "attempts", columns: &[], children: &[] };

/// Values that only one thing may have.
pub const CLAIMS: Collection =
    Collection { name: "claims", columns: &[Column::plain("owner", ColumnKind::Text)], children: &[] };

/// An event as it is kept outside the log: attributes and payload, personal fields encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptEvent {
    /// CloudEvents `id`.
    pub id: Uuid,
    /// CloudEvents `source`.
    pub source: String,
    /// CloudEvents `type`.
    pub kind: String,
    /// CloudEvents `subject`.
    pub subject: String,
    /// CloudEvents `time`.
    pub time: Timestamp,
    /// `correlationid`.
    pub correlation_id: String,
    /// `causationid`.
    pub causation_id: String,
    /// `sequence`.
    pub sequence: u64,
    /// `traceparent`.
    pub traceparent: Option<String>,
    /// `keyid`.
    pub key_id: Option<String>,
    /// The payload, untouched.
    pub data: String,
}

impl From<&kernel::Envelope> for KeptEvent {
    fn from(envelope: &kernel::Envelope) -> Self {
        Self {
            id: envelope.id.0,
            source: envelope.source.clone(),
            kind: envelope.kind.clone(),
            subject: envelope.subject.clone(),
            time: envelope.time,
            correlation_id: envelope.correlation_id.clone(),
            causation_id: envelope.causation_id.clone(),
            sequence: envelope.sequence,
            traceparent: envelope.traceparent.clone(),
            key_id: envelope.key_id.clone(),
            data: String::from_utf8_lossy(&envelope.data).into_owned(),
        }
    }
}

impl From<KeptEvent> for kernel::Envelope {
    fn from(kept: KeptEvent) -> Self {
        Self {
            id: kept.id.into(),
            source: kept.source,
            kind: kept.kind,
            subject: kept.subject,
            time: kept.time,
            correlation_id: kept.correlation_id,
            causation_id: kept.causation_id,
            sequence: kept.sequence,
            traceparent: kept.traceparent,
            key_id: kept.key_id,
            data: kept.data.into_bytes().into(),
        }
    }
}

/// A delivery that waits (reliability.md, rules 12 and 13).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parked {
    /// `order-inventory`.
    pub consumer: String,
    /// Its place in the order of its key.
    pub position: u64,
    /// When it may be tried; behind a failed one, when that one is.
    pub due: Timestamp,
    /// How often it was delivered and failed.
    pub attempts: u32,
    /// The failure so far, where it has failed.
    pub error: Option<String>,
    /// When it first failed.
    pub first_failed_at: Option<Timestamp>,
    /// The event.
    pub event: KeptEvent,
}

/// The key of an order of deliveries: consumer and subject.
pub fn lane(consumer: &str, subject: &str) -> String {
    format!("{consumer}/{subject}")
}

fn delivery_id(consumer: &str, position: u64) -> String {
    format!("{consumer}/{position:020}")
}

impl Document for Parked {
    const COLLECTION: &'static Collection = &PARKED;

    fn id(&self) -> String {
        delivery_id(&self.consumer, self.position)
    }

    fn columns(&self) -> Vec<ColumnValue> {
        let position = i64::try_from(self.position).unwrap_or(i64::MAX);
        vec![lane(&self.consumer, &self.event.subject).into(), self.due.into(), position.into()]
    }
}

/// A delivery that was given up (communication.md, dead letters).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The consumer that failed.
    pub consumer: String,
    /// Its place in the order of its key.
    pub position: u64,
    /// What kind of failure.
    pub error_kind: kernel::ErrorKind,
    /// The chain of errors.
    pub error: String,
    /// How often it was delivered.
    pub attempts: u32,
    /// The first failure.
    pub first_failed_at: Timestamp,
    /// The last failure.
    pub last_failed_at: Timestamp,
    /// When it was moved here.
    pub moved_at: Timestamp,
    /// Where a projection failed: how many later facts of the key were passed over since. They
    /// stay in the log.
    #[serde(default)]
    pub behind: u64,
    /// The event, untouched.
    pub event: KeptEvent,
    /// What nobody could read, as it came from the broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<RawMessage>,
}

/// A message that is no event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawMessage {
    /// Its attributes.
    pub headers: Vec<(String, String)>,
    /// Its payload, in base64.
    pub body: String,
}

impl Document for DeadLetter {
    const COLLECTION: &'static Collection = &DEAD_LETTERS;

    fn id(&self) -> String {
        delivery_id(&self.consumer, self.position)
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![
            self.consumer.as_str().into(),
            lane(&self.consumer, &self.event.subject).into(),
            self.event.kind.as_str().into(),
            self.moved_at.into(),
        ]
    }
}

/// A delivery that is alone in flight; the next start charges it if the process died.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// `order-inventory`: one at most per consumer.
    pub consumer: String,
    /// Which delivery.
    pub position: u64,
    /// Its event: on a broker the same delivery comes again under another number. Records of older
    /// programs have none.
    #[serde(default)]
    pub event: Uuid,
    /// How often it has been started.
    pub attempts: u32,
}

impl Attempt {
    /// Whether it is of this delivery.
    pub fn is_of(&self, position: u64, event: Uuid) -> bool {
        if self.event.is_nil() { self.position == position } else { self.event == event }
    }
}

impl Document for Attempt {
    const COLLECTION: &'static Collection = &ATTEMPTS;

    fn id(&self) -> String {
        self.consumer.clone()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }
}

/// A value that only one thing may have: an email's keyed hash, a slug.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What kind of value.
    pub name: String,
    /// The value.
    pub value: String,
    /// Who has it.
    pub owner: String,
}

impl Document for Claim {
    const COLLECTION: &'static Collection = &CLAIMS;

    fn id(&self) -> String {
        format!("{}/{}", self.name, self.value)
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![self.owner.as_str().into()]
    }
}
