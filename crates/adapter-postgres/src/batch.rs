//! Group commit: all that waits is read about in one round trip, decided in memory, and written in
//! one transaction in another. Nobody is answered before that is durable.

use std::collections::{HashSet, VecDeque};

use backbone::commit::Outcome;
use backbone::journal::Error;

use crate::changes::Changes;
use crate::check;
use crate::connection::{Ask, Connection};
use crate::error::{self, Kind};
use crate::known::{Known, Part};
use crate::predict::{self, Refusal};
use crate::queue::Job;
use crate::rows;
use crate::tables::Tables;
use crate::write;

/// How often a batch is tried; from the second time on it keeps its turn from reading to writing,
/// so that nobody can be faster.
const ATTEMPTS_MAX: usize = 4;
/// How many failed tickets are remembered: far more than can be in flight at a time.
const FAILED_MAX: usize = 131_072;

const WRITING: &str = "writing a commit";

/// The tickets of commits that failed lately, so that what was built on them fails too.
#[derive(Default)]
pub(crate) struct Failed {
    tickets: HashSet<u64>,
    oldest: VecDeque<u64>,
}

impl Failed {
    pub(crate) fn add(&mut self, ticket: u64) {
        if self.tickets.insert(ticket) {
            self.oldest.push_back(ticket);
        }
        if self.oldest.len() > FAILED_MAX
            && let Some(oldest) = self.oldest.pop_front()
        {
            self.tickets.remove(&oldest);
        }
    }

    fn any(&self, built_on: &[u64], in_batch: &HashSet<u64>) -> Option<u64> {
        built_on.iter().copied().find(|ticket| self.tickets.contains(ticket) || in_batch.contains(ticket))
    }
}

/// A batch that is durable, or that has nothing to write.
pub(crate) struct Written {
    /// The answers, in order.
    pub(crate) answers: Vec<Result<Outcome, Error>>,
    /// How many commits were written.
    pub(crate) commits: u64,
    /// How often it was tried again.
    pub(crate) repeated: u64,
}

/// Why a batch was not written.
pub(crate) enum Stopped {
    /// Not known whether it was.
    Unknown(Error),
    /// Nothing was written, and nothing would be if it were tried again now.
    Down(Error),
    /// Nothing was written, because of something in it.
    Refused(Error),
}

/// Writes the commits of `jobs` in one transaction.
pub(crate) async fn write(
    conn: &mut Connection,
    tables: &Tables,
    jobs: &[Job],
    failed: &Failed,
) -> Result<Written, Stopped> {
    let mut attempt = 0;
    loop {
        let keeps_turn = attempt > 0;
        let source = match try_to_write(conn, tables, jobs, (failed, keeps_turn)).await {
            Ok(mut written) => {
                written.repeated = attempt as u64;
                return Ok(written);
            }
            Err(source) => source,
        };
        let kind = error::kind(&source);
        if kind != Kind::Lost && conn.run("ROLLBACK").await.is_err() {
            // It did not reach the end of its transaction, and its session is over.
            return Err(Stopped::Down(error::unavailable(WRITING, error::said(&source))));
        }
        attempt += 1;
        if kind != Kind::Contended || attempt == ATTEMPTS_MAX {
            return Err(stopped(&source, jobs));
        }
    }
}

fn stopped(source: &tokio_postgres::Error, jobs: &[Job]) -> Stopped {
    let error = error::journal(WRITING, source);
    match error::kind(source) {
        Kind::Lost => Stopped::Unknown(error),
        Kind::Down => Stopped::Down(error),
        // With its turn kept nothing else could have been in the way but time.
        Kind::Contended if error::is_about_waiting(source) => Stopped::Down(error),
        Kind::Contended => Stopped::Refused(error),
        Kind::Refused if error::is_missing_table(source) => {
            let shadow = jobs.iter().flat_map(|job| &job.commit.puts).find(|put| put.shadow);
            Stopped::Refused(shadow.map_or(error, |put| {
                Error::Malformed(format!("`{}` has no shadow: begin one first", put.collection.name))
            }))
        }
        Kind::Refused => Stopped::Refused(error),
    }
}

async fn try_to_write(
    conn: &mut Connection,
    tables: &Tables,
    jobs: &[Job],
    (failed, keeps_turn): (&Failed, bool),
) -> Result<Written, tokio_postgres::Error> {
    let mut known = Known::default();
    let checked: Vec<Result<(), String>> =
        jobs.iter().map(|job| check::commit(tables, &job.commit)).collect();
    for (job, checked) in jobs.iter().zip(&checked) {
        if checked.is_ok() {
            known.want(&job.commit);
        }
    }
    read(conn, tables, &mut known, keeps_turn).await?;
    let mut changes = Changes::default();
    let verdicts = decide(jobs, checked, (&mut known, &mut changes), failed);
    let commits = changes.commits;
    let mut position = 0;
    if commits > 0 {
        let asks = write::statements(tables, &known, &changes);
        let before = if keeps_turn { None } else { Some("BEGIN") };
        let found = conn.all(before, &asks, Some("COMMIT")).await?;
        let end = found.first().and_then(|rows| rows.first()).map_or(Ok(0), |row| rows::number(row, 0))?;
        position = end - changes.outgoing.len() as u64;
    } else if keeps_turn {
        conn.run("ROLLBACK").await?;
    }
    let answers = jobs.iter().zip(verdicts).map(|(job, verdict)| match verdict {
        Ok(()) => {
            position += job.commit.outgoing.len() as u64;
            Ok(Outcome::Committed { position })
        }
        Err(refusal) => refusal.answer(),
    });
    Ok(Written { answers: answers.collect(), commits, repeated: 0 })
}

/// Writes a commit in turn, takes it back, and says what would have been answered.
pub(crate) async fn rehearse(
    conn: &mut Connection,
    tables: &Tables,
    job: Job,
) -> Result<Result<Outcome, Error>, tokio_postgres::Error> {
    let jobs = std::slice::from_ref(&job);
    let mut known = Known::default();
    let checked = check::commit(tables, &job.commit);
    if checked.is_ok() {
        known.want(&job.commit);
    }
    read(conn, tables, &mut known, true).await?;
    let mut changes = Changes::default();
    let failed = Failed::default();
    let verdict = decide(jobs, vec![checked], (&mut known, &mut changes), &failed).pop();
    let Some(Ok(())) = verdict else {
        conn.run("ROLLBACK").await?;
        return Ok(verdict.and_then(Result::err).map_or_else(nothing_said, Refusal::answer));
    };
    let asks = write::statements(tables, &known, &changes);
    let found = conn.all(None, &asks, Some("ROLLBACK")).await?;
    let position = found.first().and_then(|rows| rows.first()).map_or(Ok(0), |row| rows::number(row, 0))?;
    Ok(Ok(Outcome::Committed { position }))
}

fn nothing_said() -> Result<Outcome, Error> {
    Err(error::unavailable("rehearsing a commit", "nothing was said of it"))
}

/// Reads what the batch has to do with. With the turn taken first, nobody changes it afterwards.
async fn read<'a>(
    conn: &mut Connection,
    tables: &'a Tables,
    known: &mut Known<'a>,
    keeps_turn: bool,
) -> Result<(), tokio_postgres::Error> {
    let (parts, mut asks): (Vec<Part>, Vec<Ask<'_>>) = known.asks(tables).into_iter().unzip();
    let mut before = None;
    if keeps_turn {
        before = Some("BEGIN");
        asks.insert(0, Ask::new(&tables.sql.write.turn, Vec::new()));
    }
    let found = conn.all(before, &asks, None).await?;
    drop(asks);
    parts
        .into_iter()
        .zip(&found[usize::from(keeps_turn)..])
        .try_for_each(|(part, rows)| known.learn(part, rows))
}

fn decide<'a>(
    jobs: &'a [Job],
    checked: Vec<Result<(), String>>,
    (known, changes): (&mut Known<'a>, &mut Changes<'a>),
    failed: &Failed,
) -> Vec<Result<(), Refusal>> {
    let mut failed_here = HashSet::new();
    let verdict = |(job, checked): (&'a Job, Result<(), String>)| {
        let broken = failed.any(&job.commit.built_on, &failed_here);
        let verdict = match checked {
            Ok(()) => predict::decide(known, changes, &job.commit, broken),
            Err(what) => Err(Refusal::Malformed(what)),
        };
        if verdict.is_err() {
            failed_here.insert(job.commit.ticket);
        }
        verdict
    };
    jobs.iter().zip(checked).map(verdict).collect()
}
