//! Rebuilds in a shadow (reliability.md, rule 20). Each step takes the writers' turn, so that it
//! happens between two transactions of commits and never across one; all collections of a projection
//! take it, or none.

use backbone::commit::Fence;
use backbone::journal::{Error, ShadowStep};

use crate::connection::{Connection, value};
use crate::tables::{CollectionTables, Tables};
use crate::{error, rows, schema};

const STEP: &str = "rebuilding a collection";

fn failed(source: tokio_postgres::Error) -> Error {
    error::journal(STEP, &source)
}

/// Takes a step, in a transaction of its own.
pub(crate) async fn take(
    conn: &mut Connection,
    tables: &Tables,
    of: &[&CollectionTables],
    step: &ShadowStep,
) -> Result<(), Error> {
    conn.run("BEGIN; SET LOCAL statement_timeout = 0").await.map_err(failed)?;
    conn.rows(&tables.sql.write.turn, Vec::new()).await.map_err(failed)?;
    match step {
        ShadowStep::Begin { shadow } => {
            forget(conn, tables, shadow).await?;
            for of in of {
                begin(conn, of).await.map_err(failed)?;
            }
        }
        ShadowStep::Look => look(conn, of).await?,
        ShadowStep::Drop { shadow } => {
            forget(conn, tables, shadow).await?;
            for of in of {
                drop_shadow(conn, of).await.map_err(failed)?;
            }
        }
        ShadowStep::Swap { consumer, shadow, fence } => {
            look(conn, of).await?;
            check(conn, tables, (consumer, shadow), fence.as_ref()).await?;
            for of in of {
                swap(conn, tables, of).await.map_err(failed)?;
            }
        }
    }
    conn.run("COMMIT").await.map_err(failed)
}

async fn forget(conn: &mut Connection, tables: &Tables, shadow: &str) -> Result<(), Error> {
    let sql = format!("DELETE FROM {}.checkpoints WHERE consumer = $1", tables.schema);
    conn.rows(&sql, vec![value(shadow.to_owned())]).await.map(drop).map_err(failed)
}

async fn begin(conn: &Connection, of: &CollectionTables) -> Result<(), tokio_postgres::Error> {
    drop_shadow(conn, of).await?;
    schema::make_table(conn, &of.shadow.table, of.collection).await?;
    schema::make_indexes(conn, &of.shadow.table, of.collection).await
}

async fn drop_shadow(conn: &Connection, of: &CollectionTables) -> Result<(), tokio_postgres::Error> {
    conn.run(&format!("DROP TABLE IF EXISTS {}", of.shadow.table)).await
}

/// That there is a shadow of each.
async fn look(conn: &mut Connection, of: &[&CollectionTables]) -> Result<(), Error> {
    for of in of {
        let there = "SELECT to_regclass($1::text) IS NOT NULL";
        let there = conn.rows(there, vec![value(of.shadow.table.as_str())]).await.map_err(failed)?;
        if !there.first().is_some_and(|row| row.get(0)) {
            let name = of.collection.name;
            return Err(Error::Malformed(format!("`{name}` has no shadow: begin one first")));
        }
    }
    Ok(())
}

/// That shadows and collections stand at one place, and that nobody took the lease over.
async fn check(
    conn: &mut Connection,
    tables: &Tables,
    (consumer, shadow): (&str, &str),
    fence: Option<&Fence>,
) -> Result<(), Error> {
    let known = &tables.sql.known;
    let live = number_of(conn, &known.checkpoints, consumer).await?;
    let aside = number_of(conn, &known.checkpoints, shadow).await?;
    if live != aside {
        let reason = format!("{consumer} stands at {live}, {shadow} at {aside}: catch up");
        return Err(error::unavailable(STEP, reason));
    }
    match fence {
        Some(fence) if number_of(conn, &known.leases, &fence.lease).await? != fence.token => {
            Err(error::unavailable(STEP, format!("the lease {} was taken over", fence.lease)))
        }
        _ => Ok(()),
    }
}

/// The number that is kept under a name; 0 where there is none.
async fn number_of(conn: &mut Connection, sql: &str, name: &str) -> Result<u64, Error> {
    let found = conn.rows(sql, vec![value(vec![name.to_owned()])]).await.map_err(failed)?;
    found.first().map_or(Ok(0), |row| rows::number(row, 1)).map_err(failed)
}

/// Collection and shadow change places.
async fn swap(
    conn: &Connection,
    tables: &Tables,
    of: &CollectionTables,
) -> Result<(), tokio_postgres::Error> {
    let children = of.collection.children.join(", ");
    schema::drop_views(conn, tables, of.collection, &children).await?;
    let (live, shadow) = (&of.live.table, &of.shadow.table);
    let bare = |table: &str| table.rsplit('.').next().unwrap_or(table).to_owned();
    // No name of ours has such a letter: it is free.
    let away = format!("\"~{}\"", of.collection.name);
    conn.run(&format!(
        "ALTER TABLE {live} RENAME TO {away}; ALTER TABLE {shadow} RENAME TO {name}; \
         ALTER TABLE {schema}.{away} RENAME TO {aside}",
        name = bare(live),
        aside = bare(shadow),
        schema = tables.schema,
    ))
    .await?;
    schema::make_views(conn, tables, of).await
}
