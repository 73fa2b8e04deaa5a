//! Rows as the values of the ports, and back.

use backbone::commit::{Answer, Snapshot, StoredEvent};
use backbone::journal::StoredDocument;
use bytes::Bytes;
use kernel::{Envelope, Timestamp};
use tokio_postgres::types::FromSql;
use tokio_postgres::{Error, Row};
use uuid::Uuid;

/// Numbers that PostgreSQL keeps as signed are unsigned in the ports: the bits stay the same.
pub(crate) fn signed(number: u64) -> i64 {
    number.cast_signed()
}

/// A number that never is negative in the ports.
pub(crate) fn number(row: &Row, index: usize) -> Result<u64, Error> {
    row.try_get::<_, i64>(index).map(i64::cast_unsigned)
}

/// A limit of rows.
pub(crate) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

fn bytes(row: &Row, index: usize) -> Result<Bytes, Error> {
    row.try_get::<_, &[u8]>(index).map(Bytes::copy_from_slice)
}

fn get<'a, T: FromSql<'a>>(row: &'a Row, index: usize) -> Result<T, Error> {
    row.try_get(index)
}

/// Stream, version, name, schema, at, correlation, causation, person, data.
pub(crate) fn event(row: &Row) -> Result<StoredEvent, Error> {
    Ok(StoredEvent {
        version: number(row, 1)?,
        name: get(row, 2)?,
        // It went in as one of 32 bits.
        schema: u32::try_from(get::<i64>(row, 3)?).unwrap_or_default(),
        at: Timestamp::from_micros(get(row, 4)?),
        correlation_id: get(row, 5)?,
        causation_id: get(row, 6)?,
        person: get(row, 7)?,
        data: bytes(row, 8)?,
    })
}

/// The same columns, of which a snapshot has no name, time, correlation and causation.
pub(crate) fn snapshot(row: &Row) -> Result<Snapshot, Error> {
    Ok(Snapshot {
        version: number(row, 1)?,
        schema: number(row, 3)?,
        person: get(row, 7)?,
        data: bytes(row, 8)?,
    })
}

/// Key, fingerprint, body, at.
pub(crate) fn answer(row: &Row) -> Result<Answer, Error> {
    Ok(Answer {
        key: get(row, 0)?,
        fingerprint: number(row, 1)?,
        body: bytes(row, 2)?,
        at: Timestamp::from_micros(get(row, 3)?),
    })
}

/// Id, version, person, body.
pub(crate) fn document(row: &Row) -> Result<StoredDocument, Error> {
    Ok(StoredDocument {
        id: get(row, 0)?,
        version: number(row, 1)?,
        person: get(row, 2)?,
        body: bytes(row, 3)?,
    })
}

/// Position, id, kind, subject, source, time, correlation, causation, sequence, traceparent,
/// keyid, data.
pub(crate) fn envelope(row: &Row) -> Result<(u64, Envelope), Error> {
    let envelope = Envelope {
        id: get::<Uuid>(row, 1)?.into(),
        kind: get(row, 2)?,
        subject: get(row, 3)?,
        source: get(row, 4)?,
        time: Timestamp::from_micros(get(row, 5)?),
        correlation_id: get(row, 6)?,
        causation_id: get(row, 7)?,
        sequence: number(row, 8)?,
        traceparent: get(row, 9)?,
        key_id: get(row, 10)?,
        data: bytes(row, 11)?,
    };
    Ok((number(row, 0)?, envelope))
}
