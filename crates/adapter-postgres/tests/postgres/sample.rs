//! What the tests write and look at.

use std::sync::Arc;

use adapter_postgres::PostgresStorage;
use backbone::collection::{Collection, Column, ColumnKind};
use backbone::commit::{Append, Commit, Expected, Guard, Outcome, Put, StoredEvent, Target};
use backbone::journal::{Error, Journal, Schema, Storage};
use bytes::Bytes;
use kernel::{Envelope, Timestamp};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

pub(crate) type Handle = Arc<dyn Journal>;

pub(crate) static NOTES: Collection = Collection {
    name: "notes",
    columns: &[Column::indexed("title", ColumnKind::Text), Column::plain("price", ColumnKind::Money)],
    children: &["lines"],
};

pub(crate) async fn journal(storage: &PostgresStorage) -> Handle {
    storage.open(Schema { service: "order", collections: vec![&NOTES] }).await.unwrap()
}

pub(crate) fn event(version: u64) -> StoredEvent {
    StoredEvent {
        version,
        name: "Placed".to_owned(),
        schema: 1,
        at: Timestamp::from_micros(1_763_800_000_000_000),
        correlation_id: "flow".to_owned(),
        causation_id: "cause".to_owned(),
        person: None,
        data: Bytes::from(format!("{{\"number\":{version}}}")),
    }
}

pub(crate) fn append(stream: &str, expected: u64, count: u64) -> Append {
    let events = (expected + 1..=expected + count).map(event).collect();
    Append { stream: stream.to_owned(), expected, events, snapshot: None }
}

pub(crate) fn appending(stream: &str, expected: u64) -> Commit {
    Commit { appends: vec![append(stream, expected, 1)], ..Commit::default() }
}

pub(crate) fn note(id: &str, expected: Expected, title: &str) -> Put {
    let body = format!("{{\"title\":{title:?},\"lines\":[{{\"n\":1}},{{\"n\":2}}]}}");
    let columns = vec![title.into(), kernel::Money::eur(1_250).into()];
    let id = id.to_owned();
    Put { collection: &NOTES, shadow: false, id, expected, person: None, body: body.into(), columns }
}

pub(crate) fn noting(id: &str, expected: Expected) -> Commit {
    Commit { puts: vec![note(id, expected, "title")], ..Commit::default() }
}

pub(crate) fn guard_note(id: &str, version: u64) -> Guard {
    Guard { target: Target::Document(&NOTES, id.to_owned()), version }
}

/// A public event that carries `number`.
pub(crate) fn public(number: u128) -> Envelope {
    Envelope {
        id: Uuid::from_u128(number).into(),
        source: "order".to_owned(),
        kind: "order.created.v1".to_owned(),
        subject: "subject".to_owned(),
        time: Timestamp::from_micros(1),
        correlation_id: "flow".to_owned(),
        causation_id: "cause".to_owned(),
        sequence: 1_000,
        traceparent: None,
        key_id: None,
        data: Bytes::from_static(b"{}"),
    }
}

pub(crate) fn is_committed(answer: &Result<Outcome, Error>) -> bool {
    matches!(answer, Ok(Outcome::Committed { .. }))
}

pub(crate) async fn committed(journal: &Handle, commit: Commit) {
    let answer = journal.submit(commit).await.unwrap();
    assert!(is_committed(&answer), "{answer:?}");
}

pub(crate) async fn stream_length(journal: &Handle, stream: &str) -> u64 {
    let history = journal.history(stream, 0, usize::MAX).await.unwrap();
    assert!(history.iter().zip(1..).all(|(event, version)| event.version == version), "{stream} has a gap");
    history.len() as u64
}

/// A session beside the adapter's: another replica that is slow, or an operator.
pub(crate) async fn beside(address: &str) -> Client {
    let (client, driver) = tokio_postgres::connect(address, NoTls).await.unwrap();
    tokio::spawn(driver);
    client
}

/// Takes the writers' turn and keeps it until the transaction is ended.
pub(crate) async fn take_turn(beside: &Client) {
    beside.batch_execute("BEGIN; SELECT * FROM \"order\".positions FOR UPDATE").await.unwrap();
}

/// Waits until a writer waits for its turn; gives the process that serves it.
pub(crate) async fn until_one_waits(beside: &Client) -> i32 {
    let waiting =
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    loop {
        if let Some(row) = beside.query_opt(waiting, &[]).await.unwrap() {
            return row.get(0);
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

pub(crate) fn checkpoint(consumer: &str, from: u64, to: u64) -> Commit {
    let source = backbone::commit::Source::Checkpoint { consumer: consumer.to_owned(), from, to };
    Commit { source: Some(source), ..Commit::default() }
}
