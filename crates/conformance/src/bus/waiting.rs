//! What waits for a consumer.

use backbone::bus::{BACKLOG_COUNTED_MAX, Backlog, Subscription};
use kernel::Duration;

use super::collect;
use crate::World;
use crate::expect::{Shown, ensure, equal};
use crate::sample::{orders, public, time};

/// A broker counts what it handed out a moment ago a moment later.
const COUNTED_WITHIN: Duration = Duration::from_secs(10);

/// What waits for `inventory-order` after `after`, as soon as it is `waiting`.
async fn until(world: &World, after: Option<u64>, waiting: u64) -> Result<Backlog, String> {
    let subscription = Subscription {
        consumer: "inventory-order".to_owned(),
        service: "inventory",
        context: "order",
        partition: 0,
        after,
    };
    let begun = tokio::time::Instant::now();
    loop {
        let found = world.ports().bus.backlog(&subscription).await.shown("looking at what waits")?;
        if found.waiting == waiting || begun.elapsed() > COUNTED_WITHIN {
            equal("what waits", found.waiting, waiting)?;
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(super) async fn told(world: World) -> Result<(), String> {
    let by_position = world.ports().bus.capabilities().reads_by_position;
    let mut consumer = world.consumer("inventory-order", "order").await?;
    let nothing = until(&world, None, 0).await?;
    equal("the oldest of nothing", nothing.oldest, None)?;
    world.send(orders(1..=6)).await?;
    world.send(vec![public("payment", 1, 100), public("orders", 1, 101)]).await?;
    let all = until(&world, None, 6).await?;
    let is_told = all.oldest.is_none_or(|oldest| oldest == time());
    ensure(is_told, format_args!("the oldest is of {:?}, not of {}", all.oldest, time()))?;

    let taken = collect(&mut *consumer, 2).await?;
    let after = by_position.then(|| taken[1].position);
    until(&world, after, 4).await?;
    // Whatever was handed out goes back with the consumer that held it.
    drop(consumer);
    let world = world.reopen().await?;
    until(&world, after, 4).await?;
    let mut consumer = world.consumer_after("inventory-order", "order", after).await?;
    let rest = collect(&mut *consumer, 4).await?;
    let after = by_position.then(|| rest[3].position);
    let nothing = until(&world, after, 0).await?;
    equal("the oldest of nothing", nothing.oldest, None)
}

pub(super) async fn long(world: World) -> Result<(), String> {
    let _consumer = world.consumer("inventory-order", "order").await?;
    let count = u128::from(BACKLOG_COUNTED_MAX) + 200;
    for first in (1..=count).step_by(1_000) {
        world.send(orders(first..=count.min(first + 999))).await?;
    }
    until(&world, None, BACKLOG_COUNTED_MAX).await.map(drop)
}
