//! The rows of a service's tables, read through once, in pages.

use backbone::collection::{Collection, ColumnKind, ColumnValue};
use backbone::journal::{Recorded, Sent, StoredDocument};
use backbone::moving::{Counts, KeptClaim, KeptDocument, Page};
use kernel::{Currency, Money, Timestamp};
use rusqlite::types::Type;
use rusqlite::{Connection, Row};

use super::{Each, id_in};
use crate::tables::{DocumentSql, Tables};
use crate::{rows, schema};

/// The most rows of a page.
const ROWS_MAX: usize = 1_000;
/// So many bytes of payload end a page.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// False where the service was never opened in this directory.
pub(super) fn has(conn: &Connection, tables: &Tables) -> rusqlite::Result<bool> {
    schema::exists(conn, &format!("{}_events", tables.prefix))
}

/// Those collections that have a table: an older program did not know all of them.
fn collections<'t>(
    conn: &Connection,
    tables: &'t Tables,
) -> rusqlite::Result<Vec<(&'static Collection, &'t DocumentSql)>> {
    let mut found = Vec::new();
    for of in tables.collections.values() {
        if schema::exists(conn, &of.live.table)? {
            found.push((of.collection, &of.live));
        }
    }
    found.sort_unstable_by_key(|(collection, _)| collection.name);
    Ok(found)
}

/// How many rows each table has.
pub(super) fn counts(conn: &Connection, tables: &Tables) -> rusqlite::Result<Counts> {
    let mut counts = Counts::new();
    let p = &tables.prefix;
    let mut count = |name: String, sql: String| -> rusqlite::Result<()> {
        let rows = conn.query_row(&sql, [], |row| rows::number(row, 0))?;
        counts.insert(name, rows);
        Ok(())
    };
    if has(conn, tables)? {
        for name in ["events", "snapshots", "answers", "inbox", "checkpoints"] {
            count(name.to_owned(), format!("SELECT count(*) FROM {p}_{name}"))?;
        }
    }
    let service = tables.service;
    count("log".to_owned(), format!("SELECT count(*) FROM log WHERE source = '{service}'"))?;
    for (collection, of) in collections(conn, tables)? {
        count(format!("c_{}", collection.name), format!("SELECT count(*) FROM {}", of.table))?;
    }
    Ok(counts)
}

/// Hands all tables on.
pub(super) fn read(conn: &Connection, tables: &Tables, each: &mut Each<'_>) -> rusqlite::Result<()> {
    let p = &tables.prefix;
    let published = format!("SELECT {} FROM log WHERE source = '{}'", rows::LOG_COLUMNS, tables.service);
    let published = Table { sql: format!("{published} ORDER BY position"), page: Page::Published };
    if !has(conn, tables)? {
        return published.read(conn, sent, each).map(drop);
    }
    let event = "version, name, schema, at, correlation, causation, person, data";
    let events = format!("SELECT {event}, position, stream FROM {p}_events ORDER BY position");
    let snapshots = format!("SELECT version, schema, person, data, stream FROM {p}_snapshots");
    let answers = format!("SELECT key, fingerprint, body, at FROM {p}_answers ORDER BY rowid");
    let claims = format!("SELECT consumer, event, at FROM {p}_inbox");
    let checkpoints = format!("SELECT consumer, position FROM {p}_checkpoints");
    let all = Table { sql: events, page: Page::Events }.read(conn, recorded, each)?
        && Table { sql: snapshots, page: Page::Snapshots }.read(conn, snapshot, each)?
        && Table { sql: answers, page: Page::Answers }.read(conn, answer, each)?
        && published.read(conn, sent, each)?
        && Table { sql: claims, page: Page::Claims }.read(conn, claim, each)?
        && Table { sql: checkpoints, page: Page::Checkpoints }.read(conn, checkpoint, each)?;
    if !all {
        return Ok(());
    }
    for (collection, of) in collections(conn, tables)? {
        let columns: String = of.columns.iter().map(|column| format!(", {}", column.name())).collect();
        let sql = format!("SELECT id, version, person, body{columns} FROM {} ORDER BY id", of.table);
        let page = |documents| Page::Documents(collection, documents);
        if !(Table { sql, page }.read(conn, |row| document(collection, row), each)?) {
            return Ok(());
        }
    }
    Ok(())
}

/// A table to be read through.
struct Table<P> {
    sql: String,
    page: P,
}

impl<P> Table<P> {
    /// False where nobody wants more.
    fn read<T>(
        self,
        conn: &Connection,
        row: impl Fn(&Row<'_>) -> rusqlite::Result<(T, usize)>,
        each: &mut Each<'_>,
    ) -> rusqlite::Result<bool>
    where
        P: Fn(Vec<T>) -> Page,
    {
        let mut statement = conn.prepare(&self.sql)?;
        let mut found = statement.query([])?;
        let (mut page, mut held) = (Vec::new(), 0);
        while let Some(next) = found.next()? {
            let (value, bytes) = row(next)?;
            page.push(value);
            held += bytes;
            if page.len() >= ROWS_MAX || held >= BYTES_MAX {
                held = 0;
                if !each((self.page)(std::mem::take(&mut page))) {
                    return Ok(false);
                }
            }
        }
        Ok(page.is_empty() || each((self.page)(page)))
    }
}

fn recorded(row: &Row<'_>) -> rusqlite::Result<(Recorded, usize)> {
    rows::recorded(row).map(|recorded| {
        let bytes = recorded.event.data.len();
        (recorded, bytes)
    })
}

fn snapshot(row: &Row<'_>) -> rusqlite::Result<((String, backbone::commit::Snapshot), usize)> {
    let snapshot = rows::snapshot(row)?;
    let bytes = snapshot.data.len();
    Ok(((row.get(4)?, snapshot), bytes))
}

fn answer(row: &Row<'_>) -> rusqlite::Result<(backbone::commit::Answer, usize)> {
    rows::answer(row).map(|answer| {
        let bytes = answer.body.len();
        (answer, bytes)
    })
}

fn sent(row: &Row<'_>) -> rusqlite::Result<(Sent, usize)> {
    let (position, envelope) = rows::envelope(row)?;
    let bytes = envelope.data.len();
    Ok((Sent { position, envelope }, bytes))
}

fn claim(row: &Row<'_>) -> rusqlite::Result<(KeptClaim, usize)> {
    let event = id_in(row, 1)?;
    Ok((KeptClaim { consumer: row.get(0)?, event, at: Timestamp::from_micros(row.get(2)?) }, 0))
}

fn checkpoint(row: &Row<'_>) -> rusqlite::Result<((String, u64), usize)> {
    Ok(((row.get(0)?, rows::number(row, 1)?), 0))
}

fn document(collection: &Collection, row: &Row<'_>) -> rusqlite::Result<(KeptDocument, usize)> {
    let document: StoredDocument = rows::document(row)?;
    let mut place = 4;
    let mut columns = Vec::with_capacity(collection.columns.len());
    for column in collection.columns {
        columns.push(column_value(column.kind, row, place)?);
        place += if column.kind == ColumnKind::Money { 2 } else { 1 };
    }
    let bytes = document.body.len();
    Ok((KeptDocument { document, columns }, bytes))
}

/// A declared column as it was given when it was written.
fn column_value(kind: ColumnKind, row: &Row<'_>, place: usize) -> rusqlite::Result<ColumnValue> {
    if row.get_ref(place)? == rusqlite::types::ValueRef::Null {
        return Ok(ColumnValue::Null);
    }
    Ok(match kind {
        ColumnKind::Text => ColumnValue::Text(row.get(place)?),
        ColumnKind::Integer => ColumnValue::Integer(row.get(place)?),
        ColumnKind::Bool => ColumnValue::Bool(row.get::<_, i64>(place)? != 0),
        ColumnKind::Timestamp => ColumnValue::Timestamp(Timestamp::from_micros(row.get(place)?)),
        ColumnKind::Uuid => {
            let text: String = row.get(place)?;
            ColumnValue::Uuid(text.parse().map_err(|e: uuid::Error| unlike(place, Type::Text, e))?)
        }
        ColumnKind::Money => {
            let code: String = row.get(place + 1)?;
            let currency = Currency::from_code(&code);
            let currency = currency.ok_or(rusqlite::Error::InvalidColumnType(place + 1, code, Type::Text))?;
            ColumnValue::Money(Money { amount: row.get(place)?, currency })
        }
    })
}

fn unlike(
    place: usize,
    kind: Type,
    source: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(place, kind, Box::new(source))
}
