//! Decides the commits of a batch in order: each on the state that those before it leave.

use backbone::commit::{Answer, Commit, Delete, Expected, Guard, Outcome, Put, Source, Target};
use backbone::journal::Error;
use uuid::Uuid;

use crate::changes::Changes;
use crate::known::Known;
use crate::tables::TableKey;

/// Why a commit is not written.
#[derive(Debug, PartialEq)]
pub(crate) enum Refusal {
    Malformed(String),
    Conflict(String),
    Duplicate(Answer),
    Taken(Vec<Uuid>),
    Fenced(String),
}

impl Refusal {
    pub(crate) fn answer(self) -> Result<Outcome, Error> {
        match self {
            Refusal::Malformed(what) => Err(Error::Malformed(what)),
            Refusal::Conflict(which) => Ok(Outcome::Conflict { which }),
            Refusal::Duplicate(answer) => Ok(Outcome::Duplicate(answer)),
            Refusal::Taken(events) => Ok(Outcome::Taken { events }),
            Refusal::Fenced(lease) => Ok(Outcome::Fenced { lease }),
        }
    }
}

type Held = Result<(), Refusal>;

fn conflict(which: String) -> Held {
    Err(Refusal::Conflict(which))
}

/// Decides a commit on `known`, which then is as the commit leaves it; what it changes is added to
/// `changes`. `broken` is a failed commit that it was built on. A used idempotency key outweighs
/// everything: the caller wants the first answer.
pub(crate) fn decide<'a>(
    known: &mut Known<'a>,
    changes: &mut Changes<'a>,
    commit: &'a Commit,
    broken: Option<u64>,
) -> Held {
    let held = check(known, commit, broken);
    let written = held.is_ok();
    known.end(written);
    if !written {
        return held;
    }
    if let Some(answer) = &commit.answer {
        known.answers.insert(&answer.key, Some(answer.clone()));
    }
    if let Some(Source::Inbox { consumer, events }) = &commit.source {
        known.claims.entry(consumer).or_default().extend(events.iter().map(|event| (*event, true)));
    }
    changes.add(commit);
    Ok(())
}

fn check<'a>(known: &mut Known<'a>, commit: &'a Commit, broken: Option<u64>) -> Held {
    let first = commit.answer.as_ref().and_then(|answer| known.answers.get(answer.key.as_str())?.clone());
    if let Some(first) = first {
        return Err(Refusal::Duplicate(first));
    }
    if let Some(ticket) = broken {
        return conflict(format!("commit {ticket}, on which it was built, failed"));
    }
    if let Some(fence) = &commit.fence
        && (fence.token == 0 || known.leases.now(&fence.lease) != fence.token)
    {
        return Err(Refusal::Fenced(fence.lease.clone()));
    }
    match &commit.source {
        Some(Source::Checkpoint { consumer, from, to }) => advance(known, consumer, *from, *to)?,
        Some(Source::Inbox { consumer, events }) => claim(known, consumer, events)?,
        None => {}
    }
    commit.guards.iter().try_for_each(|guard| hold(known, guard))?;
    for append in &commit.appends {
        let stream = append.stream.as_str();
        if known.heads.now(stream) != append.expected {
            return conflict(format!("{stream} is not at version {}", append.expected));
        }
        known.heads.set(stream, append.expected + append.events.len() as u64);
    }
    commit.puts.iter().try_for_each(|put| write(known, put))?;
    commit.deletes.iter().try_for_each(|gone| delete(known, gone))
}

fn hold(known: &Known<'_>, guard: &Guard) -> Held {
    let (version, what) = match &guard.target {
        Target::Stream(stream) => (known.heads.now(stream), stream.clone()),
        Target::Document(collection, id) => {
            let version = known.document_now((TableKey::live(collection), id));
            (version, format!("{}/{id}", collection.name))
        }
    };
    if version == guard.version {
        return Ok(());
    }
    conflict(format!("{what} is at {version}, it was read at {}", guard.version))
}

fn advance<'a>(known: &mut Known<'a>, consumer: &'a str, from: u64, to: u64) -> Held {
    if known.checkpoints.now(consumer) != from {
        return conflict(format!("the checkpoint of {consumer} is not at {from}"));
    }
    known.checkpoints.set(consumer, to);
    Ok(())
}

fn claim(known: &Known<'_>, consumer: &str, events: &[Uuid]) -> Held {
    let is_taken = |place: usize, event: Uuid| {
        let claims = known.claims.get(consumer);
        claims.and_then(|claims| claims.get(&event)).copied().unwrap_or(false)
            || events[..place].contains(&event)
    };
    let taken: Vec<Uuid> = events
        .iter()
        .enumerate()
        .filter(|(place, event)| is_taken(*place, **event))
        .map(|(_, event)| *event)
        .collect();
    if taken.is_empty() { Ok(()) } else { Err(Refusal::Taken(taken)) }
}

fn write<'a>(known: &mut Known<'a>, put: &'a Put) -> Held {
    let versions = known.table(TableKey::of(put));
    let version = versions.now(&put.id);
    if !matches(put.expected, version) {
        let which = if put.shadow { "the shadow of " } else { "" };
        return conflict(format!("{which}{}/{} is not at {:?}", put.collection.name, put.id, put.expected));
    }
    versions.set(&put.id, version + 1);
    Ok(())
}

fn delete<'a>(known: &mut Known<'a>, delete: &'a Delete) -> Held {
    let versions = known.table(TableKey::live(delete.collection));
    if !matches(delete.expected, versions.now(&delete.id)) {
        let name = delete.collection.name;
        return conflict(format!("{name}/{} is not at the version it was decided on", delete.id));
    }
    versions.set(&delete.id, 0);
    Ok(())
}

fn matches(expected: Expected, version: u64) -> bool {
    match expected {
        Expected::Any => true,
        Expected::Version(expected) => expected == version,
    }
}
