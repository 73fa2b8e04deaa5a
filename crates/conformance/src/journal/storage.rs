//! Services apart, and restarts.

use backbone::collection::{Collection, Column, ColumnKind, Query};
use backbone::commit::{Commit, Expected, Put};
use bytes::Bytes;
use kernel::Duration;

use super::look::{Handle, document, ids, note_version, stream, stream_version, whole_feed};
use super::queries::columns_with;
use crate::World;
use crate::expect::{Shown, committed, equal};
use crate::sample::{
    self, GOODS, NOTES, answer, append, appending, checkpoint, claiming, good, note, noting,
};

/// Something of everything that a journal keeps.
fn some_of_everything(text: &str) -> Commit {
    let mut append = append("order-1", 0, 3);
    append.snapshot = Some(backbone::commit::Snapshot {
        version: 3,
        schema: 5,
        person: None,
        data: Bytes::from_static(b"{}"),
    });
    append.events[0].data = Bytes::from(text.to_owned());
    Commit {
        answer: Some(answer(text, 1)),
        appends: vec![append],
        puts: vec![note("a", Expected::Version(0), text), good("g", columns_with(0, text.into()))],
        ..checkpoint("c", 0, 4)
    }
}

pub(super) async fn isolation(world: World) -> Result<(), String> {
    let order = world.journal("order").await?;
    let payment = world.journal("payment").await?;
    committed(order.submit(some_of_everything("order's")).await)?;
    committed(order.submit(claiming("c", vec![sample::id(1)])).await)?;
    equal("payment's stream", stream(&payment, "order-1").await?, (None, vec![]))?;
    equal("payment's document", document(&payment, &NOTES, "a").await?, None)?;
    equal("payment's goods", ids(&payment, Query::all(&GOODS)).await?, Vec::<String>::new())?;
    equal("payment's feed", whole_feed(&payment).await?, vec![])?;
    equal("payment's answer", payment.answer("order's").await.shown("asking")?, None)?;
    equal("payment's checkpoint", payment.checkpoint("c").await.shown("asking")?, 0)?;
    // The same names, versions, keys and claims are free in the other service.
    committed(payment.submit(some_of_everything("order's")).await)?;
    committed(payment.submit(claiming("c", vec![sample::id(1)])).await)?;
    committed(payment.submit(noting("a", Expected::Version(1), "payment's")).await)?;
    equal("order's document", note_version(&order, "a").await?, 1)?;
    equal("order's feed", whole_feed(&order).await?.len(), 3)
}

pub(super) async fn published_by(world: World) -> Result<(), String> {
    let order = world.journal("order").await?;
    let _payment = world.journal("payment").await?;
    committed(order.submit(sample::publishing(sample::orders(1..=5))).await)?;
    let storage = &world.ports().storage;
    let read = async |service, after, limit| {
        storage.published_by(service, after, limit).await.shown("reading what a service published")
    };
    let all = read("order", 0, 100).await?;
    equal("the same as its own journal gives", &all, &order.outgoing(0, 100).await.shown("reading")?)?;
    equal("all of them", all.len(), 5)?;
    equal("a page", read("order", all[1].position, 2).await?, all[2..4].to_vec())?;
    equal("of another service", read("payment", 0, 100).await?, vec![])?;
    equal("of one that was never opened", read("never", 0, 100).await?, vec![])
}

pub(super) async fn reopen(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    committed(journal.submit(some_of_everything("kept")).await)?;
    let (before, feed) = (stream(&journal, "order-1").await?, whole_feed(&journal).await?);
    let last = committed(journal.submit(noting("b", Expected::Any, "x")).await)?;
    drop(journal);
    let world = world.reopen().await?;
    let journal = world.journal("order").await?;
    equal("the stream", stream(&journal, "order-1").await?, before)?;
    equal("the feed", whole_feed(&journal).await?, feed)?;
    let history = journal.history("order-1", 0, 10).await.shown("reading history")?;
    equal("the history", history[0].data.clone(), Bytes::from_static(b"kept"))?;
    let body = document(&journal, &NOTES, "a").await?.map(|found| found.body);
    equal("the document", body, Some(note("a", Expected::Any, "kept").body))?;
    let found = ids(&journal, Query::all(&GOODS).equal("title", "kept")).await?;
    equal("the document by its column", found, vec!["g".to_owned()])?;
    equal("the answer", journal.answer("kept").await.shown("asking")?, Some(answer("kept", 1)))?;
    equal("the checkpoint", journal.checkpoint("c").await.shown("asking")?, 4)?;
    let commit = Commit { outgoing: sample::orders(1..=1), ..appending("order-1", 3, 1) };
    let position = committed(journal.submit(commit).await)?;
    crate::expect::ensure(position > last, format_args!("positions went back from {last} to {position}"))
}

pub(super) async fn read_is_durable(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let mut seen = Vec::new();
    for number in 0..20u64 {
        let name = format!("order-{number}");
        // The answer is not waited for: what shows itself before it must be durable as well.
        drop(journal.submit(appending(&name, 0, 1)));
        seen.push((name, wait_for(&journal, &format!("order-{number}")).await?));
    }
    drop(journal);
    let world = world.reopen().await?;
    let journal = world.journal("order").await?;
    for (name, version) in seen {
        equal(&name, stream_version(&journal, &name).await?, version)?;
    }
    Ok(())
}

async fn wait_for(journal: &Handle, name: &str) -> Result<u64, String> {
    loop {
        match stream_version(journal, name).await? {
            0 => tokio::time::sleep(Duration::from_millis(1)).await,
            version => return Ok(version),
        }
    }
}

static LATER: Collection =
    Collection { name: "later", columns: &[Column::indexed("due", ColumnKind::Timestamp)], children: &[] };

pub(super) async fn more_collections(world: World) -> Result<(), String> {
    let journal = world.journal_with("order", vec![&NOTES]).await?;
    committed(journal.submit(noting("a", Expected::Any, "x")).await)?;
    drop(journal);
    let world = world.reopen().await?;
    let journal = world.journal_with("order", vec![&NOTES, &LATER]).await?;
    equal("the document kept", note_version(&journal, "a").await?, 1)?;
    let later =
        Put { collection: &LATER, columns: vec![sample::time().into()], ..note("b", Expected::Any, "x") };
    committed(journal.submit(Commit { puts: vec![later], ..Commit::default() }).await)?;
    let due = Query::all(&LATER).equal("due", sample::time());
    equal("the new collection", ids(&journal, due).await?, vec!["b".to_owned()])
}
