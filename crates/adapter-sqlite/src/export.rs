//! Everything that a store holds, handed on as it is kept: for a market that moves to another
//! store. The directory is held meanwhile, and only read.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use backbone::journal::{Error, Schema};
use backbone::moving::{Counts, Ends, Page, Passed, WrappedKey};
use kernel::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use uuid::Uuid;

use crate::directory::DATABASE;
use crate::keyring::KEYS;
use crate::lock::DirectoryLock;
use crate::open::{self, OpenError};
use crate::tables::Tables;
use crate::{error, keyfile, log, readers, rows};

mod fit;
mod pages;

const READING: &str = "reading the store that moves";

/// Takes a page; false where nobody wants more.
pub type Each<'e> = dyn FnMut(Page) -> bool + Send + 'e;

/// A data directory that is held, so that nobody changes it, and read in one state. All calls
/// block.
pub struct Export {
    conn: Mutex<Connection>,
    keys: PathBuf,
    was_clean: bool,
    _lock: DirectoryLock,
}

impl std::fmt::Debug for Export {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Export").field("was_clean", &self.was_clean).finish_non_exhaustive()
    }
}

fn failed(source: rusqlite::Error) -> Error {
    error::journal(READING, &source)
}

impl Export {
    /// Takes hold of the directory; a market that runs there keeps it from that.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let file = directory.join(DATABASE);
        if !file.exists() {
            return Err(OpenError::Missing(directory.to_owned()));
        }
        let lock = DirectoryLock::take(directory)?;
        let explained = |source| open::explain(&file, source);
        let conn = readers::open_to_read(&file).map_err(explained)?;
        if open::identify(&conn, &file)? {
            return Err(OpenError::Missing(directory.to_owned()));
        }
        let was_clean = conn.execute_batch("BEGIN DEFERRED").and_then(|()| open::is_clean(&conn));
        let was_clean = was_clean.map_err(explained)?;
        Ok(Self { conn: Mutex::new(conn), keys: directory.join(KEYS), was_clean, _lock: lock })
    }

    fn conn(&self) -> MutexGuard<'_, Connection> {
        self.conn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the market that last ran there was stopped in order.
    pub fn was_clean_shutdown(&self) -> bool {
        self.was_clean
    }

    /// Refuses a store of which something would be left behind: `schemas` are all services of this
    /// program with all their collections.
    pub fn check(&self, schemas: &[Schema]) -> Result<(), Error> {
        fit::check(&self.conn(), schemas)
    }

    /// How many rows a service has.
    pub fn counts(&self, schema: &Schema) -> Result<Counts, Error> {
        let tables = Tables::new(schema)?;
        pages::counts(&self.conn(), &tables).map_err(failed)
    }

    /// Where a service's positions end. Public events share one log, whose end is everybody's.
    pub fn ends(&self, schema: &Schema) -> Result<Ends, Error> {
        let tables = Tables::new(schema)?;
        let conn = self.conn();
        let read = || -> rusqlite::Result<Ends> {
            let events = match pages::has(&conn, &tables)? {
                false => 0,
                true => conn.query_row(
                    &format!("SELECT coalesce(max(position), 0) FROM {}_events", tables.prefix),
                    [],
                    |row| rows::number(row, 0),
                )?,
            };
            Ok(Ends { events, log: log::end(&conn)? })
        };
        read().map_err(failed)
    }

    /// Hands on all rows of a service, page by page, each table in its own order.
    pub fn read(&self, schema: &Schema, each: &mut Each<'_>) -> Result<(), Error> {
        let tables = Tables::new(schema)?;
        pages::read(&self.conn(), &tables, each).map_err(failed)
    }

    /// Where a consumer of a service stands; 0 where it never began.
    pub fn checkpoint(&self, schema: &Schema, consumer: &str) -> Result<u64, Error> {
        let tables = Tables::new(schema)?;
        let conn = self.conn();
        let read = || match pages::has(&conn, &tables)? {
            false => Ok(None),
            true => conn.query_row(&tables.sql.checkpoint, [consumer], |row| rows::number(row, 0)).optional(),
        };
        read().map_err(failed).map(Option::unwrap_or_default)
    }

    /// Tells of the public events of a context after `after`, up to `upto`, in order; `each` says
    /// whether it wants more.
    pub fn passed(
        &self,
        context: &str,
        (after, upto): (u64, u64),
        mut each: impl FnMut(Passed) -> bool,
    ) -> Result<(), Error> {
        let conn = self.conn();
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = conn.prepare_cached(
                "SELECT position, id, kind, source, time FROM log \
                 WHERE context = ?1 AND position > ?2 AND position <= ?3 ORDER BY position",
            )?;
            let bounds = params![context, rows::signed(after), rows::signed(upto)];
            let mut found = statement.query(bounds)?;
            while let Some(row) = found.next()? {
                let (position, id) = (rows::number(row, 0)?, id_in(row, 1)?);
                let (kind, source) = (row.get(2)?, row.get(3)?);
                let time = Timestamp::from_micros(row.get(4)?);
                if !each(Passed { position, id, kind, source, time }) {
                    break;
                }
            }
            Ok(())
        };
        read().map_err(failed)
    }

    /// The streams of a service after `after` with their versions, at most `limit`, by name.
    pub fn heads(&self, schema: &Schema, after: &str, limit: usize) -> Result<Vec<(String, u64)>, Error> {
        let tables = Tables::new(schema)?;
        let conn = self.conn();
        let read = || -> rusqlite::Result<Vec<(String, u64)>> {
            if !pages::has(&conn, &tables)? {
                return Ok(Vec::new());
            }
            let mut statement = conn.prepare_cached(&format!(
                "SELECT stream, max(version) FROM {}_events WHERE stream > ?1 GROUP BY stream \
                 ORDER BY stream LIMIT ?2",
                tables.prefix
            ))?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            statement
                .query_map(params![after, limit], |row| Ok((row.get(0)?, rows::number(row, 1)?)))?
                .collect()
        };
        read().map_err(failed)
    }

    /// Hands on all keys of persons, wrapped as they are, `rows_max` at a time; none where the
    /// directory has no file of keys. `each` says whether it wants more.
    pub fn keys(
        &self,
        rows_max: usize,
        each: &mut (dyn FnMut(Vec<WrappedKey>) -> bool + Send),
    ) -> Result<(), Error> {
        if !self.keys.exists() {
            return Ok(());
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut read = || -> rusqlite::Result<bool> {
            let conn = Connection::open_with_flags(&self.keys, flags)?;
            let application = conn.query_row("PRAGMA application_id", [], |row| row.get::<_, i32>(0))?;
            if application != keyfile::APPLICATION_ID {
                return Ok(false);
            }
            let mut statement = conn.prepare("SELECT person, wrapped, master_id, erased_at FROM keys")?;
            let (mut found, mut page) = (statement.query([])?, Vec::new());
            while let Some(row) = found.next()? {
                page.push(wrapped_key(row)?);
                if page.len() >= rows_max && !each(std::mem::take(&mut page)) {
                    return Ok(true);
                }
            }
            if !page.is_empty() {
                each(page);
            }
            Ok(true)
        };
        if read().map_err(failed)? {
            return Ok(());
        }
        Err(Error::Unusable(format!("{} is not a file of keys", self.keys.display())))
    }
}

fn wrapped_key(row: &rusqlite::Row<'_>) -> rusqlite::Result<WrappedKey> {
    let erased_at: i64 = row.get(3)?;
    let erased_at = (erased_at != 0).then(|| Timestamp::from_micros(erased_at));
    let wrapped = if erased_at.is_some() { Vec::new() } else { row.get(1)? };
    Ok(WrappedKey { person: id_in(row, 0)?, wrapped, master_id: row.get(2)?, erased_at })
}

fn id_in(row: &rusqlite::Row<'_>, place: usize) -> rusqlite::Result<Uuid> {
    let unlike =
        |e| rusqlite::Error::FromSqlConversionFailure(place, rusqlite::types::Type::Blob, Box::new(e));
    Uuid::from_slice(row.get_ref(place)?.as_blob()?).map_err(unlike)
}
