//! From what decisions did to the commit that the journal writes.

use std::collections::BTreeSet;
use std::sync::Arc;

use backbone::collection::{Collection, ColumnValue};
use backbone::commit::{
    Answer, Append, Commit, Delete, Expected, Guard, Put, Snapshot, Source, StoredEvent, Target,
};
use backbone::environment::Ids;
use backbone::journal::Want;
use backbone::workspace::{Change, Draft, DraftDocument, Key, Outgoing, Payload, Writes};
use kernel::{Envelope, MAX_DATA_BYTES, Timestamp};
use uuid::Uuid;

use crate::sealing::{self, KeyTable, NoKey};

/// A draft with everything that it writes spelt out, personal fields still readable.
pub(crate) struct Assembled {
    changes: Vec<(Key, Change, Writes)>,
    outgoing: Vec<Outgoing>,
    guards: Vec<Guard>,
    persons: BTreeSet<Uuid>,
}

/// What every envelope and event of a commit shares.
pub(crate) struct Stamp<'a> {
    pub(crate) service: &'static str,
    pub(crate) now: Timestamp,
    pub(crate) ids: &'a dyn Ids,
    pub(crate) master_key: &'a str,
}

/// Why a draft cannot be committed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    #[error(transparent)]
    NoKey(#[from] NoKey),
    #[error("{kind} has {size} bytes of payload, {MAX_DATA_BYTES} are the most: split it or refer to it")]
    TooLarge { kind: &'static str, size: usize },
}

/// Spells out what a draft writes.
pub(crate) fn assemble(draft: &Draft) -> Assembled {
    let mut persons = BTreeSet::new();
    let mut note = |payload: &Payload| {
        if let Payload::Personal { person, .. } = payload {
            persons.insert(*person);
        }
    };
    let mut changes = Vec::with_capacity(draft.changes.len());
    for (key, change) in &draft.changes {
        let writes = key.kind.write(&key.id, change);
        change.events.iter().for_each(|event| note(&event.payload));
        writes.documents.iter().filter_map(|d| d.body.as_ref()).for_each(|(payload, ..)| note(payload));
        writes.snapshot.iter().for_each(|(_, _, _, payload)| note(payload));
        changes.push((key.clone(), change.clone(), writes));
    }
    draft.outgoing.iter().for_each(|outgoing| note(&outgoing.announcement.payload));
    let guards =
        draft.reads.iter().filter(|(key, _)| !draft.changes.contains_key(key)).map(|(key, version)| {
            let target = match key.kind.want(&key.id) {
                Want::Stream(stream) => Target::Stream(stream),
                Want::Document(collection, id) | Want::Shadow(collection, id) => {
                    Target::Document(collection, id)
                }
            };
            Guard { target, version: *version }
        });
    let guards = guards.collect();
    Assembled { changes, outgoing: draft.outgoing.clone(), guards, persons }
}

impl Assembled {
    /// The documents of a collection that are written, with their columns, or `None` where they
    /// are removed.
    pub(crate) fn documents<'a>(
        &'a self,
        collection: &'static Collection,
    ) -> impl Iterator<Item = (&'a str, Option<&'a [ColumnValue]>)> {
        let written = self.changes.iter().flat_map(|(_, _, writes)| &writes.documents);
        let of = move |document: &&DraftDocument| document.collection.name == collection.name;
        written.filter(of).map(|document| {
            let columns = document.body.as_ref().map(|(_, columns, _)| columns.as_slice());
            (document.id.as_str(), columns)
        })
    }

    /// The types of the public events, in order.
    pub(crate) fn published(&self) -> impl Iterator<Item = &'static str> {
        self.outgoing.iter().map(|outgoing| outgoing.announcement.kind.name)
    }

    /// The persons whose keys are needed.
    pub(crate) fn persons(&self) -> &BTreeSet<Uuid> {
        &self.persons
    }

    /// Encrypts and makes the commit.
    pub(crate) fn seal(
        self,
        stamp: &Stamp<'_>,
        keys: &KeyTable,
        source: Option<Source>,
        answer: Option<Answer>,
    ) -> Result<Commit, Unfit> {
        let mut commit = Commit { guards: self.guards, source, answer, ..Commit::default() };
        for (_, change, writes) in self.changes {
            if let Some(stream) = &writes.stream
                && !change.events.is_empty()
            {
                commit.appends.push(append(stream, &change, writes.snapshot, stamp, keys)?);
            }
            for document in writes.documents {
                write(&mut commit, document, keys)?;
            }
        }
        for outgoing in self.outgoing {
            commit.outgoing.push(envelope(outgoing, stamp, keys)?);
        }
        Ok(commit)
    }
}

fn append(
    stream: &str,
    change: &Change,
    snapshot: Option<(u64, u64, Option<Uuid>, Payload)>,
    stamp: &Stamp<'_>,
    keys: &KeyTable,
) -> Result<Append, Unfit> {
    let mut events = Vec::with_capacity(change.events.len());
    for event in &change.events {
        let place = sealing::event_place(stream, event.version);
        events.push(StoredEvent {
            version: event.version,
            name: event.name.to_owned(),
            schema: event.schema,
            at: stamp.now,
            correlation_id: event.origin.correlation_id.clone(),
            causation_id: event.origin.causation_id.clone(),
            person: event.person,
            data: sealing::seal(event.payload.clone(), &place, keys)?,
        });
    }
    let snapshot = match snapshot {
        None => None,
        Some((version, schema, person, payload)) => {
            let place = sealing::event_place(stream, version);
            Some(Snapshot { version, schema, person, data: sealing::seal(payload, &place, keys)? })
        }
    };
    let expected = change.base.unwrap_or(0);
    Ok(Append { stream: stream.to_owned(), expected, events, snapshot })
}

fn write(commit: &mut Commit, document: DraftDocument, keys: &KeyTable) -> Result<(), Unfit> {
    let DraftDocument { collection, id, body, base } = document;
    let expected = base.map_or(Expected::Any, Expected::Version);
    match body {
        None if expected == Expected::Version(0) => {}
        None => commit.deletes.push(Delete { collection, id, expected }),
        Some((payload, columns, person)) => {
            let body = sealing::seal(payload, &sealing::document_place(collection.name, &id), keys)?;
            commit.puts.push(Put { collection, shadow: false, id, expected, person, body, columns });
        }
    }
    Ok(())
}

fn envelope(outgoing: Outgoing, stamp: &Stamp<'_>, keys: &KeyTable) -> Result<Envelope, Unfit> {
    let Outgoing { announcement, sequence, origin } = outgoing;
    let id = stamp.ids.uuid();
    let personal = matches!(announcement.payload, Payload::Personal { .. });
    let data = sealing::seal(announcement.payload, &id.to_string(), keys)?;
    if data.len() > MAX_DATA_BYTES {
        return Err(Unfit::TooLarge { kind: announcement.kind.name, size: data.len() });
    }
    let origin = Arc::unwrap_or_clone(origin);
    Ok(Envelope {
        id: id.into(),
        source: stamp.service.to_owned(),
        kind: announcement.kind.name.to_owned(),
        subject: announcement.subject,
        time: stamp.now,
        correlation_id: origin.correlation_id,
        causation_id: origin.causation_id,
        sequence,
        traceparent: origin.traceparent,
        key_id: personal.then(|| stamp.master_key.to_owned()),
        data,
    })
}
