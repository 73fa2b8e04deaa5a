//! The default journal, bus and KeyRing: SQLite files, one writer thread, group commit.
//!
//! What this crate must not know: any service, any event's payload, what a commit means. It takes
//! commits as values, writes many of them with one sync, and reads them back.
//!
//! One directory, one process. `a4co.db` holds the state of every service and the bus's log, so
//! one sync covers state, checkpoint and event; `keys.db` holds the wrapped data keys apart.

mod apply;
mod backup;
mod batch;
mod bus;
mod checkpointer;
mod directory;
mod error;
mod export;
mod journal;
mod keyfile;
mod keyring;
mod leases;
mod lock;
mod log;
mod master_key;
mod open;
mod options;
mod prune;
mod put;
mod query;
mod queue;
mod readers;
mod restore;
mod rows;
mod schema;
mod shadow;
mod statistics;
mod store;
mod tables;
mod tail;
#[cfg(test)]
mod tests;
mod writer;

pub use export::{Each, Export};
pub use keyring::{KeyRingError, SqliteKeyRing};
pub use master_key::{MASTER_KEY_FILE, MasterKey, MasterKeyError, new_data_key};
pub use open::OpenError;
pub use options::Options;
pub use restore::{RestoreError, restore};
pub use statistics::Statistics;
pub use store::Store;
pub use writer::OnFatal;

/// The adapter's own clock: only for how old a claim is, never for what a commit says.
fn now() -> kernel::Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    kernel::Timestamp::default().plus(since)
}
