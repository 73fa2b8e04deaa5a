//! A broker that loses its storage under a bus that runs.

use std::time::{SystemTime, UNIX_EPOCH};

use backbone::bus::Bus;
use kernel::Timestamp;
use tokio::time::{Instant, sleep};

use crate::broker::{
    PATIENCE, acknowledge, bus, events, numbers, open, open_in_the_end, other_client, publish_in_the_end,
    server, subscription, take,
};

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    Timestamp::from_micros(since.as_micros() as i64)
}

#[tokio::test]
async fn streams_and_declared_consumers_are_made_again_and_what_was_lost_is_told() {
    let Some(server) = server() else { return };
    let bus = bus(&server).await;
    bus.declare(&[subscription(0)]).await.expect("it is declared");
    assert!(bus.lost().is_empty());
    let mut reader = open(&bus).await;
    bus.publish(events(1..=3)).await.expect("it is published");
    let taken = take(&mut *reader, 3).await;
    acknowledge(&mut *reader, &taken).await;
    server.kill();
    server.lose_data();
    server.start_again();
    // Whoever reads is told, rather than left waiting.
    let error = reader.fetch(1).await.expect_err("its consumer is gone");
    drop(reader);
    let give_up = Instant::now() + PATIENCE;
    while bus.lost().is_empty() {
        assert!(Instant::now() < give_up, "nothing is told to be lost, after {error}");
        sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(bus.lost().iter().any(|lost| lost.context == "order"), "{:?}", bus.lost());
    publish_in_the_end(&bus, &events(4..=5)).await;
    let mut reader = open_in_the_end(&bus).await;
    assert_eq!(numbers(&take(&mut *reader, 2).await), [4, 5]);
}

#[tokio::test]
async fn a_consumer_that_was_deleted_is_not_known_even_where_it_was_declared_again() {
    let Some(server) = server() else { return };
    let bus = bus(&server).await;
    let place = subscription(0);
    assert!(!bus.knows(&place).await.expect("the broker is there"), "it was never made");
    bus.declare(std::slice::from_ref(&place)).await.expect("it is declared");
    assert!(!bus.knows(&place).await.expect("the broker is there"), "nobody has opened it");
    drop(open(&bus).await);
    assert!(bus.knows(&place).await.expect("the broker is there"));
    server.tell("$JS.API.CONSUMER.DELETE.ORDERS.inventory-order");
    assert!(!bus.knows(&place).await.expect("the broker is there"));
    bus.declare(std::slice::from_ref(&place)).await.expect("it is declared");
    assert!(!bus.knows(&place).await.expect("the broker is there"), "it begins anew");
}

#[tokio::test]
async fn a_moment_is_found_among_positions() {
    let Some(server) = server() else { return };
    let bus = bus(&server).await;
    let before = async |at| bus.position_before(&subscription(0), at).await.expect("the broker is there");
    let begun = now();
    assert_eq!(before(begun).await, 0, "nothing stands there");
    bus.publish(events(1..=20)).await.expect("it is published");
    sleep(std::time::Duration::from_millis(50)).await;
    let middle = now();
    sleep(std::time::Duration::from_millis(50)).await;
    bus.publish(events(21..=33)).await.expect("it is published");
    // Holes are passed over.
    let stream = other_client(&server).await.get_stream("ORDERS").await.expect("it is there");
    for position in [17, 18, 19, 21, 22] {
        stream.delete_message(position).await.expect("it is there");
    }
    assert_eq!(before(begun).await, 0);
    assert_eq!(before(middle).await.clamp(20, 22), before(middle).await, "22 is the last hole");
    assert_eq!(before(now()).await, 33);
}
