//! What SQLite reports, as the errors of the ports: one place says which is which.

use backbone::{bus, journal};
use rusqlite::{Error, ErrorCode};

/// What to do about a file that SQLite cannot read.
pub(crate) const DAMAGED: &str = "the database file is damaged: stop the process, run `a4co verify`, and restore the last back-up (move a4co.db, \
     a4co.db-wal and a4co.db-shm away first: an old log on another file damages it)";
/// What to do about a disk without room.
pub(crate) const FULL: &str =
    "the disk (or the size set as limit) is full: nothing was written; free some space";

/// The journal's error for what went wrong while `operation`.
pub(crate) fn journal(operation: &'static str, error: &Error) -> journal::Error {
    match error {
        Error::FromSqlConversionFailure(..)
        | Error::InvalidColumnType(..)
        | Error::IntegralValueOutOfRange(..) => {
            journal::Error::Unusable(format!("while {operation}: {error}; {DAMAGED}"))
        }
        _ if is_damage(error) => journal::Error::Unusable(format!("while {operation}: {error}; {DAMAGED}")),
        _ if error.sqlite_error_code() == Some(ErrorCode::TooBig) => {
            journal::Error::Malformed(error.to_string())
        }
        _ if is_full(error) => unavailable(operation, format!("{FULL} ({error})")),
        _ => unavailable(operation, error.to_string()),
    }
}

/// The store is down, full or closed.
pub(crate) fn unavailable(operation: &'static str, reason: impl Into<String>) -> journal::Error {
    journal::Error::Unavailable { operation, reason: reason.into() }
}

/// The same failure, seen from the bus.
pub(crate) fn bus(operation: &'static str, error: journal::Error) -> bus::Error {
    let reason = match error {
        journal::Error::Unavailable { reason, .. } => reason,
        other => other.to_string(),
    };
    bus::Error::Unavailable { operation, reason }
}

/// True where the file's content is not what SQLite wrote.
pub(crate) fn is_damage(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// True where there is no room; SQLite found out before anything was durable.
pub(crate) fn is_full(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// True where nothing more can be believed of what was written: after a failed sync the kernel
/// may call a page clean that never reached the disk, so trying again would prove nothing.
pub(crate) fn is_fatal(error: &Error) -> bool {
    is_damage(error)
        || matches!(
            error.sqlite_error_code(),
            Some(
                ErrorCode::SystemIoFailure
                    | ErrorCode::InternalMalfunction
                    | ErrorCode::OutOfMemory
                    | ErrorCode::CannotOpen
                    | ErrorCode::FileLockingProtocolFailed
            )
        )
}
