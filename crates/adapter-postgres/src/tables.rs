//! The SQL of one service's tables, written once when its journal is opened. Every statement takes
//! arrays: there are as many statements for a thousand rows as for one.

use std::collections::HashMap;

use backbone::collection::{Collection, ColumnKind, ColumnValue};
use backbone::commit::Put;
use backbone::journal::{Error, Schema};
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use crate::connection::Value;
use crate::sql::{ServiceSql, changed, held};

/// The longest name that PostgreSQL keeps as it is.
const NAME_MAX: usize = 63;
/// What a collection cannot be called: its view would have the name of a table of the journal.
const TABLES: &[&str] = &[
    "answers",
    "checkpoints",
    "declarations",
    "events",
    "inbox",
    "layout",
    "leases",
    "log",
    "positions",
    "snapshots",
];
/// Schemas that are not a service's.
const SCHEMAS: &[&str] = &["information_schema", "keyring", "moving", "public"];

/// The tables of one service and the statements on them.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) service: &'static str,
    /// The quoted name of its schema.
    pub(crate) schema: String,
    pub(crate) sql: ServiceSql,
    pub(crate) collections: HashMap<&'static str, CollectionTables>,
}

/// Names a table of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TableKey {
    pub(crate) collection: &'static str,
    pub(crate) shadow: bool,
}

impl TableKey {
    pub(crate) fn live(collection: &Collection) -> Self {
        Self { collection: collection.name, shadow: false }
    }

    /// Where a put writes.
    pub(crate) fn of(put: &Put) -> Self {
        Self { collection: put.collection.name, shadow: put.shadow }
    }
}

/// A collection and its shadow.
#[derive(Debug)]
pub(crate) struct CollectionTables {
    pub(crate) collection: &'static Collection,
    pub(crate) live: DocumentSql,
    pub(crate) shadow: DocumentSql,
}

/// Statements on one table of documents.
#[derive(Debug)]
pub(crate) struct DocumentSql {
    pub(crate) table: String,
    pub(crate) versions: String,
    pub(crate) hold: String,
    pub(crate) insert: String,
    pub(crate) update: String,
    pub(crate) delete: String,
    pub(crate) read: String,
}

/// The quoted name of a service's schema, whether it is there or not.
pub(crate) fn schema_of(service: &str) -> Result<String, Error> {
    let name = service.replace('-', "_");
    check_name("service", &name, NAME_MAX)?;
    Ok(format!("\"{name}\""))
}

impl Tables {
    pub(crate) fn new(schema: &Schema) -> Result<Self, Error> {
        let name = schema.service.replace('-', "_");
        check_name("service", &name, NAME_MAX)?;
        if SCHEMAS.contains(&name.as_str()) || name.starts_with("pg_") {
            return Err(Error::Unusable(format!(
                "no service can be called `{name}`: PostgreSQL or a4co has a schema of that name"
            )));
        }
        let quoted = format!("\"{name}\"");
        let mut collections = HashMap::new();
        for collection in &schema.collections {
            check_collection(schema.service, collection)?;
            let tables = CollectionTables {
                collection,
                live: DocumentSql::new(&quoted, &format!("c_{}", collection.name), collection),
                shadow: DocumentSql::new(&quoted, &format!("s_{}", collection.name), collection),
            };
            if collections.insert(collection.name, tables).is_some() {
                let name = collection.name;
                return Err(Error::Unusable(format!("{} declares `{name}` twice", schema.service)));
            }
        }
        Ok(Self { service: schema.service, sql: ServiceSql::new(&quoted), schema: quoted, collections })
    }

    /// The tables of a collection; a handle reaches those of its own service and no others.
    pub(crate) fn collection(&self, collection: &Collection) -> Result<&CollectionTables, Error> {
        self.collections.get(collection.name).ok_or_else(|| {
            Error::Malformed(format!("`{}` is not a collection of {}", collection.name, self.service))
        })
    }

    /// The statements on a table that commits were checked to be of this service.
    pub(crate) fn documents(&self, key: TableKey) -> &DocumentSql {
        let of = &self.collections[key.collection];
        if key.shadow { &of.shadow } else { &of.live }
    }
}

impl DocumentSql {
    fn new(s: &str, name: &str, collection: &Collection) -> Self {
        let table = format!("{s}.{name}");
        let columns: Vec<(String, &str)> =
            collection.columns.iter().flat_map(|c| physical(c.name, c.kind)).collect();
        let names: String = columns.iter().map(|(name, _)| format!(", {name}")).collect();
        let sets: String = columns.iter().map(|(name, _)| format!(", {name} = w.{name}")).collect();
        let arrays: String = columns.iter().zip(5..).map(|((_, of), n)| format!(", ${n}::{of}[]")).collect();
        let given = format!("unnest($1::text[], $2::bigint[], $3::uuid[], $4::bytea[]{arrays}");
        let base = 5 + columns.len();
        Self {
            versions: format!("SELECT id, version FROM {table} WHERE id = ANY($1)"),
            hold: held(
                s,
                &format!(
                    "unnest($1::text[], $2::bigint[]) AS w(id, version) WHERE \
                     coalesce((SELECT d.version FROM {table} d WHERE d.id = w.id), 0) <> w.version"
                ),
            ),
            insert: format!("INSERT INTO {table} (id, version, person, body{names}) SELECT * FROM {given})"),
            update: changed(
                s,
                &format!(
                    "UPDATE {table} d SET version = w.version, person = w.person, body = w.body{sets} \
                     FROM {given}, ${base}::bigint[]) AS w(id, version, person, body{names}, base) \
                     WHERE d.id = w.id AND d.version = w.base"
                ),
            ),
            delete: changed(
                s,
                &format!(
                    "DELETE FROM {table} d USING unnest($1::text[], $2::bigint[]) AS w(id, base) \
                     WHERE d.id = w.id AND d.version = w.base"
                ),
            ),
            read: format!("SELECT id, version, person, body FROM {table} WHERE id = ANY($1)"),
            table,
        }
    }
}

/// The columns of a table that hold a declared column, with their types.
pub(crate) fn physical(name: &str, kind: ColumnKind) -> Vec<(String, &'static str)> {
    let of = match kind {
        ColumnKind::Text => "text",
        ColumnKind::Integer | ColumnKind::Timestamp | ColumnKind::Money => "bigint",
        ColumnKind::Bool => "boolean",
        ColumnKind::Uuid => "uuid",
    };
    let mut columns = vec![(format!("\"{name}\""), of)];
    if kind == ColumnKind::Money {
        columns.push((format!("\"{name}_currency\""), "text"));
    }
    columns
}

/// A value as it is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Text(&'a str),
    Integer(i64),
    Bool(bool),
    Uuid(Uuid),
}

impl Cell<'_> {
    /// As a single value of a statement.
    pub(crate) fn boxed(self) -> Value<'static> {
        match self {
            Cell::Null => Box::new(None::<String>),
            Cell::Text(text) => Box::new(text.to_owned()),
            Cell::Integer(value) => Box::new(value),
            Cell::Bool(value) => Box::new(value),
            Cell::Uuid(value) => Box::new(value),
        }
    }
}

impl ToSql for Cell<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut bytes::BytesMut,
    ) -> Result<tokio_postgres::types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Cell::Null => Ok(tokio_postgres::types::IsNull::Yes),
            Cell::Text(text) => text.to_sql(ty, out),
            Cell::Integer(value) => value.to_sql(ty, out),
            Cell::Bool(value) => value.to_sql(ty, out),
            Cell::Uuid(value) => value.to_sql(ty, out),
        }
    }

    /// Whether it fits its column was checked before (`stored`).
    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::TEXT | Type::INT8 | Type::BOOL | Type::UUID)
    }

    tokio_postgres::types::to_sql_checked!();
}

/// How a value is stored; `None` where it is not of the column's kind. Money takes two.
pub(crate) fn stored(kind: ColumnKind, value: &ColumnValue) -> Option<Vec<Cell<'_>>> {
    let cell = match (kind, value) {
        (ColumnKind::Money, ColumnValue::Null) => return Some(vec![Cell::Null, Cell::Null]),
        (ColumnKind::Money, ColumnValue::Money(money)) => {
            return Some(vec![Cell::Integer(money.amount), Cell::Text(money.currency.code())]);
        }
        (_, ColumnValue::Null) => Cell::Null,
        (ColumnKind::Text, ColumnValue::Text(text)) => Cell::Text(text),
        (ColumnKind::Integer, ColumnValue::Integer(value)) => Cell::Integer(*value),
        (ColumnKind::Bool, ColumnValue::Bool(value)) => Cell::Bool(*value),
        (ColumnKind::Timestamp, ColumnValue::Timestamp(at)) => Cell::Integer(at.as_micros()),
        (ColumnKind::Uuid, ColumnValue::Uuid(id)) => Cell::Uuid(*id),
        _ => return None,
    };
    Some(vec![cell])
}

fn check_collection(service: &str, collection: &Collection) -> Result<(), Error> {
    const OWN_COLUMNS: &[&str] = &["id", "version", "person", "body", "base"];
    // Two letters for the prefix of its tables.
    check_name("collection", collection.name, NAME_MAX - 2)?;
    if TABLES.contains(&collection.name)
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
        // The column of a currency has nine letters more.
        check_name("column", column.name, NAME_MAX - 9)?;
        for (name, _) in physical(column.name, column.kind) {
            if OWN_COLUMNS.contains(&name.trim_matches('"')) || seen.contains(&name) {
                return Err(Error::Unusable(format!(
                    "{service}'s collection `{}` has the column {name} twice (every collection has \
                     id, version, person, body and base): choose another name",
                    collection.name
                )));
            }
            seen.push(name);
        }
    }
    let room = NAME_MAX - collection.name.len() - 1;
    collection.children.iter().try_for_each(|child| check_name("child list", child, room))
}

/// Names stand in SQL text, so they are letters, digits and underscores.
fn check_name(what: &str, name: &str, length_max: usize) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.len() <= length_max
        && name.chars().all(fits)
    {
        return Ok(());
    }
    Err(Error::Unusable(format!(
        "{what} `{name}` cannot be a table's or column's name: use up to {length_max} letters, digits and underscores"
    )))
}
