//! What waits for the writer: in order, bounded, and never blocking whoever submits.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use backbone::commit::{Commit, Outcome};
use backbone::journal::Error;
use kernel::Envelope;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::tables::Tables;

/// Where an answer goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// Something for the writer to do.
pub(crate) enum Job {
    /// Write a commit together with others.
    Commit { tables: Arc<Tables>, commit: Box<Commit>, reply: Reply<Outcome> },
    /// Append to the log together with commits.
    Publish { events: Vec<Envelope>, reply: Reply<()> },
    /// Change tables, in a transaction of its own.
    Task { run: Task, reply: Reply<()> },
}

pub(crate) type Task = Box<dyn FnOnce(&Connection) -> Result<(), Error> + Send>;

/// A commit's name: tickets are unique among those of a service.
pub(crate) type Ticket = (&'static str, u64);

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// Tickets of commits that found the queue full: whatever was built on them must fail too.
    turned_away: Vec<Ticket>,
    writer_sleeps: bool,
    closed: bool,
}

/// The queue between everybody and the writer.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    jobs_max: usize,
}

/// Why a job was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Closed,
}

impl Refused {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Refused::Full => "the write queue is full: more is asked than the disk can take",
            Refused::Closed => "the store is closed",
        }
    }
}

impl Queue {
    pub(crate) fn new(jobs_max: usize) -> Self {
        Self { waiting: Mutex::default(), wake: Condvar::new(), jobs_max }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job, or hands it back with the reason.
    pub(crate) fn push(&self, job: Job) -> Result<(), (Refused, Job)> {
        let mut waiting = self.lock();
        let refused = match (waiting.closed, waiting.jobs.len() >= self.jobs_max) {
            (true, _) => Some(Refused::Closed),
            (false, true) => Some(Refused::Full),
            (false, false) => None,
        };
        if let Some(refused) = refused {
            if refused == Refused::Full
                && let Job::Commit { tables, commit, .. } = &job
            {
                waiting.turned_away.push((tables.service, commit.ticket));
            }
            return Err((refused, job));
        }
        waiting.jobs.push_back(job);
        let sleeps = std::mem::take(&mut waiting.writer_sleeps);
        drop(waiting);
        if sleeps {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Waits for jobs and takes at most `limit`, with the tickets turned away before them;
    /// `None` when the queue is closed and everything in it was taken.
    pub(crate) fn take(&self, limit: usize) -> Option<(Vec<Job>, Vec<Ticket>)> {
        let mut waiting = self.lock();
        while waiting.jobs.is_empty() {
            if waiting.closed {
                return None;
            }
            waiting.writer_sleeps = true;
            waiting = self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let count = waiting.jobs.len().min(limit);
        let jobs = waiting.jobs.drain(..count).collect();
        Some((jobs, std::mem::take(&mut waiting.turned_away)))
    }

    /// Takes no more; what waits is still written.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().jobs.len()
    }
}
