//! Idempotency keys and their answers.

use backbone::commit::{Answer, Commit, Expected};
use bytes::Bytes;

use super::look::{note_version, stream_version};
use crate::World;
use crate::expect::{Shown, committed, conflict, duplicate, equal};
use crate::sample::{answer, appending, noting};

/// A commit under a key that writes a note.
fn under_key(key: &str, fingerprint: u64) -> Commit {
    Commit { answer: Some(answer(key, fingerprint)), ..noting("a", Expected::Any, "x") }
}

pub(super) async fn duplicates(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    equal("an answer never given", journal.answer("key").await.shown("asking")?, None)?;
    committed(journal.submit(under_key("key", 1)).await)?;
    equal("the answer kept", journal.answer("key").await.shown("asking")?, Some(answer("key", 1)))?;
    let mut again = under_key("key", 1);
    again.answer = Some(Answer { body: Bytes::from_static(b"\"another\""), ..answer("key", 1) });
    equal("the answer given again", duplicate(journal.submit(again).await)?, answer("key", 1))?;
    equal("what the duplicate wrote", note_version(&journal, "a").await?, 1)?;
    committed(journal.submit(under_key("another key", 1)).await).map(|_| ())
}

pub(super) async fn other_fingerprint(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    committed(journal.submit(under_key("key", u64::MAX)).await)?;
    let first = duplicate(journal.submit(under_key("key", 2)).await)?;
    equal("the answer to compare", first, answer("key", u64::MAX))?;
    equal("what the other request wrote", note_version(&journal, "a").await?, 1)
}

pub(super) async fn in_flight(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let (first, second) = (journal.submit(under_key("key", 1)), journal.submit(under_key("key", 1)));
    committed(first.await)?;
    equal("the answer given again", duplicate(second.await)?, answer("key", 1))?;
    equal("what both wrote", note_version(&journal, "a").await?, 1)
}

pub(super) async fn conflicts_use_no_key(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let stale = Commit { answer: Some(answer("key", 1)), ..appending("order-1", 5, 1) };
    let stale = journal.submit(stale);
    let fresh = journal.submit(Commit { answer: Some(answer("key", 1)), ..appending("order-1", 0, 1) });
    conflict(stale.await, "order-1")?;
    committed(fresh.await)?;
    equal("the stream's version", stream_version(&journal, "order-1").await?, 1)
}

pub(super) async fn before_conflicts(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let request = Commit { answer: Some(answer("key", 1)), ..appending("order-1", 0, 1) };
    committed(journal.submit(request.clone()).await)?;
    duplicate(journal.submit(request).await).map(|_| ())
}
