//! Forgetting what is old enough.

use backbone::commit::{Answer, Commit, Expected};
use backbone::journal::{Prune, Pruned};
use kernel::{Duration, Timestamp};

use super::look::{Handle, note_version, stream_version};
use crate::World;
use crate::expect::{Shown, committed, duplicate, equal, taken};
use crate::sample::{answer, appending, checkpoint, claiming, id, noting, orders, time};

const NEVER: Timestamp = Timestamp::from_micros(0);
/// Beyond whatever the store's clock says.
const ALWAYS: Timestamp = Timestamp::from_micros(i64::MAX);
const ALL: usize = 100;

async fn prune(journal: &Handle, prune: Prune) -> Result<Pruned, String> {
    journal.prune(prune).await.shown("forgetting")
}

/// An answer given so many seconds after the samples' time.
fn given(key: &str, seconds: u64) -> Answer {
    Answer { at: later(seconds), ..answer(key, 1) }
}

fn later(seconds: u64) -> Timestamp {
    time().plus(Duration::from_secs(seconds))
}

fn under(answer: Answer) -> Commit {
    Commit { answer: Some(answer), ..noting("a", Expected::Any, "x") }
}

pub(super) async fn answers(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    for (key, seconds) in [("old", 0), ("young", 1)] {
        committed(journal.submit(under(given(key, seconds))).await)?;
    }
    // What was given at the limit itself is not before it.
    let limits = |before| Prune { answers_before: before, inbox_before: ALWAYS, limit: ALL };
    equal("forgotten before any", prune(&journal, limits(later(0))).await?, Pruned::default())?;
    equal("forgotten", prune(&journal, limits(later(1))).await?, Pruned { answers: 1, claims: 0 })?;
    equal("the young answer", duplicate(journal.submit(under(given("young", 9))).await)?, given("young", 1))?;
    equal("the old answer", journal.answer("old").await.shown("asking")?, None)?;
    committed(journal.submit(under(given("old", 2))).await)?;
    drop(journal);
    let journal = world.reopen().await?.journal("order").await?;
    equal("the young answer", journal.answer("young").await.shown("asking")?, Some(given("young", 1)))?;
    equal("the new answer", journal.answer("old").await.shown("asking")?, Some(given("old", 2)))
}

pub(super) async fn claims(world: World) -> Result<(), String> {
    let journal = world.journal("inventory").await?;
    committed(journal.submit(claiming("c", vec![id(1), id(2)])).await)?;
    committed(journal.submit(claiming("d", vec![id(1)])).await)?;
    let limits = |before| Prune { answers_before: ALWAYS, inbox_before: before, limit: ALL };
    equal("forgotten before any", prune(&journal, limits(NEVER)).await?, Pruned::default())?;
    taken(journal.submit(claiming("c", vec![id(1)])).await, &[id(1)])?;
    equal("forgotten", prune(&journal, limits(ALWAYS)).await?, Pruned { answers: 0, claims: 3 })?;
    committed(journal.submit(claiming("c", vec![id(1)])).await)?;
    committed(journal.submit(claiming("d", vec![id(1)])).await)?;
    taken(journal.submit(claiming("c", vec![id(1)])).await, &[id(1)])
}

pub(super) async fn few_at_a_time(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    for number in 0..5 {
        committed(journal.submit(under(given(&number.to_string(), number))).await)?;
        committed(journal.submit(claiming("c", vec![id(u128::from(number))])).await)?;
    }
    let two = Prune { answers_before: later(3), inbox_before: ALWAYS, limit: 2 };
    equal("the first time", prune(&journal, two).await?, Pruned { answers: 2, claims: 2 })?;
    for (key, is_there) in [("0", false), ("1", false), ("2", true), ("3", true), ("4", true)] {
        let found = journal.answer(key).await.shown("asking")?;
        equal(key, found.is_some(), is_there)?;
    }
    equal("the second time", prune(&journal, two).await?, Pruned { answers: 1, claims: 2 })?;
    equal("the third time", prune(&journal, two).await?, Pruned { answers: 0, claims: 1 })?;
    equal("the fourth time", prune(&journal, two).await?, Pruned::default())
}

pub(super) async fn the_record(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    committed(journal.submit(Commit { outgoing: orders(1..=2), ..appending("order-1", 0, 2) }).await)?;
    committed(
        journal.submit(Commit { puts: noting("a", Expected::Any, "x").puts, ..checkpoint("c", 0, 2) }).await,
    )?;
    let other = world.journal("inventory").await?;
    committed(other.submit(under(given("another's", 0))).await)?;
    let everything = Prune { answers_before: ALWAYS, inbox_before: ALWAYS, limit: ALL };
    equal("forgotten", prune(&journal, everything).await?, Pruned::default())?;
    equal("the stream", stream_version(&journal, "order-1").await?, 2)?;
    equal("the document", note_version(&journal, "a").await?, 1)?;
    equal("the checkpoint", journal.checkpoint("c").await.shown("asking")?, 2)?;
    equal("the feed", journal.feed(0, ALL).await.shown("reading")?.len(), 2)?;
    let kept = other.answer("another's").await.shown("asking")?;
    equal("another service's answer", kept, Some(given("another's", 0)))
}
