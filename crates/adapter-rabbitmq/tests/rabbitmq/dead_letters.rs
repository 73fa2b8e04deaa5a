//! What others publish, what nobody can read, and what the broker gave up.

use std::time::SystemTime;

use adapter_rabbitmq::{Options, RabbitBus};
use backbone::bus::{Bus, GivenUp, partition_of};
use kernel::Duration;
use lapin::options::{BasicNackOptions, BasicPublishOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel};
use tokio::time::{Instant, sleep};

use crate::broker::{
    DEAD, PATIENCE, QUEUE, acknowledge, backlog_becomes, bus, connect, event, events, messages_of, next_of,
    nothing_comes, number, numbers, open, options, other_client, subscription, take, try_open,
};

async fn send(other: &Channel, headers: &[(&str, &str)], body: &[u8]) {
    send_as(other, "order.created.v1", headers, body).await;
}

async fn send_as(other: &Channel, key: &str, headers: &[(&str, &str)], body: &[u8]) {
    let mut table = FieldTable::default();
    for (name, value) in headers {
        table.insert((*name).into(), AMQPValue::LongString((*value).into()));
    }
    let properties = BasicProperties::default().with_headers(table);
    let options = BasicPublishOptions::default();
    let sent = other.basic_publish("order.events".into(), key.into(), options, body, properties);
    sent.await.expect("it is sent");
}

/// What lies in the dead letters, as soon as so much does.
async fn given_up(bus: &RabbitBus, count: usize) -> Vec<GivenUp> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let found = bus.given_up(&subscription(0), 10).await.expect("the broker is there");
        if found.len() == count {
            return found;
        }
        assert!(Instant::now() < give_up, "{} are there", found.len());
        sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) async fn an_event_of_another_client_arrives_with_what_it_says(host: String) {
    let bus = bus(&host).await;
    let mut consumer = open(&bus).await;
    let python = [
        ("cloudEvents:specversion", "1.0"),
        ("cloudEvents:id", "till-7-0001"),
        ("cloudEvents:source", "https://example.org/till/7"),
        ("cloudEvents:type", "order.created.v1"),
    ];
    send(&other_client(&host).await, &python, b"{\"total\":12}").await;
    let taken = take(&mut *consumer, 1).await;
    let envelope = &taken[0].envelope;
    assert_eq!((envelope.kind.as_str(), &envelope.data[..]), ("order.created.v1", &b"{\"total\":12}"[..]));
    assert_eq!(envelope.subject, "till-7-0001");
    assert!(envelope.time.as_micros() > 0, "it came when we took it");
}

pub(crate) async fn what_nobody_can_read_goes_to_the_dead_letters_whole_and_holds_up_nothing(host: String) {
    let bus = bus(&host).await;
    let mut consumer = open(&bus).await;
    bus.publish(vec![event(1, 1)]).await.expect("it is published");
    send(&other_client(&host).await, &[("cloudEvents:id", "x"), ("x-own", "kept")], b"\xFF\x00").await;
    // The other client waits for nobody.
    given_up(&bus, 1).await;
    bus.publish(vec![event(1, 2)]).await.expect("it is published");
    let taken = take(&mut *consumer, 2).await;
    assert_eq!(numbers(&taken), [1, 2]);
    acknowledge(&mut *consumer, &taken).await;
    nothing_comes(&mut *consumer, Duration::from_millis(200)).await;

    let shown = given_up(&bus, 1).await.remove(0);
    assert_eq!((shown.kind.as_str(), &shown.body[..]), ("order.created.v1", &b"\xFF\x00"[..]));
    assert_eq!(shown.reason, "the attribute `specversion` is missing");
    assert!(shown.event.is_none());
    let header = |name: &str| shown.headers.iter().find(|(own, _)| own == name).map(|(_, v)| v.as_str());
    for (name, value) in [
        ("cloudEvents:id", "x"),
        ("x-own", "kept"),
        ("a4co-dlq-queue", QUEUE),
        ("a4co-dlq-subject", "order.created.v1"),
    ] {
        assert_eq!(header(name), Some(value), "{name}");
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later").as_micros();
    assert!((now as i64 - shown.at.as_micros()).abs() < 60_000_000, "{}", shown.at);
    backlog_becomes(&bus, 0).await;
}

/// Two readers would have its key otherwise.
pub(crate) async fn an_event_that_was_sent_to_the_wrong_partition_goes_to_the_dead_letters(host: String) {
    let bus = connect(Options { partitions: 2, ..options(&host) }).await;
    let wrong = 1 - partition_of("till-7-0001", 2);
    let _readers = [
        try_open(&bus, subscription(0)).await.expect("the partition opens"),
        try_open(&bus, subscription(1)).await.expect("the partition opens"),
    ];
    let python = [
        ("cloudEvents:specversion", "1.0"),
        ("cloudEvents:id", "till-7-0001"),
        ("cloudEvents:source", "https://example.org/till/7"),
        ("cloudEvents:type", "order.created.v1"),
    ];
    let other = other_client(&host).await;
    send_as(&other, &format!("order.created.v1.p{wrong}"), &python, b"{}").await;
    let shown = loop {
        let shown = bus.given_up(&subscription(wrong), 10).await.expect("the broker is there");
        if let Some(shown) = shown.into_iter().next() {
            break shown;
        }
        sleep(Duration::from_millis(50)).await;
    };
    assert!(shown.reason.contains("its subject is of partition"), "{}", shown.reason);
    assert!(shown.event.is_some(), "it can be read");
    let elsewhere = bus.given_up(&subscription(1 - wrong), 10).await.expect("the broker is there");
    assert!(elsewhere.is_empty(), "it is shown to one of them");
}

pub(crate) async fn a_message_whose_dead_letter_finds_no_place_stays_with_the_broker(host: String) {
    let bus = bus(&host).await;
    let mut consumer = open(&bus).await;
    let other = other_client(&host).await;
    other.queue_delete(DEAD.into(), QueueDeleteOptions::default()).await.expect("an operator may");
    send(&other, &[], b"?").await;
    sleep(Duration::from_millis(200)).await;
    bus.publish(vec![event(1, 1)]).await.expect("it is published");
    let taken = take(&mut *consumer, 1).await;
    assert_eq!(numbers(&taken), [1], "the others go on");
    acknowledge(&mut *consumer, &taken).await;
    drop(consumer);
    backlog_becomes(&bus, 1).await;
    // Who opens it next finds a place for it.
    let _consumer = open(&bus).await;
    given_up(&bus, 1).await;
    backlog_becomes(&bus, 0).await;
}

/// By the broker's own limit, which another client uses up by its refusals.
pub(crate) async fn what_the_broker_gave_up_is_shown_and_forgotten(host: String) {
    let bus = connect(Options { deliveries_max: 20, ..options(&host) }).await;
    bus.publish(vec![event(1, 1), event(2, 2)]).await.expect("it is published");
    let other = other_client(&host).await;
    let again = BasicNackOptions { requeue: true, ..Default::default() };
    let mut messages = messages_of(&other, QUEUE).await;
    // Each once, and then as often again as it may.
    for _ in 0..2 * 21 {
        next_of(&mut messages).await.acker.nack(again).await.expect("the broker is there");
    }
    let shown = given_up(&bus, 2).await;
    let events: Vec<u128> = shown.iter().filter_map(|one| one.event.as_deref().map(number)).collect();
    assert!(events.contains(&1) && events.contains(&2), "{shown:?}");
    assert!(shown.iter().all(|one| one.reason.contains("as often as it may")), "{shown:?}");
    assert_eq!(shown[0].kind, "order.counted.v1");
    let limited = bus.given_up(&subscription(0), 1).await.expect("the broker is there");
    assert_eq!(limited.len(), 1);
    bus.forget(&subscription(0), &[shown[0].handle]).await.expect("the broker is there");
    let left: Vec<u64> = given_up(&bus, 1).await.iter().map(|one| one.handle).collect();
    assert_eq!(left, [shown[1].handle]);
    bus.forget(&subscription(0), &left).await.expect("the broker is there");
    bus.forget(&subscription(0), &left).await.expect("what is gone is gone");
    given_up(&bus, 0).await;
}

pub(crate) async fn a_handle_is_good_after_another_look(host: String) {
    let first = bus(&host).await;
    let _consumer = open(&first).await;
    send(&other_client(&host).await, &[("x-own", "1")], b"?").await;
    let shown = given_up(&first, 1).await;
    // The look of a process that ends leaves everything where it was.
    first.close().await;
    let second = bus(&host).await;
    let again = given_up(&second, 1).await;
    assert_eq!(again[0].handle, shown[0].handle);
    second.forget(&subscription(0), &[shown[0].handle]).await.expect("the broker is there");
    given_up(&second, 0).await;
    second.publish(events(1..=1)).await.expect("the rest goes on");
}
