//! What the tests write.

use std::path::Path;
use std::sync::Arc;

use backbone::collection::{Collection, Column, ColumnKind};
use backbone::commit::{Append, Commit, Expected, Outcome, Put, Source, StoredEvent};
use backbone::journal::{Error, Journal, Schema, Stored, StoredDocument, Want};
use bytes::Bytes;
use kernel::{Envelope, Timestamp};
use uuid::Uuid;

use crate::{Options, Store};

pub(super) static NOTES: Collection = Collection {
    name: "notes",
    columns: &[Column::indexed("title", ColumnKind::Text), Column::plain("price", ColumnKind::Money)],
    children: &["lines"],
};

pub(super) fn open(directory: &Path) -> Store {
    Store::open(directory, Options::default()).unwrap()
}

pub(super) async fn journal(store: &Store) -> Arc<dyn Journal> {
    store.storage().open(Schema { service: "order", collections: vec![&NOTES] }).await.unwrap()
}

pub(super) fn event(version: u64) -> StoredEvent {
    StoredEvent {
        version,
        name: "Placed".to_owned(),
        schema: 1,
        at: Timestamp::from_micros(1_763_800_000_000_000),
        correlation_id: "flow".to_owned(),
        causation_id: "cause".to_owned(),
        person: Some(Uuid::from_u128(9)),
        data: Bytes::from(format!(
            "{{\"Placed\":{{\"number\":{version},\"text\":\"{}\"}}}}",
            "x".repeat(200)
        )),
    }
}

pub(super) fn append(stream: &str, expected: u64, count: u64) -> Append {
    let events = (expected + 1..=expected + count).map(event).collect();
    Append { stream: stream.to_owned(), expected, events, snapshot: None }
}

pub(super) fn appending(stream: &str, expected: u64) -> Commit {
    Commit { appends: vec![append(stream, expected, 1)], ..Commit::default() }
}

pub(super) fn note(id: &str, expected: Expected, title: &str) -> Put {
    let body = format!("{{\"title\":\"{title}\",\"lines\":[{{\"n\":1}},{{\"n\":2}}]}}");
    let columns = vec![title.into(), kernel::Money::eur(1_250).into()];
    Put {
        collection: &NOTES,
        shadow: false,
        id: id.to_owned(),
        expected,
        person: None,
        body: body.into(),
        columns,
    }
}

pub(super) fn noting(id: &str, expected: Expected) -> Commit {
    Commit { puts: vec![note(id, expected, "title")], ..Commit::default() }
}

pub(super) fn checkpoint(consumer: &str, from: u64, to: u64) -> Option<Source> {
    Some(Source::Checkpoint { consumer: consumer.to_owned(), from, to })
}

/// An event of `context` that carries `number`.
pub(super) fn public(context: &str, number: u64) -> Envelope {
    Envelope {
        id: Uuid::from_u128(u128::from(number)).into(),
        source: context.to_owned(),
        kind: format!("{context}.created.v1"),
        subject: "subject".to_owned(),
        time: Timestamp::from_micros(1),
        correlation_id: "flow".to_owned(),
        causation_id: "cause".to_owned(),
        sequence: number,
        traceparent: None,
        key_id: None,
        data: Bytes::from(format!("{{\"number\":{number}}}")),
    }
}

pub(super) fn is_committed(answer: &Result<Outcome, Error>) -> bool {
    matches!(answer, Ok(Outcome::Committed { .. }))
}

pub(super) async fn committed(journal: &Arc<dyn Journal>, commit: Commit) {
    let answer = journal.submit(commit).await.unwrap();
    assert!(is_committed(&answer), "{answer:?}");
}

pub(super) async fn read_note(journal: &Arc<dyn Journal>, id: &str) -> Option<StoredDocument> {
    match journal.load(vec![Want::Document(&NOTES, id.to_owned())]).await.unwrap().swap_remove(0) {
        Stored::Document(found) => found,
        other @ Stored::Stream { .. } => panic!("{other:?}"),
    }
}

pub(super) async fn stream_length(journal: &Arc<dyn Journal>, stream: &str) -> usize {
    journal.history(stream, 0, usize::MAX).await.unwrap().len()
}
