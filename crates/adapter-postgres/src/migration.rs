//! The tables that every service has, made and changed in steps. Replicas that start at once take
//! turns; a program that is older than the tables leaves them alone.

use backbone::journal::Error;

use crate::connection::{Connection, value};
use crate::tables::Tables;
use crate::{error, schema};

const OPENING: &str = "opening a service's tables";

/// One text for each layout; `{s}` is the service's schema. Whatever is released stays as it is:
/// a change is another text at the end.
const STEPS: &[&str] = &["
    CREATE TABLE {s}.layout (version integer NOT NULL);
    INSERT INTO {s}.layout (version) VALUES (0);
    CREATE TABLE {s}.declarations (
        collection text COLLATE \"C\" PRIMARY KEY, columns text NOT NULL, indexes text NOT NULL,
        children text NOT NULL);

    -- The one row that every transaction of a writer locks: so positions are in commit order.
    CREATE TABLE {s}.positions (events bigint NOT NULL, log bigint NOT NULL) WITH (fillfactor = 10);
    INSERT INTO {s}.positions (events, log) VALUES (0, 0);

    CREATE TABLE {s}.events (
        position bigint PRIMARY KEY, stream text COLLATE \"C\" NOT NULL, version bigint NOT NULL,
        name text NOT NULL, schema bigint NOT NULL, at bigint NOT NULL, correlation text NOT NULL,
        causation text NOT NULL, person uuid, data bytea NOT NULL, UNIQUE (stream, version));
    CREATE TABLE {s}.snapshots (
        stream text COLLATE \"C\" PRIMARY KEY, version bigint NOT NULL, schema bigint NOT NULL, person uuid,
        data bytea NOT NULL);
    CREATE TABLE {s}.log (
        position bigint PRIMARY KEY, id uuid NOT NULL, kind text NOT NULL, subject text NOT NULL,
        source text NOT NULL, time bigint NOT NULL, correlation text NOT NULL, causation text NOT NULL,
        sequence bigint NOT NULL, traceparent text, keyid text, data bytea NOT NULL);

    CREATE TABLE {s}.answers (
        key text COLLATE \"C\" PRIMARY KEY, fingerprint bigint NOT NULL, body bytea NOT NULL, at bigint NOT NULL);
    CREATE INDEX ON {s}.answers (at);
    CREATE TABLE {s}.inbox (
        consumer text COLLATE \"C\" NOT NULL, event uuid NOT NULL, at bigint NOT NULL,
        PRIMARY KEY (consumer, event));
    CREATE INDEX ON {s}.inbox (at);
    CREATE TABLE {s}.checkpoints (
        consumer text COLLATE \"C\" PRIMARY KEY, position bigint NOT NULL) WITH (fillfactor = 50);
    CREATE TABLE {s}.leases (
        name text COLLATE \"C\" PRIMARY KEY, owner uuid NOT NULL, token bigint NOT NULL,
        until bigint NOT NULL) WITH (fillfactor = 50);

    -- Ends a transaction in which something is not any more what a commit was decided on.
    CREATE FUNCTION {s}.held(rows bigint, expected bigint) RETURNS boolean LANGUAGE plpgsql AS $held$
    BEGIN
        IF rows <> expected THEN
            RAISE EXCEPTION 'what a commit was decided on has changed' USING ERRCODE = 'A4C01';
        END IF;
        RETURN true;
    END $held$;

    -- A document's body for reports. JSON may have an escaped zero in a text, jsonb may not.
    CREATE FUNCTION {s}.shown(body bytea) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT AS $shown$
        SELECT (CASE WHEN position('\\u0000' IN convert_from(body, 'UTF8')) = 0 THEN convert_from(body, 'UTF8')
            ELSE regexp_replace(convert_from(body, 'UTF8'), '(?<!\\\\)((?:\\\\\\\\)*)\\\\u0000', '\\1\\\\ufffd', 'g')
            END)::jsonb
    $shown$;
", "
    -- What a business flow did: `GET /admin/events?correlationId=…`.
    CREATE INDEX ON {s}.log (correlation, position);
"];

/// Makes what is missing of a service's tables and brings them up to date, in one transaction.
pub(crate) async fn open(conn: &mut Connection, tables: &Tables) -> Result<(), Error> {
    let failed = |e: tokio_postgres::Error| error::journal(OPENING, &e);
    // Another replica may build an index meanwhile: that takes as long as it takes.
    conn.run("BEGIN; SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0").await.map_err(failed)?;
    let turn = "SELECT pg_advisory_xact_lock(hashtextextended('a4co ' || $1, 0))";
    conn.rows(turn, vec![value(tables.schema.as_str())]).await.map_err(failed)?;
    bring_up_to_date(conn, tables).await?;
    schema::make(conn, tables).await?;
    conn.run("COMMIT").await.map_err(failed)
}

async fn bring_up_to_date(conn: &mut Connection, tables: &Tables) -> Result<(), Error> {
    let failed = |e: tokio_postgres::Error| error::journal(OPENING, &e);
    let s = &tables.schema;
    let found = layout(conn, tables).await?;
    let Some(missing) = STEPS.get(found..) else {
        return Err(Error::Unusable(format!(
            "the tables of {} have layout {found}, this program knows up to {}: use the version that wrote them, or \
             a newer one",
            tables.service,
            STEPS.len()
        )));
    };
    for (step, layout) in missing.iter().zip(found + 1..) {
        let step = format!("{}; UPDATE {s}.layout SET version = {layout}", step.replace("{s}", s));
        conn.run(&step).await.map_err(failed)?;
    }
    Ok(())
}

/// The layout that the tables have; 0 where there are none.
async fn layout(conn: &mut Connection, tables: &Tables) -> Result<usize, Error> {
    let failed = |e: tokio_postgres::Error| error::journal(OPENING, &e);
    let s = &tables.schema;
    // Where an operator made it, the account need not be one that may make schemas.
    let there = conn.rows("SELECT to_regnamespace($1::text) IS NOT NULL", vec![value(s.as_str())]).await;
    if !there.map_err(failed)?.first().is_some_and(|row| row.get(0)) {
        conn.run(&format!("CREATE SCHEMA {s}")).await.map_err(failed)?;
    }
    let tables_there =
        "SELECT relname FROM pg_class WHERE relnamespace = $1::text::regnamespace AND relkind = 'r'";
    let there = conn.rows(tables_there, vec![value(s.as_str())]).await.map_err(failed)?;
    let there: Vec<&str> = there.iter().map(|row| row.get(0)).collect();
    if there.is_empty() {
        return Ok(0);
    }
    if !there.contains(&"layout") || !there.contains(&"positions") {
        return Err(Error::Unusable(format!(
            "the database has a schema {s} with tables of something else ({}): choose another database",
            there[0]
        )));
    }
    let rows = conn.rows(&format!("SELECT version FROM {s}.layout"), Vec::new()).await.map_err(failed)?;
    let version = rows.first().map_or(0, |row| row.get::<_, i32>(0));
    Ok(usize::try_from(version).unwrap_or_default())
}
