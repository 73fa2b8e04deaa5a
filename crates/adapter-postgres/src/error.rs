//! What PostgreSQL reports, as the errors of the ports: one place says which is which.

use std::error::Error as _;

use backbone::journal;
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, Severity, SqlState};

/// Raised by our own `held` where something changed since a commit was decided on it.
pub(crate) const CHANGED: &str = "A4C01";

/// What an error says about the transaction in which it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The connection is gone: what became of the transaction is not known.
    Lost,
    /// Another transaction was in the way: the same may succeed when it is tried again.
    Contended,
    /// Something in it cannot be written, whenever it is tried.
    Refused,
    /// The server cannot do its work now; nothing was written.
    Down,
}

pub(crate) fn kind(error: &Error) -> Kind {
    if let Some(db) = error.as_db_error() {
        return kind_of(db);
    }
    let of_the_network = error.source().is_none_or(|source| source.is::<std::io::Error>());
    // What is left is a value that cannot be sent, or a row that cannot be read.
    if error.is_closed() || of_the_network { Kind::Lost } else { Kind::Refused }
}

fn kind_of(error: &DbError) -> Kind {
    let ended = matches!(error.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
    let code = error.code().code();
    match code {
        _ if ended || code.starts_with("08") => Kind::Lost,
        CHANGED => Kind::Contended,
        _ if is_contention(error.code()) => Kind::Contended,
        // Data, constraints, syntax and names, limits of the program; a statement that took too long.
        "57014" => Kind::Refused,
        _ if ["0A", "22", "23", "42", "54"].iter().any(|class| code.starts_with(class)) => Kind::Refused,
        _ => Kind::Down,
    }
}

fn is_contention(code: &SqlState) -> bool {
    *code == SqlState::UNIQUE_VIOLATION
        || *code == SqlState::T_R_SERIALIZATION_FAILURE
        || *code == SqlState::T_R_DEADLOCK_DETECTED
        || *code == SqlState::LOCK_NOT_AVAILABLE
}

/// True for what a statement says only because one before it failed.
pub(crate) fn is_aftermath(error: &Error) -> bool {
    error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION)
}

/// True where a table is not there.
pub(crate) fn is_missing_table(error: &Error) -> bool {
    error.code() == Some(&SqlState::UNDEFINED_TABLE)
}

/// The journal's error for what went wrong while `operation`.
pub(crate) fn journal(operation: &'static str, error: &Error) -> journal::Error {
    let said = said(error);
    match error.code().map(SqlState::code) {
        Some("57014") => unavailable(operation, said),
        Some(code) if ["22", "23", "54"].iter().any(|class| code.starts_with(class)) => {
            journal::Error::Malformed(said)
        }
        Some(code) if code.starts_with("42") || code.starts_with("0A") => {
            journal::Error::Unusable(format!("while {operation}: {said}; was the schema changed by hand?"))
        }
        _ if kind(error) == Kind::Refused => journal::Error::Malformed(said),
        _ => unavailable(operation, said),
    }
}

/// The server is away, full or busy.
pub(crate) fn unavailable(operation: &'static str, reason: impl Into<String>) -> journal::Error {
    journal::Error::Unavailable { operation, reason: reason.into() }
}

/// What the server said, without the values that its detail may quote.
pub(crate) fn said(error: &Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(db), _) => format!("{} ({})", db.message(), db.code().code()),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

/// True where a lock was not to be had in time, as opposed to a value that another has taken.
pub(crate) fn is_about_waiting(error: &Error) -> bool {
    error.code().is_some_and(|code| *code != SqlState::UNIQUE_VIOLATION && code.code() != CHANGED)
}
