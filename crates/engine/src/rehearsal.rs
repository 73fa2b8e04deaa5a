//! An operator's act that is only tried: its decision runs, its commit is written and taken back, and
//! what it would have done is told.

use std::collections::BTreeSet;

use backbone::commit::{Commit, Outcome};
use backbone::journal;
use backbone::keyring::{DataKey, PersonKey};
use backbone::outcome::Refusal;
use backbone::work::{Decision, Error, Origin};
use backbone::workspace::{Draft, Key, Workspace};
use kernel::ErrorKind;
use serde::Serialize;

use crate::assemble::{Stamp, assemble};
use crate::cache::Cache;
use crate::decider::guarded;
use crate::host::Host;
use crate::sealing::KeyTable;

/// How many states a handler may look at.
const STATES_MAX: usize = 4_096;

/// How often it is tried where others are faster.
const ATTEMPTS_MAX: usize = 5;

/// What an act would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rehearsal {
    /// Whether it would take effect.
    pub succeeds: bool,
    /// Why it would not.
    pub error: Option<String>,
    /// What kind of error that is.
    pub error_kind: Option<ErrorKind>,
    /// The public events that it would publish, in order.
    pub publishes: Vec<Touched>,
    /// The documents that it would write.
    pub writes: Vec<Touched>,
    /// The documents that it would remove.
    pub removes: Vec<Touched>,
    /// The streams to which it would append, each with the names of the events.
    pub appends: Vec<Touched>,
    /// How many calls of sagas it would ask for.
    pub calls: usize,
}

/// Something that a commit would touch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Touched {
    /// The type of an event, the name of a collection or of a stream.
    pub what: String,
    /// The key of an event, the id of a document, the names of events.
    pub about: String,
}

fn touched(what: &str, about: impl Into<String>) -> Touched {
    Touched { what: what.to_owned(), about: about.into() }
}

/// Tries what a decision would do; leaves no trace.
pub(crate) async fn rehearse(host: &Host, origin: Origin, decision: &Decision) -> Result<Rehearsal, Error> {
    let down = |error: journal::Error| Error::Unavailable(error.to_string());
    for _ in 0..ATTEMPTS_MAX {
        let draft = match decide(host, &origin, decision).await.map_err(down)? {
            Ok(draft) => draft,
            Err(refusal) => return Ok(failed(refusal.to_string(), Some(refusal.kind()))),
        };
        let calls = draft.calls.len();
        let commit = match seal(host, &draft).await? {
            Ok(commit) => commit,
            Err(unfit) => return Ok(failed(unfit, None)),
        };
        let told = Rehearsal { calls, ..told(&commit) };
        match host.journal().rehearse(commit).await {
            Ok(Outcome::Committed { .. }) => return Ok(told),
            // Somebody was faster.
            Ok(Outcome::Conflict { .. }) => {}
            Ok(other) => return Ok(failed(format!("{other:?}"), None)),
            Err(journal::Error::Malformed(what)) => return Ok(failed(what, Some(ErrorKind::Permanent))),
            Err(error) => return Err(down(error)),
        }
    }
    Err(Error::Unavailable("what it decides on changes all the time: try again".to_owned()))
}

fn failed(error: String, error_kind: Option<ErrorKind>) -> Rehearsal {
    Rehearsal { error: Some(error), error_kind, ..Rehearsal::default() }
}

fn told(commit: &Commit) -> Rehearsal {
    let names = |events: &[backbone::commit::StoredEvent]| {
        events.iter().map(|event| event.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    Rehearsal {
        succeeds: true,
        publishes: commit.outgoing.iter().map(|event| touched(&event.kind, &event.subject)).collect(),
        writes: commit.puts.iter().map(|put| touched(put.collection.name, &put.id)).collect(),
        removes: commit.deletes.iter().map(|delete| touched(delete.collection.name, &delete.id)).collect(),
        appends: commit.appends.iter().map(|append| touched(&append.stream, names(&append.events))).collect(),
        ..Rehearsal::default()
    }
}

/// Decides on what is durable, loading what is needed.
async fn decide(
    host: &Host,
    origin: &Origin,
    decision: &Decision,
) -> Result<Result<Draft, Refusal>, journal::Error> {
    let environment = host.environment();
    let mut cache = Cache::new(STATES_MAX);
    loop {
        let decided = {
            let mut ws = Workspace::new(&cache, &*environment.ids, environment.clock.now(), origin.clone());
            let run = guarded("rehearsal", || decision(&mut ws));
            run.map(|_| ws.into_draft())
        };
        let missing: BTreeSet<Key> = match decided {
            Ok(draft) => return Ok(host.fits(&draft).map(|()| draft)),
            Err(Refusal::Missing(keys)) => keys.into_iter().collect(),
            Err(refusal) => return Ok(Err(refusal)),
        };
        for (key, slot) in host.load(missing.into_iter().collect()).await? {
            cache.loaded(key, slot);
        }
    }
}

/// Makes the commit; no key is made for it.
async fn seal(host: &Host, draft: &Draft) -> Result<Result<Commit, String>, Error> {
    let assembled = assemble(draft);
    let persons: Vec<_> = assembled.persons().iter().copied().collect();
    let keys = host.keys().find(&persons).await.map_err(|e| Error::Unavailable(e.to_string()))?;
    // A person who has no key yet would get one: any will do for what is taken back.
    let stand_in = |key| if key == PersonKey::Absent { PersonKey::Known(DataKey([0; 32])) } else { key };
    let keys: KeyTable = persons.into_iter().zip(keys.into_iter().map(stand_in)).collect();
    let environment = host.environment();
    let master_key = host.keys().master_id();
    let now = environment.clock.now();
    let stamp = Stamp { service: host.service(), now, ids: &*environment.ids, master_key: &master_key };
    Ok(assembled.seal(&stamp, &keys, None, None).map_err(|unfit| unfit.to_string()))
}
