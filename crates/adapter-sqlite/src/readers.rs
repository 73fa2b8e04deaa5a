//! Connections that only read. Few rows are read where they are asked for: that takes
//! microseconds, less than handing them to another thread. Whatever turns out to be more is
//! stopped after a bounded amount of work and read again on a thread that may block.

use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backbone::journal::Error;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::Semaphore;

use crate::error;
use crate::open::keep_plans;

/// The most rows that may be asked for inline.
pub(crate) const FEW_ROWS: usize = 50;
/// Steps of SQLite's machine between two looks at the budget.
const STEPS_PER_LOOK: i32 = 1_000;
/// Looks until an inline read is stopped: about a millisecond of work.
const LOOKS_MAX: u32 = 20;
const STATEMENTS_MAX: usize = 512;

/// How much a read is expected to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// Keys, or a page of at most `FEW_ROWS`.
    Few,
    /// Anything else.
    Many,
}

impl Size {
    pub(crate) fn of(rows: usize) -> Self {
        if rows <= FEW_ROWS { Size::Few } else { Size::Many }
    }
}

/// The pool; bounded, each connection used by one reader at a time.
pub(crate) struct Readers {
    quick: Vec<Slot>,
    slow: Vec<Slot>,
    next: AtomicUsize,
    /// As many as slow connections, so that waiting readers do not fill the blocking threads.
    turns: Semaphore,
}

struct Slot {
    conn: Mutex<Option<Connection>>,
    /// How often the budget was looked at in this read.
    looks: Arc<AtomicU32>,
}

impl Readers {
    pub(crate) fn open(file: &Path, quick: usize, slow: usize) -> rusqlite::Result<Self> {
        let slots = |count: usize, looks_max| -> rusqlite::Result<Vec<Slot>> {
            (0..count.max(1)).map(|_| Slot::open(file, looks_max)).collect()
        };
        let (quick, slow) = (slots(quick, LOOKS_MAX)?, slots(slow, u32::MAX)?);
        let turns = Semaphore::new(slow.len());
        Ok(Self { quick, slow, next: AtomicUsize::new(0), turns })
    }

    /// Reads what `read` reads, in one snapshot of the database.
    pub(crate) async fn read<T, F>(
        self: &Arc<Self>,
        what: &'static str,
        size: Size,
        read: F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        if size == Size::Few {
            match self.take(&self.quick).read(&read) {
                Err(Failure::Sqlite(e)) if e.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
                }
                answer => return answer.map_err(|failure| failure.into_error(what)),
            }
        }
        let _turn = self.turns.acquire().await.map_err(|_| Failure::Closed.into_error(what))?;
        let readers = self.clone();
        let task = tokio::task::spawn_blocking(move || readers.take(&readers.slow).read(&read));
        match task.await {
            Ok(answer) => answer.map_err(|failure| failure.into_error(what)),
            Err(ended) => Err(error::unavailable(what, ended.to_string())),
        }
    }

    /// Closes the connections; whoever reads from now on is told.
    pub(crate) fn close(&self) {
        for slot in self.quick.iter().chain(&self.slow) {
            drop(slot.conn.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }

    /// One that is free, or the wait for the next in turn.
    fn take<'a>(&self, slots: &'a [Slot]) -> Taken<'a> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let in_turn = (0..slots.len()).map(|offset| &slots[(first + offset) % slots.len()]);
        let free = in_turn.clone().find_map(|slot| Some(Taken { conn: slot.conn.try_lock().ok()?, slot }));
        free.unwrap_or_else(|| {
            let slot = &slots[first % slots.len()];
            Taken { conn: slot.conn.lock().unwrap_or_else(PoisonError::into_inner), slot }
        })
    }
}

impl Slot {
    fn open(file: &Path, looks_max: u32) -> rusqlite::Result<Self> {
        let mut conn = open_to_read(file)?;
        let looks = Arc::new(AtomicU32::new(0));
        if looks_max < u32::MAX {
            let counted = looks.clone();
            let is_over = move || counted.fetch_add(1, Ordering::Relaxed) >= looks_max;
            conn.progress_handler(STEPS_PER_LOOK, Some(is_over))?;
        }
        Ok(Self { conn: Mutex::new(Some(conn)), looks })
    }
}

/// A connection that cannot write.
pub(crate) fn open_to_read(file: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(
        file,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    keep_plans(&conn, STATEMENTS_MAX)?;
    conn.execute_batch(
        "PRAGMA busy_timeout = 5000; PRAGMA cache_size = -8000; PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;",
    )?;
    Ok(conn)
}

enum Failure {
    Closed,
    Sqlite(rusqlite::Error),
}

impl Failure {
    fn into_error(self, what: &'static str) -> Error {
        match self {
            Failure::Closed => error::unavailable(what, "the store is closed"),
            Failure::Sqlite(source) => error::journal(what, &source),
        }
    }
}

struct Taken<'a> {
    conn: MutexGuard<'a, Option<Connection>>,
    slot: &'a Slot,
}

impl Taken<'_> {
    fn read<T>(&self, read: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<T, Failure> {
        let Some(conn) = self.conn.as_ref() else { return Err(Failure::Closed) };
        self.slot.looks.store(0, Ordering::Relaxed);
        let snapshot = Snapshot::begin(conn).map_err(Failure::Sqlite)?;
        let answer = read(conn).map_err(Failure::Sqlite);
        // What ends the read has a budget of its own.
        self.slot.looks.store(0, Ordering::Relaxed);
        drop(snapshot);
        answer
    }
}

/// One state of the database for several statements; ends however the read ends.
struct Snapshot<'a>(&'a Connection);

impl<'a> Snapshot<'a> {
    fn begin(conn: &'a Connection) -> rusqlite::Result<Self> {
        if !conn.is_autocommit() {
            // The read before could not be ended.
            conn.execute_batch("ROLLBACK")?;
        }
        conn.prepare_cached("BEGIN DEFERRED")?.raw_execute()?;
        Ok(Self(conn))
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        let ended = self.0.prepare_cached("COMMIT").and_then(|mut statement| statement.raw_execute());
        if let Err(error) = ended {
            tracing::warn!(%error, "a read could not be ended");
        }
    }
}
