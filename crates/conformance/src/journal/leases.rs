//! Leases, and the commits made under them.

use backbone::commit::{Commit, Expected, Fence};
use backbone::journal::LeaseRequest;
use futures::future::join_all;
use kernel::Duration;

use super::look::{Handle, note_version};
use crate::World;
use crate::expect::{Shown, committed, ensure, equal, fenced};
use crate::sample::{checkpoint, id, noting};

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(150);

async fn ask(journal: &Handle, owner: u128, lasts: Duration) -> Result<Option<u64>, String> {
    let request = LeaseRequest { name: "relay".to_owned(), owner: id(owner), lasts };
    journal.lease(request).await.shown("asking for a lease")
}

async fn take(journal: &Handle, owner: u128, lasts: Duration) -> Result<u64, String> {
    ask(journal, owner, lasts).await?.ok_or_else(|| format!("{owner} was refused the lease"))
}

/// Asks until the lease that another holds has run out.
async fn take_over(journal: &Handle, owner: u128) -> Result<u64, String> {
    loop {
        if let Some(token) = ask(journal, owner, LONG).await? {
            return Ok(token);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn under(token: u64, commit: Commit) -> Commit {
    Commit { fence: Some(Fence { lease: "relay".to_owned(), token }), ..commit }
}

pub(super) async fn one_holder(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let asked = join_all((1..=8).map(|owner| ask(&journal, owner, LONG))).await;
    let held: Vec<u64> = asked.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    equal("those who hold it", held.len(), 1)?;
    let other = LeaseRequest { name: "timers".to_owned(), owner: id(20), lasts: LONG };
    let other = journal.lease(other).await.shown("asking for another lease")?;
    ensure(other.is_some(), "a lease of another name was refused")?;
    let payment = world.journal("payment").await?;
    take(&payment, 30, LONG).await.map(|_| ())
}

pub(super) async fn renewal(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let token = take(&journal, 1, LONG).await?;
    for _ in 0..3 {
        equal("a renewed lease", take(&journal, 1, LONG).await?, token)?;
        equal("another who asks", ask(&journal, 2, LONG).await?, None)?;
    }
    committed(journal.submit(under(token, noting("a", Expected::Any, "x"))).await)?;
    drop(journal);
    let world = world.reopen().await?;
    let journal = world.journal("order").await?;
    equal("another after a restart", ask(&journal, 2, LONG).await?, None)?;
    equal("its holder after a restart", take(&journal, 1, LONG).await?, token)
}

pub(super) async fn taken_over(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let old = take(&journal, 1, SHORT).await?;
    committed(journal.submit(under(old, checkpoint("relay", 0, 5))).await)?;
    let new = take_over(&journal, 2).await?;
    ensure(new > old, format_args!("token {new} after {old}"))?;
    // The one before was only paused: it may come at any time, with whatever it decided then.
    let late = Commit { puts: noting("a", Expected::Any, "x").puts, ..checkpoint("relay", 5, 9) };
    fenced(journal.submit(under(old, late.clone())).await, "relay")?;
    equal("what the old holder wrote", note_version(&journal, "a").await?, 0)?;
    equal("where it stands", journal.checkpoint("relay").await.shown("asking")?, 5)?;
    committed(journal.submit(under(new, late)).await)?;
    equal("the old holder who asks again", ask(&journal, 1, LONG).await?, None)
}

pub(super) async fn run_out(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let old = take(&journal, 1, SHORT).await?;
    tokio::time::sleep(SHORT * 2).await;
    // Nobody took it: what was done under it still holds, and a lease taken anew is another.
    committed(journal.submit(under(old, noting("a", Expected::Any, "x"))).await)?;
    let again = take(&journal, 1, LONG).await?;
    ensure(again > old, format_args!("token {again} after {old}"))?;
    fenced(journal.submit(under(old, noting("a", Expected::Any, "y"))).await, "relay")
}

pub(super) async fn given_back(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let old = take(&journal, 1, LONG).await?;
    journal.release(Fence { lease: "relay".to_owned(), token: old }).await.shown("giving it back")?;
    let new = take(&journal, 2, LONG).await?;
    ensure(new > old, format_args!("token {new} after {old}"))?;
    journal.release(Fence { lease: "relay".to_owned(), token: old }).await.shown("giving it back late")?;
    equal("a third who asks", ask(&journal, 3, LONG).await?, None)?;
    fenced(journal.submit(under(old, noting("a", Expected::Any, "x"))).await, "relay")
}

pub(super) async fn never_taken(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    fenced(journal.submit(under(1, noting("a", Expected::Any, "x"))).await, "relay")?;
    equal("what was written", note_version(&journal, "a").await?, 0)
}
