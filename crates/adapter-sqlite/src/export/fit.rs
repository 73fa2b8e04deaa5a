//! Whether everything that stands in a store has a place where it is going.

use std::collections::BTreeSet;

use backbone::journal::{Error, Schema};
use rusqlite::Connection;

use super::failed;
use crate::schema;
use crate::tables::Tables;

/// Refuses what this program would leave behind, by name.
pub(super) fn check(conn: &Connection, schemas: &[Schema]) -> Result<(), Error> {
    let tables = schemas.iter().map(Tables::new).collect::<Result<Vec<_>, _>>()?;
    for prefix in texts(conn, "SELECT prefix FROM _services ORDER BY prefix").map_err(failed)? {
        if !tables.iter().any(|tables| tables.prefix == prefix) {
            return Err(left_behind(&format!("the tables of a service `{prefix}`")));
        }
    }
    let known: BTreeSet<&str> = schemas.iter().map(|schema| schema.service).collect();
    for source in texts(conn, "SELECT DISTINCT source FROM log").map_err(failed)? {
        if !known.contains(source.as_str()) {
            return Err(left_behind(&format!("public events of a service `{source}`")));
        }
    }
    tables.iter().try_for_each(|tables| check_service(conn, tables))
}

fn check_service(conn: &Connection, tables: &Tables) -> Result<(), Error> {
    let prefix = &tables.prefix;
    let sql = format!("SELECT collection FROM _schema WHERE prefix = '{prefix}' ORDER BY collection");
    for name in texts(conn, &sql).map_err(failed)? {
        match tables.collections.get(name.as_str()) {
            Some(of) => drop(schema::check_columns(conn, tables, of.collection)?),
            // Whatever an older program kept and a newer one does not is empty by now, or of use.
            None if schema::is_empty(conn, &format!("{prefix}_c_{name}")).map_err(failed)? => {}
            None => {
                return Err(left_behind(&format!("documents of {}'s collection `{name}`", tables.service)));
            }
        }
    }
    Ok(())
}

fn left_behind(what: &str) -> Error {
    Error::Unusable(format!(
        "it holds {what}, which this program does not know and would leave behind: move it with the program that \
         wrote them"
    ))
}

fn texts(conn: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    conn.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}
