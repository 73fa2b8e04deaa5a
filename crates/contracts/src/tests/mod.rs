//! The published language against its table, its corpus and its schemas.

mod corpus;
mod schema;
mod table;

use kernel::Event;
use serde_json::Value;
use uuid::Uuid;

/// What a consumer makes of a payload.
pub(crate) struct Read {
    /// The payload written again.
    payload: Value,
    subject: Uuid,
    person: Option<Uuid>,
}

pub(crate) type Reader = fn(&Value) -> serde_json::Result<Read>;

pub(crate) fn read<E: Event>(payload: &Value) -> serde_json::Result<Read> {
    let event: E = serde_json::from_str(&serde_json::to_string(payload)?)?;
    Ok(Read { payload: serde_json::to_value(&event)?, subject: event.subject(), person: event.person() })
}
