//! One document written. What stands there is looked at first: the version is checked, and only
//! the indexes over values that change are written.

use backbone::commit::{Expected, Put};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection};

use crate::apply::Failure;
use crate::rows;
use crate::tables::{DocumentSql, Tables, stored};

/// What stands in a document's place.
struct Found {
    row: i64,
    version: u64,
    /// The indexed columns whose values differ from those to be written.
    changed: usize,
}

pub(crate) fn document(conn: &Connection, tables: &Tables, put: &Put) -> Result<(), Failure> {
    let collection = tables.collection(put.collection)?;
    let sql = if put.shadow { &collection.shadow } else { &collection.live };
    let columns = columns(put)?;
    let written = match put.expected {
        Expected::Version(0) => insert(conn, sql, put, &columns),
        expected => match (look(conn, sql, put, &columns), expected) {
            (Ok(Some(found)), Expected::Version(version)) if found.version != version => Ok(false),
            (Ok(Some(found)), _) => update(conn, sql, put, &columns, &found),
            (Ok(None), Expected::Any) => insert(conn, sql, put, &columns),
            (Ok(None), Expected::Version(_)) => Ok(false),
            (Err(error), _) => Err(error),
        },
    };
    let name = put.collection.name;
    match written {
        Ok(true) => Ok(()),
        Ok(false) => {
            let which = if put.shadow { "the shadow of " } else { "" };
            Err(Failure::Conflict(format!("{which}{name}/{} is not at {:?}", put.id, put.expected)))
        }
        Err(error) if put.shadow && is_missing(&error) => {
            Err(Failure::Malformed(format!("`{name}` has no shadow: begin one first")))
        }
        Err(error) => Err(Failure::Sqlite(error)),
    }
}

/// The values of the physical columns, in order.
fn columns(put: &Put) -> Result<Vec<ToSqlOutput<'_>>, Failure> {
    let mut values = Vec::with_capacity(put.columns.len() + 1);
    for (column, value) in put.collection.columns.iter().zip(&put.columns) {
        let Some(stored) = stored(column.kind, value) else {
            let (collection, name, kind) = (put.collection.name, column.name, column.kind);
            let what = format!("column `{name}` of `{collection}` holds {kind:?}, the value does not");
            return Err(Failure::Malformed(what));
        };
        values.extend(stored.into_iter().flatten());
    }
    Ok(values)
}

fn look(
    conn: &Connection,
    sql: &DocumentSql,
    put: &Put,
    columns: &[ToSqlOutput<'_>],
) -> rusqlite::Result<Option<Found>> {
    let mut statement = conn.prepare_cached(&sql.look)?;
    let mut rows = statement.query([&put.id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let mut found = Found { row: row.get(0)?, version: rows::number(row, 1)?, changed: 0 };
    let indexed = sql.columns.iter().zip(columns).filter_map(|(column, value)| Some((column.bit?, value)));
    for (place, (bit, value)) in indexed.enumerate() {
        if row.get_ref(2 + place)? != as_ref(value) {
            found.changed |= 1 << bit;
        }
    }
    Ok(Some(found))
}

fn as_ref<'a>(value: &'a ToSqlOutput<'_>) -> ValueRef<'a> {
    match value {
        ToSqlOutput::Owned(value) => value.into(),
        ToSqlOutput::Borrowed(value) => *value,
        // Columns are numbers, texts or absent.
        _ => ValueRef::Null,
    }
}

fn insert(
    conn: &Connection,
    sql: &DocumentSql,
    put: &Put,
    columns: &[ToSqlOutput<'_>],
) -> rusqlite::Result<bool> {
    let mut statement = conn.prepare_cached(&sql.insert)?;
    statement.raw_bind_parameter(1, &put.id)?;
    bind_attributes(&mut statement, put, 1)?;
    for (value, index) in columns.iter().zip(5..) {
        statement.raw_bind_parameter(index, value)?;
    }
    Ok(statement.raw_execute()? == 1)
}

fn update(
    conn: &Connection,
    sql: &DocumentSql,
    put: &Put,
    columns: &[ToSqlOutput<'_>],
    found: &Found,
) -> rusqlite::Result<bool> {
    let mut statement = conn.prepare_cached(sql.update(found.changed))?;
    statement.raw_bind_parameter(1, found.row)?;
    bind_attributes(&mut statement, put, found.version + 1)?;
    for ((column, value), index) in sql.columns.iter().zip(columns).zip(5..) {
        if column.is_in(found.changed) {
            statement.raw_bind_parameter(index, value)?;
        }
    }
    Ok(statement.raw_execute()? == 1)
}

fn bind_attributes(statement: &mut CachedStatement<'_>, put: &Put, version: u64) -> rusqlite::Result<()> {
    statement.raw_bind_parameter(2, rows::signed(version))?;
    statement.raw_bind_parameter(3, rows::person(&put.person))?;
    statement.raw_bind_parameter(4, &put.body[..])
}

/// SQLite has no code of its own for a table that is not there.
fn is_missing(error: &rusqlite::Error) -> bool {
    error.to_string().contains("no such table")
}
