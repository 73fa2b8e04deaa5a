//! Putting a back-up into an empty data directory: copied aside, read through, and only then given
//! its name. What is in the way stays as it is, and what is damaged never becomes a market.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::directory::{self, DATABASE};
use crate::keyfile;
use crate::keyring::KEYS;
use crate::lock::{DirectoryLock, LOCK_FILE};
use crate::open::{self, OpenError};

/// What may stand in a directory that counts as empty.
const NOTHING: &[&str] = &[LOCK_FILE, "lost+found"];

/// Why a back-up is not restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Something is in the way.
    #[error(
        "{directory} holds {found}: nothing is overwritten; restore into a directory that is empty or new"
    )]
    Occupied {
        /// The directory.
        directory: PathBuf,
        /// What it holds.
        found: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is the file of a market that was copied as it ran.
    #[error(
        "{0} has changes beside it in a -wal: it is a market's own file and no back-up; make one with `a4co backup`"
    )]
    NoBackup(PathBuf),
    /// The back-up is not what was written.
    #[error("{path} is damaged ({reason}): take an older back-up; nothing was restored")]
    Damaged {
        /// The back-up.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// The file of keys holds something else.
    #[error("{0} is not a back-up of keys; nothing was restored")]
    NoKeys(PathBuf),
    /// The directory is in use, or the file is not of this program.
    #[error(transparent)]
    Unfit(#[from] OpenError),
}

/// Restores the back-up `from`, and the back-up of keys, into `directory`. The store that comes of
/// it counts as one that crashed, whatever was going on at the back-up: what may have been in
/// flight then is replayed one delivery at a time. Blocks, for long: both files are read through.
pub fn restore(from: &Path, keys: Option<&Path>, directory: &Path) -> Result<(), RestoreError> {
    directory::make(directory)?;
    let _lock = DirectoryLock::take(directory)?;
    refuse_occupied(directory)?;
    // The database last: a directory is a market from the moment it has one.
    if let Some(keys) = keys {
        place(keys, &directory.join(KEYS), check_keys)?;
    }
    let placed = place(from, &directory.join(DATABASE), check_database);
    if placed.is_err() && keys.is_some() {
        let _ = fs::remove_file(directory.join(KEYS));
    }
    placed
}

fn refuse_occupied(directory: &Path) -> Result<(), RestoreError> {
    let failed = |source| RestoreError::File { path: directory.to_owned(), source };
    for entry in fs::read_dir(directory).map_err(failed)? {
        let found = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if !NOTHING.contains(&found.as_str()) {
            return Err(RestoreError::Occupied { directory: directory.to_owned(), found });
        }
    }
    Ok(())
}

/// What is checked of a copy: the back-up's path is for the message.
type Check = fn(conn: &Connection, from: &Path) -> Result<(), RestoreError>;

/// Copies, checks and renames. The back-up itself is only read: it may be on a medium that cannot
/// be written to.
fn place(from: &Path, to: &Path, check: Check) -> Result<(), RestoreError> {
    refuse_raw(from)?;
    let part = to.with_extension("db.part");
    let placed = copy(from, &part).and_then(|()| {
        checked(&part, from, check)?;
        let failed = |source| RestoreError::File { path: to.to_owned(), source };
        File::open(&part).and_then(|file| file.sync_all()).map_err(failed)?;
        fs::rename(&part, to).map_err(failed)?;
        directory::sync_parent(to).map_err(failed)
    });
    if placed.is_err() {
        let _ = fs::remove_file(&part);
    }
    placed
}

fn refuse_raw(from: &Path) -> Result<(), RestoreError> {
    let mut name = from.as_os_str().to_owned();
    name.push("-wal");
    match fs::metadata(&name) {
        Ok(wal) if wal.len() > 0 => Err(RestoreError::NoBackup(from.to_owned())),
        _ => Ok(()),
    }
}

fn copy(from: &Path, part: &Path) -> Result<(), RestoreError> {
    let read = |source| RestoreError::File { path: from.to_owned(), source };
    let write = |source| RestoreError::File { path: part.to_owned(), source };
    let mut source = File::open(from).map_err(read)?;
    if !source.metadata().map_err(read)?.is_file() {
        return Err(read(io::Error::other("this is no file")));
    }
    directory::make_file(part).map_err(write)?;
    let mut target = File::options().write(true).truncate(true).open(part).map_err(write)?;
    io::copy(&mut source, &mut target).map_err(write)?;
    target.sync_all().map_err(write)
}

fn checked(part: &Path, from: &Path, check: Check) -> Result<(), RestoreError> {
    let explained = |source| explain(from, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(part, flags).map_err(explained)?;
    check(&conn, from)?;
    conn.close().map_err(|(_, source)| explain(from, source))
}

fn check_database(conn: &Connection, from: &Path) -> Result<(), RestoreError> {
    if open::identify(conn, from)? {
        return Err(OpenError::Foreign { path: from.to_owned(), what: "holds nothing".to_owned() }.into());
    }
    refuse_damage(conn, from)?;
    // Without a journal in a file of its own: the copy is renamed, and must be all there is.
    let marked = conn.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL");
    marked.and_then(|()| open::mark_in_use(conn)).map_err(|source| explain(from, source))
}

fn check_keys(conn: &Connection, from: &Path) -> Result<(), RestoreError> {
    let application = conn.query_row("PRAGMA application_id", [], |row| row.get::<_, i32>(0));
    if application.map_err(|source| explain(from, source))? != keyfile::APPLICATION_ID {
        return Err(RestoreError::NoKeys(from.to_owned()));
    }
    refuse_damage(conn, from)?;
    conn.execute_batch("PRAGMA journal_mode = DELETE").map_err(|source| explain(from, source))
}

fn refuse_damage(conn: &Connection, from: &Path) -> Result<(), RestoreError> {
    let read = || -> rusqlite::Result<Vec<String>> {
        let mut statement = conn.prepare("PRAGMA integrity_check(3)")?;
        statement.query_map([], |row| row.get(0))?.collect()
    };
    let lines = read().map_err(|source| explain(from, source))?;
    if lines == ["ok"] {
        return Ok(());
    }
    Err(RestoreError::Damaged { path: from.to_owned(), reason: lines.join("; ") })
}

fn explain(from: &Path, source: rusqlite::Error) -> RestoreError {
    match open::explain(from, source) {
        OpenError::Damaged { path, reason } => RestoreError::Damaged { path, reason },
        other => RestoreError::Unfit(other),
    }
}
