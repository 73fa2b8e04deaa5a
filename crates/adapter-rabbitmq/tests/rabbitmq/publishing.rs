//! What counts as published.

use std::collections::BTreeSet;

use adapter_rabbitmq::{Options, RabbitBus};
use backbone::bus::{Bus, Error};
use bytes::Bytes;
use kernel::{Duration, Envelope};
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};

use crate::broker::{
    QUEUE, bus, connect, event, events, messages_of, next_of, nothing_comes, numbers, open, options,
    other_client, take,
};

/// Rule 4: the broker confirms an unroutable message as well.
pub(crate) async fn an_unroutable_message_is_an_error(host: String) {
    let bus = bus(&host).await;
    bus.publish(events(1..=1)).await.expect("there is a queue");
    let other = other_client(&host).await;
    let deleted = other.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await;
    deleted.expect("an operator may");
    for batch in [events(2..=2), vec![event(1, 3), event(2, 4)]] {
        match bus.publish(batch).await {
            Err(Error::Unroutable(what)) => assert_eq!(what, "order.counted.v1"),
            other => panic!("{other:?}"),
        }
    }
    let mut consumer = open(&bus).await;
    bus.publish(events(5..=5)).await.expect("there is a queue again");
    assert_eq!(numbers(&take(&mut *consumer, 1).await), [5]);
}

pub(crate) async fn what_nobody_in_the_deployment_reads_is_published_to_nobody(host: String) {
    let bus = bus(&host).await;
    let weather = Envelope { kind: "weather.changed.v1".into(), ..event(1, 1) };
    bus.publish(vec![weather.clone(), event(1, 2)]).await.expect("nobody misses it");
    // The same type is an error as soon as somebody is said to read it, and has no queue.
    let consumers = BTreeSet::from([("order".to_owned(), "weather".to_owned())]);
    let bus = connect(Options { consumers, ..options(&host) }).await;
    bus.publish(vec![weather.clone()]).await.expect("its queue was declared");
    let other = other_client(&host).await;
    let gone = other.queue_delete("order.weather.queue".into(), QueueDeleteOptions::default()).await;
    assert_eq!(gone.expect("it is there"), 1, "the first one is not in it");
    assert!(matches!(bus.publish(vec![weather]).await, Err(Error::Unroutable(_))));
}

pub(crate) async fn the_queues_of_all_services_are_there_before_anything_is_published(host: String) {
    let publisher = bus(&host).await;
    publisher.publish(events(1..=3)).await.expect("the queue of inventory is there");
    let mut consumer = open(&bus(&host).await).await;
    assert_eq!(numbers(&take(&mut *consumer, 3).await), [1, 2, 3]);
}

pub(crate) async fn the_message_that_is_stored_is_what_any_client_reads(host: String) {
    bus(&host).await.publish(vec![event(7, 1)]).await.expect("it is published");
    let other = other_client(&host).await;
    let message = next_of(&mut messages_of(&other, QUEUE).await).await;
    assert_eq!(
        (message.exchange.as_str(), message.routing_key.as_str()),
        ("order.events", "order.counted.v1")
    );
    assert_eq!(message.data, b"{\"n\":1}");
    let properties = &message.properties;
    assert_eq!(*properties.delivery_mode(), Some(2));
    assert_eq!(properties.content_type().as_ref().map(|kind| kind.as_str()), Some("application/json"));
    let headers = properties.headers().clone().expect("it has headers");
    for (name, value) in [
        ("cloudEvents:specversion", "1.0"),
        ("cloudEvents:id", "01900000-0000-7000-8000-000000000001"),
        ("cloudEvents:type", "order.counted.v1"),
        ("cloudEvents:source", "order"),
        ("cloudEvents:subject", "00000000-0000-0000-0000-000000000007"),
    ] {
        assert_eq!(headers.inner().get(name), Some(&AMQPValue::LongString(value.into())), "{name}");
    }
}

pub(crate) async fn a_queue_that_differs_is_refused_by_what_differs(host: String) {
    let other = other_client(&host).await;
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let made = other.queue_declare(QUEUE.into(), durable, FieldTable::default()).await;
    made.expect("somebody made it before us");
    let refused = match RabbitBus::connect(options(&host)).await {
        Err(error) => error.to_string(),
        Ok(_) => String::new(),
    };
    assert!(refused.contains(QUEUE) && refused.contains("x-"), "{refused}");
    // What is too large is refused before it is sent.
    let large = Envelope { data: Bytes::from(vec![b' '; 1024 * 1024 + 1]), ..event(1, 1) };
    other.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await.expect("an operator may");
    let bus = bus(&host).await;
    bus.publish(vec![large]).await.expect_err("it is too large");
    let mut consumer = open(&bus).await;
    nothing_comes(&mut *consumer, Duration::from_millis(100)).await;
}
