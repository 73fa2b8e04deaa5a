//! Streams: versions, snapshots, sizes.

use backbone::commit::{Append, Commit, Expected, Snapshot};
use backbone::journal::{Stored, Want};
use bytes::Bytes;
use kernel::MAX_DATA_BYTES;

use super::look::{document, stream, stream_version};
use crate::World;
use crate::expect::{Shown, committed, conflict, ensure, equal, malformed};
use crate::sample::{self, NOTES, append, appending, event, noting};

pub(super) async fn round_trip(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    equal("a stream never written", stream(&journal, "order-1").await?, (None, vec![]))?;
    committed(journal.submit(appending("order-1", 0, 3)).await)?;
    committed(journal.submit(appending("order-1", 3, 2)).await)?;
    let expected = (None, (1..=5).map(event).collect());
    equal("the stream", stream(&journal, "order-1").await?, expected)
}

pub(super) async fn expected_version(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    conflict(journal.submit(appending("order-1", 1, 1)).await, "order-1")?;
    committed(journal.submit(appending("order-1", 0, 2)).await)?;
    for other in [0, 1, 3] {
        conflict(journal.submit(appending("order-1", other, 1)).await, "order-1")?;
    }
    equal("the stream's version", stream_version(&journal, "order-1").await?, 2)?;
    committed(journal.submit(appending("order-1", 2, 1)).await).map(|_| ())
}

pub(super) async fn never_nothing(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    malformed(journal.submit(appending("order-1", 0, 0)).await)?;
    let mut mixed = appending("order-2", 0, 1);
    mixed.appends.push(append("order-1", 0, 0));
    malformed(journal.submit(mixed).await)?;
    equal("the stream beside it", stream_version(&journal, "order-2").await?, 0)
}

pub(super) async fn size_limit(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let of_size = |bytes: usize| Bytes::from(format!("\"{}\"", "a".repeat(bytes - 2)));
    let mut private = appending("order-1", 0, 1);
    private.appends[0].events[0].data = of_size(MAX_DATA_BYTES + 1);
    malformed(journal.submit(private.clone()).await)?;
    let mut public = sample::publishing(sample::orders(1..=1));
    public.outgoing[0].data = of_size(MAX_DATA_BYTES + 1);
    malformed(journal.submit(public.clone()).await)?;
    private.appends[0].events[0].data = of_size(MAX_DATA_BYTES);
    committed(journal.submit(private).await)?;
    public.outgoing[0].data = of_size(MAX_DATA_BYTES);
    committed(journal.submit(public).await)?;
    let (_, events) = stream(&journal, "order-1").await?;
    equal("the size of what was stored", events[0].data.len(), MAX_DATA_BYTES)
}

pub(super) async fn snapshots(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let snapshot = |version: u64| Snapshot {
        version,
        schema: u64::MAX - version,
        person: Some(sample::id(7)),
        data: Bytes::from(format!("{{\"sum\":{version}}}")),
    };
    committed(journal.submit(appending("order-1", 0, 2)).await)?;
    for (expected, count) in [(2, 2), (4, 1)] {
        let append =
            Append { snapshot: Some(snapshot(expected + count)), ..append("order-1", expected, count) };
        committed(journal.submit(Commit { appends: vec![append], ..Commit::default() }).await)?;
    }
    equal("right after a snapshot", stream(&journal, "order-1").await?, (Some(snapshot(5)), vec![]))?;
    committed(journal.submit(appending("order-1", 5, 2)).await)?;
    let later = (Some(snapshot(5)), vec![event(6), event(7)]);
    equal("after a snapshot", stream(&journal, "order-1").await?, later)?;
    conflict(journal.submit(appending("order-1", 2, 1)).await, "order-1")?;
    let history = journal.history("order-1", 0, 100).await.shown("reading history")?;
    equal("the history under a snapshot", history, (1..=7).map(event).collect())
}

pub(super) async fn history(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    committed(journal.submit(appending("order-1", 0, 5)).await)?;
    committed(journal.submit(appending("order-12", 0, 1)).await)?;
    for (after, limit, versions) in
        [(0, 2, 1..=2), (2, 2, 3..=4), (4, 2, 5..=5), (0, 100, 1..=5), (3, 100, 4..=5)]
    {
        let page = journal.history("order-1", after, limit).await.shown("reading history")?;
        equal("a page of history", page, versions.map(event).collect())?;
    }
    let past_end = journal.history("order-1", 5, 2).await.shown("reading history")?;
    ensure(past_end.is_empty(), "history past the end is not empty")?;
    let unknown = journal.history("order-2", 0, 2).await.shown("reading history")?;
    ensure(unknown.is_empty(), "a stream never written has a history")
}

pub(super) async fn load_many(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    equal("wanting nothing", journal.load(Vec::new()).await.shown("loading")?.len(), 0)?;
    let mut wants = Vec::new();
    for number in 0..150u64 {
        let (name, note) = (format!("order-{number}"), format!("note-{number}"));
        committed(journal.submit(appending(&name, 0, number % 3 + 1)).await)?;
        committed(journal.submit(noting(&note, Expected::Any, &note)).await)?;
        wants.push(Want::Stream(name));
        wants.push(Want::Document(&NOTES, note));
        wants.push(Want::Document(&NOTES, "never written".to_owned()));
        wants.push(Want::Stream("never written".to_owned()));
    }
    wants.push(wants[1].clone());
    wants.reverse();
    let found = journal.load(wants.clone()).await.shown("loading many")?;
    equal("how many were given", found.len(), wants.len())?;
    for (want, stored) in wants.iter().zip(found) {
        match (want, stored) {
            (Want::Stream(name), Stored::Stream { events, .. }) => {
                let number: Option<u64> = name.strip_prefix("order-").and_then(|n| n.parse().ok());
                equal(name, events.len() as u64, number.map_or(0, |number| number % 3 + 1))?;
            }
            (Want::Document(_, id), Stored::Document(stored)) => {
                let alone = document(&journal, &NOTES, id).await?;
                ensure(alone.is_some() == id.starts_with("note-"), format_args!("{id}: {alone:?}"))?;
                equal(id, stored, alone)?;
            }
            (want, stored) => return Err(format!("wanted {want:?}, found {stored:?}")),
        }
    }
    Ok(())
}
