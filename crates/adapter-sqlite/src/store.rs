//! The store: one directory with everything that the services keep.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use backbone::bus::Bus;
use backbone::journal::{Error, Storage};

use crate::bus::SqliteBus;
use crate::journal::SqliteStorage;
use crate::open::{self, Inner, OpenError};
use crate::options::Options;
use crate::statistics::Statistics;
use crate::{backup, error, readers};

/// An open data directory; clones are handles on the same one.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.0.file).finish()
    }
}

impl Store {
    /// Opens the directory for this process alone, making it where it is missing.
    pub fn open(directory: &Path, options: Options) -> Result<Self, OpenError> {
        open::open(directory, &options).map(|inner| Self(Arc::new(inner)))
    }

    /// Opens the directory to look at it, beside a running server or without one; nothing is
    /// changed, and commits are answered with an error.
    pub fn open_read_only(directory: &Path) -> Result<Self, OpenError> {
        open::open_read_only(directory, &Options::default()).map(|inner| Self(Arc::new(inner)))
    }

    #[cfg(test)]
    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// Opens the services' journals.
    pub fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(SqliteStorage(self.0.clone()))
    }

    /// The embedded bus.
    pub fn bus(&self) -> Arc<dyn Bus> {
        Arc::new(SqliteBus(self.0.clone()))
    }

    /// Whether the process that last used the directory closed it; if not, what was in flight
    /// may have killed it (reliability.md, rule 11). A new directory was left in order.
    pub fn was_clean_shutdown(&self) -> bool {
        self.0.was_clean
    }

    /// What the writer has done since the store was opened.
    pub fn stats(&self) -> Statistics {
        let shared = &self.0.shared;
        shared.counters.read(shared.queue.len() as u64, shared.tails.durable())
    }

    /// Writes a copy to the new file `to` while the store is in use: the state at the moment of
    /// the call, in one file. `progress` is told pages done and pages in all. Blocks.
    pub fn backup(&self, to: &Path, progress: impl FnMut(u64, u64)) -> Result<(), Error> {
        backup::write(&self.0.file, to, progress)
    }

    /// Reads the whole file and checks that it is sound; gives what is not. Blocks, for long.
    pub fn verify(&self) -> Result<Vec<String>, Error> {
        const VERIFYING: &str = "verifying the database";
        let check = || -> rusqlite::Result<Vec<String>> {
            let conn = readers::open_to_read(&self.0.file)?;
            let mut statement = conn.prepare("PRAGMA integrity_check")?;
            statement.query_map([], |row| row.get(0))?.collect()
        };
        match check() {
            Ok(lines) if lines == ["ok"] => Ok(Vec::new()),
            Ok(lines) => Ok(lines),
            Err(source) if error::is_damage(&source) => Ok(vec![source.to_string()]),
            Err(source) => Err(error::journal(VERIFYING, &source)),
        }
    }

    /// Writes what waits, leaves the directory in order and gives it back; handles that are left
    /// answer with an error. Blocks; closing twice is harmless.
    pub fn close(&self) -> Result<(), Error> {
        let conn = self.0.end_writer();
        self.0.readers.close();
        let ended = conn.map_or(Ok(()), open::end);
        drop(self.0.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
        ended.map_err(|source| error::journal("closing the store", &source))
    }
}
