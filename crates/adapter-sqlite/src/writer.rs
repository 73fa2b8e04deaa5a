//! The one writer: a thread that owns the only connection that writes.

use std::sync::Arc;
use std::thread::JoinHandle;

use backbone::journal::Error;
use rusqlite::Connection;

use crate::batch::{self, Failed, Lost};
use crate::checkpointer::Checkpointer;
use crate::error;
use crate::queue::{Job, Queue, Reply, Task};
use crate::statistics::Counters;
use crate::tail::Tails;

/// What is done when nothing more can be believed of the disk; the argument says what happened
/// and what to do.
pub type OnFatal = Arc<dyn Fn(&str) + Send + Sync>;

const WRITING: &str = "writing a commit";
/// Told to whoever waits for an answer that nobody will give.
pub(crate) const GONE: &str = "the writer stopped before it answered";

/// What the writer shares with those who ask it.
pub(crate) struct Shared {
    pub(crate) queue: Queue,
    pub(crate) tails: Tails,
    pub(crate) counters: Counters,
}

/// The writer's own state.
pub(crate) struct Writer {
    pub(crate) conn: Connection,
    pub(crate) checkpointer: Checkpointer,
    pub(crate) shared: Arc<Shared>,
    pub(crate) commits_max: usize,
    pub(crate) on_fatal: OnFatal,
    /// Where the log ends.
    pub(crate) end: u64,
    pub(crate) failed: Failed,
}

/// The writer stopped because of the disk; its reaction has been called.
struct Stopped;

impl Writer {
    /// Starts the thread; it ends when the queue is closed and empty.
    pub(crate) fn start(self) -> std::io::Result<JoinHandle<Option<Connection>>> {
        std::thread::Builder::new().name("journal".to_owned()).spawn(move || self.run())
    }

    /// Gives back the connection where all went well.
    fn run(mut self) -> Option<Connection> {
        let mut guard =
            PanicGuard { shared: self.shared.clone(), on_fatal: self.on_fatal.clone(), armed: true };
        let ended = self.serve();
        guard.armed = false;
        drop(self.checkpointer);
        match ended {
            Ok(()) => Some(self.conn),
            Err(Stopped) => {
                refuse_all(&self.shared);
                None
            }
        }
    }

    fn serve(&mut self) -> Result<(), Stopped> {
        while let Some((jobs, turned_away)) = self.shared.queue.take(self.commits_max) {
            for ticket in turned_away {
                self.failed.add(ticket);
            }
            let mut batch = Vec::with_capacity(jobs.len());
            for job in jobs {
                match job {
                    Job::Task { run, reply } => {
                        self.write(std::mem::take(&mut batch))?;
                        self.change_tables(run, reply)?;
                    }
                    other => batch.push(other),
                }
            }
            self.write(batch)?;
            self.checkpointer.step(&self.conn).map_err(|source| self.stop(&source))?;
        }
        Ok(())
    }

    fn write(&mut self, batch: Vec<Job>) -> Result<(), Stopped> {
        if batch.is_empty() {
            return Ok(());
        }
        let (written, answers) = batch::write(&self.conn, batch, self.end, &mut self.failed);
        let stopped = match written {
            Ok(written) => {
                self.end = written.end;
                let counters = &self.shared.counters;
                Counters::add(&counters.syncs, u64::from(written.commits > 0));
                Counters::add(&counters.commits, written.commits);
                Counters::add(&counters.refused, written.refused);
                if !written.events.is_empty() {
                    self.shared.tails.push(written.events, written.end);
                }
                Ok(())
            }
            Err(Lost::RolledBack(source)) => {
                tracing::error!(error = %source, commits = answers.len(), "nothing of a group of commits was written");
                Ok(())
            }
            Err(Lost::Fatal(source)) => Err(self.stop(&source)),
        };
        answers.into_iter().for_each(batch::Settled::send);
        stopped
    }

    fn change_tables(&mut self, run: Task, reply: Reply<()>) -> Result<(), Stopped> {
        let (answer, stopped) = match in_transaction(&self.conn, run) {
            Ok(()) => (Ok(()), Ok(())),
            Err(TaskFailure::Refused(error)) => (Err(error), Ok(())),
            Err(TaskFailure::Lost(source)) => {
                let answer = Err(error::journal("changing tables", &source));
                let fatal = error::is_fatal(&source);
                (answer, if fatal { Err(self.stop(&source)) } else { Ok(()) })
            }
        };
        // Whoever asked may have gone away.
        let _ = reply.send(answer);
        stopped
    }

    fn stop(&self, source: &rusqlite::Error) -> Stopped {
        (self.on_fatal)(&format!(
            "the journal could not be written: {source}. What the disk holds is not known any more, so this \
             process ends. Check the disk and its space, start again (what was answered is safe, and what was \
             not is decided again), and run `a4co verify` if it does not start"
        ));
        Stopped
    }
}

enum TaskFailure {
    Refused(Error),
    Lost(rusqlite::Error),
}

fn in_transaction(conn: &Connection, run: Task) -> Result<(), TaskFailure> {
    conn.execute_batch("BEGIN IMMEDIATE").map_err(TaskFailure::Lost)?;
    let done = run(conn);
    if done.is_err() && !conn.is_autocommit() {
        conn.execute_batch("ROLLBACK").map_err(TaskFailure::Lost)?;
    }
    done.map_err(TaskFailure::Refused)?;
    let committed = conn.execute_batch("COMMIT");
    if committed.is_err() && !conn.is_autocommit() {
        conn.execute_batch("ROLLBACK").map_err(TaskFailure::Lost)?;
    }
    committed.map_err(TaskFailure::Lost)
}

/// Closes the queue and answers what is in it.
fn refuse_all(shared: &Shared) {
    shared.queue.close();
    while let Some((jobs, _)) = shared.queue.take(usize::MAX) {
        jobs.into_iter().for_each(|job| refuse(job, "the writer stopped"));
    }
}

/// Answers a job that is not done.
pub(crate) fn refuse(job: Job, reason: &str) {
    let error = error::unavailable(WRITING, reason);
    match job {
        Job::Commit { reply, .. } => drop(reply.send(Err(error))),
        Job::Publish { reply, .. } => drop(reply.send(Err(error))),
        Job::Task { reply, .. } => drop(reply.send(Err(error))),
    }
}

/// A writer that panics must not leave everybody waiting for ever.
struct PanicGuard {
    shared: Arc<Shared>,
    on_fatal: OnFatal,
    armed: bool,
}

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if self.armed {
            (self.on_fatal)(
                "the journal's writer panicked, so this process ends; start it again and report this",
            );
            refuse_all(&self.shared);
        }
    }
}
