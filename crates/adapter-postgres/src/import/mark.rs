//! The mark of a move that is under way: a schema of its own. It stands before the first table of a
//! service is made, and goes when everything was compared.

use kernel::Timestamp;

use crate::connection::{Connection, value};

type Said<T> = Result<T, tokio_postgres::Error>;

/// Ends with the session.
const TURN: &str = "SELECT pg_try_advisory_lock(hashtextextended('a4co moving', 0))";
const IS_THERE: &str = "SELECT to_regclass('moving.market') IS NOT NULL";
const SET: &str = "
    BEGIN;
    CREATE SCHEMA moving;
    CREATE TABLE moving.market (began_at bigint NOT NULL);
    INSERT INTO moving.market VALUES ((extract(epoch FROM clock_timestamp()) * 1000000)::bigint);
    COMMIT";
const OCCUPIED: &str = "SELECT n.nspname::text, c.relname::text FROM pg_class c \
                        JOIN pg_namespace n ON n.oid = c.relnamespace \
                        WHERE n.nspname = ANY($1) AND c.relkind IN ('r', 'v', 'm', 'p', 'f') \
                        ORDER BY 1, 2 LIMIT 1";

/// False where another session moves a market in.
pub(super) async fn take_turn(conn: &mut Connection) -> Said<bool> {
    Ok(conn.rows(TURN, Vec::new()).await?.first().is_some_and(|row| row.get(0)))
}

/// Whether a market was begun to be taken in, and not to the end.
pub(crate) async fn is_there(conn: &mut Connection) -> Said<bool> {
    Ok(conn.rows(IS_THERE, Vec::new()).await?.first().is_some_and(|row| row.get(0)))
}

/// When the move that is not finished began.
pub(super) async fn began_at(conn: &mut Connection) -> Said<Option<Timestamp>> {
    if !is_there(conn).await? {
        return Ok(None);
    }
    let rows = conn.rows("SELECT began_at FROM moving.market", Vec::new()).await?;
    Ok(Some(rows.first().map_or(Timestamp::default(), |row| Timestamp::from_micros(row.get(0)))))
}

/// What was found first in one of these schemas.
pub(super) async fn occupied(conn: &mut Connection, schemas: &[String]) -> Said<Option<(String, String)>> {
    let named: Vec<&str> = schemas.iter().map(|schema| schema.trim_matches('"')).collect();
    let rows = conn.rows(OCCUPIED, vec![value(named)]).await?;
    Ok(rows.first().map(|row| (row.get(0), row.get(1))))
}

pub(super) async fn set(conn: &Connection) -> Said<()> {
    conn.run(SET).await
}

/// Drops what an unfinished move made, and its mark last: they were empty when the mark was set,
/// and nothing has run on them since.
pub(super) async fn clear(conn: &Connection, schemas: &[String]) -> Said<()> {
    for schema in schemas {
        conn.run(&format!("DROP SCHEMA IF EXISTS {schema} CASCADE")).await?;
    }
    remove(conn).await
}

pub(super) async fn remove(conn: &Connection) -> Said<()> {
    conn.run("DROP SCHEMA moving CASCADE").await
}
