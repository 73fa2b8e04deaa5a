//! Back-up: one file, made while the store is in use.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backbone::journal::Error;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::{directory, error, readers};

const BACKING_UP: &str = "backing up";
/// 4 MiB at a time: often enough to show progress.
const PAGES_PER_STEP: i32 = 1_024;
const PAUSE: Duration = Duration::from_millis(20);

/// Copies the database at `from` into the new file `to`.
pub(crate) fn write(from: &Path, to: &Path, progress: impl FnMut(u64, u64)) -> Result<(), Error> {
    let in_files = |source: io::Error| error::unavailable(BACKING_UP, format!("{}: {source}", to.display()));
    if to.exists() {
        return Err(error::unavailable(
            BACKING_UP,
            format!("{} is there already: choose a new name", to.display()),
        ));
    }
    let part = part_of(to);
    // What an interrupted back-up left is of no use.
    remove(&part).map_err(in_files)?;
    directory::make_file(&part).map_err(in_files)?;
    let copied = copy(from, &part, progress);
    if let Err(source) = copied {
        let _ = remove(&part);
        return Err(error::journal(BACKING_UP, &source));
    }
    fs::File::open(&part).and_then(|file| file.sync_all()).map_err(in_files)?;
    fs::rename(&part, to).map_err(in_files)?;
    directory::sync_parent(to).map_err(in_files)
}

fn copy(from: &Path, to: &Path, mut progress: impl FnMut(u64, u64)) -> rusqlite::Result<()> {
    let source = readers::open_to_read(from)?;
    // One snapshot for the whole copy: without it every commit would make it start again.
    source.execute_batch("BEGIN DEFERRED; SELECT count(*) FROM sqlite_schema;")?;
    let mut target = Connection::open(to)?;
    let backup = Backup::new(&source, &mut target)?;
    loop {
        let step = backup.step(PAGES_PER_STEP)?;
        let state = backup.progress();
        let count = |pages: i32| u64::try_from(pages).unwrap_or(0);
        let all = count(state.pagecount);
        progress(all.saturating_sub(count(state.remaining)), all);
        match step {
            StepResult::Done => break,
            StepResult::More => {}
            _ => std::thread::sleep(PAUSE),
        }
    }
    drop(backup);
    target.close().map_err(|(_, error)| error)
}

fn part_of(to: &Path) -> PathBuf {
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    to.with_file_name(name)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
