//! Rebuilds in a shadow (reliability.md, rule 20). Each step takes the writers' turn, so that it
//! happens between two transactions of commits and never across one.

use backbone::journal::{Error, ShadowStep};

use crate::connection::{Connection, value};
use crate::tables::{CollectionTables, Tables};
use crate::{error, rows, schema};

const STEP: &str = "rebuilding a collection";

/// Takes a step, in a transaction of its own.
pub(crate) async fn take(
    conn: &mut Connection,
    tables: &Tables,
    of: &CollectionTables,
    step: &ShadowStep,
) -> Result<(), Error> {
    let failed = |e: tokio_postgres::Error| error::journal(STEP, &e);
    conn.run("BEGIN; SET LOCAL statement_timeout = 0").await.map_err(failed)?;
    conn.rows(&tables.sql.write.turn, Vec::new()).await.map_err(failed)?;
    match step {
        ShadowStep::Begin => begin(conn, of).await.map_err(failed)?,
        ShadowStep::Drop => drop_shadow(conn, of).await.map_err(failed)?,
        ShadowStep::Swap { consumer, position } => {
            check(conn, tables, of, (consumer, *position)).await?;
            swap(conn, tables, of).await.map_err(failed)?;
        }
    }
    conn.run("COMMIT").await.map_err(failed)
}

async fn begin(conn: &Connection, of: &CollectionTables) -> Result<(), tokio_postgres::Error> {
    drop_shadow(conn, of).await?;
    schema::make_table(conn, &of.shadow.table, of.collection).await?;
    schema::make_indexes(conn, &of.shadow.table, of.collection).await
}

async fn drop_shadow(conn: &Connection, of: &CollectionTables) -> Result<(), tokio_postgres::Error> {
    conn.run(&format!("DROP TABLE IF EXISTS {}", of.shadow.table)).await
}

/// That there is a shadow, and that it stands where the collection does.
async fn check(
    conn: &mut Connection,
    tables: &Tables,
    of: &CollectionTables,
    (consumer, position): (&String, u64),
) -> Result<(), Error> {
    let failed = |e: tokio_postgres::Error| error::journal(STEP, &e);
    let name = of.collection.name;
    let there = "SELECT to_regclass($1::text) IS NOT NULL";
    let there = conn.rows(there, vec![value(of.shadow.table.as_str())]).await.map_err(failed)?;
    if !there.first().is_some_and(|row| row.get(0)) {
        return Err(Error::Malformed(format!("`{name}` has no shadow: begin one first")));
    }
    let stands =
        conn.rows(&tables.sql.known.checkpoints, vec![value(vec![consumer])]).await.map_err(failed)?;
    let stands = stands.first().map_or(Ok(0), |row| rows::number(row, 1)).map_err(failed)?;
    if stands == position {
        return Ok(());
    }
    let reason = format!("{consumer} stands at {stands}, the shadow of `{name}` at {position}: catch up");
    Err(error::unavailable(STEP, reason))
}

async fn swap(
    conn: &Connection,
    tables: &Tables,
    of: &CollectionTables,
) -> Result<(), tokio_postgres::Error> {
    let children = of.collection.children.join(", ");
    schema::drop_views(conn, tables, of.collection, &children).await?;
    let (live, shadow) = (&of.live.table, &of.shadow.table);
    let name = live.rsplit('.').next().unwrap_or(live);
    conn.run(&format!("DROP TABLE {live}; ALTER TABLE {shadow} RENAME TO {name}")).await?;
    schema::make_views(conn, tables, of).await
}
