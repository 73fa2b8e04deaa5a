//! Fetching, acknowledging, giving back.

use std::collections::BTreeSet;

use backbone::bus::{Consumer, Delivery};
use kernel::Duration;
use tokio::time::timeout;

use super::{collect, numbers};
use crate::World;
use crate::expect::{Shown, ensure, equal};
use crate::sample::orders;

/// Exactly `count` deliveries, unacknowledged.
async fn take(consumer: &mut dyn Consumer, count: usize) -> Result<Vec<Delivery>, String> {
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.extend(consumer.fetch(count - taken.len()).await.shown("fetching")?);
    }
    Ok(taken)
}

pub(super) async fn limits(world: World) -> Result<(), String> {
    let mut consumer = world.consumer("inventory-order", "order").await?;
    world.send(orders(1..=40)).await?;
    let mut seen = Vec::new();
    for limit in [1, 3, 7, 100].into_iter().cycle() {
        let fetched = consumer.fetch(limit).await.shown("fetching")?;
        ensure(
            (1..=limit).contains(&fetched.len()),
            format_args!("{} at a limit of {limit}", fetched.len()),
        )?;
        let positions: Vec<u64> = fetched.iter().map(|delivery| delivery.position).collect();
        consumer.acknowledge(&positions).await.shown("acknowledging")?;
        seen.extend(numbers(&fetched));
        if seen.len() >= 40 {
            break;
        }
    }
    equal("the events", seen, (1..=40).collect())
}

pub(super) async fn waits(world: World) -> Result<(), String> {
    let mut consumer = world.consumer("inventory-order", "order").await?;
    for number in 1..=3 {
        let mut fetch = consumer.fetch(10);
        let early = timeout(Duration::from_millis(40), &mut fetch).await;
        ensure(early.is_err(), "a fetch came back with nothing published")?;
        world.send(orders(number..=number)).await?;
        let fetched = fetch.await.shown("fetching")?;
        equal("what was waited for", numbers(&fetched), vec![number])?;
        drop(fetched);
    }
    Ok(())
}

pub(super) async fn dropped(world: World) -> Result<(), String> {
    let mut consumer = world.consumer("inventory-order", "order").await?;
    let mut seen = Vec::new();
    for number in 1..=60u128 {
        let wait = async |consumer: &mut dyn Consumer, patience: u64| match timeout(
            Duration::from_millis(patience),
            consumer.fetch(3),
        )
        .await
        {
            Err(_) => Ok(Vec::new()),
            Ok(fetched) => fetched.shown("fetching"),
        };
        seen.extend(numbers(&wait(&mut *consumer, 0).await?));
        {
            // The event comes while a fetch waits, and the fetch is dropped at some moment after.
            let mut fetch = consumer.fetch(2);
            let early = timeout(Duration::ZERO, &mut fetch).await;
            world.send(orders(number..=number)).await?;
            let late = match early {
                Ok(fetched) => Ok(fetched),
                Err(_) => timeout(Duration::from_millis(number as u64 % 4), fetch).await,
            };
            if let Ok(fetched) = late {
                seen.extend(numbers(&fetched.shown("fetching")?));
            }
        }
        seen.extend(numbers(&wait(&mut *consumer, number as u64 % 3).await?));
    }
    let mut unseen: BTreeSet<u128> = (1..=60).collect();
    unseen.retain(|number| !seen.contains(number));
    let rest = take(&mut *consumer, unseen.len()).await?;
    seen.extend(numbers(&rest));
    equal("the events", seen, (1..=60).collect())
}

pub(super) async fn given_back(world: World) -> Result<(), String> {
    let by_position = world.ports().bus.capabilities().reads_by_position;
    let mut consumer = world.consumer("inventory-order", "order").await?;
    world.send(orders(1..=6)).await?;
    let taken = take(&mut *consumer, 5).await?;
    equal("at first", numbers(&taken), (1..=5).collect())?;
    consumer.acknowledge(&[taken[0].position, taken[1].position]).await.shown("acknowledging")?;
    consumer.give_back().await.shown("giving back")?;
    world.send(orders(7..=7)).await?;
    for round in 0..2 {
        let again = take(&mut *consumer, 3).await?;
        // Where positions are checkpoints, an acknowledgement may say nothing.
        let skipped = if by_position { numbers(&again)[0].saturating_sub(1) } else { 2 };
        let again = if skipped < 2 {
            [again, take(&mut *consumer, 2 - skipped as usize).await?].concat()
        } else {
            again
        };
        equal(&format!("given back, round {round}"), numbers(&again), (skipped + 1..=5).collect())?;
        consumer.give_back().await.shown("giving back")?;
    }
    let rest = numbers(&take(&mut *consumer, 5).await?);
    let first = rest[0];
    equal("in the end", rest, (first..=first + 4).collect())
}

pub(super) async fn acknowledged(world: World) -> Result<(), String> {
    if world.ports().bus.capabilities().reads_by_position {
        return Ok(());
    }
    let mut consumer = world.consumer("inventory-order", "order").await?;
    world.send(orders(1..=5)).await?;
    collect(&mut *consumer, 5).await?;
    consumer.give_back().await.shown("giving back")?;
    drop(consumer);
    let world = world.reopen().await?;
    let mut consumer = world.consumer("inventory-order", "order").await?;
    world.send(orders(6..=6)).await?;
    equal("after a restart", numbers(&take(&mut *consumer, 1).await?), vec![6])
}

pub(super) async fn opened_again(world: World) -> Result<(), String> {
    let by_position = world.ports().bus.capabilities().reads_by_position;
    let mut consumer = world.consumer("inventory-order", "order").await?;
    world.send(orders(1..=6)).await?;
    let taken = take(&mut *consumer, 4).await?;
    consumer.acknowledge(&[taken[0].position, taken[1].position]).await.shown("acknowledging")?;
    let after = by_position.then(|| taken[1].position);
    drop(consumer);
    let mut consumer = world.consumer_after("inventory-order", "order", after).await?;
    equal("opened again", numbers(&take(&mut *consumer, 2).await?), vec![3, 4])?;
    drop(consumer);
    let world = world.reopen().await?;
    let mut consumer = world.consumer_after("inventory-order", "order", after).await?;
    equal("after a restart", numbers(&take(&mut *consumer, 4).await?), vec![3, 4, 5, 6])
}

pub(super) async fn nothing_given_back(world: World) -> Result<(), String> {
    let mut consumer = world.consumer("inventory-order", "order").await?;
    consumer.give_back().await.shown("giving back nothing")?;
    world.send(orders(1..=2)).await?;
    equal("the events", numbers(&collect(&mut *consumer, 2).await?), vec![1, 2])
}
