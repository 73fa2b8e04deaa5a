//! What counts as published, and how often it arrives.

use backbone::bus::{Bus, Error};
use kernel::Duration;

use crate::broker::{
    acknowledge, bus, event, events, nothing_comes, numbers, open, other_client, server, take,
};

#[tokio::test]
async fn the_window_takes_a_repetition_for_one_and_lets_a_publication_anew_pass() {
    let Some(server) = server() else { return };
    let bus = bus(&server).await;
    let mut consumer = open(&bus).await;
    for _ in 0..3 {
        bus.publish(events(1..=2)).await.expect("a duplicate is a success");
    }
    let once = take(&mut *consumer, 2).await;
    assert_eq!(numbers(&once), [1, 2]);
    acknowledge(&mut *consumer, &once).await;
    for _ in 0..2 {
        bus.republish(events(1..=2)).await.expect("it is published");
    }
    let anew = take(&mut *consumer, 4).await;
    assert_eq!(numbers(&anew), [1, 2, 1, 2]);
    assert_eq!(anew[0].envelope, once[0].envelope, "the event is the same in every attribute");
}

#[tokio::test]
async fn a_repetition_by_another_process_is_none_of_the_first_ones() {
    let Some(server) = server() else { return };
    let (first, second) = (bus(&server).await, bus(&server).await);
    let mut consumer = open(&first).await;
    first.republish(events(1..=1)).await.expect("it is published");
    second.republish(events(1..=1)).await.expect("it is published");
    assert_eq!(numbers(&take(&mut *consumer, 2).await), [1, 1]);
}

#[tokio::test]
async fn a_context_outside_the_table_is_unroutable_and_nothing_of_its_batch_is_sent() {
    let Some(server) = server() else { return };
    let bus = bus(&server).await;
    let mut consumer = open(&bus).await;
    let unknown = kernel::Envelope { kind: "weather.changed.v1".into(), ..event(1, 2) };
    match bus.publish(vec![event(1, 1), unknown]).await {
        Err(Error::Unroutable(what)) => assert!(what.contains("weather.changed.v1"), "{what}"),
        other => panic!("{other:?}"),
    }
    nothing_comes(&mut *consumer, Duration::from_millis(200)).await;
}

#[tokio::test]
async fn the_message_that_is_stored_is_what_any_client_reads() {
    let Some(server) = server() else { return };
    bus(&server).await.publish(vec![event(7, 1)]).await.expect("it is published");
    let stream = other_client(&server).await.get_stream("ORDERS").await.expect("the stream is there");
    let message = stream.raw_message_builder().sequence(1).send().await.expect("the message is there");
    assert_eq!(message.subject.as_str(), "order.counted.v1");
    assert_eq!(&message.payload[..], b"{\"n\":1}");
    let header = |name: &str| message.headers.get(name).map(|value| value.as_str().to_owned());
    let id = "01900000-0000-7000-8000-000000000001";
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-id", id),
        ("Nats-Msg-Id", id),
        ("ce-type", "order.counted.v1"),
        ("ce-source", "order"),
        ("ce-subject", "00000000-0000-0000-0000-000000000007"),
        ("ce-datacontenttype", "application/json"),
    ] {
        assert_eq!(header(name).as_deref(), Some(value), "{name}");
    }
}
