//! A limit never loses an event in silence.

use adapter_nats::{NatsBus, Options, StreamSpec};
use backbone::bus::{Bus, Error, Subscription};
use testservers::NatsServer;

use crate::broker::{acknowledge, connect, events, numbers, open, options, server, subscription, take};

/// A bus whose orders keep ten messages.
async fn short(server: &NatsServer) -> NatsBus {
    let mut options = options(server);
    let orders = options.streams.iter_mut().find(|spec| spec.context == "order");
    let orders = orders.expect("the table has orders");
    *orders = StreamSpec { messages_max: Some(10), ..orders.clone() };
    connect(Options { ..options }).await
}

fn gap(error: Error) -> (String, u64, u64) {
    match error {
        Error::Gap { consumer, from, to } => (consumer, from, to),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_consumer_that_opens_behind_the_stream_stands_still_until_it_has_caught_up() {
    let Some(server) = server() else { return };
    let bus = short(&server).await;
    let mut consumer = open(&bus).await;
    bus.publish(events(1..=5)).await.expect("it is published");
    let taken = take(&mut *consumer, 4).await;
    acknowledge(&mut *consumer, &taken).await;
    drop(consumer);
    bus.publish(events(6..=30)).await.expect("it is published");
    for _ in 0..2 {
        let Err(error) = bus.open(subscription(0)).await else { panic!("it opens") };
        assert_eq!(gap(error), ("inventory-order".to_owned(), 5, 20));
    }
    let caught_up = Subscription { after: Some(20), ..subscription(0) };
    let mut consumer = bus.open(caught_up).await.expect("it goes on");
    let rest = take(&mut *consumer, 10).await;
    assert_eq!(numbers(&rest), (21..=30).collect::<Vec<u128>>());
    acknowledge(&mut *consumer, &rest).await;
    drop(consumer);
    let mut consumer = open(&bus).await;
    bus.publish(events(31..=31)).await.expect("it is published");
    assert_eq!(numbers(&take(&mut *consumer, 1).await), [31]);
}

#[tokio::test]
async fn a_consumer_that_reads_too_slowly_stands_still_and_loses_nothing_that_it_holds() {
    let Some(server) = server() else { return };
    let bus = short(&server).await;
    let mut consumer = open(&bus).await;
    bus.publish(events(1..=3)).await.expect("it is published");
    let held = take(&mut *consumer, 3).await;
    bus.publish(events(4..=30)).await.expect("it is published");
    let error = loop {
        match consumer.fetch(1).await {
            Ok(more) => acknowledge(&mut *consumer, &more).await,
            Err(error) => break error,
        }
    };
    let (_, from, to) = gap(error);
    assert_eq!((from, to), (4, 20), "1 to 3 are held here, 21 to 30 are in the stream");
    acknowledge(&mut *consumer, &held).await;
}

#[tokio::test]
async fn a_new_consumer_of_a_stream_that_lost_its_beginning_misses_nothing() {
    let Some(server) = server() else { return };
    let bus = short(&server).await;
    bus.publish(events(1..=25)).await.expect("it is published");
    for _ in 0..2 {
        let mut consumer = open(&bus).await;
        assert_eq!(numbers(&take(&mut *consumer, 3).await), [16, 17, 18]);
    }
}

#[tokio::test]
async fn what_took_effect_elsewhere_is_passed_over_and_acknowledged() {
    let Some(server) = server() else { return };
    let bus = short(&server).await;
    bus.publish(events(1..=6)).await.expect("it is published");
    let caught_up = Subscription { after: Some(4), ..subscription(0) };
    let mut consumer = bus.open(caught_up).await.expect("it opens");
    let rest = take(&mut *consumer, 2).await;
    assert_eq!(numbers(&rest), [5, 6]);
    acknowledge(&mut *consumer, &rest).await;
    assert_eq!(bus.backlog(&subscription(0)).await.expect("the broker is there").waiting, 0);
}

#[tokio::test]
async fn a_position_of_a_stream_that_was_made_anew_is_refused() {
    let Some(server) = server() else { return };
    let bus = short(&server).await;
    bus.publish(events(1..=6)).await.expect("it is published");
    let stale = Subscription { after: Some(7), ..subscription(0) };
    let Err(error) = bus.open(stale).await else { panic!("events 1 to 6 would be passed over") };
    assert!(error.to_string().contains("7 is no position of ORDERS"), "{error}");
}
