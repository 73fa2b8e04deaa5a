//! The statements of a batch's transaction. The counter of positions comes first: its row is locked
//! until the end, so that of all replicas one writes at a time and positions are in commit order
//! (reliability.md, rule 3). What a commit was decided on is looked at again under that lock: where
//! another replica changed it meanwhile, the transaction fails and is tried again.

use std::collections::BTreeMap;

use backbone::commit::{Put, StoredEvent};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::changes::Changes;
use crate::connection::{Ask, Value, value};
use crate::known::Known;
use crate::rows::{limit, signed};
use crate::tables::{Cell, DocumentSql, TableKey, Tables, stored};

/// The statements that write `changes`, which were decided on `known`. The first gives the log's
/// end.
pub(crate) fn statements<'a>(tables: &'a Tables, known: &Known<'a>, changes: &Changes<'a>) -> Vec<Ask<'a>> {
    let sql = &tables.sql.write;
    let counts = [changes.events.len(), changes.outgoing.len()];
    let mut asks = vec![Ask::new(&sql.positions, counts.map(|count| value(limit(count))).into())];
    let streams = changes.held_streams.iter().copied();
    hold(&mut asks, &sql.hold_heads, streams.map(|key| (key, known.heads.base(key))));
    let leases = changes.held_leases.iter().copied();
    hold(&mut asks, &sql.hold_leases, leases.map(|key| (key, known.leases.base(key))));
    append(&mut asks, tables, changes);
    remember(&mut asks, tables, changes);
    advance(&mut asks, tables, known, changes);
    documents(&mut asks, tables, known, changes);
    publish(&mut asks, tables, changes);
    asks
}

fn column<'a, T, V: ToSql + Sync + Send + 'a>(items: &[T], of: impl Fn(&T) -> V) -> Value<'a> {
    value(items.iter().map(of).collect::<Vec<V>>())
}

/// Versions that must be what they were.
fn hold<'a>(asks: &mut Vec<Ask<'a>>, sql: &'a str, versions: impl Iterator<Item = (&'a str, u64)>) {
    let (keys, versions): (Vec<&'a str>, Vec<i64>) =
        versions.map(|(key, version)| (key, signed(version))).unzip();
    if !keys.is_empty() {
        asks.push(Ask::new(sql, vec![value(keys), value(versions)]));
    }
}

fn append<'a>(asks: &mut Vec<Ask<'a>>, tables: &'a Tables, changes: &Changes<'a>) {
    let events = &changes.events;
    if !events.is_empty() {
        let of = |take: fn(&'a StoredEvent) -> &'a str| column(events, move |(_, event)| take(event));
        let values = vec![
            column(events, |(stream, _)| *stream),
            column(events, |(_, event)| signed(event.version)),
            of(|event| &event.name),
            column(events, |(_, event)| i64::from(event.schema)),
            column(events, |(_, event)| event.at.as_micros()),
            of(|event| &event.correlation_id),
            of(|event| &event.causation_id),
            column(events, |(_, event)| event.person),
            column(events, |(_, event)| -> &'a [u8] { &event.data }),
        ];
        asks.push(Ask::new(&tables.sql.write.append, values));
    }
    let snapshots: Vec<_> = changes.snapshots.iter().map(|(stream, snapshot)| (*stream, *snapshot)).collect();
    if !snapshots.is_empty() {
        let values = vec![
            column(&snapshots, |(stream, _)| *stream),
            column(&snapshots, |(_, snapshot)| signed(snapshot.version)),
            column(&snapshots, |(_, snapshot)| signed(snapshot.schema)),
            column(&snapshots, |(_, snapshot)| snapshot.person),
            column(&snapshots, |(_, snapshot)| -> &'a [u8] { &snapshot.data }),
        ];
        asks.push(Ask::new(&tables.sql.write.snapshots_put, values));
    }
}

/// Answers and claims.
fn remember<'a>(asks: &mut Vec<Ask<'a>>, tables: &'a Tables, changes: &Changes<'a>) {
    let (answers, claims) = (&changes.answers, &changes.claims);
    if !answers.is_empty() {
        let values = vec![
            column(answers, |answer| -> &'a str { &answer.key }),
            column(answers, |answer| signed(answer.fingerprint)),
            column(answers, |answer| -> &'a [u8] { &answer.body }),
            column(answers, |answer| answer.at.as_micros()),
        ];
        asks.push(Ask::new(&tables.sql.write.answers_put, values));
    }
    if !claims.is_empty() {
        let values = vec![column(claims, |(consumer, _)| *consumer), column(claims, |(_, event)| *event)];
        asks.push(Ask::new(&tables.sql.write.claim, values));
    }
}

fn advance<'a>(asks: &mut Vec<Ask<'a>>, tables: &'a Tables, known: &Known<'a>, changes: &Changes<'a>) {
    let moves = changes.checkpoints.iter().map(|consumer| {
        (*consumer, signed(known.checkpoints.base(consumer)), signed(known.checkpoints.now(consumer)))
    });
    let (begun, moved): (Vec<_>, Vec<_>) = moves.partition(|(_, base, _)| *base == 0);
    let consumers = |moves: &[(&'a str, i64, i64)]| column(moves, |(consumer, ..)| *consumer);
    let ends = |moves: &[(&'a str, i64, i64)]| column(moves, |(.., to)| *to);
    if !begun.is_empty() {
        asks.push(Ask::new(&tables.sql.write.checkpoints_begin, vec![consumers(&begun), ends(&begun)]));
    }
    if !moved.is_empty() {
        let values = vec![consumers(&moved), column(&moved, |(_, base, _)| *base), ends(&moved)];
        asks.push(Ask::new(&tables.sql.write.checkpoints_move, values));
    }
}

/// What becomes of the documents of one table.
#[derive(Default)]
struct Fates<'a> {
    inserted: Vec<Written<'a>>,
    updated: Vec<Written<'a>>,
    deleted: Vec<(&'a str, i64)>,
    held: Vec<(&'a str, u64)>,
}

/// A document as it is written.
struct Written<'a> {
    put: &'a Put,
    version: i64,
    base: i64,
}

fn documents<'a>(asks: &mut Vec<Ask<'a>>, tables: &'a Tables, known: &Known<'a>, changes: &Changes<'a>) {
    let mut fates: BTreeMap<TableKey, Fates<'a>> = BTreeMap::new();
    for (place, put) in &changes.documents {
        let (base, now) = (known.document_base(*place), known.document_now(*place));
        let of = fates.entry(place.0).or_default();
        let written = |put| Written { put, version: signed(now), base: signed(base) };
        match (base, put) {
            (0, Some(put)) => of.inserted.push(written(put)),
            (_, Some(put)) => of.updated.push(written(put)),
            (0, None) => of.held.push((place.1, 0)),
            (_, None) => of.deleted.push((place.1, signed(base))),
        }
    }
    for place in &changes.held_documents {
        fates.entry(place.0).or_default().held.push((place.1, known.document_base(*place)));
    }
    // What is held is looked at before anything of this transaction changes it.
    for (table, of) in &mut fates {
        hold(asks, &tables.documents(*table).hold, of.held.drain(..));
    }
    for (table, of) in fates {
        let sql = tables.documents(table);
        write_table(asks, sql, &of);
    }
}

fn write_table<'a>(asks: &mut Vec<Ask<'a>>, sql: &'a DocumentSql, of: &Fates<'a>) {
    if !of.deleted.is_empty() {
        let values = vec![column(&of.deleted, |(id, _)| *id), column(&of.deleted, |(_, base)| *base)];
        asks.push(Ask::new(&sql.delete, values));
    }
    if !of.inserted.is_empty() {
        asks.push(Ask::new(&sql.insert, written(&of.inserted)));
    }
    if !of.updated.is_empty() {
        let mut values = written(&of.updated);
        values.push(column(&of.updated, |document| document.base));
        asks.push(Ask::new(&sql.update, values));
    }
}

/// An array for each column of the table.
fn written<'a>(documents: &[Written<'a>]) -> Vec<Value<'a>> {
    let mut values = vec![
        column(documents, |document| -> &'a str { &document.put.id }),
        column(documents, |document| document.version),
        column(documents, |document| document.put.person),
        column(documents, |document| -> &'a [u8] { &document.put.body }),
    ];
    let mut cells: Vec<Vec<Cell<'a>>> = Vec::new();
    for Written { put, .. } in documents {
        let declared = put.collection.columns.iter().zip(&put.columns);
        let stored = declared.filter_map(|(column, value)| stored(column.kind, value)).flatten();
        for (place, cell) in stored.enumerate() {
            if cells.len() == place {
                cells.push(Vec::with_capacity(documents.len()));
            }
            cells[place].push(cell);
        }
    }
    values.extend(cells.into_iter().map(value));
    values
}

fn publish<'a>(asks: &mut Vec<Ask<'a>>, tables: &'a Tables, changes: &Changes<'a>) {
    let events = &changes.outgoing;
    if events.is_empty() {
        return;
    }
    let values = vec![
        column(events, |event| -> Uuid { event.id.0 }),
        column(events, |event| -> &'a str { &event.kind }),
        column(events, |event| -> &'a str { &event.subject }),
        column(events, |event| -> &'a str { &event.source }),
        column(events, |event| event.time.as_micros()),
        column(events, |event| -> &'a str { &event.correlation_id }),
        column(events, |event| -> &'a str { &event.causation_id }),
        column(events, |event| signed(event.sequence)),
        column(events, |event| event.traceparent.as_deref()),
        column(events, |event| event.key_id.as_deref()),
        column(events, |event| -> &'a [u8] { &event.data }),
    ];
    asks.push(Ask::new(&tables.sql.write.publish, values));
}
