//! What others publish, and what nobody can read.

use async_nats::HeaderMap;
use backbone::bus::Bus;
use bytes::Bytes;
use kernel::Duration;

use crate::broker::{
    acknowledge, bus, event, nothing_comes, numbers, open, other_client, server, subscription, take,
};

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.insert(*name, *value);
    }
    headers
}

#[tokio::test]
async fn an_event_of_another_client_arrives_with_what_it_says() {
    let Some(server) = server() else { return };
    let bus = bus(&server).await;
    let mut consumer = open(&bus).await;
    let python = headers(&[
        ("ce-specversion", "1.0"),
        ("ce-id", "till-7-0001"),
        ("ce-source", "https://example.org/till/7"),
        ("ce-type", "order.created.v1"),
        ("content-type", "application/json"),
    ]);
    let body = Bytes::from_static(b"{\"total\":12}");
    let server = other_client(&server).await;
    let sent = server.publish_with_headers("order.created.v1", python, body.clone()).await;
    sent.expect("it is sent").await.expect("it is stored");
    let taken = take(&mut *consumer, 1).await;
    let envelope = &taken[0].envelope;
    assert_eq!((envelope.kind.as_str(), &envelope.data), ("order.created.v1", &body));
    assert_eq!(envelope.subject, "till-7-0001");
    assert!(envelope.time.as_micros() > 0, "it came when the broker took it");
}

#[tokio::test]
async fn what_nobody_can_read_goes_to_the_dead_letters_whole_and_holds_up_nothing() {
    let Some(server) = server() else { return };
    let bus = bus(&server).await;
    let mut consumer = open(&bus).await;
    bus.publish(vec![event(1, 1)]).await.expect("it is published");
    let other = other_client(&server).await;
    let wrong = headers(&[("ce-id", "x"), ("Nats-Msg-Id", "first-id"), ("x-own", "kept")]);
    let sent = other.publish_with_headers("order.created.v1", wrong, Bytes::from_static(b"\xFF\x00")).await;
    sent.expect("it is sent").await.expect("it is stored");
    bus.publish(vec![event(1, 2)]).await.expect("it is published");

    let taken = take(&mut *consumer, 2).await;
    assert_eq!(numbers(&taken), [1, 2]);
    acknowledge(&mut *consumer, &taken).await;
    nothing_comes(&mut *consumer, Duration::from_millis(200)).await;

    let mut dead = other.get_stream("DLQ").await.expect("the stream is there");
    assert_eq!(dead.info().await.expect("the broker is there").state.messages, 1);
    let letter = dead.raw_message_builder().sequence(1).send().await.expect("the dead letter is there");
    assert_eq!(letter.subject.as_str(), "dlq.order.created.v1");
    assert_eq!(&letter.payload[..], b"\xFF\x00");
    let header = |name: &str| letter.headers.get(name).map(|value| value.as_str().to_owned());
    for (name, value) in [
        ("ce-id", "x"),
        ("x-own", "kept"),
        ("a4co-dlq-original-Nats-Msg-Id", "first-id"),
        ("a4co-dlq-consumer", "inventory-order"),
        ("a4co-dlq-stream", "ORDERS"),
        ("a4co-dlq-position", "2"),
        ("a4co-dlq-attempts", "1"),
        ("a4co-dlq-error", "the%20attribute%20`specversion`%20is%20missing"),
    ] {
        assert_eq!(header(name).as_deref(), Some(value), "{name}");
    }
    for name in ["first-failed-at", "last-failed-at", "moved-at"] {
        assert!(header(&format!("a4co-dlq-{name}")).is_some(), "{name}");
    }
    assert_eq!(bus.backlog(&subscription(0)).await.expect("the broker is there").waiting, 0);
}

#[tokio::test]
async fn what_lies_in_the_dead_letters_is_shown_to_its_consumer_and_forgotten() {
    let Some(server) = server() else { return };
    let bus = bus(&server).await;
    let mut consumer = open(&bus).await;
    let other = other_client(&server).await;
    for body in ["first", "second"] {
        let sent = other.publish("order.created.v1", body.into()).await;
        sent.expect("it is sent").await.expect("it is stored");
    }
    bus.publish(vec![event(1, 1)]).await.expect("it is published");
    let taken = take(&mut *consumer, 1).await;
    acknowledge(&mut *consumer, &taken).await;
    nothing_comes(&mut *consumer, Duration::from_millis(200)).await;

    let shown = bus.given_up(&subscription(0), 10).await.expect("the broker is there");
    let bodies: Vec<&[u8]> = shown.iter().map(|one| &one.body[..]).collect();
    assert_eq!(bodies, [&b"first"[..], b"second"]);
    assert_eq!(shown[0].kind, "order.created.v1");
    assert_eq!(shown[0].reason, "the attribute `specversion` is missing");
    assert!(shown[0].event.is_none() && shown[0].at.as_micros() > 0);
    let named = |name: &str| shown[0].headers.iter().any(|(own, _)| own == name);
    assert!(named("a4co-dlq-consumer"), "{:?}", shown[0].headers);
    let limited = bus.given_up(&subscription(0), 1).await.expect("the broker is there");
    assert_eq!((limited.len(), limited[0].handle), (1, shown[0].handle));

    // Another consumer of the same context has none, and removes none.
    let consumer = "payment-order".to_owned();
    let of_another = backbone::bus::Subscription { consumer, service: "payment", ..subscription(0) };
    assert!(bus.given_up(&of_another, 10).await.expect("the broker is there").is_empty());
    bus.forget(&of_another, &[shown[0].handle]).await.expect("the broker is there");
    for _ in 0..2 {
        bus.forget(&subscription(0), &[shown[0].handle]).await.expect("what is gone is gone");
    }
    let left = bus.given_up(&subscription(0), 10).await.expect("the broker is there");
    assert_eq!(left.iter().map(|one| one.handle).collect::<Vec<u64>>(), [shown[1].handle]);
}

#[tokio::test]
async fn a_message_whose_dead_letter_finds_no_place_stays_with_the_broker() {
    let Some(server) = server() else { return };
    let bus = bus(&server).await;
    let mut consumer = open(&bus).await;
    let other = other_client(&server).await;
    other.delete_stream("DLQ").await.expect("an operator may");
    let sent = other.publish("order.created.v1", Bytes::from_static(b"?")).await;
    sent.expect("it is sent").await.expect("it is stored");
    bus.publish(vec![event(1, 1)]).await.expect("it is published");
    let taken = take(&mut *consumer, 1).await;
    assert_eq!(numbers(&taken), [1], "the others go on");
    acknowledge(&mut *consumer, &taken).await;
    assert_eq!(bus.backlog(&subscription(0)).await.expect("the broker is there").waiting, 1);
}
