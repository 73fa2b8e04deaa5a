//! Servers that die, acknowledgements that are lost, and storage that is gone.

use adapter_nats::Options;
use backbone::bus::Bus;
use bytes::Bytes;
use kernel::{Duration, Envelope};
use tokio::time::{sleep, timeout};

use crate::broker::{
    Inbox, PATIENCE, acknowledge, bus, connect, event, events, numbers, open, open_in_the_end, options,
    other_client, publish_in_the_end, server, subscription, take,
};
use crate::deaf::Way;

/// Short, so that a lost answer is noticed soon.
fn impatient(options: Options) -> Options {
    Options { answer_time_max: Duration::from_millis(500), ..options }
}

#[tokio::test]
async fn a_lost_acknowledgement_is_a_failure_and_publishing_again_makes_one_event() {
    let Some(server) = server() else { return };
    let way = Way::to(&server).await;
    let through = impatient(Options { servers: vec![way.url.clone()], ..options(&server) });
    let through = connect(through).await;
    way.set_deaf(true);
    through.publish(events(1..=3)).await.expect_err("no answer came");
    way.set_deaf(false);
    assert!(publish_in_the_end(&through, &events(1..=3)).await < 1_000);
    let stream = other_client(&server).await.get_stream("ORDERS").await.expect("it is there");
    assert_eq!(stream.cached_info().state.messages, 3, "the first one arrived and the second was known");
    let mut consumer = open_in_the_end(&through).await;
    assert_eq!(numbers(&take(&mut *consumer, 3).await), [1, 2, 3]);
}

#[tokio::test]
async fn a_lost_acknowledgement_of_a_delivery_is_made_up_for() {
    let Some(server) = server() else { return };
    let way = Way::to(&server).await;
    let through = impatient(Options { servers: vec![way.url.clone()], ..options(&server) });
    let through = connect(through).await;
    let mut consumer = open(&through).await;
    bus(&server).await.publish(events(1..=3)).await.expect("it is published");
    let taken = take(&mut *consumer, 3).await;
    server.kill();
    let positions: Vec<u64> = taken.iter().map(|delivery| delivery.position).collect();
    consumer.acknowledge(&positions).await.expect_err("there is no server");
    server.start_again();
    // It took effect, whatever the broker knows: it is not handed out again, and the broker is told.
    bus(&server).await.publish(events(4..=4)).await.expect("it is published");
    let more = loop {
        match timeout(PATIENCE, consumer.fetch(9)).await.expect("something comes") {
            Ok(more) => break more,
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    };
    assert_eq!(numbers(&more), [4]);
    acknowledge(&mut *consumer, &more).await;
    assert_eq!(through.backlog(&subscription(0)).await.expect("the broker is there").waiting, 0);
}

#[tokio::test]
async fn a_connection_that_loses_some_of_a_batch_does_not_change_the_order() {
    let Some(server) = server() else { return };
    let way = Way::to(&server).await;
    let through = impatient(Options { servers: vec![way.url.clone()], ..options(&server) });
    let through = connect(through).await;
    let mut consumer = open(&bus(&server).await).await;
    // Large, so that some are on the wire and others not yet when the connection breaks.
    let data = Bytes::from(format!("\"{}\"", "x".repeat(500_000)));
    let batch: Vec<Envelope> =
        events(1..=40).into_iter().map(|event| Envelope { data: data.clone(), ..event }).collect();
    way.lose(1_200_000);
    assert!(publish_in_the_end(&through, &batch).await > 0, "something was lost");
    let mut inbox = Inbox::default();
    while inbox.len() < 40 {
        let taken = take(&mut *consumer, 1).await;
        inbox.take(&taken);
        acknowledge(&mut *consumer, &taken).await;
    }
    assert!(inbox.is_in_order(), "{:?}", inbox.taken);
}

/// Batches of many subjects, numbered in the order in which they are published.
fn batches(count: u128) -> Vec<Vec<Envelope>> {
    let batch = |batch: u128| (0..40).map(|index| event(index % 8, batch * 40 + index + 1)).collect();
    (0..count).map(batch).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_in_mid_stream_loses_nothing_and_no_subject_its_order() {
    const BATCHES: u128 = 120;
    let Some(server) = server() else { return };
    let bus = connect(impatient(options(&server))).await;
    let mut consumer = open(&bus).await;
    let publisher = bus.clone();
    let publishing = tokio::spawn(async move {
        let mut failures = 0;
        for batch in batches(BATCHES) {
            failures += publish_in_the_end(&publisher, &batch).await;
            sleep(Duration::from_millis(10)).await;
        }
        failures
    });
    let killing = tokio::task::spawn_blocking(move || {
        for _ in 0..4 {
            std::thread::sleep(Duration::from_millis(350));
            server.kill();
            std::thread::sleep(Duration::from_millis(100));
            server.start_again();
        }
        server
    });
    let mut inbox = Inbox::default();
    let mut outages = 0;
    while inbox.len() < BATCHES as usize * 40 {
        let fetched = timeout(PATIENCE, consumer.fetch(64)).await;
        let Ok(fetched) = fetched else { panic!("{} came", inbox.len()) };
        let Ok(deliveries) = fetched else {
            outages += 1;
            consumer = open_in_the_end(&bus).await;
            continue;
        };
        inbox.take(&deliveries);
        let positions: Vec<u64> = deliveries.iter().map(|delivery| delivery.position).collect();
        // A failed acknowledgement is normal life.
        let _ = consumer.acknowledge(&positions).await;
    }
    assert!(inbox.is_in_order(), "{:?}", inbox.taken);
    let failures = publishing.await.expect("publishing ends");
    let _server = killing.await.expect("killing ends");
    assert!(failures > 0 && outages > 0, "{failures} publications failed, {outages} fetches");
}

#[tokio::test]
async fn what_was_not_acknowledged_survives_the_server_and_comes_in_order() {
    let Some(server) = server() else { return };
    let bus = bus(&server).await;
    let mut consumer = open(&bus).await;
    bus.publish(events(1..=20)).await.expect("it is published");
    let taken = take(&mut *consumer, 10).await;
    acknowledge(&mut *consumer, &taken[..4]).await;
    server.kill();
    drop(consumer);
    server.start_again();
    let mut consumer = open_in_the_end(&bus).await;
    let first = take(&mut *consumer, 1).await[0].position;
    let rest = take(&mut *consumer, 20 - first as usize).await;
    // What the broker had not written down when it died comes again: at least once.
    assert!(first <= 5, "{first} came first, and 5 was not acknowledged");
    assert_eq!(numbers(&rest), (u128::from(first) + 1..=20).collect::<Vec<u128>>());
}

#[tokio::test]
async fn a_broker_that_lost_its_storage_is_filled_again() {
    let Some(server) = server() else { return };
    let bus = bus(&server).await;
    let mut consumer = open(&bus).await;
    bus.publish(events(1..=5)).await.expect("it is published");
    let taken = take(&mut *consumer, 5).await;
    acknowledge(&mut *consumer, &taken[..2]).await;
    drop(consumer);
    server.kill();
    server.lose_data();
    server.start_again();
    let mut state = bus.connection();
    timeout(PATIENCE, state.wait_for(|state| state.ups == 2))
        .await
        .expect("it comes back")
        .expect("it lives");
    // As `republish --from` does, out of the journal.
    bus.republish(events(1..=5)).await.expect("it is published");
    publish_in_the_end(&bus, &events(6..=7)).await;
    let mut consumer = open_in_the_end(&bus).await;
    assert_eq!(numbers(&take(&mut *consumer, 7).await), (1..=7).collect::<Vec<u128>>());
}
