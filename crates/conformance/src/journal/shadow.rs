//! Rebuilds in a shadow (reliability.md, rule 20).

use backbone::collection::{Collection, ColumnValue, Query};
use backbone::commit::{Commit, Expected, Put};
use backbone::journal::ShadowStep;

use super::look::{Handle, document};
use super::queries::columns_with;
use crate::World;
use crate::expect::{Shown, committed, ensure, equal};
use crate::sample::{self, GOODS, checkpoint, good};

async fn step(journal: &Handle, step: ShadowStep) -> Result<(), String> {
    journal.shadow(&GOODS, step).await.shown("a step of a rebuild")
}

fn swap_at(position: u64) -> ShadowStep {
    ShadowStep::Swap { consumer: "projection".to_owned(), position }
}

async fn write(journal: &Handle, shadow: bool, stocks: &[(&str, i64)]) -> Result<(), String> {
    let put = |(id, stock): &(&str, i64)| Put { shadow, ..good(id, columns_with(1, (*stock).into())) };
    let puts = stocks.iter().map(put).collect();
    committed(journal.submit(Commit { puts, ..Commit::default() }).await).map(|_| ())
}

/// The ids of a collection or its shadow with a stock of at least zero: from the columns.
async fn ids(journal: &Handle, shadow: bool) -> Result<Vec<String>, String> {
    let all = Query::all(&GOODS).with("stock", backbone::collection::Compare::AtLeast, 0i64);
    super::look::ids(journal, Query { shadow, ..all }).await
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub(super) async fn swap(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    committed(journal.submit(checkpoint("projection", 0, 40)).await)?;
    write(&journal, false, &[("a", 1), ("b", 2)]).await?;
    step(&journal, ShadowStep::Begin).await?;
    equal("a fresh shadow", ids(&journal, true).await?, owned(&[]))?;
    write(&journal, true, &[("b", 3), ("c", 4)]).await?;
    write(&journal, true, &[("c", 5)]).await?;
    equal("the shadow", ids(&journal, true).await?, owned(&["b", "c"]))?;
    equal("the collection meanwhile", ids(&journal, false).await?, owned(&["a", "b"]))?;
    let version_of =
        async |id| Ok::<_, String>(document(&journal, &GOODS, id).await?.map_or(0, |found| found.version));
    equal("a document that only the shadow has", version_of("c").await?, 0)?;
    step(&journal, swap_at(40)).await?;
    equal("the collection", ids(&journal, false).await?, owned(&["b", "c"]))?;
    for (id, version) in [("a", 0), ("b", 1), ("c", 2)] {
        equal(id, version_of(id).await?, version)?;
    }
    equal("the checkpoint", journal.checkpoint("projection").await.shown("asking")?, 40)?;
    let update = Put { expected: Expected::Version(2), ..good("c", columns_with(1, ColumnValue::Null)) };
    committed(journal.submit(Commit { puts: vec![update], ..checkpoint("projection", 40, 41) }).await)?;
    equal("the collection after a write", ids(&journal, false).await?, owned(&["b"]))?;
    let world = {
        drop(journal);
        world.reopen().await?
    };
    let journal = world.journal("order").await?;
    equal("the collection after a restart", ids(&journal, false).await?, owned(&["b"]))
}

pub(super) async fn swap_elsewhere(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    committed(journal.submit(checkpoint("projection", 0, 40)).await)?;
    write(&journal, false, &[("a", 1)]).await?;
    ensure(
        journal.shadow(&GOODS, swap_at(40)).await.is_err(),
        "a shadow that was never begun was swapped in",
    )?;
    step(&journal, ShadowStep::Begin).await?;
    write(&journal, true, &[("b", 1)]).await?;
    for position in [0, 39, 41] {
        let swapped = journal.shadow(&GOODS, swap_at(position)).await;
        ensure(swapped.is_err(), format_args!("swapped in at {position}, where the checkpoint is 40"))?;
    }
    equal("the collection", ids(&journal, false).await?, owned(&["a"]))?;
    equal("the shadow", ids(&journal, true).await?, owned(&["b"]))?;
    equal("the checkpoint", journal.checkpoint("projection").await.shown("asking")?, 40)?;
    step(&journal, swap_at(40)).await?;
    equal("the collection at last", ids(&journal, false).await?, owned(&["b"]))
}

pub(super) async fn begin_again(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    write(&journal, false, &[("a", 1)]).await?;
    step(&journal, ShadowStep::Begin).await?;
    write(&journal, true, &[("b", 1)]).await?;
    step(&journal, ShadowStep::Begin).await?;
    equal("the new shadow", ids(&journal, true).await?, owned(&[]))?;
    write(&journal, true, &[("c", 1)]).await?;
    step(&journal, ShadowStep::Drop).await?;
    step(&journal, ShadowStep::Drop).await?;
    equal("the collection", ids(&journal, false).await?, owned(&["a"]))?;
    step(&journal, ShadowStep::Begin).await?;
    equal("the shadow begun again", ids(&journal, true).await?, owned(&[]))?;
    // A shadow of one collection is none of another.
    let other: &'static Collection = &sample::NOTES;
    journal.shadow(other, ShadowStep::Drop).await.shown("dropping another's shadow")?;
    write(&journal, true, &[("d", 1)]).await?;
    step(&journal, swap_at(0)).await?;
    equal("the collection after the swap", ids(&journal, false).await?, owned(&["d"]))
}
