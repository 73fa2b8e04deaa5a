//! What a scenario expects; what it finds instead becomes its failure.

use std::fmt::{Debug, Display};

use backbone::commit::{Answer, Outcome};
use backbone::journal::Error;
use tokio::sync::oneshot::error::RecvError;

/// The answer to a submission, as its receiver gives it.
pub(crate) type Answered = Result<Result<Outcome, Error>, RecvError>;

/// An error becomes the scenario's failure, with what was being done.
pub(crate) trait Shown<T> {
    /// Says what was being done.
    fn shown(self, doing: &str) -> Result<T, String>;
}

impl<T, E: Display> Shown<T> for Result<T, E> {
    fn shown(self, doing: &str) -> Result<T, String> {
        self.map_err(|error| format!("{doing}: {error}"))
    }
}

pub(crate) fn ensure(holds: bool, otherwise: impl Display) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.to_string()) }
}

pub(crate) fn equal<T: PartialEq + Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    ensure(found == expected, format_args!("{what}: found {found:?}, expected {expected:?}"))
}

/// The outcome of a submission that must get one.
pub(crate) fn outcome(answered: Answered) -> Result<Outcome, String> {
    answered.map_err(|_| "the submission was dropped unanswered".to_owned())?.shown("committing")
}

/// The position of a commit that must succeed.
pub(crate) fn committed(answered: Answered) -> Result<u64, String> {
    match outcome(answered)? {
        Outcome::Committed { position } => Ok(position),
        other => Err(format!("expected a commit, found {other:?}")),
    }
}

/// A commit that must be refused for what has changed, which the refusal names.
pub(crate) fn conflict(answered: Answered, names: &str) -> Result<(), String> {
    match outcome(answered)? {
        Outcome::Conflict { which } => {
            ensure(which.contains(names), format_args!("the conflict names {which:?}, not {names:?}"))
        }
        other => Err(format!("expected a conflict over {names:?}, found {other:?}")),
    }
}

/// A commit that must be refused for these deliveries, which were claimed before.
pub(crate) fn taken(answered: Answered, expected: &[uuid::Uuid]) -> Result<(), String> {
    match outcome(answered)? {
        Outcome::Taken { events } => equal("the deliveries claimed before", events, expected.to_vec()),
        other => Err(format!("expected {expected:?} to be taken, found {other:?}")),
    }
}

/// A commit whose lease must have been taken over.
pub(crate) fn fenced(answered: Answered, name: &str) -> Result<(), String> {
    match outcome(answered)? {
        Outcome::Fenced { lease } => equal("the lease", lease.as_str(), name),
        other => Err(format!("expected to be fenced by {name:?}, found {other:?}")),
    }
}

/// A commit that must meet a used key.
pub(crate) fn duplicate(answered: Answered) -> Result<Answer, String> {
    match outcome(answered)? {
        Outcome::Duplicate(answer) => Ok(answer),
        other => Err(format!("expected a duplicate, found {other:?}")),
    }
}

/// A commit that must be refused as wrong in itself.
pub(crate) fn malformed(answered: Answered) -> Result<(), String> {
    match answered.map_err(|_| "the submission was dropped unanswered".to_owned())? {
        Err(Error::Malformed(_)) => Ok(()),
        other => Err(format!("expected it to be malformed, found {other:?}")),
    }
}
