//! Rebuilds in a shadow (reliability.md, rule 20).

use backbone::collection::{Collection, ColumnValue, Query};
use backbone::commit::{Commit, Expected, Fence, Put};
use backbone::journal::{LeaseRequest, ShadowStep, Stored, Want};
use kernel::Duration;

use super::look::{Handle, document};
use super::queries::columns_with;
use crate::World;
use crate::expect::{Shown, committed, ensure, equal};
use crate::sample::{self, GOODS, checkpoint, good};

/// What the projection of these scenarios writes.
const ALONE: &[&Collection] = &[&GOODS];
/// And one that writes two collections.
const BOTH: &[&Collection] = &[&GOODS, &sample::NOTES];

async fn step(journal: &Handle, step: ShadowStep) -> Result<(), String> {
    journal.shadow(ALONE, step).await.shown("a step of a rebuild")
}

fn begin() -> ShadowStep {
    ShadowStep::Begin { shadow: "shadow".to_owned() }
}

fn forget() -> ShadowStep {
    ShadowStep::Drop { shadow: "shadow".to_owned() }
}

fn swap_in() -> ShadowStep {
    ShadowStep::Swap { consumer: "projection".to_owned(), shadow: "shadow".to_owned(), fence: None }
}

/// Moves the checkpoint of the collections, and perhaps that of the shadows.
async fn stand(journal: &Handle, consumer: &str, from: u64, to: u64) -> Result<(), String> {
    committed(journal.submit(checkpoint(consumer, from, to)).await).map(|_| ())
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
    stand(&journal, "projection", 0, 40).await?;
    write(&journal, false, &[("a", 1), ("b", 2)]).await?;
    step(&journal, begin()).await?;
    equal("a fresh shadow", ids(&journal, true).await?, owned(&[]))?;
    write(&journal, true, &[("b", 3), ("c", 4)]).await?;
    write(&journal, true, &[("c", 5)]).await?;
    stand(&journal, "shadow", 0, 40).await?;
    equal("the shadow", ids(&journal, true).await?, owned(&["b", "c"]))?;
    equal("the collection meanwhile", ids(&journal, false).await?, owned(&["a", "b"]))?;
    let version_of =
        async |id| Ok::<_, String>(document(&journal, &GOODS, id).await?.map_or(0, |found| found.version));
    equal("a document that only the shadow has", version_of("c").await?, 0)?;
    equal("the same, asked of the shadow", shadow_version(&journal, "c").await?, 2)?;
    step(&journal, swap_in()).await?;
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

async fn shadow_version(journal: &Handle, id: &str) -> Result<u64, String> {
    match journal.load(vec![Want::Shadow(&GOODS, id.to_owned())]).await.shown("loading")?.pop() {
        Some(Stored::Document(found)) => Ok(found.map_or(0, |found| found.version)),
        other => Err(format!("wanted a document, found {other:?}")),
    }
}

pub(super) async fn way_back(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    write(&journal, false, &[("a", 1), ("b", 2)]).await?;
    step(&journal, begin()).await?;
    write(&journal, true, &[("c", 3)]).await?;
    step(&journal, swap_in()).await?;
    equal("what was there before", ids(&journal, true).await?, owned(&["a", "b"]))?;
    equal("a document of it", shadow_version(&journal, "a").await?, 1)?;
    let world = {
        drop(journal);
        world.reopen().await?
    };
    let journal = world.journal("order").await?;
    step(&journal, ShadowStep::Look).await?;
    // Both go on from where they stand.
    stand(&journal, "projection", 0, 7).await?;
    write(&journal, false, &[("d", 4)]).await?;
    let puts = vec![Put { shadow: true, ..good("d", columns_with(1, 4i64.into())) }];
    let early = journal.shadow(ALONE, swap_in()).await;
    ensure(early.is_err(), "swapped back before it had caught up")?;
    committed(journal.submit(Commit { puts, ..checkpoint("shadow", 0, 7) }).await)?;
    let (old, new) = (owned(&["a", "b", "d"]), owned(&["c", "d"]));
    for (round, live, shadow) in [("back", &old, &new), ("and forth", &new, &old)] {
        step(&journal, swap_in()).await?;
        equal(round, &ids(&journal, false).await?, live)?;
        equal(round, &ids(&journal, true).await?, shadow)?;
    }
    step(&journal, begin()).await?;
    equal("a new one takes its place", ids(&journal, true).await?, owned(&[]))?;
    equal("and stands at the beginning", journal.checkpoint("shadow").await.shown("asking")?, 0)
}

pub(super) async fn swap_elsewhere(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    stand(&journal, "projection", 0, 40).await?;
    write(&journal, false, &[("a", 1)]).await?;
    for (what, refused) in [("swapped in", swap_in()), ("found", ShadowStep::Look)] {
        let refused = journal.shadow(ALONE, refused).await;
        ensure(refused.is_err(), format_args!("a shadow that was never begun was {what}"))?;
    }
    step(&journal, begin()).await?;
    write(&journal, true, &[("b", 1)]).await?;
    let mut stands = 0;
    for position in [39, 41] {
        let swapped = journal.shadow(ALONE, swap_in()).await;
        ensure(swapped.is_err(), format_args!("swapped in at {stands}, where the checkpoint is 40"))?;
        stand(&journal, "shadow", stands, position).await?;
        stands = position;
    }
    ensure(journal.shadow(ALONE, swap_in()).await.is_err(), "swapped in at 41, where the checkpoint is 40")?;
    equal("the collection", ids(&journal, false).await?, owned(&["a"]))?;
    equal("the shadow", ids(&journal, true).await?, owned(&["b"]))?;
    equal("the checkpoint", journal.checkpoint("projection").await.shown("asking")?, 40)?;
    stand(&journal, "projection", 40, 41).await?;
    step(&journal, swap_in()).await?;
    equal("the collection at last", ids(&journal, false).await?, owned(&["b"]))
}

pub(super) async fn fenced(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    write(&journal, false, &[("a", 1)]).await?;
    step(&journal, begin()).await?;
    let lease = "projection".to_owned();
    let request = LeaseRequest { name: lease.clone(), owner: sample::id(1), lasts: Duration::from_secs(60) };
    let token = journal.lease(request).await.shown("leasing")?.ok_or("nobody holds the lease")?;
    let swap = |token| ShadowStep::Swap {
        consumer: "projection".to_owned(),
        shadow: "shadow".to_owned(),
        fence: Some(Fence { lease: lease.clone(), token }),
    };
    ensure(journal.shadow(ALONE, swap(token + 1)).await.is_err(), "swapped in under another's lease")?;
    equal("the collection", ids(&journal, false).await?, owned(&["a"]))?;
    step(&journal, swap(token)).await?;
    equal("the collection under its own", ids(&journal, false).await?, owned(&[]))
}

pub(super) async fn all_or_none(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    write(&journal, false, &[("a", 1)]).await?;
    step(&journal, begin()).await?;
    ensure(journal.shadow(BOTH, swap_in()).await.is_err(), "swapped in two of which one has no shadow")?;
    equal("the one that has", ids(&journal, false).await?, owned(&["a"]))?;
    journal.shadow(BOTH, begin()).await.shown("beginning both")?;
    let note = Put { shadow: true, ..sample::note("n", Expected::Any, "x") };
    committed(journal.submit(Commit { puts: vec![note], ..Commit::default() }).await)?;
    journal.shadow(BOTH, swap_in()).await.shown("swapping both")?;
    equal("the first", ids(&journal, false).await?, owned(&[]))?;
    let notes = super::look::ids(&journal, Query::all(&sample::NOTES)).await?;
    equal("the second", notes, owned(&["n"]))
}

pub(super) async fn begin_again(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    write(&journal, false, &[("a", 1)]).await?;
    step(&journal, begin()).await?;
    write(&journal, true, &[("b", 1)]).await?;
    step(&journal, begin()).await?;
    equal("the new shadow", ids(&journal, true).await?, owned(&[]))?;
    write(&journal, true, &[("c", 1)]).await?;
    step(&journal, forget()).await?;
    step(&journal, forget()).await?;
    equal("the collection", ids(&journal, false).await?, owned(&["a"]))?;
    step(&journal, begin()).await?;
    equal("the shadow begun again", ids(&journal, true).await?, owned(&[]))?;
    // A shadow of one collection is none of another.
    const OTHER: &[&Collection] = &[&sample::NOTES];
    journal.shadow(OTHER, forget()).await.shown("dropping another's shadow")?;
    write(&journal, true, &[("d", 1)]).await?;
    step(&journal, swap_in()).await?;
    equal("the collection after the swap", ids(&journal, false).await?, owned(&["d"]))
}
