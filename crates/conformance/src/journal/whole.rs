//! Entirely or not at all.

use backbone::commit::{Append, Commit, Delete, Expected, Guard, Outcome, Target};
use bytes::Bytes;

use super::look::{Handle, document, note_version, stream_version};
use crate::World;
use crate::expect::{Shown, committed, conflict, duplicate, ensure, equal, malformed, taken};
use crate::sample::{
    self, NOTES, answer, append, appending, checkpoint, claiming, guard_note, id, note, noting,
};

/// A part of every kind, all of which hold after [`prepare`].
fn all_parts() -> Commit {
    Commit {
        answer: Some(answer("key", 1)),
        appends: vec![append("order-1", 1, 2), append("order-2", 0, 1)],
        puts: vec![note("new", Expected::Version(0), "x"), note("old", Expected::Version(1), "y")],
        deletes: vec![Delete { collection: &NOTES, id: "gone".to_owned(), expected: Expected::Version(1) }],
        guards: vec![
            guard_note("read", 1),
            Guard { target: Target::Stream("order-3".to_owned()), version: 0 },
        ],
        outgoing: sample::orders(1..=2),
        ..checkpoint("c", 0, 4)
    }
}

async fn prepare(journal: &Handle) -> Result<(), String> {
    committed(journal.submit(appending("order-1", 0, 1)).await)?;
    committed(journal.submit(claiming("broker", vec![id(90)])).await)?;
    for name in ["old", "gone", "read"] {
        committed(journal.submit(noting(name, Expected::Any, "x")).await)?;
    }
    Ok(())
}

/// That nothing of [`all_parts`] is there.
async fn untouched(journal: &Handle, world: &World) -> Result<(), String> {
    equal("order-1", stream_version(journal, "order-1").await?, 1)?;
    equal("order-2", stream_version(journal, "order-2").await?, 0)?;
    for (name, version) in [("new", 0), ("old", 1), ("gone", 1), ("read", 1)] {
        equal(name, note_version(journal, name).await?, version)?;
    }
    equal("the answer", journal.answer("key").await.shown("asking")?, None)?;
    equal("the checkpoint", journal.checkpoint("c").await.shown("asking")?, 0)?;
    equal("the feed", journal.feed(0, 100).await.shown("reading the feed")?.len(), 1)?;
    if world.ports().bus.capabilities().publishes_in_commit {
        // Were a public event of the refused commit in the log, it would come before this one.
        let marker = sample::public("order", 1, 1_000 + distinct(journal).await?);
        committed(journal.submit(sample::publishing(vec![marker])).await)?;
        let mut consumer = world.consumer("whole", "order").await?;
        let first = consumer.fetch(100).await.shown("fetching")?;
        let stray = first.iter().find(|delivery| delivery.envelope.id.0 == id(1));
        ensure(stray.is_none(), "a public event of a refused commit was delivered")?;
    }
    Ok(())
}

/// A number that differs from call to call: counted in a note.
async fn distinct(journal: &Handle) -> Result<u128, String> {
    committed(journal.submit(noting("count", Expected::Any, "x")).await)?;
    Ok(u128::from(note_version(journal, "count").await?))
}

type Spoil = fn(&mut Commit);

pub(super) async fn one_conflict(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    prepare(&journal).await?;
    let spoilt: [(Spoil, &str); 7] = [
        (|commit| commit.appends[1].expected = 4, "order-2"),
        (|commit| commit.puts[0].expected = Expected::Version(1), "new"),
        (|commit| commit.puts[1].expected = Expected::Version(2), "old"),
        (|commit| commit.deletes[0].expected = Expected::Version(2), "gone"),
        (|commit| commit.guards[0].version = 2, "read"),
        (|commit| commit.guards[1].version = 1, "order-3"),
        (|commit| commit.source = checkpoint("c", 1, 4).source, "c"),
    ];
    for (spoil, names) in spoilt {
        let mut commit = all_parts();
        spoil(&mut commit);
        renumber(&mut commit);
        conflict(journal.submit(commit).await, names)?;
        untouched(&journal, &world)
            .await
            .map_err(|found| format!("after a conflict over {names}: {found}"))?;
    }
    let mut again = all_parts();
    again.source = claiming("broker", vec![id(91), id(90)]).source;
    renumber(&mut again);
    taken(journal.submit(again).await, &[id(90)])?;
    untouched(&journal, &world).await.map_err(|found| format!("after a taken delivery: {found}"))
}

/// Numbers events after the expected version, as whoever expected it would have.
fn renumber(commit: &mut Commit) {
    for Append { expected, events, .. } in &mut commit.appends {
        for (event, version) in events.iter_mut().zip(*expected + 1..) {
            event.version = version;
        }
    }
}

fn too_large() -> Bytes {
    Bytes::from(vec![b' '; kernel::MAX_DATA_BYTES + 1])
}

pub(super) async fn rehearsed(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    prepare(&journal).await?;
    for _ in 0..2 {
        let said = journal.rehearse(all_parts()).await.shown("rehearsing")?;
        ensure(matches!(said, Outcome::Committed { .. }), format_args!("it fits, and it said {said:?}"))?;
        untouched(&journal, &world).await.map_err(|found| format!("after a rehearsal: {found}"))?;
    }
    let mut commit = all_parts();
    commit.puts[0].expected = Expected::Version(1);
    conflict(Ok(journal.rehearse(commit).await), "new")?;
    let claims = claiming("broker", vec![id(91), id(90)]);
    taken(Ok(journal.rehearse(claims).await), &[id(90)])?;
    let mut commit = all_parts();
    commit.outgoing[1].data = too_large();
    malformed(Ok(journal.rehearse(commit).await))?;
    committed(journal.submit(all_parts()).await)?;
    duplicate(Ok(journal.rehearse(all_parts()).await)).map(drop)
}

pub(super) async fn one_malformed(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    prepare(&journal).await?;
    let spoilt: [Spoil; 4] = [
        |commit| commit.appends[1].events.clear(),
        |commit| commit.appends[1].events[0].data = too_large(),
        |commit| commit.outgoing[1].data = too_large(),
        |commit| commit.puts[1].columns.push("one too many".into()),
    ];
    for spoil in spoilt {
        let mut commit = all_parts();
        spoil(&mut commit);
        malformed(journal.submit(commit).await)?;
        untouched(&journal, &world).await?;
    }
    Ok(())
}

pub(super) async fn everything(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    prepare(&journal).await?;
    committed(journal.submit(all_parts()).await)?;
    equal("order-1", stream_version(&journal, "order-1").await?, 3)?;
    equal("order-2", stream_version(&journal, "order-2").await?, 1)?;
    for (name, version) in [("new", 1), ("old", 2), ("gone", 0), ("read", 1)] {
        equal(name, note_version(&journal, name).await?, version)?;
    }
    let old = document(&journal, &NOTES, "old").await?.map(|found| found.body);
    equal("the document", old, Some(note("old", Expected::Any, "y").body))?;
    equal("the answer", journal.answer("key").await.shown("asking")?, Some(answer("key", 1)))?;
    equal("the checkpoint", journal.checkpoint("c").await.shown("asking")?, 4)?;
    let streams: Vec<String> =
        super::look::whole_feed(&journal).await?.into_iter().map(|r| r.stream).collect();
    equal("the feed", streams, ["order-1", "order-1", "order-1", "order-2"].map(str::to_owned).to_vec())?;
    let with_inbox =
        Commit { source: claiming("broker", vec![id(91), id(92)]).source, ..noting("a", Expected::Any, "x") };
    committed(journal.submit(with_inbox).await)?;
    taken(journal.submit(claiming("broker", vec![id(92)])).await, &[id(92)])
}

pub(super) async fn neighbours(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let mut submissions = Vec::new();
    for number in 0..60u64 {
        let good = journal.submit(noting("good", Expected::Version(number), "x"));
        let bad = match number % 3 {
            0 => Some(journal.submit(appending("order-1", 7_000, 1))),
            1 => Some(journal.submit(appending("order-1", 0, 0))),
            _ => None,
        };
        submissions.push((number, good, bad));
    }
    for (number, good, bad) in submissions {
        committed(good.await)?;
        match (number % 3, bad) {
            (0, Some(bad)) => conflict(bad.await, "order-1")?,
            (1, Some(bad)) => malformed(bad.await)?,
            _ => {}
        }
    }
    equal("the good document", note_version(&journal, "good").await?, 60)?;
    equal("the bad stream", stream_version(&journal, "order-1").await?, 0)
}
