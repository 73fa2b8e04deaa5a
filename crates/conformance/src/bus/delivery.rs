//! What arrives, where, in which order.

use backbone::bus::Error;
use bytes::Bytes;
use futures::future::join_all;
use kernel::{Envelope, MAX_DATA_BYTES};

use super::{collect, numbers};
use crate::World;
use crate::expect::{Shown, ensure, equal};
use crate::sample::{id, orders, public};

pub(super) async fn round_trip(world: World) -> Result<(), String> {
    let plain = Envelope { traceparent: None, key_id: None, ..public("order", 1, 1) };
    let large = Envelope {
        data: Bytes::from(format!("\"{}\"", "ñ".repeat(MAX_DATA_BYTES / 2 - 1))),
        correlation_id: "a flow with spaces, ñ and \"quotes\"".to_owned(),
        sequence: u64::from(u32::MAX) * 1000 + 999,
        ..public("order", 1, 2)
    };
    let sent = vec![plain, large, public("order", 2, 3)];
    let mut consumer = world.consumer("inventory-order", "order").await?;
    world.send(sent.clone()).await?;
    let found = collect(&mut *consumer, 3).await?;
    for (found, sent) in found.iter().zip(&sent) {
        ensure(*found.envelope == *sent, format_args!("{} arrived changed", sent.id))?;
    }
    Ok(())
}

pub(super) async fn batch(world: World) -> Result<(), String> {
    let mut consumer = world.consumer("inventory-order", "order").await?;
    for start in [1, 101, 201] {
        world.ports().bus.publish(orders(start..=start + 69)).await.shown("publishing")?;
    }
    let found = numbers(&collect(&mut *consumer, 210).await?);
    let expected = [1, 101, 201].into_iter().flat_map(|start| start..=start + 69);
    equal("the events", found, expected.collect())
}

pub(super) async fn nothing(world: World) -> Result<(), String> {
    world.ports().bus.publish(Vec::new()).await.shown("publishing nothing")
}

pub(super) async fn again(world: World) -> Result<(), String> {
    let mut consumer = world.consumer("inventory-order", "order").await?;
    for batch in [orders(1..=3), orders(1..=3), orders(2..=5)] {
        world.ports().bus.publish(batch).await.shown("publishing again")?;
    }
    equal("the events", numbers(&collect(&mut *consumer, 5).await?), (1..=5).collect())?;
    if !world.ports().bus.capabilities().reads_by_position {
        return Ok(());
    }
    // There is no inbox behind a position, so the log itself must hold each event once.
    let mut consumer = world.consumer("notification-order", "order").await?;
    world.send(orders(9..=9)).await?;
    let mut seen = Vec::new();
    while !seen.contains(&9) && seen.len() < 50 {
        seen.extend(numbers(&consumer.fetch(50).await.shown("fetching")?));
    }
    equal("the log", seen, vec![1, 2, 3, 4, 5, 9])
}

pub(super) async fn context(world: World) -> Result<(), String> {
    let mut order = world.consumer("inventory-order", "order").await?;
    let mut orders_like = world.consumer("inventory-orders", "orders").await?;
    world.send(vec![public("payment", 1, 1), public("orders", 1, 2), public("order", 1, 3)]).await?;
    world.send(vec![public("order", 1, 4), public("payment", 1, 5), public("orders", 1, 6)]).await?;
    equal("the context order", numbers(&collect(&mut *order, 2).await?), vec![3, 4])?;
    equal("the context orders", numbers(&collect(&mut *orders_like, 2).await?), vec![2, 6])
}

pub(super) async fn from_the_beginning(world: World) -> Result<(), String> {
    // Whoever reads first makes sure that the events can be kept.
    let early = world.consumer("early-order", "order").await?;
    world.send(orders(1..=20)).await?;
    if world.ports().bus.capabilities().reads_by_position {
        let mut late = world.consumer("late-order", "order").await?;
        equal("the late one", numbers(&collect(&mut *late, 20).await?), (1..=20).collect())?;
    }
    let mut early = early;
    equal("the early one", numbers(&collect(&mut *early, 20).await?), (1..=20).collect())
}

pub(super) async fn from_position(world: World) -> Result<(), String> {
    if !world.ports().bus.capabilities().reads_by_position {
        return Ok(());
    }
    let mut mixed = orders(1..=20);
    mixed.insert(7, public("payment", 1, 100));
    world.send(mixed).await?;
    let mut first = world.consumer("inventory-order", "order").await?;
    let all = collect(&mut *first, 20).await?;
    ensure(all.windows(2).all(|two| two[0].position < two[1].position), "positions do not grow")?;
    for seen in [1, 7, 8, 19] {
        let after = Some(all[seen - 1].position);
        let mut consumer = world.consumer_after("inventory-order", "order", after).await?;
        let rest = collect(&mut *consumer, 20 - seen).await?;
        equal("the rest", numbers(&rest), (seen as u128 + 1..=20).collect())?;
    }
    let mut at_end = world.consumer_after("inventory-order", "order", Some(all[19].position)).await?;
    world.send(orders(21..=21)).await?;
    equal("what is new", numbers(&collect(&mut *at_end, 1).await?), vec![21])
}

pub(super) async fn each_gets_all(world: World) -> Result<(), String> {
    let mut consumers = Vec::new();
    for name in ["inventory-order", "payment-order", "notification-order"] {
        consumers.push(world.consumer(name, "order").await?);
    }
    world.send(orders(1..=30)).await?;
    for found in join_all(consumers.iter_mut().map(|consumer| collect(&mut **consumer, 30))).await {
        equal("what one of them got", numbers(&found?), (1..=30).collect())?;
    }
    Ok(())
}

pub(super) async fn idle_consumer(world: World) -> Result<(), String> {
    let mut idle = world.consumer("notification-order", "order").await?;
    let mut busy = world.consumer("inventory-order", "order").await?;
    for round in 0..10u128 {
        world.send(orders(round * 50 + 1..=round * 50 + 50)).await?;
        collect(&mut *busy, 50).await?;
    }
    equal("the idle one", numbers(&collect(&mut *idle, 500).await?), (1..=500).collect())
}

/// Ten subjects, interleaved.
pub(super) async fn order_per_subject(world: World) -> Result<(), String> {
    let mut consumer = world.consumer("inventory-order", "order").await?;
    for round in 0..10u128 {
        let subjects = (0..10u128).map(|index| (index * 7 + round) % 10);
        let batch = subjects.map(|subject| public("order", subject, round * 10 + subject + 1));
        world.send(batch.collect()).await?;
    }
    let found = collect(&mut *consumer, 100).await?;
    for subject in 0..10u128 {
        let about = found.iter().filter(|delivery| delivery.envelope.subject == id(subject).to_string());
        let about: Vec<_> = about.cloned().collect();
        let expected = (0..10).map(|round| round * 10 + subject + 1).collect();
        equal("the events about one subject", numbers(&about), expected)?;
    }
    Ok(())
}

pub(super) async fn many_publishers(world: World) -> Result<(), String> {
    let mut consumer = world.consumer("inventory-order", "order").await?;
    let world = &world;
    let publish = async |publisher: u128| {
        for number in 1..=25 {
            let event = public("order", publisher, publisher * 100 + number);
            world.ports().bus.publish(vec![event]).await.shown("publishing")?;
        }
        Ok::<(), String>(())
    };
    join_all((0..8).map(publish)).await.into_iter().collect::<Result<Vec<()>, String>>()?;
    let found = numbers(&collect(&mut *consumer, 200).await?);
    for publisher in 0..8u128 {
        let own: Vec<u128> = found.iter().copied().filter(|number| number / 100 == publisher).collect();
        equal("one publisher's events", own, (1..=25).map(|number| publisher * 100 + number).collect())?;
    }
    Ok(())
}

pub(super) async fn nobody_reads(world: World) -> Result<(), String> {
    match world.ports().bus.publish(vec![public("shipping", 1, 1)]).await {
        Err(Error::Unroutable(_)) => Ok(()),
        Err(other) => Err(format!("publishing where nobody reads: {other}")),
        Ok(()) => {
            let mut consumer = world.consumer("order-shipping", "shipping").await?;
            equal("what was kept", numbers(&collect(&mut *consumer, 1).await?), vec![1])
        }
    }
}

pub(super) async fn durable(world: World) -> Result<(), String> {
    let consumer = world.consumer("inventory-order", "order").await?;
    world.ports().bus.publish(orders(1..=10)).await.shown("publishing")?;
    world.send(orders(11..=20)).await?;
    drop(consumer);
    let world = world.reopen().await?;
    let mut consumer = world.consumer("inventory-order", "order").await?;
    equal("after a restart", numbers(&collect(&mut *consumer, 20).await?), (1..=20).collect())
}
