//! The data directory: made with narrow rights, refused where it holds something else.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::lock::LOCK_FILE;
use crate::open::OpenError;

/// The database file in its directory.
pub(crate) const DATABASE: &str = "a4co.db";
/// What may stand in a directory without a database yet.
const OURS: &[&str] = &[LOCK_FILE, "keys.db", "keys.db-wal", "keys.db-shm", "master.key", "lost+found"];

/// Makes the directory where it is missing; only its owner may look into it.
pub(crate) fn make(directory: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Directory { path: directory.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)
}

/// Refuses a directory that was somebody else's before it is ours.
pub(crate) fn refuse_foreign(directory: &Path, neighbours: &[String]) -> Result<(), OpenError> {
    let failed = |source| OpenError::Directory { path: directory.to_owned(), source };
    if directory.join(DATABASE).exists() {
        return Ok(());
    }
    let mut foreign = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if !OURS.contains(&name.as_str()) && !neighbours.contains(&name) {
            foreign.push(name);
        }
    }
    if foreign.is_empty() {
        return Ok(());
    }
    foreign.sort();
    let shown = foreign.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    Err(OpenError::Foreign {
        path: directory.to_owned(),
        what: format!("holds files that are not a4co's: {shown}"),
    })
}

/// Makes an empty file that only its owner may read, unless it is there; SQLite gives its
/// companions the same rights. True where it was made.
pub(crate) fn make_file(path: &Path) -> io::Result<bool> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => sync_parent(path).map(|()| true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e),
    }
}

/// A new name in a directory is durable once the directory is.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().map_or_else(|| PathBuf::from("."), Path::to_owned);
    File::open(parent)?.sync_all()
}
