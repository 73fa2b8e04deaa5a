//! Group commit: all that waits goes into one transaction, each commit in a savepoint, and one
//! sync makes it durable. Nobody is answered, and nothing is shown to a consumer, before that.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use backbone::commit::{Commit, Outcome};
use backbone::journal::Error;
use kernel::Envelope;
use rusqlite::Connection;

use crate::apply::{self, Failure};
use crate::queue::{Job, Reply, Ticket};
use crate::tables::Tables;
use crate::{error, log};

/// How many failed tickets are remembered: far more than can be in flight at a time.
const FAILED_MAX: usize = 131_072;

const WRITING: &str = "writing a commit";

/// The tickets of commits that failed lately, so that what was built on them fails too.
#[derive(Default)]
pub(crate) struct Failed {
    tickets: HashSet<Ticket>,
    oldest: VecDeque<Ticket>,
}

impl Failed {
    pub(crate) fn add(&mut self, ticket: Ticket) {
        if self.tickets.insert(ticket) {
            self.oldest.push_back(ticket);
        }
        if self.oldest.len() > FAILED_MAX
            && let Some(oldest) = self.oldest.pop_front()
        {
            self.tickets.remove(&oldest);
        }
    }

    fn any(&self, service: &'static str, built_on: &[u64]) -> Option<u64> {
        built_on.iter().copied().find(|ticket| self.tickets.contains(&(service, *ticket)))
    }
}

/// A batch that is durable.
pub(crate) struct Written {
    /// Public events with their positions, for the tails.
    pub(crate) events: Vec<(u64, Envelope)>,
    /// The log's end.
    pub(crate) end: u64,
    /// How many commits were written.
    pub(crate) commits: u64,
    /// How many were refused.
    pub(crate) refused: u64,
}

/// Why nothing of a batch was written.
pub(crate) enum Lost {
    /// Rolled back; the store goes on.
    RolledBack(rusqlite::Error),
    /// What the disk holds is not known any more.
    Fatal(rusqlite::Error),
}

impl Lost {
    fn of(error: rusqlite::Error) -> Self {
        if error::is_fatal(&error) { Lost::Fatal(error) } else { Lost::RolledBack(error) }
    }

    fn error(&self) -> Error {
        let (Lost::RolledBack(error) | Lost::Fatal(error)) = self;
        error::journal(WRITING, error)
    }
}

/// An answer on its way; sent when consumers could see what it speaks of.
pub(crate) enum Settled {
    Commit(Reply<Outcome>, Result<Outcome, Error>),
    Publish(Reply<()>, Result<(), Error>),
}

impl Settled {
    pub(crate) fn send(self) {
        // Whoever asked may have gone away; the commit stands all the same.
        match self {
            Settled::Commit(reply, answer) => drop(reply.send(answer)),
            Settled::Publish(reply, answer) => drop(reply.send(answer)),
        }
    }
}

/// Writes commits and publications in one transaction.
pub(crate) fn write(
    conn: &Connection,
    jobs: Vec<Job>,
    end: u64,
    failed: &mut Failed,
) -> (Result<Written, Lost>, Vec<Settled>) {
    let mut attempts: Vec<Attempt> = jobs.into_iter().filter_map(Attempt::of).collect();
    let written = transact(conn, &mut attempts, end, failed);
    let lost = written.as_ref().err().map(Lost::error);
    let mut events = Vec::new();
    let (mut commits, mut refused) = (0, 0);
    let mut answers = Vec::with_capacity(attempts.len());
    for mut attempt in attempts {
        if let Some(error) = &lost {
            attempt.remember_failure(failed);
            attempt.verdict = Err(Failure::Other(error.clone()));
        }
        match &attempt.verdict {
            Ok(end) => {
                let first = end + 1 - attempt.outgoing().len() as u64;
                events.extend((first..).zip(attempt.take_outgoing()));
                commits += 1;
            }
            Err(_) => refused += 1,
        }
        answers.push(attempt.settle());
    }
    (written.map(|end| Written { events, end, commits, refused }), answers)
}

/// Runs the transaction; gives the log's new end.
fn transact(
    conn: &Connection,
    attempts: &mut [Attempt],
    mut end: u64,
    failed: &mut Failed,
) -> Result<u64, Lost> {
    let run = |sql| conn.prepare_cached(sql).and_then(|mut statement| statement.raw_execute());
    run("BEGIN IMMEDIATE").map_err(Lost::of)?;
    for attempt in attempts {
        match attempt.run(conn, end, failed) {
            Ok(()) => {}
            // SQLite gave up the whole transaction, or nothing can be believed any more.
            Err(error) => return Err(give_up(conn, error)),
        }
        match attempt.verdict {
            Ok(new_end) => end = new_end,
            Err(_) => attempt.remember_failure(failed),
        }
    }
    match run("COMMIT") {
        Ok(_) => Ok(end),
        // Found before anything was synced, so it is certain that nothing was written.
        Err(error) if error::is_full(&error) => Err(give_up(conn, error)),
        Err(error) => Err(Lost::Fatal(error)),
    }
}

fn give_up(conn: &Connection, error: rusqlite::Error) -> Lost {
    if !conn.is_autocommit()
        && let Err(also) = conn.execute_batch("ROLLBACK")
    {
        return Lost::Fatal(also);
    }
    Lost::of(error)
}

enum Work {
    Commit { tables: Arc<Tables>, commit: Box<Commit>, reply: Reply<Outcome> },
    Publish { events: Vec<Envelope>, reply: Reply<()> },
}

struct Attempt {
    work: Work,
    /// The log's end after it, or why it was not written.
    verdict: Result<u64, Failure>,
}

impl Attempt {
    fn of(job: Job) -> Option<Self> {
        let work = match job {
            Job::Commit { tables, commit, reply } => Work::Commit { tables, commit, reply },
            Job::Publish { events, reply } => Work::Publish { events, reply },
            Job::Task { .. } => return None,
        };
        Some(Self { work, verdict: Ok(0) })
    }

    /// Tries it in a savepoint. An error means that the whole transaction is gone.
    fn run(&mut self, conn: &Connection, end: u64, failed: &Failed) -> rusqlite::Result<()> {
        if let Work::Commit { tables, commit, .. } = &self.work
            && let Err(failure) = apply::check(tables, commit)
        {
            self.verdict = Err(failure);
            return Ok(());
        }
        let run = |sql| conn.prepare_cached(sql).and_then(|mut statement| statement.raw_execute());
        run("SAVEPOINT one")?;
        self.verdict = match &mut self.work {
            Work::Commit { tables, commit, .. } => {
                let broken = failed.any(tables.service, &commit.built_on);
                apply::write(conn, tables, commit, broken, end)
            }
            Work::Publish { events, .. } => log::append_once(conn, end, events).map_err(Failure::from),
        };
        if let Err(failure) = &mut self.verdict {
            match failure {
                Failure::Sqlite(error) if error::is_fatal(error) || conn.is_autocommit() => {
                    return Err(std::mem::replace(error, rusqlite::Error::InvalidQuery));
                }
                _ => run("ROLLBACK TO one")?,
            };
        }
        run("RELEASE one").map(drop)
    }

    fn outgoing(&self) -> &[Envelope] {
        match &self.work {
            Work::Commit { commit, .. } => &commit.outgoing,
            Work::Publish { events, .. } => events,
        }
    }

    fn take_outgoing(&mut self) -> Vec<Envelope> {
        match &mut self.work {
            Work::Commit { commit, .. } => std::mem::take(&mut commit.outgoing),
            Work::Publish { events, .. } => std::mem::take(events),
        }
    }

    fn remember_failure(&self, failed: &mut Failed) {
        if let Work::Commit { tables, commit, .. } = &self.work {
            failed.add((tables.service, commit.ticket));
        }
    }

    fn settle(self) -> Settled {
        let answer = answer(self.verdict);
        match self.work {
            Work::Commit { reply, .. } => Settled::Commit(reply, answer),
            Work::Publish { reply, .. } => Settled::Publish(reply, answer.map(drop)),
        }
    }
}

/// A verdict as the port says it.
fn answer(verdict: Result<u64, Failure>) -> Result<Outcome, Error> {
    match verdict {
        Ok(position) => Ok(Outcome::Committed { position }),
        Err(Failure::Conflict(which)) => Ok(Outcome::Conflict { which }),
        Err(Failure::Duplicate(answer)) => Ok(Outcome::Duplicate(answer)),
        Err(Failure::Taken(events)) => Ok(Outcome::Taken { events }),
        Err(Failure::Fenced(lease)) => Ok(Outcome::Fenced { lease }),
        Err(Failure::Malformed(what)) => Err(Error::Malformed(what)),
        Err(Failure::Other(error)) => Err(error),
        Err(Failure::Sqlite(error)) => Err(error::journal(WRITING, &error)),
    }
}

/// Writes a commit, takes it back, and says what would have been answered.
pub(crate) fn rehearse(conn: &Connection, tables: &Tables, commit: &Commit) -> Result<Outcome, Error> {
    let failed = |error: rusqlite::Error| error::journal("rehearsing a commit", &error);
    if let Err(failure) = apply::check(tables, commit) {
        return answer(Err(failure));
    }
    let end = log::end(conn).map_err(failed)?;
    conn.execute_batch("SAVEPOINT one").map_err(failed)?;
    let verdict = apply::write(conn, tables, commit, None, end);
    conn.execute_batch("ROLLBACK TO one; RELEASE one").map_err(failed)?;
    answer(verdict)
}
