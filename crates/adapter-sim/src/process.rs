//! A process: what is lost when it dies. Its handles are useless from then on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backbone::commit::{Commit, Outcome};
use backbone::journal::Error;
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;

use crate::faults::CommitFault;
use crate::plight::{Plight, Within};
use crate::writer::unavailable;

/// A commit that waits for its answer.
pub(crate) struct Pending {
    /// Which commit of the world, in the order of submit.
    pub(crate) number: u64,
    /// What will happen to it.
    pub(crate) fate: Option<CommitFault>,
    pub(crate) service: &'static str,
    pub(crate) commit: Commit,
    pub(crate) reply: oneshot::Sender<Result<Outcome, Error>>,
}

#[derive(Default)]
struct Memory {
    dead: bool,
    /// Whether the writer runs.
    writes: bool,
    /// Submitted, in order.
    waiting: VecDeque<Pending>,
    /// In the sync that runs.
    syncing: Vec<Pending>,
    /// Tickets of commits that were not written.
    failed: BTreeSet<(&'static str, u64)>,
    tasks: BTreeMap<u64, AbortHandle>,
    tasks_started: u64,
}

/// A process of the simulated world.
pub(crate) struct Process {
    /// 1 is the world's first; 0 only looks on.
    pub(crate) number: u64,
    /// Of which replica.
    pub(crate) replica: usize,
    pub(crate) plight: Plight,
    memory: Mutex<Memory>,
    submitted: Notify,
}

impl Process {
    pub(crate) fn new(number: u64, replica: usize) -> Arc<Self> {
        let (plight, memory) = (Plight::default(), Mutex::default());
        Arc::new(Self { number, replica, plight, memory, submitted: Notify::new() })
    }

    /// It looks on: nothing it does takes time or goes wrong.
    pub(crate) fn is_observer(&self) -> bool {
        self.number == 0
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.memory().dead
    }

    /// Starts a task that dies with the process and stands still while it does.
    pub(crate) fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_outside(Within::new(self.clone(), task));
    }

    /// Starts a task that dies with the process and goes on while it stands still.
    pub(crate) fn spawn_outside(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let mut memory = self.memory();
        if memory.dead {
            return;
        }
        memory.tasks_started += 1;
        let number = memory.tasks_started;
        let process = self.clone();
        let handle = tokio::spawn(async move {
            task.await;
            process.memory().tasks.remove(&number);
        });
        memory.tasks.insert(number, handle.abort_handle());
    }

    /// True for the first who asks: he starts the writer.
    pub(crate) fn needs_writer(&self) -> bool {
        !std::mem::replace(&mut self.memory().writes, true)
    }

    /// Queues a commit. A dead process answers that it is.
    pub(crate) fn submit(&self, pending: Pending) {
        let mut memory = self.memory();
        if memory.dead {
            // Nobody may be left to hear it.
            drop(pending.reply.send(Err(unavailable("the process is dead"))));
            return;
        }
        memory.waiting.push_back(pending);
        self.submitted.notify_one();
    }

    /// Waits for commits, and puts all that wait, up to `most`, into the sync that begins now.
    /// Gives what will happen to them.
    pub(crate) async fn begin_sync(&self, most: usize) -> Vec<CommitFault> {
        loop {
            {
                let mut memory = self.memory();
                let count = memory.waiting.len().min(most);
                if count > 0 {
                    memory.syncing = memory.waiting.drain(..count).collect();
                    return memory.syncing.iter().filter_map(|pending| pending.fate).collect();
                }
            }
            self.submitted.notified().await;
        }
    }

    /// The commits of the sync that runs, which ends.
    pub(crate) fn end_sync(&self) -> Vec<Pending> {
        std::mem::take(&mut self.memory().syncing)
    }

    /// Remembers that a commit was not written.
    pub(crate) fn remember_failure(&self, service: &'static str, ticket: u64) {
        self.memory().failed.insert((service, ticket));
    }

    /// The commit among `tickets` that was not written.
    pub(crate) fn failed_of(&self, service: &'static str, tickets: &[u64]) -> Option<u64> {
        let memory = self.memory();
        tickets.iter().copied().find(|ticket| memory.failed.contains(&(service, *ticket)))
    }

    /// Dies: tasks end, queued commits go unanswered. Gives the commits of the sync that ran, or
    /// nothing where it was dead before.
    pub(crate) fn die(&self) -> Option<Vec<Pending>> {
        let (waiting, tasks, syncing) = {
            let mut memory = self.memory();
            if std::mem::replace(&mut memory.dead, true) {
                return None;
            }
            let waiting = std::mem::take(&mut memory.waiting);
            (waiting, std::mem::take(&mut memory.tasks), std::mem::take(&mut memory.syncing))
        };
        for task in tasks.values() {
            task.abort();
        }
        // Whoever asked it something learns of it.
        self.plight.resume();
        drop(waiting);
        Some(syncing)
    }
}
