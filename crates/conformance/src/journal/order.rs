//! The order of submit is the order of effect, and commits stand on those they were built on.

use backbone::commit::{Commit, Expected};

use super::look::{Handle, document, note_version, stream_version};
use crate::World;
use crate::expect::{committed, conflict, duplicate, ensure, equal, malformed, outcome};
use crate::sample::{NOTES, answer, appending, note, noting};

pub(super) async fn asker_gone(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    drop(journal.submit(noting("a", Expected::Version(0), "x")));
    committed(journal.submit(noting("a", Expected::Version(1), "x")).await)?;
    equal("both writes", note_version(&journal, "a").await?, 2)
}

pub(super) async fn order_of_submit(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let submissions: Vec<_> = (0..300u64)
        .map(|number| {
            let mut commit = appending("order-1", number, 1);
            commit.puts.push(note("last", Expected::Any, &number.to_string()));
            journal.submit(commit)
        })
        .collect();
    let mut last = 0;
    for submission in submissions {
        let position = committed(submission.await)?;
        ensure(position >= last, format_args!("position {position} after {last}"))?;
        last = position;
    }
    equal("the stream", stream_version(&journal, "order-1").await?, 300)?;
    let body = document(&journal, &NOTES, "last").await?.map(|found| found.body);
    equal("the last word", body, Some(note("last", Expected::Any, "299").body))
}

/// A commit with a ticket, built on others.
fn ticketed(ticket: u64, built_on: &[u64], commit: Commit) -> Commit {
    Commit { ticket, built_on: built_on.to_vec(), ..commit }
}

pub(super) async fn chains(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let submissions: Vec<_> = (0..200u64)
        .map(|number| {
            let built_on: Vec<u64> = (number.saturating_sub(2)..number).map(|before| before + 1).collect();
            journal.submit(ticketed(number + 1, &built_on, appending("order-1", number, 1)))
        })
        .collect();
    for submission in submissions {
        committed(submission.await)?;
    }
    let later = ticketed(201, &[1, 200], appending("order-1", 200, 1));
    committed(journal.submit(later).await)?;
    equal("the stream", stream_version(&journal, "order-1").await?, 201)
}

pub(super) async fn broken_chains(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let first = journal.submit(ticketed(1, &[], appending("order-1", 9, 1)));
    let second = journal.submit(ticketed(2, &[1], noting("second", Expected::Any, "x")));
    let third = journal.submit(ticketed(3, &[2], noting("third", Expected::Any, "x")));
    let aside = journal.submit(ticketed(4, &[], noting("aside", Expected::Any, "x")));
    let on_both = journal.submit(ticketed(5, &[4, 3], noting("both", Expected::Any, "x")));
    let on_aside = journal.submit(ticketed(6, &[4], noting("aside", Expected::Version(1), "x")));
    conflict(first.await, "order-1")?;
    for broken in [second, third, on_both] {
        conflict(broken.await, "")?;
    }
    committed(aside.await)?;
    committed(on_aside.await)?;
    for (name, version) in [("second", 0), ("third", 0), ("both", 0), ("aside", 2)] {
        equal(name, note_version(&journal, name).await?, version)?;
    }
    Ok(())
}

/// The predicted state was version 1 with another content: versions alone would let it pass.
pub(super) async fn late_links(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let failing =
        Commit { puts: vec![note("a", Expected::Version(0), "predicted")], ..appending("order-1", 9, 1) };
    let failing = journal.submit(ticketed(1, &[], failing));
    let other = journal.submit(ticketed(2, &[], noting("a", Expected::Version(0), "other")));
    let built = journal.submit(ticketed(3, &[1], noting("a", Expected::Version(1), "built")));
    conflict(failing.await, "order-1")?;
    committed(other.await)?;
    conflict(built.await, "")?;
    // Decided before the failure was known, submitted after it was answered.
    let late = journal.submit(ticketed(4, &[1], noting("a", Expected::Version(1), "late")));
    conflict(late.await, "")?;
    let body = document(&journal, &NOTES, "a").await?.map(|found| found.body);
    equal("the document", body, Some(note("a", Expected::Any, "other").body))
}

pub(super) async fn unwritten_links(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let with_key = || Commit { answer: Some(answer("key", 1)), ..noting("a", Expected::Any, "x") };
    committed(journal.submit(with_key()).await)?;
    let repeated = journal.submit(ticketed(1, &[], with_key()));
    let on_repeated = journal.submit(ticketed(2, &[1], noting("b", Expected::Any, "x")));
    let wrong = journal.submit(ticketed(3, &[], appending("order-1", 0, 0)));
    let on_wrong = journal.submit(ticketed(4, &[3], noting("c", Expected::Any, "x")));
    duplicate(repeated.await)?;
    conflict(on_repeated.await, "")?;
    malformed(wrong.await)?;
    conflict(on_wrong.await, "")?;
    nothing_of(&journal, &["b", "c"]).await?;
    outcome(journal.submit(ticketed(5, &[], noting("b", Expected::Any, "x"))).await).map(|_| ())
}

async fn nothing_of(journal: &Handle, names: &[&str]) -> Result<(), String> {
    for name in names {
        equal(name, note_version(journal, name).await?, 0)?;
    }
    Ok(())
}
