//! A service's writer: a task with a connection of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backbone::commit::Outcome;
use backbone::journal::Error;

use crate::batch::{self, Failed, Stopped, Written};
use crate::connection::{Connection, Session, Target};
use crate::error;
use crate::options::Options;
use crate::queue::{Job, Queue};
use crate::statistics::Counters;
use crate::tables::Tables;

const WRITING: &str = "writing a commit";
/// Told to whoever waits for an answer that nobody will give.
pub(crate) const GONE: &str = "the writer stopped before it answered";
const BACKOFF_MIN: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// What a writer is made of.
pub(crate) struct Writer {
    pub(crate) target: Target,
    pub(crate) options: Options,
    pub(crate) tables: Arc<Tables>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) counters: Arc<Counters>,
}

/// A writer's own state.
struct Running {
    writer: Writer,
    connection: Option<Connection>,
    /// The session of this connection, or of the one that was lost: what it was doing is over
    /// before the next one begins.
    session: Option<Session>,
    away_since: Option<Instant>,
    failed: Failed,
}

impl Writer {
    /// Starts the task; it ends when the queue is closed and empty.
    pub(crate) fn start(self) {
        let running = Running {
            writer: self,
            connection: None,
            session: None,
            away_since: None,
            failed: Failed::default(),
        };
        tokio::spawn(running.serve());
    }
}

impl Running {
    async fn serve(mut self) {
        let commits_max = self.writer.options.commits_per_transaction_max.max(1);
        while let Some((jobs, turned_away)) = self.writer.queue.take(commits_max).await {
            for ticket in turned_away {
                self.failed.add(ticket);
            }
            let mut parts = vec![jobs];
            while let Some(jobs) = parts.pop() {
                if let Some((first, second)) = self.write(jobs).await {
                    parts.extend([second, first]);
                }
            }
        }
    }

    /// Writes and answers a batch; gives it back in two halves where something in it cannot be
    /// written, so that this harms nothing beside it.
    async fn write(&mut self, mut jobs: Vec<Job>) -> Option<(Vec<Job>, Vec<Job>)> {
        let counters = self.writer.counters.clone();
        match self.try_to_write(&jobs).await {
            Ok(written) => {
                Counters::add(&counters.transactions, u64::from(written.commits > 0));
                Counters::add(&counters.commits, written.commits);
                Counters::add(&counters.refused, jobs.len() as u64 - written.commits);
                Counters::add(&counters.repeated, written.repeated);
                for (job, answer) in jobs.into_iter().zip(written.answers) {
                    if !matches!(answer, Ok(Outcome::Committed { .. })) {
                        self.failed.add(job.commit.ticket);
                    }
                    job.answer(answer);
                }
                None
            }
            Err(Stopped::Refused(_)) if jobs.len() > 1 => {
                Counters::add(&counters.divided, 1);
                let second = jobs.split_off(jobs.len() / 2);
                Some((jobs, second))
            }
            Err(Stopped::Refused(error)) => {
                tracing::error!(%error, service = self.writer.tables.service, "a commit cannot be written");
                Counters::add(&counters.refused, 1);
                self.fail(jobs, &error);
                None
            }
            Err(Stopped::Down(error)) => {
                tracing::warn!(%error, commits = jobs.len(), service = self.writer.tables.service, "nothing of a group of commits was written");
                self.fail(jobs, &error);
                None
            }
            Err(Stopped::Unknown(error)) => {
                tracing::warn!(%error, commits = jobs.len(), service = self.writer.tables.service, "the database was lost while a group of commits was written");
                self.connection = None;
                // Whoever asks the database what became of them finds it decided, if it answers soon.
                let settled = self.connect().await;
                self.fail(jobs, &error);
                if let Err(error) = settled {
                    self.refuse_waiting(&error);
                }
                None
            }
        }
    }

    async fn try_to_write(&mut self, jobs: &[Job]) -> Result<Written, Stopped> {
        if self.connection.as_ref().is_none_or(Connection::is_closed)
            && let Err(error) = self.connect().await
        {
            self.refuse_waiting(&error);
            return Err(Stopped::Down(error));
        }
        let Some(conn) = &mut self.connection else {
            return Err(Stopped::Down(error::unavailable(WRITING, "there is no connection")));
        };
        // Beyond the server's own limits, should it not answer at all.
        let limit = self.writer.options.statement_time_max * 2;
        let written = batch::write(conn, &self.writer.tables, jobs, &self.failed);
        tokio::time::timeout(limit, written).await.unwrap_or_else(|_| {
            Err(Stopped::Unknown(error::unavailable(WRITING, "the database does not answer")))
        })
    }

    /// Connects, and makes sure that what the connection before was doing is over. Tries for as
    /// long as commits may wait; once that is over, tries once a call.
    async fn connect(&mut self) -> Result<(), Error> {
        self.connection = None;
        let since = *self.away_since.get_or_insert_with(Instant::now);
        let mut backoff = BACKOFF_MIN;
        loop {
            let failed = match self.connect_once().await {
                Ok(()) => {
                    self.away_since = None;
                    return Ok(());
                }
                Err(failed) => failed,
            };
            if since.elapsed() + backoff >= self.writer.options.patience {
                return Err(error::unavailable("connecting to the database", error::said(&failed)));
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    async fn connect_once(&mut self) -> Result<(), tokio_postgres::Error> {
        let conn = self.writer.target.connect().await?;
        // Plans for keys alone: made once, and never by reading a whole table.
        conn.run(
            "SET plan_cache_mode = force_generic_plan; SET enable_hashjoin = off; SET enable_mergejoin = off",
        )
        .await?;
        if let Some(before) = self.session {
            conn.end(before).await?;
        }
        self.session = Some(conn.session().await?);
        self.connection = Some(conn);
        Ok(())
    }

    fn fail(&mut self, jobs: Vec<Job>, error: &Error) {
        for job in jobs {
            self.failed.add(job.commit.ticket);
            job.answer(Err(error.clone()));
        }
    }

    /// Answers all that waits: the database is away for longer than it may wait.
    fn refuse_waiting(&mut self, error: &Error) {
        let waiting = self.writer.queue.drain();
        self.fail(waiting, error);
    }
}

impl Drop for Running {
    /// However the task ends, nobody is left waiting.
    fn drop(&mut self) {
        self.writer.queue.close();
        self.refuse_waiting(&error::unavailable(WRITING, GONE));
    }
}
