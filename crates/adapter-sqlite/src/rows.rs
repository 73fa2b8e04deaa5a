//! Rows as the values of the ports, and back.

use backbone::commit::{Answer, Snapshot, StoredEvent};
use backbone::journal::{Recorded, StoredDocument};
use bytes::Bytes;
use kernel::{Envelope, Timestamp};
use rusqlite::Row;
use rusqlite::types::{ToSqlOutput, Type, Value, ValueRef};
use uuid::Uuid;

/// Numbers that SQLite keeps as signed are unsigned in the ports: the bits stay the same.
pub(crate) fn signed(number: u64) -> i64 {
    number.cast_signed()
}

fn unsigned(number: i64) -> u64 {
    number.cast_unsigned()
}

/// A person's id as it is bound.
pub(crate) fn person(person: &Option<Uuid>) -> ToSqlOutput<'_> {
    match person {
        Some(id) => ToSqlOutput::Borrowed(ValueRef::Blob(id.as_bytes())),
        None => ToSqlOutput::Owned(Value::Null),
    }
}

fn uuid(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Uuid>> {
    let Some(bytes) = row.get_ref(index)?.as_blob_or_null()? else { return Ok(None) };
    let failed = |e| rusqlite::Error::FromSqlConversionFailure(index, Type::Blob, Box::new(e));
    Uuid::from_slice(bytes).map(Some).map_err(failed)
}

fn bytes(row: &Row<'_>, index: usize) -> rusqlite::Result<Bytes> {
    Ok(Bytes::copy_from_slice(row.get_ref(index)?.as_blob()?))
}

/// A number that never is negative in the ports.
pub(crate) fn number(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    row.get(index).map(unsigned)
}

pub(crate) fn event(row: &Row<'_>) -> rusqlite::Result<StoredEvent> {
    Ok(StoredEvent {
        version: number(row, 0)?,
        name: row.get(1)?,
        schema: row.get(2)?,
        at: Timestamp::from_micros(row.get(3)?),
        correlation_id: row.get(4)?,
        causation_id: row.get(5)?,
        person: uuid(row, 6)?,
        data: bytes(row, 7)?,
    })
}

pub(crate) fn recorded(row: &Row<'_>) -> rusqlite::Result<Recorded> {
    Ok(Recorded { event: event(row)?, position: number(row, 8)?, stream: row.get(9)? })
}

pub(crate) fn snapshot(row: &Row<'_>) -> rusqlite::Result<Snapshot> {
    Ok(Snapshot {
        version: number(row, 0)?,
        schema: number(row, 1)?,
        person: uuid(row, 2)?,
        data: bytes(row, 3)?,
    })
}

pub(crate) fn answer(row: &Row<'_>) -> rusqlite::Result<Answer> {
    Ok(Answer {
        key: row.get(0)?,
        fingerprint: number(row, 1)?,
        body: bytes(row, 2)?,
        at: Timestamp::from_micros(row.get(3)?),
    })
}

pub(crate) fn document(row: &Row<'_>) -> rusqlite::Result<StoredDocument> {
    Ok(StoredDocument {
        id: row.get(0)?,
        version: number(row, 1)?,
        person: uuid(row, 2)?,
        body: bytes(row, 3)?,
    })
}

/// The columns of the log that `envelope` reads, the position first.
pub(crate) const LOG_COLUMNS: &str =
    "position, id, kind, subject, source, time, correlation, causation, sequence, traceparent, keyid, data";

pub(crate) fn envelope(row: &Row<'_>) -> rusqlite::Result<(u64, Envelope)> {
    let id = uuid(row, 1)?.ok_or(rusqlite::Error::InvalidColumnType(1, "id".to_owned(), Type::Null))?;
    let envelope = Envelope {
        id: id.into(),
        kind: row.get(2)?,
        subject: row.get(3)?,
        source: row.get(4)?,
        time: Timestamp::from_micros(row.get(5)?),
        correlation_id: row.get(6)?,
        causation_id: row.get(7)?,
        sequence: number(row, 8)?,
        traceparent: row.get(9)?,
        key_id: row.get(10)?,
        data: bytes(row, 11)?,
    };
    Ok((number(row, 0)?, envelope))
}
