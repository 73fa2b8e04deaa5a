//! What waits for a service's writer: in order, bounded, and never blocking whoever submits.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use backbone::commit::{Commit, Outcome};
use backbone::journal::Error;
use tokio::sync::{Notify, oneshot};

/// The most that the commits of one transaction may weigh together, in bytes; one alone may weigh
/// more.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// Where an answer goes.
pub(crate) type Reply = oneshot::Sender<Result<Outcome, Error>>;

/// A commit that waits.
pub(crate) struct Job {
    pub(crate) commit: Box<Commit>,
    pub(crate) reply: Reply,
}

impl Job {
    /// Answers it. Whoever asked may have gone away; the commit stands all the same.
    pub(crate) fn answer(self, answer: Result<Outcome, Error>) {
        let _ = self.reply.send(answer);
    }
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// Tickets of commits that were turned away: whatever was built on them must fail too.
    turned_away: Vec<u64>,
    closed: bool,
}

impl Waiting {
    /// How many of the first jobs make a batch.
    fn batch(&self, limit: usize) -> usize {
        let mut bytes = 0;
        let fits = |job: &&Job| {
            bytes += weight(&job.commit);
            bytes <= BYTES_MAX
        };
        self.jobs.iter().take(limit).take_while(fits).count().max(1)
    }
}

/// What a commit carries.
fn weight(commit: &Commit) -> usize {
    let appended = commit.appends.iter().flat_map(|append| {
        let snapshot = append.snapshot.iter().map(|snapshot| snapshot.data.len());
        append.events.iter().map(|event| event.data.len()).chain(snapshot)
    });
    let put = commit.puts.iter().map(|put| put.body.len());
    let published = commit.outgoing.iter().map(|event| event.data.len());
    let answered = commit.answer.iter().map(|answer| answer.body.len());
    appended.chain(put).chain(published).chain(answered).sum()
}

/// The queue between everybody and a writer.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Notify,
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
            Refused::Full => "the write queue is full: more is asked than the database can take",
            Refused::Closed => "the journal is closed",
        }
    }
}

impl Queue {
    pub(crate) fn new(jobs_max: usize) -> Self {
        Self { waiting: Mutex::default(), wake: Notify::new(), jobs_max }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job, or hands it back with the reason.
    pub(crate) fn push(&self, job: Job) -> Result<(), (Refused, Job)> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err((Refused::Closed, job));
        }
        if waiting.jobs.len() >= self.jobs_max {
            waiting.turned_away.push(job.commit.ticket);
            return Err((Refused::Full, job));
        }
        waiting.jobs.push_back(job);
        drop(waiting);
        self.wake.notify_one();
        Ok(())
    }

    /// Waits for jobs and takes at most `limit`, with the tickets turned away before them; `None`
    /// when the queue is closed and everything in it was taken.
    pub(crate) async fn take(&self, limit: usize) -> Option<(Vec<Job>, Vec<u64>)> {
        loop {
            {
                let mut waiting = self.lock();
                if !waiting.jobs.is_empty() {
                    let count = waiting.batch(limit);
                    let jobs = waiting.jobs.drain(..count).collect();
                    return Some((jobs, std::mem::take(&mut waiting.turned_away)));
                }
                if waiting.closed {
                    return None;
                }
            }
            self.wake.notified().await;
        }
    }

    /// Takes all that waits, at once.
    pub(crate) fn drain(&self) -> Vec<Job> {
        self.lock().jobs.drain(..).collect()
    }

    /// Takes no more; what waits is still written.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use backbone::commit::Answer;
    use bytes::Bytes;
    use kernel::Timestamp;

    use super::*;

    fn job(bytes: usize) -> Job {
        let body = Bytes::from(vec![b' '; bytes]);
        let answer = Answer { key: "k".to_owned(), fingerprint: 1, body, at: Timestamp::default() };
        Job {
            commit: Box::new(Commit { answer: Some(answer), ..Commit::default() }),
            reply: oneshot::channel().0,
        }
    }

    #[tokio::test]
    async fn a_batch_is_as_large_as_the_limits_of_number_and_weight_allow() {
        let queue = Queue::new(5);
        for bytes in [BYTES_MAX + 1, BYTES_MAX, 0, 1, 1] {
            assert!(queue.push(job(bytes)).is_ok());
        }
        assert!(matches!(queue.push(job(0)), Err((Refused::Full, _))));
        let mut sizes = Vec::new();
        queue.close();
        while let Some((jobs, _)) = queue.take(10).await {
            sizes.push(jobs.len());
        }
        assert_eq!(sizes, [1, 2, 2]);
        assert!(matches!(queue.push(job(0)), Err((Refused::Closed, _))));
    }

    #[tokio::test]
    async fn the_tickets_of_commits_that_found_no_room_are_told_to_the_writer() {
        let queue = Queue::new(1);
        assert!(queue.push(job(0)).is_ok());
        let mut late = job(0);
        late.commit.ticket = 7;
        assert!(queue.push(late).is_err());
        let (jobs, turned_away) = queue.take(10).await.unwrap();
        assert_eq!((jobs.len(), turned_away), (1, vec![7]));
    }
}
