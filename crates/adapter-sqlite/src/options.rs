//! How a store is opened.

use std::io::Write;
use std::sync::Arc;

use crate::writer::OnFatal;

/// The exit code of a process whose disk failed: `EX_IOERR` of sysexits.
const EXIT_IO_ERROR: i32 = 74;

/// How a store is opened; the defaults are for a server.
#[derive(Clone)]
pub struct Options {
    /// The most commits that wait; more are answered with an error at once.
    pub queue_max: usize,
    /// The most commits in one transaction.
    pub commits_per_sync_max: usize,
    /// Connections for reads of a few rows.
    pub readers: usize,
    /// Connections for larger reads.
    pub readers_of_many: usize,
    /// The most that the database file may grow to, in bytes; `None` where the disk decides.
    pub bytes_max: Option<u64>,
    /// Names besides our own that may stand in the directory before it is used for the first
    /// time: what other parts of the product keep there.
    pub neighbours: Vec<String>,
    /// What is done when nothing more can be believed of the disk. The default writes the reason
    /// to standard error and ends the process with code 74; one that returns leaves a store that
    /// refuses all work.
    pub on_fatal: OnFatal,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue_max: 65_536,
            commits_per_sync_max: 1_024,
            readers: 4,
            readers_of_many: 2,
            bytes_max: None,
            neighbours: Vec::new(),
            on_fatal: Arc::new(end_process),
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("queue_max", &self.queue_max)
            .field("commits_per_sync_max", &self.commits_per_sync_max)
            .field("readers", &self.readers)
            .field("readers_of_many", &self.readers_of_many)
            .field("bytes_max", &self.bytes_max)
            .field("neighbours", &self.neighbours)
            .finish_non_exhaustive()
    }
}

fn end_process(what: &str) {
    tracing::error!("{what}");
    // The log may not be flushed any more; nobody is left to tell where this fails too.
    let _ = writeln!(std::io::stderr(), "{what}");
    std::process::exit(EXIT_IO_ERROR);
}
