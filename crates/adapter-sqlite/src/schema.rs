//! Tables made from declarations. A declaration is kept as text beside its table, so that a
//! changed one is noticed when the journal is opened.

use backbone::collection::{Collection, Column, ColumnKind};
use backbone::journal::Error;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error;
use crate::tables::{CollectionTables, Tables, physical};

const OPENING: &str = "opening a service's tables";

/// The tables that belong to no service.
pub(crate) const BASE: &str = "
    CREATE TABLE IF NOT EXISTS _meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS _services (prefix TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS _schema (
        prefix TEXT NOT NULL, collection TEXT NOT NULL, columns TEXT NOT NULL, indexes TEXT NOT NULL,
        children TEXT NOT NULL, generation INTEGER NOT NULL, PRIMARY KEY (prefix, collection)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS _leases (
        service TEXT NOT NULL, name TEXT NOT NULL, owner BLOB NOT NULL, token INTEGER NOT NULL,
        until INTEGER NOT NULL, PRIMARY KEY (service, name)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS _published (id BLOB PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS log (
        position INTEGER PRIMARY KEY, context TEXT NOT NULL, id BLOB NOT NULL, kind TEXT NOT NULL,
        subject TEXT NOT NULL, source TEXT NOT NULL, time INTEGER NOT NULL, correlation TEXT NOT NULL,
        causation TEXT NOT NULL, sequence INTEGER NOT NULL, traceparent TEXT, keyid TEXT, data BLOB NOT NULL);
    CREATE INDEX IF NOT EXISTS log_context ON log (context, position);
    CREATE INDEX IF NOT EXISTS log_source ON log (source);
    CREATE INDEX IF NOT EXISTS log_correlation ON log (correlation);";

/// What is kept of a declaration.
#[derive(Debug, PartialEq, Eq)]
struct Declared {
    columns: String,
    indexes: String,
    children: String,
}

impl Declared {
    fn of(collection: &Collection) -> Self {
        let columns: Vec<String> =
            collection.columns.iter().map(|c| format!("{} {}", c.name, kind_name(c.kind))).collect();
        let indexes: Vec<&str> = indexed(collection).map(|c| c.name).collect();
        Self {
            columns: columns.join(", "),
            indexes: indexes.join(", "),
            children: collection.children.join(", "),
        }
    }
}

/// Makes what is missing, in the caller's transaction; changes nothing where all is there.
pub(crate) fn make(conn: &Connection, tables: &Tables) -> Result<(), Error> {
    make_service(conn, tables).map_err(|e| error::journal(OPENING, &e))?;
    let mut names: Vec<_> = tables.collections.keys().copied().collect();
    names.sort_unstable();
    names.into_iter().try_for_each(|name| make_collection(conn, tables, &tables.collections[name]))
}

/// Says what is missing without making it: for a store that is only read.
pub(crate) fn check(conn: &Connection, tables: &Tables) -> Result<(), Error> {
    for (name, collection) in &tables.collections {
        if !check_columns(conn, tables, collection.collection)? {
            let service = tables.service;
            return Err(Error::Unusable(format!("{service} never kept `{name}` in this directory")));
        }
    }
    Ok(())
}

/// Refuses a collection that is kept with other columns; false where it was never kept.
pub(crate) fn check_columns(conn: &Connection, tables: &Tables, of: &Collection) -> Result<bool, Error> {
    let wanted = Declared::of(of);
    match kept(conn, &tables.prefix, of.name).map_err(|e| error::journal(OPENING, &e))? {
        Some((kept, _)) if kept.columns == wanted.columns => Ok(true),
        Some((kept, _)) => Err(differs(tables.service, of.name, &kept.columns, &wanted.columns)),
        None => Ok(false),
    }
}

fn make_service(conn: &Connection, tables: &Tables) -> rusqlite::Result<()> {
    let p = &tables.prefix;
    let known = conn.query_row("SELECT 1 FROM _services WHERE prefix = ?1", [p], |_| Ok(())).optional()?;
    if known.is_none() {
        make_first(conn, p)?;
    }
    // Came later than the table: stores that were made before get it when they are opened.
    conn.execute_batch(&format!("CREATE INDEX IF NOT EXISTS {p}_inbox_at ON {p}_inbox (at)"))
}

fn make_first(conn: &Connection, p: &str) -> rusqlite::Result<()> {
    conn.execute_batch(&format!(
        "CREATE TABLE {p}_events (
            position INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL, name TEXT NOT NULL,
            schema INTEGER NOT NULL, at INTEGER NOT NULL, correlation TEXT NOT NULL, causation TEXT NOT NULL,
            person BLOB, data BLOB NOT NULL, UNIQUE (stream, version));
         CREATE TABLE {p}_snapshots (
            stream TEXT PRIMARY KEY, version INTEGER NOT NULL, schema INTEGER NOT NULL, person BLOB,
            data BLOB NOT NULL);
         CREATE TABLE {p}_answers (
            key TEXT PRIMARY KEY, fingerprint INTEGER NOT NULL, body BLOB NOT NULL, at INTEGER NOT NULL);
         CREATE TABLE {p}_checkpoints (consumer TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
         CREATE TABLE {p}_inbox (
            consumer TEXT NOT NULL, event BLOB NOT NULL, at INTEGER NOT NULL,
            PRIMARY KEY (consumer, event)) WITHOUT ROWID;"
    ))?;
    conn.execute("INSERT INTO _services (prefix) VALUES (?1)", [p])?;
    Ok(())
}

fn make_collection(conn: &Connection, tables: &Tables, collection: &CollectionTables) -> Result<(), Error> {
    let failed = |e: rusqlite::Error| error::journal(OPENING, &e);
    let (prefix, declaration) = (&tables.prefix, collection.collection);
    let wanted = Declared::of(declaration);
    let (kept, generation) = match kept(conn, prefix, declaration.name).map_err(failed)? {
        Some((kept, _)) if kept == wanted => return Ok(()),
        Some((kept, generation)) => (Some(kept), generation),
        None => (None, 0),
    };
    let columns_kept = match &kept {
        Some(kept) if kept.columns == wanted.columns => true,
        Some(kept) if !is_empty(conn, &collection.live.table).map_err(failed)? => {
            return Err(differs(tables.service, declaration.name, &kept.columns, &wanted.columns));
        }
        _ => false,
    };
    let generation = generation + 1;
    let make = || -> rusqlite::Result<()> {
        drop_views(conn, prefix, declaration, kept.as_ref().map_or("", |kept| &kept.children))?;
        // An unfinished rebuild was of the old declaration.
        conn.execute_batch(&format!("DROP TABLE IF EXISTS {}", collection.shadow.table))?;
        if columns_kept {
            drop_indexes(conn, &collection.live.table)?;
        } else {
            conn.execute_batch(&format!("DROP TABLE IF EXISTS {}", collection.live.table))?;
            make_table(conn, &collection.live.table, declaration)?;
        }
        make_indexes(conn, &collection.live.table, declaration, generation)?;
        make_views(conn, prefix, &collection.live.table, declaration)?;
        conn.execute(
            "INSERT OR REPLACE INTO _schema (prefix, collection, columns, indexes, children, generation) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![prefix, declaration.name, wanted.columns, wanted.indexes, wanted.children, generation],
        )?;
        Ok(())
    };
    make().map_err(failed)
}

/// Makes an empty shadow of a collection, replacing an unfinished one.
pub(crate) fn make_shadow(conn: &Connection, prefix: &str, of: &CollectionTables) -> rusqlite::Result<()> {
    drop_shadow(conn, of)?;
    let generation = next_generation(conn, prefix, of.collection.name)?;
    make_table(conn, &of.shadow.table, of.collection)?;
    make_indexes(conn, &of.shadow.table, of.collection, generation)
}

/// Forgets the shadow of a collection, if there is one.
pub(crate) fn drop_shadow(conn: &Connection, of: &CollectionTables) -> rusqlite::Result<()> {
    conn.execute_batch(&format!("DROP TABLE IF EXISTS {}", of.shadow.table))
}

/// Collection and shadow change places.
pub(crate) fn swap_shadow(conn: &Connection, prefix: &str, of: &CollectionTables) -> rusqlite::Result<()> {
    let children = of.collection.children.join(", ");
    // A view of a table that is away for a moment would fail the renaming.
    drop_views(conn, prefix, of.collection, &children)?;
    conn.execute_batch(&format!(
        "ALTER TABLE {live} RENAME TO \"{live}~\"; ALTER TABLE {shadow} RENAME TO {live}; \
         ALTER TABLE \"{live}~\" RENAME TO {shadow}",
        live = of.live.table,
        shadow = of.shadow.table
    ))?;
    make_views(conn, prefix, &of.live.table, of.collection)
}

/// True where the table exists.
pub(crate) fn exists(conn: &Connection, table: &str) -> rusqlite::Result<bool> {
    conn.query_row("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1", [table], |row| {
        row.get(0)
    })
}

fn kept(conn: &Connection, prefix: &str, name: &str) -> rusqlite::Result<Option<(Declared, i64)>> {
    conn.query_row(
        "SELECT columns, indexes, children, generation FROM _schema WHERE prefix = ?1 AND collection = ?2",
        [prefix, name],
        |row| {
            let declared = Declared { columns: row.get(0)?, indexes: row.get(1)?, children: row.get(2)? };
            Ok((declared, row.get(3)?))
        },
    )
    .optional()
}

fn differs(service: &str, collection: &str, kept: &str, wanted: &str) -> Error {
    Error::Unusable(format!(
        "the columns of {service}'s collection `{collection}` are [{kept}] in this directory and [{wanted}] in \
         this program, and there are documents in it: run the program that wrote them, or empty the collection"
    ))
}

/// True where a table has no row.
pub(crate) fn is_empty(conn: &Connection, table: &str) -> rusqlite::Result<bool> {
    Ok(conn.query_row(&format!("SELECT 1 FROM {table} LIMIT 1"), [], |_| Ok(())).optional()?.is_none())
}

fn make_table(conn: &Connection, table: &str, collection: &Collection) -> rusqlite::Result<()> {
    let columns: String = collection.columns.iter().map(column_definition).collect();
    conn.execute_batch(&format!(
        "CREATE TABLE {table} (id TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL, person BLOB, \
         body BLOB NOT NULL{columns})"
    ))
}

fn column_definition(column: &Column) -> String {
    let names = physical(column.name, column.kind);
    match (column.kind, names.as_slice()) {
        (ColumnKind::Money, [amount, currency]) => format!(", {amount} INTEGER, {currency} TEXT"),
        (ColumnKind::Text | ColumnKind::Uuid, [name, ..]) => format!(", {name} TEXT"),
        (_, names) => format!(", {} INTEGER", names.concat()),
    }
}

/// The next number for names of indexes: an index keeps its name when its table is renamed, so
/// those of a shadow must be new. Each shadow takes one.
fn next_generation(conn: &Connection, prefix: &str, name: &str) -> rusqlite::Result<i64> {
    conn.query_row(
        "UPDATE _schema SET generation = generation + 1 WHERE prefix = ?1 AND collection = ?2 \
         RETURNING generation",
        [prefix, name],
        |row| row.get(0),
    )
}

fn indexed(collection: &Collection) -> impl Iterator<Item = &Column> {
    collection.columns.iter().filter(|column| column.indexed)
}

fn make_indexes(conn: &Connection, table: &str, of: &Collection, generation: i64) -> rusqlite::Result<()> {
    // The id is part of the index because it breaks the ties of every sort.
    indexed(of).try_for_each(|column| {
        let name = column.name;
        conn.execute_batch(&format!(
            "CREATE INDEX \"{table}_{name}_{generation}\" ON {table} (\"{name}\", id)"
        ))
    })
}

fn drop_indexes(conn: &Connection, table: &str) -> rusqlite::Result<()> {
    let mut names = conn
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?1 AND sql NOTNULL")?;
    let names =
        names.query_map([table], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    names.iter().try_for_each(|name| conn.execute_batch(&format!("DROP INDEX \"{name}\"")))
}

/// The plain SQL views of a collection for reporting tools; JSON is shown as text.
fn make_views(conn: &Connection, prefix: &str, table: &str, of: &Collection) -> rusqlite::Result<()> {
    let columns: String =
        of.columns.iter().flat_map(|c| physical(c.name, c.kind)).map(|name| format!(", {name}")).collect();
    let name = of.name;
    conn.execute_batch(&format!(
        "CREATE VIEW {prefix}_{name} AS SELECT id, version{columns}, CAST(body AS TEXT) AS body FROM {table}"
    ))?;
    of.children.iter().try_for_each(|child| {
        conn.execute_batch(&format!(
            "CREATE VIEW {prefix}_{name}_{child} AS SELECT parent.id AS parent, child.key AS place, \
             CASE child.type WHEN 'text' THEN json_quote(child.value) WHEN 'true' THEN 'true' WHEN 'false' THEN \
             'false' WHEN 'null' THEN 'null' ELSE child.value END AS value FROM {table} parent, \
             json_each(CAST(parent.body AS TEXT), '$.{child}') child WHERE json_type(CAST(parent.body AS TEXT), \
             '$.{child}') = 'array'"
        ))
    })
}

fn drop_views(conn: &Connection, prefix: &str, of: &Collection, children: &str) -> rusqlite::Result<()> {
    let name = of.name;
    for child in children.split(", ").filter(|child| !child.is_empty()) {
        conn.execute_batch(&format!("DROP VIEW IF EXISTS {prefix}_{name}_{child}"))?;
    }
    conn.execute_batch(&format!("DROP VIEW IF EXISTS {prefix}_{name}"))
}

fn kind_name(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Text => "text",
        ColumnKind::Integer => "integer",
        ColumnKind::Bool => "bool",
        ColumnKind::Timestamp => "timestamp",
        ColumnKind::Uuid => "uuid",
        ColumnKind::Money => "money",
    }
}
