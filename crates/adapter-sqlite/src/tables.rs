//! The SQL of one service's tables, written once when its journal is opened.

use std::collections::HashMap;
use std::sync::OnceLock;

use backbone::collection::{Collection, ColumnKind, ColumnValue};
use backbone::journal::{Error, Schema};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};

/// The tables of one service and the statements on them.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) service: &'static str,
    pub(crate) prefix: String,
    pub(crate) sql: ServiceSql,
    pub(crate) collections: HashMap<&'static str, CollectionTables>,
}

/// Statements on the tables that every service has.
#[derive(Debug)]
pub(crate) struct ServiceSql {
    pub(crate) append: String,
    pub(crate) head: String,
    pub(crate) events_after: String,
    pub(crate) feed: String,
    pub(crate) snapshot_put: String,
    pub(crate) snapshot: String,
    pub(crate) answer_put: String,
    pub(crate) answer: String,
    pub(crate) checkpoint_begin: String,
    pub(crate) checkpoint_move: String,
    pub(crate) checkpoint: String,
    pub(crate) claim: String,
    pub(crate) claimed: String,
}

/// A collection and its shadow.
#[derive(Debug)]
pub(crate) struct CollectionTables {
    pub(crate) collection: &'static Collection,
    pub(crate) live: DocumentSql,
    pub(crate) shadow: DocumentSql,
}

/// Statements on one table of documents. In those that write, ?1 is the id (or the row), ?2
/// the version, ?3 the person, ?4 the body, and the columns follow.
#[derive(Debug)]
pub(crate) struct DocumentSql {
    pub(crate) table: String,
    pub(crate) insert: String,
    /// The row, the version and the values that indexes hold.
    pub(crate) look: String,
    /// The physical columns, in order.
    pub(crate) columns: Vec<StoredColumn>,
    updates: Vec<OnceLock<String>>,
    pub(crate) delete: String,
    pub(crate) delete_any: String,
    pub(crate) version: String,
    pub(crate) read: String,
}

/// A column of a table.
#[derive(Debug)]
pub(crate) struct StoredColumn {
    name: String,
    /// Its bit among the indexed columns: it is written where its value changes. `None` where
    /// no index holds it, so that writing it costs nothing.
    pub(crate) bit: Option<usize>,
}

impl Tables {
    pub(crate) fn new(schema: &Schema) -> Result<Self, Error> {
        let prefix = schema.service.replace('-', "_");
        check_name("service", &prefix)?;
        let mut collections = HashMap::new();
        for collection in &schema.collections {
            check_collection(schema.service, collection)?;
            let tables = CollectionTables {
                collection,
                live: DocumentSql::new(format!("{prefix}_c_{}", collection.name), collection),
                shadow: DocumentSql::new(format!("{prefix}_s_{}", collection.name), collection),
            };
            if collections.insert(collection.name, tables).is_some() {
                let name = collection.name;
                return Err(Error::Unusable(format!("{} declares `{name}` twice", schema.service)));
            }
        }
        Ok(Self { service: schema.service, sql: ServiceSql::new(&prefix), prefix, collections })
    }

    /// The tables of a collection; a handle reaches those of its own service and no others.
    pub(crate) fn collection(&self, collection: &Collection) -> Result<&CollectionTables, Error> {
        self.collections.get(collection.name).ok_or_else(|| {
            Error::Malformed(format!("`{}` is not a collection of {}", collection.name, self.service))
        })
    }
}

impl ServiceSql {
    fn new(p: &str) -> Self {
        // The version is computed where it is stored: a stream that has another one gives NULL,
        // which the table refuses, and OR IGNORE turns both that and a taken version into a row
        // that was not written. One statement checks and appends.
        let append = format!(
            "INSERT OR IGNORE INTO {p}_events \
             (stream, version, name, schema, at, correlation, causation, person, data) \
             VALUES (?1, (SELECT CASE WHEN coalesce(max(version), 0) = ?2 - 1 THEN ?2 END \
             FROM {p}_events WHERE stream = ?1), ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
        );
        let event = "version, name, schema, at, correlation, causation, person, data";
        Self {
            append,
            head: format!("SELECT coalesce(max(version), 0) FROM {p}_events WHERE stream = ?1"),
            events_after: format!(
                "SELECT {event} FROM {p}_events WHERE stream = ?1 AND version > ?2 ORDER BY version LIMIT ?3"
            ),
            feed: format!(
                "SELECT {event}, position, stream FROM {p}_events WHERE position > ?1 ORDER BY position LIMIT ?2"
            ),
            snapshot_put: format!(
                "INSERT INTO {p}_snapshots (stream, version, schema, person, data) VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT (stream) DO UPDATE SET version = ?2, schema = ?3, person = ?4, data = ?5"
            ),
            snapshot: format!("SELECT version, schema, person, data FROM {p}_snapshots WHERE stream = ?1"),
            answer_put: format!(
                "INSERT OR IGNORE INTO {p}_answers (key, fingerprint, body, at) VALUES (?1, ?2, ?3, ?4)"
            ),
            answer: format!("SELECT key, fingerprint, body, at FROM {p}_answers WHERE key = ?1"),
            checkpoint_begin: format!(
                "INSERT INTO {p}_checkpoints (consumer, position) VALUES (?1, ?2) \
                 ON CONFLICT (consumer) DO UPDATE SET position = ?2 WHERE position = 0"
            ),
            checkpoint_move: format!(
                "UPDATE {p}_checkpoints SET position = ?2 WHERE consumer = ?1 AND position = ?3"
            ),
            checkpoint: format!("SELECT position FROM {p}_checkpoints WHERE consumer = ?1"),
            claimed: format!("SELECT 1 FROM {p}_inbox WHERE consumer = ?1 AND event = ?2"),
            claim: format!("INSERT OR IGNORE INTO {p}_inbox (consumer, event, at) VALUES (?1, ?2, ?3)"),
        }
    }
}

/// Each set of changed columns has a statement of its own; beyond so many indexed columns the
/// others count as changed.
const BITS_MAX: usize = 6;

impl DocumentSql {
    fn new(table: String, collection: &Collection) -> Self {
        let columns = stored_columns(collection);
        let names: String = columns.iter().map(|column| format!(", {}", column.name)).collect();
        let values: String = (5..5 + columns.len()).map(|n| format!(", ?{n}")).collect();
        let indexed = columns.iter().filter(|column| column.bit.is_some());
        let looked_at: String = indexed.clone().map(|column| format!(", {}", column.name)).collect();
        Self {
            insert: format!(
                "INSERT OR IGNORE INTO {table} (id, version, person, body{names}) \
                 VALUES (?1, ?2, ?3, ?4{values})"
            ),
            look: format!("SELECT rowid, version{looked_at} FROM {table} WHERE id = ?1"),
            updates: (0..1usize << indexed.count()).map(|_| OnceLock::new()).collect(),
            delete: format!("DELETE FROM {table} WHERE id = ?1 AND version = ?2"),
            delete_any: format!("DELETE FROM {table} WHERE id = ?1"),
            version: format!("SELECT version FROM {table} WHERE id = ?1"),
            read: format!("SELECT id, version, person, body FROM {table} WHERE id = ?1"),
            columns,
            table,
        }
    }

    /// The statement that writes a document of which the columns of `changed` have other values.
    /// SQLite rewrites every index over a column that is set, changed or not.
    pub(crate) fn update(&self, changed: usize) -> &str {
        self.updates[changed].get_or_init(|| {
            let written = self.columns.iter().zip(5..).filter(|(column, _)| column.is_in(changed));
            let sets: String = written.map(|(column, n)| format!(", {} = ?{n}", column.name)).collect();
            format!("UPDATE {} SET version = ?2, person = ?3, body = ?4{sets} WHERE rowid = ?1", self.table)
        })
    }
}

impl StoredColumn {
    /// Its quoted name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether an update that changes these indexed columns writes this one.
    pub(crate) fn is_in(&self, changed: usize) -> bool {
        self.bit.is_none_or(|bit| changed & (1 << bit) != 0)
    }
}

fn stored_columns(collection: &Collection) -> Vec<StoredColumn> {
    let mut bits = 0..BITS_MAX;
    let mut columns = Vec::new();
    for column in collection.columns {
        // Of money, the index holds the amount.
        let mut bit = if column.indexed { bits.next() } else { None };
        for name in physical(column.name, column.kind) {
            columns.push(StoredColumn { name, bit: bit.take() });
        }
    }
    columns
}

/// The columns of a table that hold a declared column.
pub(crate) fn physical(name: &str, kind: ColumnKind) -> Vec<String> {
    match kind {
        ColumnKind::Money => vec![format!("\"{name}\""), format!("\"{name}_currency\"")],
        _ => vec![format!("\"{name}\"")],
    }
}

/// How a value is stored; `None` where it is not of the column's kind. Money takes two.
pub(crate) fn stored(kind: ColumnKind, value: &ColumnValue) -> Option<[Option<ToSqlOutput<'_>>; 2]> {
    let one = |value| Some([Some(value), None]);
    let integer = |value| one(ToSqlOutput::Owned(Value::Integer(value)));
    match (kind, value) {
        (ColumnKind::Money, ColumnValue::Null) => Some([Some(null()), Some(null())]),
        (_, ColumnValue::Null) => one(null()),
        (ColumnKind::Text, ColumnValue::Text(text)) => one(borrowed(text)),
        (ColumnKind::Integer, ColumnValue::Integer(value)) => integer(*value),
        (ColumnKind::Bool, ColumnValue::Bool(value)) => integer(i64::from(*value)),
        (ColumnKind::Timestamp, ColumnValue::Timestamp(at)) => integer(at.as_micros()),
        (ColumnKind::Uuid, ColumnValue::Uuid(id)) => one(ToSqlOutput::Owned(Value::Text(id.to_string()))),
        (ColumnKind::Money, ColumnValue::Money(money)) => Some([
            Some(ToSqlOutput::Owned(Value::Integer(money.amount))),
            Some(borrowed(money.currency.code())),
        ]),
        _ => None,
    }
}

fn null() -> ToSqlOutput<'static> {
    ToSqlOutput::Owned(Value::Null)
}

fn borrowed(text: &str) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))
}

fn check_collection(service: &str, collection: &Collection) -> Result<(), Error> {
    const TAKEN: &[&str] = &["events", "snapshots", "answers", "checkpoints", "inbox"];
    const OWN_COLUMNS: &[&str] = &["id", "version", "person", "body"];
    check_name("collection", collection.name)?;
    if TAKEN.contains(&collection.name)
        || collection.name.starts_with("c_")
        || collection.name.starts_with("s_")
    {
        let name = collection.name;
        return Err(Error::Unusable(format!(
            "{service} cannot call a collection `{name}`: the journal's own table has that name"
        )));
    }
    let mut seen = Vec::new();
    for column in collection.columns {
        check_name("column", column.name)?;
        for name in physical(column.name, column.kind) {
            if OWN_COLUMNS.contains(&name.trim_matches('"')) || seen.contains(&name) {
                return Err(Error::Unusable(format!(
                    "{service}'s collection `{}` has the column {name} twice (every collection has \
                     id, version, person and body): choose another name",
                    collection.name
                )));
            }
            seen.push(name);
        }
    }
    collection.children.iter().try_for_each(|child| check_name("child list", child))
}

/// Names stand in SQL text, so they are letters, digits and underscores.
fn check_name(what: &str, name: &str) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.len() <= 63 && name.chars().all(fits) {
        return Ok(());
    }
    Err(Error::Unusable(format!(
        "{what} `{name}` cannot be a table's or column's name: use up to 63 letters, digits and underscores"
    )))
}
