//! Tables made from declarations. A declaration is kept as text beside its table, so that a
//! changed one is noticed when the journal is opened.

use backbone::collection::{Collection, Column, ColumnKind};
use backbone::journal::Error;

use crate::connection::{Connection, value};
use crate::error;
use crate::tables::{CollectionTables, Tables, physical};

const OPENING: &str = "opening a service's tables";

type Said<T> = Result<T, tokio_postgres::Error>;

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

/// Makes the collections that are missing, in the caller's transaction; changes nothing where all
/// are there.
pub(crate) async fn make(conn: &mut Connection, tables: &Tables) -> Result<(), Error> {
    let mut names: Vec<_> = tables.collections.keys().copied().collect();
    names.sort_unstable();
    for name in names {
        make_collection(conn, tables, &tables.collections[name]).await?;
    }
    Ok(())
}

async fn make_collection(conn: &mut Connection, tables: &Tables, of: &CollectionTables) -> Result<(), Error> {
    let failed = |e: tokio_postgres::Error| error::journal(OPENING, &e);
    let declaration = of.collection;
    let wanted = Declared::of(declaration);
    let kept = kept(conn, tables, declaration.name).await.map_err(failed)?;
    if kept.as_ref() == Some(&wanted) {
        return Ok(());
    }
    let columns_kept = match &kept {
        Some(kept) if kept.columns == wanted.columns => true,
        Some(kept) if !is_empty(conn, &of.live.table).await.map_err(failed)? => {
            return Err(differs(tables.service, declaration.name, &kept.columns, &wanted.columns));
        }
        _ => false,
    };
    let children = kept.map_or(String::new(), |kept| kept.children);
    let change = async {
        drop_views(conn, tables, declaration, &children).await?;
        // An unfinished rebuild was of the old declaration.
        conn.run(&format!("DROP TABLE IF EXISTS {}", of.shadow.table)).await?;
        if columns_kept {
            drop_indexes(conn, &of.live.table).await?;
        } else {
            conn.run(&format!("DROP TABLE IF EXISTS {}", of.live.table)).await?;
            make_table(conn, &of.live.table, declaration).await?;
        }
        make_indexes(conn, &of.live.table, declaration).await?;
        make_views(conn, tables, of).await?;
        let keep = format!(
            "INSERT INTO {}.declarations (collection, columns, indexes, children) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (collection) DO UPDATE SET columns = $2, indexes = $3, children = $4",
            tables.schema
        );
        let Declared { columns, indexes, children } = wanted;
        let values = [declaration.name.to_owned(), columns, indexes, children].map(value);
        conn.rows(&keep, values.into()).await.map(drop)
    };
    change.await.map_err(failed)
}

async fn kept(conn: &mut Connection, tables: &Tables, name: &str) -> Said<Option<Declared>> {
    let sql = format!(
        "SELECT columns, indexes, children FROM {}.declarations WHERE collection = $1",
        tables.schema
    );
    let rows = conn.rows(&sql, vec![value(name)]).await?;
    Ok(rows.first().map(|row| Declared { columns: row.get(0), indexes: row.get(1), children: row.get(2) }))
}

fn differs(service: &str, collection: &str, kept: &str, wanted: &str) -> Error {
    Error::Unusable(format!(
        "the columns of {service}'s collection `{collection}` are [{kept}] in this database and [{wanted}] in \
         this program, and there are documents in it: run the program that wrote them, or empty the collection"
    ))
}

async fn is_empty(conn: &mut Connection, table: &str) -> Said<bool> {
    Ok(conn.rows(&format!("SELECT 1 FROM {table} LIMIT 1"), Vec::new()).await?.is_empty())
}

/// Makes an empty table of documents.
pub(crate) async fn make_table(conn: &Connection, table: &str, collection: &Collection) -> Said<()> {
    let columns = collection.columns.iter().flat_map(|c| physical(c.name, c.kind));
    let columns: String = columns.map(|(name, of)| format!(", {name} {of}{}", collated(of))).collect();
    // Room in each page, so that a document which changes can stay in its page, and the indexes
    // over what did not change need not be written.
    conn.run(&format!(
        "CREATE TABLE {table} (id text COLLATE \"C\" PRIMARY KEY, version bigint NOT NULL, person uuid, \
         body bytea NOT NULL{columns}) WITH (fillfactor = 80)"
    ))
    .await
}

/// Text is compared by its bytes.
fn collated(of: &str) -> &'static str {
    if of == "text" { " COLLATE \"C\"" } else { "" }
}

fn indexed(collection: &Collection) -> impl Iterator<Item = &Column> {
    collection.columns.iter().filter(|column| column.indexed)
}

/// Makes a table's indexes; PostgreSQL names them, since they keep their names when the table is
/// renamed.
pub(crate) async fn make_indexes(conn: &Connection, table: &str, of: &Collection) -> Said<()> {
    for column in indexed(of) {
        // The id is part of the index because it breaks the ties of every sort.
        conn.run(&format!("CREATE INDEX ON {table} (\"{}\" NULLS FIRST, id)", column.name)).await?;
    }
    Ok(())
}

async fn drop_indexes(conn: &mut Connection, table: &str) -> Said<()> {
    let sql = "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = $1::text::regclass AND NOT indisprimary";
    for row in conn.rows(sql, vec![value(table)]).await? {
        conn.run(&format!("DROP INDEX {}", row.get::<_, &str>(0))).await?;
    }
    Ok(())
}

/// The plain SQL views of a collection for reporting tools.
pub(crate) async fn make_views(conn: &Connection, tables: &Tables, of: &CollectionTables) -> Said<()> {
    let (s, table, name) = (&tables.schema, &of.live.table, of.collection.name);
    let columns = of.collection.columns.iter().flat_map(|c| physical(c.name, c.kind));
    let columns: String = columns.map(|(name, _)| format!(", {name}")).collect();
    conn.run(&format!(
        "CREATE VIEW {s}.\"{name}\" AS SELECT id, version{columns}, {s}.shown(body) AS body \
         FROM {table}"
    ))
    .await?;
    for child in of.collection.children {
        let list = format!("{s}.shown(parent.body) -> '{child}'");
        conn.run(&format!(
            "CREATE VIEW {s}.\"{name}_{child}\" AS SELECT parent.id AS parent, child.place - 1 AS place, \
             child.value AS value FROM {table} parent, jsonb_array_elements(CASE jsonb_typeof({list}) \
             WHEN 'array' THEN {list} END) WITH ORDINALITY AS child(value, place)"
        ))
        .await?;
    }
    Ok(())
}

/// Drops a collection's views; `children` are those of the declaration that made them.
pub(crate) async fn drop_views(
    conn: &Connection,
    tables: &Tables,
    of: &Collection,
    children: &str,
) -> Said<()> {
    let (s, name) = (&tables.schema, of.name);
    for child in children.split(", ").filter(|child| !child.is_empty()) {
        conn.run(&format!("DROP VIEW IF EXISTS {s}.\"{name}_{child}\"")).await?;
    }
    conn.run(&format!("DROP VIEW IF EXISTS {s}.\"{name}\"")).await
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
