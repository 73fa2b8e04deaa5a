//! One commit: everything is checked first, then everything is written.

use std::collections::BTreeMap;

use backbone::collection::{Collection, ColumnKind, ColumnValue};
use backbone::commit::{Answer, Append, Commit, Expected, Outcome, Put, Source, Target};
use backbone::journal::{Error, Recorded, Sent};
use kernel::{MAX_DATA_BYTES, Timestamp};
use uuid::Uuid;

use crate::disk::{Row, Service};
use crate::effects;
use crate::log::Log;

/// Why a commit was not written.
#[derive(Debug)]
pub(crate) enum Refused {
    Malformed(String),
    Conflict(String),
    Duplicate(Answer),
    Taken(Vec<Uuid>),
    Fenced(String),
}

impl Refused {
    /// As the port says it.
    pub(crate) fn answer(self) -> Result<Outcome, Error> {
        match self {
            Refused::Conflict(which) => Ok(Outcome::Conflict { which }),
            Refused::Duplicate(answer) => Ok(Outcome::Duplicate(answer)),
            Refused::Taken(events) => Ok(Outcome::Taken { events }),
            Refused::Fenced(lease) => Ok(Outcome::Fenced { lease }),
            Refused::Malformed(what) => Err(Error::Malformed(what)),
        }
    }
}

/// What a commit meets when it is written.
pub(crate) struct Meets {
    /// A commit that it was built on and that was not written.
    pub(crate) broken: Option<u64>,
    /// The store's time.
    pub(crate) now: Timestamp,
}

type Checked = Result<(), Refused>;

/// Says why a commit would not be written; writes nothing.
pub(crate) fn check(service: &Service, commit: &Commit, broken: Option<u64>) -> Checked {
    well_formed(service, commit)?;
    // A used key outweighs every conflict: the asker wants the first answer.
    if let Some(first) = commit.answer.as_ref().and_then(|answer| service.answers.get(&answer.key)) {
        return Err(Refused::Duplicate(first.clone()));
    }
    if let Some(ticket) = broken {
        return Err(Refused::Conflict(format!("commit {ticket}, on which it was built, was not written")));
    }
    if let Some(fence) = &commit.fence
        && service.leases.get(&fence.lease).is_none_or(|lease| lease.token != fence.token)
    {
        return Err(Refused::Fenced(fence.lease.clone()));
    }
    source_holds(service, commit)?;
    versions_hold(service, commit)
}

/// Writes a commit or leaves everything as it was; gives the position of the last public event.
pub(crate) fn apply(
    service: &mut Service,
    log: &mut Log,
    commit: &Commit,
    Meets { broken, now }: Meets,
) -> Result<u64, Refused> {
    check(service, commit, broken)?;
    let effects = effects::of(service, commit);
    service.effects.extend(effects);
    write_state(service, log, commit);
    if let Some(Source::Inbox { consumer, events }) = &commit.source {
        service.inbox.extend(events.iter().map(|event| ((consumer.clone(), *event), now)));
    }
    for event in &commit.outgoing {
        // A broker is told by the relay, after the commit.
        let position = if log.is_relayed { log.next_position() } else { log.append(event.clone()) };
        service.outgoing.push(Sent { position, envelope: event.clone() });
    }
    Ok(log.last_position())
}

fn malformed<T>(what: String) -> Result<T, Refused> {
    Err(Refused::Malformed(what))
}

fn well_formed(service: &Service, commit: &Commit) -> Checked {
    for append in &commit.appends {
        append_is_well_formed(append)?;
    }
    for put in &commit.puts {
        put_is_well_formed(service, put)?;
    }
    for delete in &commit.deletes {
        declared(service, delete.collection)?;
    }
    match commit.outgoing.iter().find(|event| event.data.len() > MAX_DATA_BYTES) {
        Some(event) => malformed(format!("{} has {} bytes", event.kind, event.data.len())),
        None => Ok(()),
    }
}

fn append_is_well_formed(append: &Append) -> Checked {
    let Append { stream, expected, events, snapshot } = append;
    if events.is_empty() {
        return malformed(format!("{stream}: an append of nothing"));
    }
    for (event, version) in events.iter().zip(expected + 1..) {
        if event.version != version {
            return malformed(format!("{stream}: event {} in the place of {version}", event.version));
        }
        if event.data.len() > MAX_DATA_BYTES {
            return malformed(format!("{stream}: {} has {} bytes", event.name, event.data.len()));
        }
    }
    let end = expected + events.len() as u64;
    match snapshot {
        Some(snapshot) if snapshot.version != end => {
            malformed(format!("{stream}: a snapshot of {} at {end}", snapshot.version))
        }
        _ => Ok(()),
    }
}

/// Collections are known by name; a declaration that differs is a mistake of the program.
pub(crate) fn declared(service: &Service, collection: &Collection) -> Checked {
    match service.declared.get(collection.name) {
        Some(known) if *known == collection => Ok(()),
        Some(_) => malformed(format!("collection {} was declared otherwise", collection.name)),
        None => malformed(format!("collection {} was not declared", collection.name)),
    }
}

fn put_is_well_formed(service: &Service, put: &Put) -> Checked {
    let Put { collection, id, columns, .. } = put;
    let name = collection.name;
    declared(service, collection)?;
    if put.shadow && !service.shadows.contains_key(name) {
        return malformed(format!("{name} has no shadow"));
    }
    if columns.len() != collection.columns.len() {
        return malformed(format!("{name}/{id}: {} columns of {}", columns.len(), collection.columns.len()));
    }
    match collection.columns.iter().zip(columns).find(|(column, value)| !holds(column.kind, value)) {
        Some((column, value)) => {
            malformed(format!("{name}/{id}: column {} is {:?}, not {value:?}", column.name, column.kind))
        }
        None => Ok(()),
    }
}

/// Whether a column of this kind can hold the value.
pub(crate) fn holds(kind: ColumnKind, value: &ColumnValue) -> bool {
    matches!(
        (kind, value),
        (_, ColumnValue::Null)
            | (ColumnKind::Text, ColumnValue::Text(_))
            | (ColumnKind::Integer, ColumnValue::Integer(_))
            | (ColumnKind::Bool, ColumnValue::Bool(_))
            | (ColumnKind::Timestamp, ColumnValue::Timestamp(_))
            | (ColumnKind::Uuid, ColumnValue::Uuid(_))
            | (ColumnKind::Money, ColumnValue::Money(_))
    )
}

fn source_holds(service: &Service, commit: &Commit) -> Checked {
    match &commit.source {
        Some(Source::Checkpoint { consumer, from, .. }) => {
            same(consumer, service.checkpoint(consumer), *from)
        }
        Some(Source::Inbox { consumer, events }) => {
            let taken = service.taken(consumer, events);
            if taken.is_empty() { Ok(()) } else { Err(Refused::Taken(taken)) }
        }
        None => Ok(()),
    }
}

fn same(what: &str, found: u64, expected: u64) -> Checked {
    if found == expected {
        return Ok(());
    }
    Err(Refused::Conflict(format!("{what} is at {found}, not at {expected}")))
}

/// Versions as the commit's own writes move them on.
#[derive(Default)]
struct Moved<'a> {
    streams: BTreeMap<&'a str, u64>,
    documents: BTreeMap<(&'a str, bool, &'a str), u64>,
}

fn versions_hold(service: &Service, commit: &Commit) -> Checked {
    for guard in &commit.guards {
        match &guard.target {
            Target::Stream(name) => same(name, service.stream_version(name), guard.version)?,
            Target::Document(collection, id) => {
                declared(service, collection)?;
                let version = service.document_version(collection, false, id);
                same(&format!("{}/{id}", collection.name), version, guard.version)?;
            }
        }
    }
    let mut moved = Moved::default();
    for append in &commit.appends {
        let version = moved.streams.get(&*append.stream).copied();
        let version = version.unwrap_or_else(|| service.stream_version(&append.stream));
        same(&append.stream, version, append.expected)?;
        moved.streams.insert(&append.stream, version + append.events.len() as u64);
    }
    let mut document = |collection: &'static Collection, shadow, id, expected, is_put: bool| {
        let place = (collection.name, shadow, id);
        let version = moved.documents.get(&place).copied();
        let version = version.unwrap_or_else(|| service.document_version(collection, shadow, id));
        moved.documents.insert(place, if is_put { version + 1 } else { 0 });
        match expected {
            Expected::Any => Ok(()),
            Expected::Version(expected) => same(&format!("{}/{id}", collection.name), version, expected),
        }
    };
    for put in &commit.puts {
        document(put.collection, put.shadow, &*put.id, put.expected, true)?;
    }
    for delete in &commit.deletes {
        document(delete.collection, false, &*delete.id, delete.expected, false)?;
    }
    Ok(())
}

fn write_state(service: &mut Service, log: &mut Log, commit: &Commit) {
    for Append { stream: name, events, snapshot, .. } in &commit.appends {
        for event in events {
            let (stream, event) = (name.clone(), event.clone());
            service.feed.push(Recorded { position: log.next_position(), stream, event });
        }
        let stream = service.streams.entry(name.clone()).or_default();
        stream.events.extend(events.iter().cloned());
        if snapshot.is_some() {
            stream.snapshot.clone_from(snapshot);
        }
    }
    for put in &commit.puts {
        let version = service.document_version(put.collection, put.shadow, &put.id) + 1;
        let (person, body, columns) = (put.person, put.body.clone(), put.columns.clone());
        let tables = if put.shadow { &mut service.shadows } else { &mut service.tables };
        let table = tables.entry(put.collection.name).or_default();
        table.insert(put.id.clone(), Row { version, person, body, columns });
    }
    for delete in &commit.deletes {
        if let Some(table) = service.tables.get_mut(delete.collection.name) {
            table.remove(&delete.id);
        }
    }
    if let Some(answer) = &commit.answer {
        service.answers.insert(answer.key.clone(), answer.clone());
    }
    match &commit.source {
        Some(Source::Checkpoint { consumer, to, .. }) => {
            service.checkpoints.insert(consumer.clone(), *to);
        }
        Some(Source::Inbox { .. }) | None => {}
    }
}
