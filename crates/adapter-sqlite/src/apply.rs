//! One commit, statement by statement. The caller holds the savepoint that undoes a loser.

use backbone::commit::{Answer, Append, Commit, Delete, Expected, Guard, Source, Target};
use backbone::journal::Error;
use kernel::MAX_DATA_BYTES;
use rusqlite::{Connection, params};

use crate::rows;
use crate::tables::{DocumentSql, Tables};
use crate::{leases, log, now, put};

/// Why a commit is not written.
#[derive(Debug)]
pub(crate) enum Failure {
    Malformed(String),
    Conflict(String),
    Duplicate(Answer),
    Taken(Vec<uuid::Uuid>),
    Fenced(String),
    Sqlite(rusqlite::Error),
    Other(Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Failure::Sqlite(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Other(error)
    }
}

/// What can be said without the database.
pub(crate) fn check(tables: &Tables, commit: &Commit) -> Result<(), Failure> {
    for append in &commit.appends {
        check_append(append)?;
    }
    for put in &commit.puts {
        let declared = tables.collection(put.collection)?.collection.columns.len();
        if put.columns.len() != declared {
            let name = put.collection.name;
            let given = put.columns.len();
            return Err(Failure::Malformed(format!(
                "`{name}` has {declared} columns, the document gives {given}"
            )));
        }
    }
    match log::too_large(&commit.outgoing) {
        Some(what) => Err(Failure::Malformed(what)),
        None => Ok(()),
    }
}

fn check_append(append: &Append) -> Result<(), Failure> {
    let stream = &append.stream;
    let malformed = |what: String| Err(Failure::Malformed(format!("append to {stream}: {what}")));
    if append.events.is_empty() {
        return malformed("it has no events".to_owned());
    }
    for (event, expected) in append.events.iter().zip(append.expected.saturating_add(1)..) {
        if event.version != expected {
            return malformed(format!("event {} stands where {expected} belongs", event.version));
        }
        if event.data.len() > MAX_DATA_BYTES {
            let (name, size) = (&event.name, event.data.len());
            return malformed(format!("{name} has {size} bytes, at most {MAX_DATA_BYTES} are kept"));
        }
    }
    let last = append.expected.saturating_add(append.events.len() as u64);
    match &append.snapshot {
        Some(snapshot) if snapshot.version != last => {
            malformed(format!("the snapshot is of version {}, the last event is {last}", snapshot.version))
        }
        _ => Ok(()),
    }
}

/// Writes a commit; gives the log's end after it. `broken` is a failed commit that it was built
/// on. A used idempotency key outweighs any conflict: the caller wants the first answer.
pub(crate) fn write(
    conn: &Connection,
    tables: &Tables,
    commit: &Commit,
    broken: Option<u64>,
    end: u64,
) -> Result<u64, Failure> {
    if let Some(answer) = &commit.answer {
        keep_answer(conn, tables, answer)?;
    }
    if let Some(ticket) = broken {
        return Err(Failure::Conflict(format!("commit {ticket}, on which it was built, failed")));
    }
    if let Some(fence) = &commit.fence
        && !leases::holds(conn, tables.service, fence)?
    {
        return Err(Failure::Fenced(fence.lease.clone()));
    }
    match &commit.source {
        Some(Source::Checkpoint { consumer, from, to }) => advance(conn, tables, consumer, *from, *to)?,
        Some(Source::Inbox { consumer, events }) => claim(conn, tables, consumer, events)?,
        None => {}
    }
    for guard in &commit.guards {
        hold(conn, tables, guard)?;
    }
    for append in &commit.appends {
        append_events(conn, tables, append)?;
    }
    for put in &commit.puts {
        put::document(conn, tables, put)?;
    }
    for delete in &commit.deletes {
        delete_document(conn, tables, delete)?;
    }
    Ok(log::append(conn, end, &commit.outgoing)?)
}

fn keep_answer(conn: &Connection, tables: &Tables, answer: &Answer) -> Result<(), Failure> {
    let fingerprint = rows::signed(answer.fingerprint);
    let values = params![answer.key, fingerprint, &answer.body[..], answer.at.as_micros()];
    if conn.prepare_cached(&tables.sql.answer_put)?.execute(values)? == 1 {
        return Ok(());
    }
    let first = conn.prepare_cached(&tables.sql.answer)?.query_row([&answer.key], rows::answer)?;
    Err(Failure::Duplicate(first))
}

fn hold(conn: &Connection, tables: &Tables, guard: &Guard) -> Result<(), Failure> {
    let (version, what) = match &guard.target {
        Target::Stream(stream) => {
            let mut head = conn.prepare_cached(&tables.sql.head)?;
            (head.query_row([stream], |row| rows::number(row, 0))?, stream.clone())
        }
        Target::Document(collection, id) => {
            let sql = &tables.collection(collection)?.live;
            (version(conn, sql, id)?, format!("{}/{id}", collection.name))
        }
    };
    if version == guard.version {
        return Ok(());
    }
    Err(Failure::Conflict(format!("{what} is at {version}, it was read at {}", guard.version)))
}

fn version(conn: &Connection, sql: &DocumentSql, id: &str) -> rusqlite::Result<u64> {
    let mut statement = conn.prepare_cached(&sql.version)?;
    let mut rows = statement.query([id])?;
    rows.next()?.map_or(Ok(0), |row| rows::number(row, 0))
}

fn advance(conn: &Connection, tables: &Tables, consumer: &str, from: u64, to: u64) -> Result<(), Failure> {
    let (from_signed, to_signed) = (rows::signed(from), rows::signed(to));
    let moved = match from {
        0 => conn.prepare_cached(&tables.sql.checkpoint_begin)?.execute(params![consumer, to_signed])?,
        _ => conn.prepare_cached(&tables.sql.checkpoint_move)?.execute(params![
            consumer,
            to_signed,
            from_signed
        ])?,
    };
    if moved == 1 {
        return Ok(());
    }
    Err(Failure::Conflict(format!("the checkpoint of {consumer} is not at {from}")))
}

fn claim(conn: &Connection, tables: &Tables, consumer: &str, events: &[uuid::Uuid]) -> Result<(), Failure> {
    let at = now().as_micros();
    let mut statement = conn.prepare_cached(&tables.sql.claim)?;
    let mut taken = Vec::new();
    for event in events {
        if statement.execute(params![consumer, &event.as_bytes()[..], at])? == 0 {
            taken.push(*event);
        }
    }
    if taken.is_empty() { Ok(()) } else { Err(Failure::Taken(taken)) }
}

fn append_events(conn: &Connection, tables: &Tables, append: &Append) -> Result<(), Failure> {
    let mut statement = conn.prepare_cached(&tables.sql.append)?;
    for event in &append.events {
        let written = statement.execute(params![
            append.stream,
            rows::signed(event.version),
            event.name,
            event.schema,
            event.at.as_micros(),
            event.correlation_id,
            event.causation_id,
            rows::person(&event.person),
            &event.data[..],
        ])?;
        if written == 0 {
            let (stream, expected) = (&append.stream, append.expected);
            return Err(Failure::Conflict(format!("{stream} is not at version {expected}")));
        }
    }
    if let Some(snapshot) = &append.snapshot {
        conn.prepare_cached(&tables.sql.snapshot_put)?.execute(params![
            append.stream,
            rows::signed(snapshot.version),
            rows::signed(snapshot.schema),
            rows::person(&snapshot.person),
            &snapshot.data[..],
        ])?;
    }
    Ok(())
}

fn delete_document(conn: &Connection, tables: &Tables, delete: &Delete) -> Result<(), Failure> {
    let sql = &tables.collection(delete.collection)?.live;
    let held = match delete.expected {
        Expected::Any => {
            conn.prepare_cached(&sql.delete_any)?.execute([&delete.id])?;
            true
        }
        Expected::Version(0) => version(conn, sql, &delete.id)? == 0,
        Expected::Version(version) => {
            conn.prepare_cached(&sql.delete)?.execute(params![delete.id, rows::signed(version)])? == 1
        }
    };
    if held {
        return Ok(());
    }
    let name = delete.collection.name;
    Err(Failure::Conflict(format!("{name}/{} is not at the version it was decided on", delete.id)))
}
