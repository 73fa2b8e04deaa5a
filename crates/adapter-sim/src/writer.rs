//! Group commit: all that waits is one sync; nothing can be seen before the sync has ended.

use std::sync::Arc;

use backbone::commit::Outcome;
use backbone::journal::Error;
use kernel::{Duration, Timestamp};

use crate::apply::{self, Meets};
use crate::digest::digest;
use crate::faults::CommitFault;
use crate::network::ANSWER_LIMIT;
use crate::plight::Side;
use crate::process::{Pending, Process};
use crate::shared::{Inside, Shared};

type Answer = Result<Outcome, Error>;

/// Writes what the process submits, until it dies.
pub(crate) async fn run(shared: Arc<Shared>, process: Arc<Process>) {
    loop {
        let fates = process.begin_sync(shared.settings.batch_max).await;
        let crash = crash_of(&shared, &fates);
        let slow = shared.fails("slow sync", |faults| faults.slow_sync_permille);
        if !process.is_observer() {
            shared.pass(&shared.settings.sync_time_ms).await;
        }
        if slow {
            let longer: Duration = shared.lock().faults.slow_sync;
            shared.sleep(longer).await;
        }
        if let Some(synced) = crash {
            shared.crash(&process, synced);
            return;
        }
        process.plight.until_delivered().await;
        let is_cut = process.plight.is_cut(Side::Store);
        let batch = process.end_sync();
        // What is cut off in the middle of a commit may have got through.
        let answers = if is_cut && !shared.lock().dice.faults.chance(500) {
            nothing_arrived(&shared, &process, &batch)
        } else {
            write(&shared, &process, &batch)
        };
        if is_cut {
            // The answers get lost: whoever asks gives up at some time.
            shared.sleep(ANSWER_LIMIT).await;
            for pending in batch {
                drop(pending.reply.send(Err(unavailable("no answer: cut off"))));
            }
            continue;
        }
        for (pending, answer) in batch.into_iter().zip(answers) {
            // Whoever asked may have gone away; the commit stands all the same.
            drop(pending.reply.send(answer));
        }
    }
}

/// Whether the process dies with this sync, and whether the sync was done by then, where that is
/// certain.
fn crash_of(shared: &Shared, fates: &[CommitFault]) -> Option<Option<bool>> {
    if fates.contains(&CommitFault::CrashBefore) {
        return Some(Some(false));
    }
    if fates.contains(&CommitFault::CrashAfter) {
        return Some(Some(true));
    }
    shared.fails("crash", |faults| faults.crash_permille).then_some(None)
}

/// A batch is lost on its way: what was built on it will not be written either.
fn nothing_arrived(shared: &Shared, process: &Process, batch: &[Pending]) -> Vec<Answer> {
    let lost = |pending: &Pending| {
        let Pending { number, service, commit, .. } = pending;
        shared.note(&format!("commit {number} of {service} never arrived"));
        process.remember_failure(service, commit.ticket);
        Err(unavailable("it never arrived"))
    };
    batch.iter().map(lost).collect()
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

fn write_one(inside: &mut Inside, process: &Process, pending: &Pending, now: Timestamp) -> Answer {
    let Pending { service, commit, fate, .. } = pending;
    let result = if *fate == Some(CommitFault::NotWritten) {
        Err(unavailable("the disk refused"))
    } else {
        let meets = Meets { broken: process.failed_of(service, &commit.built_on), now };
        let disk = &mut inside.disk;
        match apply::apply(disk.services.entry(service).or_default(), &mut disk.log, commit, meets) {
            Ok(position) => Ok(Outcome::Committed { position }),
            Err(refused) => refused.answer(),
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
