//! Brings the log of changes (WAL) into the database file. The bulk is copied by a thread beside
//! the writer, because a copy with its two syncs would hold up every commit that comes meanwhile;
//! the writer only copies what came since, and with that the log begins again at its start.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use crate::error;

/// The log is copied after so many pages (32 MiB): rarer than SQLite's own choice, because a page
/// that changes often is then copied once.
const PAGES: i32 = 8_192;
/// What the writer may copy itself: a few milliseconds.
const REST_MAX: i32 = 1_024;
/// How often the thread tries to catch up with the writer before the writer does the rest.
const ROUNDS_MAX: u32 = 3;

/// Pages in the log and pages of it that are in the database file.
type Copied = (i32, i32);

/// The thread that copies.
pub(crate) struct Checkpointer {
    shared: Arc<Shared>,
    /// `None` once it was joined.
    thread: Option<JoinHandle<()>>,
    /// Pages in the log after the last commit.
    pages: Arc<AtomicI32>,
    /// Ask when the log has so many.
    due: i32,
    rounds: u32,
}

#[derive(Default)]
struct Shared {
    wanted: AtomicBool,
    ended: AtomicBool,
    done: Mutex<Option<rusqlite::Result<Copied>>>,
}

/// Counts the pages in the log after each commit of `writer`.
pub(crate) fn watch(writer: &mut Connection) -> rusqlite::Result<Arc<AtomicI32>> {
    let pages = Arc::new(AtomicI32::new(0));
    let counted = pages.clone();
    writer.wal_hook(Some(move |_: &mut Wal, pages| {
        counted.store(pages, Ordering::Relaxed);
        Ok(())
    }))?;
    Ok(pages)
}

impl Checkpointer {
    /// `pages` comes from `watch`; `copier` is another connection to the same file, with
    /// `synchronous` set, for whoever copies syncs.
    pub(crate) fn start(pages: Arc<AtomicI32>, copier: Connection) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let asked = shared.clone();
        let thread = std::thread::Builder::new()
            .name("checkpointer".to_owned())
            .spawn(move || asked.serve(&copier))?;
        Ok(Self { shared, thread: Some(thread), pages, due: PAGES, rounds: 0 })
    }

    /// Called by the writer between two transactions; an error is one of the disk.
    pub(crate) fn step(&mut self, writer: &Connection) -> rusqlite::Result<()> {
        if self.shared.wanted.load(Ordering::Acquire) {
            return Ok(());
        }
        let done = self.shared.done.lock().unwrap_or_else(PoisonError::into_inner).take();
        let pages = self.pages.load(Ordering::Relaxed);
        match done {
            None if pages >= self.due => self.ask(),
            None => {}
            Some(Ok((_, copied))) if pages - copied > REST_MAX && self.rounds < ROUNDS_MAX => self.ask(),
            Some(Ok(_)) => match copy(writer) {
                Ok((pages, copied)) => self.copied(pages, copied),
                Err(error) => return self.put_off(pages, error),
            },
            Some(Err(error)) => return self.put_off(pages, error),
        }
        Ok(())
    }

    fn copied(&mut self, pages: i32, copied: i32) {
        // Of a log that was copied to its end the next commit begins anew. A reader that began
        // long ago still needs the log: then it is tried again when it has grown.
        let begins_anew = copied >= pages;
        self.due = if begins_anew { PAGES } else { pages.saturating_add(PAGES) };
        self.pages.store(if begins_anew { 0 } else { pages }, Ordering::Relaxed);
        self.rounds = 0;
    }

    /// Without room the log holds what the file cannot take yet; nothing is lost.
    fn put_off(&mut self, pages: i32, error: rusqlite::Error) -> rusqlite::Result<()> {
        if error::is_fatal(&error) {
            return Err(error);
        }
        tracing::warn!(%error, pages, "the log of changes could not be copied into the database file");
        self.due = pages.saturating_add(PAGES);
        self.rounds = 0;
        Ok(())
    }

    fn ask(&mut self) {
        self.rounds += 1;
        self.shared.wanted.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        self.wake();
        // It has nothing to tell that the writer does not find out by itself.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

impl Shared {
    fn serve(&self, copier: &Connection) {
        while !self.ended.load(Ordering::Acquire) {
            if self.wanted.load(Ordering::Acquire) {
                *self.done.lock().unwrap_or_else(PoisonError::into_inner) = Some(copy(copier));
                self.wanted.store(false, Ordering::Release);
            }
            std::thread::park();
        }
    }
}

/// Copies what can be copied without holding anybody up.
fn copy(conn: &Connection) -> rusqlite::Result<Copied> {
    conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| Ok((row.get(1)?, row.get(2)?)))
}
