//! What can be said of a commit without the database.

use backbone::commit::{Append, Commit, Put};
use kernel::{Envelope, MAX_DATA_BYTES};

use crate::tables::{Tables, stored};

/// Says what is wrong with a commit in itself.
pub(crate) fn commit(tables: &Tables, commit: &Commit) -> Result<(), String> {
    commit.appends.iter().try_for_each(append)?;
    commit.puts.iter().try_for_each(|put| document(tables, put))?;
    let mut named: Vec<_> = commit.deletes.iter().map(|delete| delete.collection).collect();
    named.extend(commit.guards.iter().filter_map(|guard| match &guard.target {
        backbone::commit::Target::Document(collection, _) => Some(*collection),
        backbone::commit::Target::Stream(_) => None,
    }));
    for collection in named {
        tables.collection(collection).map_err(what)?;
    }
    // Reliability.md, rule 7: said when it is appended, not when it is sent.
    match commit.outgoing.iter().find(|event| event.data.len() > MAX_DATA_BYTES) {
        Some(Envelope { kind, data, .. }) => {
            Err(format!("{kind} has {} bytes, at most {MAX_DATA_BYTES} are carried", data.len()))
        }
        None => Ok(()),
    }
}

fn what(error: backbone::journal::Error) -> String {
    match error {
        backbone::journal::Error::Malformed(what) => what,
        other => other.to_string(),
    }
}

fn append(append: &Append) -> Result<(), String> {
    let stream = &append.stream;
    let malformed = |what: String| Err(format!("append to {stream}: {what}"));
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

fn document(tables: &Tables, put: &Put) -> Result<(), String> {
    let declared = tables.collection(put.collection).map_err(what)?.collection.columns;
    let name = put.collection.name;
    if put.columns.len() != declared.len() {
        let given = put.columns.len();
        return Err(format!("`{name}` has {} columns, the document gives {given}", declared.len()));
    }
    for (column, value) in declared.iter().zip(&put.columns) {
        if stored(column.kind, value).is_none() {
            let (column, kind) = (column.name, column.kind);
            return Err(format!("column `{column}` of `{name}` holds {kind:?}, the value does not"));
        }
    }
    Ok(())
}
