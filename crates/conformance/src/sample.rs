//! Sample collections, events and commits: the shortest that show a promise.

use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use backbone::commit::{Answer, Append, Commit, Delete, Expected, Guard, Put, Source, StoredEvent, Target};
use bytes::Bytes;
use kernel::{Envelope, Timestamp};
use uuid::Uuid;

/// Documents without columns.
pub(crate) static NOTES: Collection = Collection { name: "notes", columns: &[], children: &[] };

/// Documents with a column of every kind.
pub(crate) static GOODS: Collection = Collection {
    name: "goods",
    columns: &[
        Column::indexed("title", ColumnKind::Text),
        Column::indexed("stock", ColumnKind::Integer),
        Column::plain("listed", ColumnKind::Bool),
        Column::indexed("made_at", ColumnKind::Timestamp),
        Column::plain("maker", ColumnKind::Uuid),
        Column::indexed("price", ColumnKind::Money),
    ],
    children: &[],
};

/// Both.
pub(crate) const COLLECTIONS: &[&Collection] = &[&NOTES, &GOODS];

/// A fixed id.
pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128((0x0190_0000_0000_7000_8000_u128 << 48) | number)
}

/// A fixed time with microseconds.
pub(crate) fn time() -> Timestamp {
    Timestamp::from_micros(1_767_607_200_123_456)
}

/// A private event.
pub(crate) fn event(version: u64) -> StoredEvent {
    StoredEvent {
        version,
        name: "Counted".to_owned(),
        schema: 3,
        at: time(),
        correlation_id: "flow".to_owned(),
        causation_id: "cause".to_owned(),
        person: version.is_multiple_of(2).then(|| id(u128::from(version))),
        data: Bytes::from(format!("{{\"n\":{version}}}")),
    }
}

/// `count` events appended to `stream`, which has `expected`.
pub(crate) fn append(stream: &str, expected: u64, count: u64) -> Append {
    let events = (expected + 1..=expected + count).map(event).collect();
    Append { stream: stream.to_owned(), expected, events, snapshot: None }
}

/// A commit of one append.
pub(crate) fn appending(stream: &str, expected: u64, count: u64) -> Commit {
    Commit { appends: vec![append(stream, expected, count)], ..Commit::default() }
}

/// A note written.
pub(crate) fn note(id: &str, expected: Expected, text: &str) -> Put {
    Put {
        collection: &NOTES,
        shadow: false,
        id: id.to_owned(),
        expected,
        person: None,
        body: Bytes::from(format!("{{\"text\":{text:?}}}")),
        columns: Vec::new(),
    }
}

/// A commit of one note.
pub(crate) fn noting(id: &str, expected: Expected, text: &str) -> Commit {
    Commit { puts: vec![note(id, expected, text)], ..Commit::default() }
}

/// A commit that removes a note.
pub(crate) fn removing(id: &str, expected: Expected) -> Commit {
    let delete = Delete { collection: &NOTES, id: id.to_owned(), expected };
    Commit { deletes: vec![delete], ..Commit::default() }
}

/// A guard on a note.
pub(crate) fn guard_note(id: &str, version: u64) -> Guard {
    Guard { target: Target::Document(&NOTES, id.to_owned()), version }
}

/// A good with a value for each column.
pub(crate) fn good(id: &str, columns: Vec<ColumnValue>) -> Put {
    let body = Bytes::from(format!("{{\"id\":{id:?}}}"));
    let id = id.to_owned();
    Put { collection: &GOODS, shadow: false, id, expected: Expected::Any, person: None, body, columns }
}

/// A commit under an idempotency key.
pub(crate) fn answer(key: &str, fingerprint: u64) -> Answer {
    Answer { key: key.to_owned(), fingerprint, body: Bytes::from_static(b"{\"ok\":true}"), at: time() }
}

/// A commit that moves a checkpoint.
pub(crate) fn checkpoint(consumer: &str, from: u64, to: u64) -> Commit {
    let source = Source::Checkpoint { consumer: consumer.to_owned(), from, to };
    Commit { source: Some(source), ..Commit::default() }
}

/// A commit that claims deliveries.
pub(crate) fn claiming(consumer: &str, events: Vec<Uuid>) -> Commit {
    let source = Source::Inbox { consumer: consumer.to_owned(), events };
    Commit { source: Some(source), ..Commit::default() }
}

/// A public event of `context` about `subject`.
pub(crate) fn public(context: &str, subject: u128, number: u128) -> Envelope {
    Envelope {
        id: id(number).into(),
        source: context.to_owned(),
        kind: format!("{context}.counted.v1"),
        subject: id(subject).to_string(),
        time: time(),
        correlation_id: "flow".to_owned(),
        causation_id: "cause".to_owned(),
        sequence: 1000,
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        key_id: Some("master-1".to_owned()),
        data: Bytes::from(format!("{{\"n\":{number}}}")),
    }
}

/// Public events of the context `order` about one subject.
pub(crate) fn orders(numbers: std::ops::RangeInclusive<u128>) -> Vec<Envelope> {
    numbers.map(|number| public("order", 1, number)).collect()
}

/// A commit of public events alone.
pub(crate) fn publishing(events: Vec<Envelope>) -> Commit {
    Commit { outgoing: events, ..Commit::default() }
}
