//! Group commit: all that waits is one sync; nothing can be seen before the sync has ended.

use std::sync::Arc;

use backbone::commit::{Commit, Outcome};
use backbone::journal::Error;
use backbone::keyring::SEALED;
use kernel::{Duration, Timestamp, stable_hash};

use crate::apply::{self, Meets, Refused};
use crate::faults::CommitFault;
use crate::process::{Pending, Process};
use crate::shared::{Inside, Shared};

type Answer = Result<Outcome, Error>;

/// Writes what the process submits, until it dies.
pub(crate) async fn run(shared: Arc<Shared>, process: Arc<Process>) {
    loop {
        let fates = process.begin_sync(shared.settings.batch_max).await;
        let crash = crash_of(&shared, &fates);
        let slow = shared.fails("slow sync", |faults| faults.slow_sync_permille);
        shared.pass(&shared.settings.sync_time_ms).await;
        if slow {
            let longer: Duration = shared.lock().faults.slow_sync;
            shared.sleep(longer).await;
        }
        if let Some(synced) = crash {
            shared.crash(&process, Some(synced));
            return;
        }
        let batch = process.end_sync();
        let answers = write(&shared, &process, &batch);
        for (pending, answer) in batch.into_iter().zip(answers) {
            // Whoever asked may have gone away; the commit stands all the same.
            drop(pending.reply.send(answer));
        }
    }
}

/// Whether the process dies with this sync, and whether the sync was done by then.
fn crash_of(shared: &Shared, fates: &[CommitFault]) -> Option<bool> {
    if fates.contains(&CommitFault::CrashBefore) {
        return Some(false);
    }
    if fates.contains(&CommitFault::CrashAfter) {
        return Some(true);
    }
    let dies = shared.fails("crash", |faults| faults.crash_permille);
    dies.then(|| shared.lock().dice.faults.chance(500))
}

/// Makes a batch durable and visible at one instant, in order.
pub(crate) fn write(shared: &Shared, process: &Process, batch: &[Pending]) -> Vec<Answer> {
    let now = shared.now();
    let mut inside = shared.lock();
    let mut answers = Vec::with_capacity(batch.len());
    for pending in batch {
        let answer = write_one(&mut inside, process, pending, now);
        let digest = digest(&pending.commit);
        let Pending { number, service, fate, .. } = pending;
        let fate = fate.map(|fate| format!(" ({fate:?})")).unwrap_or_default();
        inside.trace.add(now, &format!("commit {number} of {service} {digest:016x}{fate}: {answer:?}"));
        answers.push(match pending.fate {
            Some(CommitFault::AnswerLost) => Err(unavailable("the answer was lost")),
            _ => answer,
        });
    }
    drop(inside);
    shared.news.notify_waiters();
    answers
}

/// The same for the same commit of another run: without ciphertexts, whose nonces no seed reaches.
fn digest(commit: &Commit) -> u64 {
    let shown = format!("{commit:?}");
    let is_cipher = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    let mut parts = shown.split(SEALED);
    let mut seen = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        seen.push_str(SEALED);
        seen.push_str(part.trim_start_matches(is_cipher));
    }
    stable_hash(seen.as_bytes())
}

fn write_one(inside: &mut Inside, process: &Process, pending: &Pending, now: Timestamp) -> Answer {
    let Pending { service, commit, fate, .. } = pending;
    let result = if *fate == Some(CommitFault::NotWritten) {
        Err(unavailable("the disk refused"))
    } else {
        let meets = Meets { broken: process.failed_of(service, &commit.built_on), now };
        let disk = &mut inside.disk;
        match apply::apply(disk.services.entry(service).or_default(), &mut disk.log, commit, meets) {
            Ok(position) => Ok(Outcome::Committed { position }),
            Err(Refused::Conflict(which)) => Ok(Outcome::Conflict { which }),
            Err(Refused::Duplicate(answer)) => Ok(Outcome::Duplicate(answer)),
            Err(Refused::Taken(events)) => Ok(Outcome::Taken { events }),
            Err(Refused::Fenced(lease)) => Ok(Outcome::Fenced { lease }),
            Err(Refused::Malformed(what)) => Err(Error::Malformed(what)),
        }
    };
    if !matches!(result, Ok(Outcome::Committed { .. })) {
        process.remember_failure(service, commit.ticket);
    }
    result
}

pub(crate) fn unavailable(reason: &str) -> Error {
    Error::Unavailable { operation: "writing a commit", reason: reason.to_owned() }
}
