//! Opening the database file: whose it is, which layout it has, how it is written.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicI32;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::batch::Failed;
use crate::checkpointer::{self, Checkpointer};
use crate::directory::{self, DATABASE};
use crate::lock::DirectoryLock;
use crate::options::Options;
use crate::queue::{Job, Queue, Refused};
use crate::readers::Readers;
use crate::statistics::Counters;
use crate::tail::Tails;
use crate::writer::{Shared, Writer, refuse};
use crate::{error, log, schema};

/// `a4co`, in the header of the file: what `file` and SQLite know an application's files by.
const APPLICATION_ID: i32 = 0x6134_636f;
/// The layout of the tables that belong to no service.
const LAYOUT: i32 = 1;
const STATEMENTS_MAX: usize = 1_024;
const PAGE_BYTES: u64 = 4_096;

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory or a file in it cannot be used.
    #[error("{path} cannot be used: {source}; check that it is writable for this user")]
    Directory {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// One process per directory.
    #[error(
        "another process uses this data directory ({directory}, pid {pid}): stop it, or choose another directory"
    )]
    InUse {
        /// The directory.
        directory: PathBuf,
        /// The process that holds it, as far as known.
        pid: String,
    },
    /// It was not made by this program.
    #[error("{path} {what}; choose another directory, or an empty one")]
    Foreign {
        /// The directory or file.
        path: PathBuf,
        /// What gives it away.
        what: String,
    },
    /// It was made by a newer version.
    #[error(
        "{path} has layout {found}, this program knows up to {known}: use the version that wrote it, or a newer one"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The layout in the file.
        found: i32,
        /// The newest that this program knows.
        known: i32,
    },
    /// There is nothing to read.
    #[error("{0} holds no a4co.db: it was never used, or is not the data directory")]
    Missing(PathBuf),
    /// The file's content is not what was written.
    #[error(
        "{path} is damaged ({reason}): move it away together with its -wal and -shm, restore the last back-up in its \
         place, and run `a4co verify`"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// Anything else that SQLite says.
    #[error("{path} cannot be opened: {source}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

/// All that belongs to an open store.
pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) readers: Arc<Readers>,
    pub(crate) file: PathBuf,
    pub(crate) was_clean: bool,
    /// `None` where the store is only read, and once it is closed.
    pub(crate) writer: Mutex<Option<JoinHandle<Option<Connection>>>>,
    writes: bool,
    /// Given back last of all.
    pub(crate) lock: Mutex<Option<DirectoryLock>>,
}

impl Inner {
    pub(crate) fn writes(&self) -> bool {
        self.writes
    }

    /// Queues a job; where that is impossible it is answered here.
    pub(crate) fn submit(&self, job: Job) {
        if !self.writes {
            return refuse(job, "the store was opened to be read only");
        }
        if let Err((refused, job)) = self.shared.queue.push(job) {
            if refused == Refused::Full {
                Counters::add(&self.shared.counters.overflowed, 1);
            }
            refuse(job, refused.reason());
        }
    }

    /// Writes what waits and ends the writer; gives its connection where all went well.
    pub(crate) fn end_writer(&self) -> Option<Connection> {
        self.shared.queue.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        writer.and_then(|thread| thread.join().ok()).flatten()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Without `close` the directory is left as after a crash, but what waits is written.
        drop(self.end_writer());
    }
}

pub(crate) fn open(directory: &Path, options: &Options) -> Result<Inner, OpenError> {
    directory::make(directory)?;
    let lock = DirectoryLock::take(directory)?;
    directory::refuse_foreign(directory, &options.neighbours)?;
    let file = directory.join(DATABASE);
    let in_directory = |source| OpenError::Directory { path: file.clone(), source };
    directory::make_file(&file).map_err(in_directory)?;
    let explained = |source| explain(&file, source);
    let mut conn = open_to_write(&file).map_err(explained)?;
    let is_new = identify(&conn, &file)?;
    let prepare = |conn: &mut Connection| -> rusqlite::Result<(bool, u64, Arc<AtomicI32>)> {
        configure(conn, options)?;
        let was_clean = begin(conn, is_new)?;
        Ok((was_clean, log::end(conn)?, checkpointer::watch(conn)?))
    };
    let (was_clean, end, pages) = prepare(&mut conn).map_err(explained)?;
    let copier = open_to_write(&file).and_then(|copier| configure(&copier, options).map(|()| copier));
    let checkpointer = Checkpointer::start(pages, copier.map_err(explained)?).map_err(in_directory)?;
    let readers = Readers::open(&file, options.readers, options.readers_of_many).map_err(explained)?;
    let shared = Arc::new(Shared {
        queue: Queue::new(options.queue_max),
        tails: Tails::new(end, true),
        counters: Counters::default(),
    });
    let writer = Writer {
        conn,
        checkpointer,
        shared: shared.clone(),
        commits_max: options.commits_per_sync_max.max(1),
        on_fatal: options.on_fatal.clone(),
        end,
        failed: Failed::default(),
    };
    let thread = writer.start().map_err(in_directory)?;
    Ok(Inner {
        shared,
        readers: Arc::new(readers),
        was_clean,
        writer: Mutex::new(Some(thread)),
        writes: true,
        lock: Mutex::new(Some(lock)),
        file,
    })
}

/// Opens beside a running server, or without one, and changes nothing.
pub(crate) fn open_read_only(directory: &Path, options: &Options) -> Result<Inner, OpenError> {
    let file = directory.join(DATABASE);
    if !file.exists() {
        return Err(OpenError::Missing(directory.to_owned()));
    }
    let explained = |source| explain(&file, source);
    let conn = crate::readers::open_to_read(&file).map_err(explained)?;
    if identify(&conn, &file)? {
        return Err(OpenError::Missing(directory.to_owned()));
    }
    let read = || Ok((is_clean(&conn)?, log::end(&conn)?));
    let (was_clean, end) = read().map_err(explained)?;
    let readers = Readers::open(&file, options.readers, options.readers_of_many).map_err(explained)?;
    let shared =
        Shared { queue: Queue::new(0), tails: Tails::new(end, false), counters: Counters::default() };
    Ok(Inner {
        shared: Arc::new(shared),
        readers: Arc::new(readers),
        file,
        was_clean,
        writer: Mutex::new(None),
        writes: false,
        lock: Mutex::new(None),
    })
}

fn open_to_write(file: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(
        file,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    keep_plans(&conn, STATEMENTS_MAX)?;
    conn.execute_batch("PRAGMA busy_timeout = 5000;")?;
    Ok(conn)
}

/// Keeps statements prepared. By itself SQLite prepares a statement again whenever a bound value
/// might change its plan, which here is at each execution: a third of the writer's work.
pub(crate) fn keep_plans(conn: &Connection, statements_max: usize) -> rusqlite::Result<()> {
    conn.set_prepared_statement_cache_capacity(statements_max);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// Whose file it is; true where it is new. Nothing is changed before this is known.
pub(crate) fn identify(conn: &Connection, file: &Path) -> Result<bool, OpenError> {
    let read = |pragma: &str| conn.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i32>(0));
    let all = || Ok((read("application_id")?, read("user_version")?, read("schema_version")?));
    let (application, layout, schema) = all().map_err(|source| explain(file, source))?;
    match (application, layout, schema) {
        (0, 0, 0) => Ok(true),
        (APPLICATION_ID, layout, _) if layout > LAYOUT => {
            Err(OpenError::Newer { path: file.to_owned(), found: layout, known: LAYOUT })
        }
        (APPLICATION_ID, _, _) => Ok(false),
        _ => Err(OpenError::Foreign {
            path: file.to_owned(),
            what: format!("is a database of another application (id {application:#x})"),
        }),
    }
}

fn configure(conn: &Connection, options: &Options) -> rusqlite::Result<()> {
    conn.execute_batch(&format!(
        "PRAGMA page_size = {PAGE_BYTES};
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA cache_size = -32000;
         PRAGMA temp_store = MEMORY;
         PRAGMA foreign_keys = OFF;
         PRAGMA cell_size_check = ON;
         PRAGMA trusted_schema = OFF;"
    ))?;
    if let Some(bytes) = options.bytes_max {
        conn.execute_batch(&format!("PRAGMA max_page_count = {}", (bytes / PAGE_BYTES).max(1)))?;
    }
    Ok(())
}

/// Marks the directory as in use; true where it was left in order.
fn begin(conn: &Connection, is_new: bool) -> rusqlite::Result<bool> {
    conn.execute_batch("BEGIN IMMEDIATE")?;
    if is_new {
        conn.execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {LAYOUT};"
        ))?;
    }
    conn.execute_batch(schema::BASE)?;
    let was_clean = is_clean(conn)?;
    mark_in_use(conn)?;
    conn.execute_batch("COMMIT")?;
    Ok(was_clean)
}

/// Whoever opens it next finds that it was not left in order.
pub(crate) fn mark_in_use(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute("INSERT OR REPLACE INTO _meta (key, value) VALUES ('running', 'yes')", []).map(drop)
}

/// Whether whoever used the file last left it in order.
pub(crate) fn is_clean(conn: &Connection) -> rusqlite::Result<bool> {
    let running = conn.query_row("SELECT 1 FROM _meta WHERE key = 'running'", [], |_| Ok(())).optional()?;
    Ok(running.is_none())
}

/// Leaves the directory in order: the mark goes, and the log of changes is empty.
pub(crate) fn end(conn: Connection) -> rusqlite::Result<()> {
    conn.execute("DELETE FROM _meta WHERE key = 'running'", [])?;
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    conn.close().map_err(|(_, error)| error)
}

pub(crate) fn explain(file: &Path, source: rusqlite::Error) -> OpenError {
    let path = file.to_owned();
    if error::is_damage(&source) {
        return OpenError::Damaged { path, reason: source.to_string() };
    }
    OpenError::Sqlite { path, source }
}
