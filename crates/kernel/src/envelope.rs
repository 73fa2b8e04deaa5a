//! CloudEvents 1.0, the wrapping of every public event on every bus (communication.md).

use bytes::Bytes;

use crate::{EventId, Timestamp};

/// The largest payload of an event: checked when it is appended, not when it is sent
/// (reliability.md, rule 7). One MiB is NATS's and our streams' limit for the whole message, so
/// the payload leaves 64 KiB for its attributes.
pub const MAX_DATA_BYTES: usize = 1024 * 1024 - 64 * 1024;

/// A public event with its CloudEvents attributes. `specversion` is always `1.0` and
/// `datacontenttype` always `application/json`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// `id`: UUIDv7, unique forever; a republished event keeps it.
    pub id: EventId,
    /// `source`: the service that published it.
    pub source: String,
    /// `type`: `order.created.v1`.
    pub kind: String,
    /// `subject`: the ordering key.
    pub subject: String,
    /// `time`: when it was committed, by the store's clock.
    pub time: Timestamp,
    /// `correlationid`: the whole business flow.
    pub correlation_id: String,
    /// `causationid`: the event or command that caused it.
    pub causation_id: String,
    /// `sequence`: the aggregate's version × 1000 + index in its commit.
    pub sequence: u64,
    /// `traceparent`, W3C.
    pub traceparent: Option<String>,
    /// `keyid`: the master key that wraps the data key of encrypted fields; `None` where nothing
    /// is encrypted.
    pub key_id: Option<String>,
    /// The payload as JSON text, personal fields encrypted.
    pub data: Bytes,
}

impl Envelope {
    /// The bounded context that names the stream: `order` of `order.created.v1`.
    pub fn context(&self) -> &str {
        self.kind.split('.').next().unwrap_or(&self.kind)
    }

    /// `dataschema`: where the payload's schema stands in the product's own schema registry.
    pub fn data_schema(&self) -> String {
        format!("/schemas/{}", self.kind)
    }
}
