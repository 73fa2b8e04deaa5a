//! Where commits come from: checkpoints and inboxes.

use backbone::commit::{Commit, Expected};

use super::look::note_version;
use crate::World;
use crate::expect::{Shown, committed, conflict, equal, taken};
use crate::sample::{checkpoint, claiming, id, noting};

pub(super) async fn checkpoints(world: World) -> Result<(), String> {
    let journal = world.journal("inventory").await?;
    equal("a checkpoint never moved", journal.checkpoint("c").await.shown("asking")?, 0)?;
    conflict(journal.submit(checkpoint("c", 3, 5)).await, "c")?;
    committed(journal.submit(checkpoint("c", 0, 5)).await)?;
    let with_effect = || Commit { puts: noting("a", Expected::Any, "x").puts, ..checkpoint("c", 5, 9) };
    let (first, second) = (journal.submit(with_effect()), journal.submit(with_effect()));
    committed(first.await)?;
    conflict(second.await, "c")?;
    for from in [0, 4, 8, 10] {
        conflict(journal.submit(checkpoint("c", from, 20)).await, "c")?;
    }
    equal("the effect", note_version(&journal, "a").await?, 1)?;
    equal("the checkpoint", journal.checkpoint("c").await.shown("asking")?, 9)
}

pub(super) async fn separate_checkpoints(world: World) -> Result<(), String> {
    let journal = world.journal("inventory").await?;
    committed(journal.submit(checkpoint("inventory-order", 0, 5)).await)?;
    committed(journal.submit(checkpoint("inventory-payment", 0, 3)).await)?;
    equal("the first", journal.checkpoint("inventory-order").await.shown("asking")?, 5)?;
    equal("the second", journal.checkpoint("inventory-payment").await.shown("asking")?, 3)?;
    equal("a third", journal.checkpoint("inventory-user").await.shown("asking")?, 0)
}

pub(super) async fn inbox(world: World) -> Result<(), String> {
    let journal = world.journal("inventory").await?;
    let with_effect =
        |consumer| Commit { puts: noting("a", Expected::Any, "x").puts, ..claiming(consumer, vec![id(1)]) };
    let (first, second) = (journal.submit(with_effect("c")), journal.submit(with_effect("c")));
    committed(first.await)?;
    taken(second.await, &[id(1)])?;
    equal("the effect", note_version(&journal, "a").await?, 1)?;
    committed(journal.submit(with_effect("another")).await)?;
    drop(journal);
    let world = world.reopen().await?;
    let journal = world.journal("inventory").await?;
    taken(journal.submit(with_effect("c")).await, &[id(1)])?;
    let claimed = async |consumer| {
        journal.claimed(consumer, &[id(3), id(1), id(2)]).await.shown("looking into an inbox")
    };
    equal("what the inbox knows", claimed("c").await?, vec![id(1)])?;
    equal("what a third inbox knows", claimed("a third").await?, Vec::new())
}

pub(super) async fn inbox_batch(world: World) -> Result<(), String> {
    let journal = world.journal("inventory").await?;
    committed(journal.submit(claiming("c", vec![id(1), id(2), id(5)])).await)?;
    let mixed = claiming("c", vec![id(3), id(2), id(4), id(5)]);
    let mixed = Commit { puts: noting("a", Expected::Any, "x").puts, ..mixed };
    taken(journal.submit(mixed).await, &[id(2), id(5)])?;
    equal("the effect of the refused batch", note_version(&journal, "a").await?, 0)?;
    committed(journal.submit(claiming("c", vec![id(3), id(4)])).await).map(|_| ())
}
