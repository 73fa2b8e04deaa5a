//! A broker that loses its storage under a bus that runs.

use backbone::bus::Bus;
use tokio::time::{Instant, sleep};

use crate::broker::{
    PATIENCE, acknowledge, bus, events, numbers, open, open_in_the_end, publish_in_the_end, server,
    subscription, take,
};

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
