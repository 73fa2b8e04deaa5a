//! Pages as statements: an array for each column.

use backbone::commit::{Answer, Snapshot};
use backbone::journal::{Error, Recorded, Sent};
use backbone::moving::{KeptClaim, KeptDocument, Page, WrappedKey};
use tokio_postgres::types::ToSql;

use super::failed;
use crate::connection::{Connection, Value, value};
use crate::rows::{number, signed};
use crate::tables::{Cell, CollectionTables, Tables, stored};

/// Writes a page; gives how many of its rows were not there.
pub(super) async fn take(conn: &mut Connection, tables: &Tables, page: &Page) -> Result<u64, Error> {
    let rows = page.rows() as u64;
    if rows == 0 {
        return Ok(0);
    }
    let s = &tables.schema;
    let (sql, values) = match page {
        Page::Events(rows) => (events_sql(s), events(rows)),
        Page::Snapshots(rows) => (tables.sql.write.snapshots_put.clone(), snapshots(rows)),
        Page::Documents(collection, rows) => {
            let of = tables.collection(collection)?;
            (of.live.insert.clone(), documents(of, rows)?)
        }
        Page::Answers(rows) => (tables.sql.write.answers_put.clone(), answers(rows)),
        Page::Published(rows) => (published_sql(s), published(rows)),
        Page::Claims(rows) => {
            let found = conn.rows(&claims_sql(s), claims(rows)).await.map_err(failed)?;
            return found.first().map_or(Ok(0), |row| number(row, 0)).map_err(failed);
        }
        Page::Checkpoints(rows) => (checkpoints_sql(s), checkpoints(rows)),
    };
    conn.rows(&sql, values).await.map_err(failed)?;
    Ok(rows)
}

fn column<'a, T, V: ToSql + Sync + Send + 'a>(rows: &'a [T], of: impl Fn(&'a T) -> V) -> Value<'a> {
    value(rows.iter().map(of).collect::<Vec<V>>())
}

fn events_sql(s: &str) -> String {
    format!(
        "INSERT INTO {s}.events (position, stream, version, name, schema, at, correlation, causation, person, data) \
         SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], \
         $7::text[], $8::text[], $9::uuid[], $10::bytea[])"
    )
}

fn events(rows: &[Recorded]) -> Vec<Value<'_>> {
    vec![
        column(rows, |row| signed(row.position)),
        column(rows, |row| row.stream.as_str()),
        column(rows, |row| signed(row.event.version)),
        column(rows, |row| row.event.name.as_str()),
        column(rows, |row| i64::from(row.event.schema)),
        column(rows, |row| row.event.at.as_micros()),
        column(rows, |row| row.event.correlation_id.as_str()),
        column(rows, |row| row.event.causation_id.as_str()),
        column(rows, |row| row.event.person),
        column(rows, |row| &row.event.data[..]),
    ]
}

fn snapshots(rows: &[(String, Snapshot)]) -> Vec<Value<'_>> {
    vec![
        column(rows, |(stream, _)| stream.as_str()),
        column(rows, |(_, snapshot)| signed(snapshot.version)),
        column(rows, |(_, snapshot)| signed(snapshot.schema)),
        column(rows, |(_, snapshot)| snapshot.person),
        column(rows, |(_, snapshot)| &snapshot.data[..]),
    ]
}

fn answers(rows: &[Answer]) -> Vec<Value<'_>> {
    vec![
        column(rows, |row| row.key.as_str()),
        column(rows, |row| signed(row.fingerprint)),
        column(rows, |row| &row.body[..]),
        column(rows, |row| row.at.as_micros()),
    ]
}

fn published_sql(s: &str) -> String {
    format!(
        "INSERT INTO {s}.log (position, id, kind, subject, source, time, correlation, causation, sequence, \
         traceparent, keyid, data) SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::text[], \
         $6::bigint[], $7::text[], $8::text[], $9::bigint[], $10::text[], $11::text[], $12::bytea[])"
    )
}

fn published(rows: &[Sent]) -> Vec<Value<'_>> {
    vec![
        column(rows, |row| signed(row.position)),
        column(rows, |row| row.envelope.id.0),
        column(rows, |row| row.envelope.kind.as_str()),
        column(rows, |row| row.envelope.subject.as_str()),
        column(rows, |row| row.envelope.source.as_str()),
        column(rows, |row| row.envelope.time.as_micros()),
        column(rows, |row| row.envelope.correlation_id.as_str()),
        column(rows, |row| row.envelope.causation_id.as_str()),
        column(rows, |row| signed(row.envelope.sequence)),
        column(rows, |row| row.envelope.traceparent.as_deref()),
        column(rows, |row| row.envelope.key_id.as_deref()),
        column(rows, |row| &row.envelope.data[..]),
    ]
}

fn claims_sql(s: &str) -> String {
    format!(
        "WITH new AS (INSERT INTO {s}.inbox (consumer, event, at) SELECT * FROM \
         unnest($1::text[], $2::uuid[], $3::bigint[]) ON CONFLICT DO NOTHING RETURNING 1) SELECT count(*) FROM new"
    )
}

fn claims(rows: &[KeptClaim]) -> Vec<Value<'_>> {
    vec![
        column(rows, |row| row.consumer.as_str()),
        column(rows, |row| row.event),
        column(rows, |row| row.at.as_micros()),
    ]
}

fn checkpoints_sql(s: &str) -> String {
    format!("INSERT INTO {s}.checkpoints (consumer, position) SELECT * FROM unnest($1::text[], $2::bigint[])")
}

fn checkpoints(rows: &[(String, u64)]) -> Vec<Value<'_>> {
    vec![column(rows, |(consumer, _)| consumer.as_str()), column(rows, |(_, position)| signed(*position))]
}

fn documents<'a>(of: &CollectionTables, rows: &'a [KeptDocument]) -> Result<Vec<Value<'a>>, Error> {
    let mut values = vec![
        column(rows, |row| row.document.id.as_str()),
        column(rows, |row| signed(row.document.version)),
        column(rows, |row| row.document.person),
        column(rows, |row| &row.document.body[..]),
    ];
    for (place, column) in of.collection.columns.iter().enumerate() {
        let mut cells: Vec<Vec<Cell<'a>>> = Vec::new();
        for row in rows {
            let kept = row.columns.get(place).and_then(|kept| stored(column.kind, kept));
            let kept = kept.ok_or_else(|| {
                let (collection, id, column) = (of.collection.name, &row.document.id, column.name);
                Error::Unusable(format!("{collection}/{id} has something else in its column `{column}`"))
            })?;
            cells.resize_with(kept.len(), || Vec::with_capacity(rows.len()));
            cells.iter_mut().zip(kept).for_each(|(cells, cell)| cells.push(cell));
        }
        values.extend(cells.into_iter().map(value));
    }
    Ok(values)
}

/// Writes keys of persons, all or none.
pub(super) async fn keys(conn: &mut Connection, rows: &[WrappedKey]) -> Result<(), tokio_postgres::Error> {
    const KEYS: &str = "INSERT INTO keyring.keys (person, wrapped, master_id, erased_at) SELECT * FROM \
                        unnest($1::uuid[], $2::bytea[], $3::text[], $4::bigint[])";
    let values = vec![
        column(rows, |row| row.person),
        column(rows, |row| &row.wrapped[..]),
        column(rows, |row| row.master_id.as_str()),
        column(rows, |row| row.erased_at.map_or(0, kernel::Timestamp::as_micros)),
    ];
    conn.rows(KEYS, values).await.map(drop)
}
