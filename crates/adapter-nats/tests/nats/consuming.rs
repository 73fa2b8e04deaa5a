//! Order, redelivery, and who is served.

use adapter_nats::Options;
use backbone::bus::{Bus, Subscription};
use kernel::Duration;

use crate::broker::{
    acknowledge, bus, connect, event, events, nothing_comes, number, numbers, open, options, other_client,
    reason, server, subscription, take,
};

#[tokio::test]
async fn what_is_given_back_keeps_the_order_of_its_subject_whatever_was_acknowledged() {
    let Some(server) = server() else { return };
    let bus = bus(&server).await;
    let mut consumer = open(&bus).await;
    bus.publish(events(1..=8)).await.expect("it is published");
    let taken = take(&mut *consumer, 5).await;
    // The ones in the middle: what is left has holes.
    acknowledge(&mut *consumer, &[taken[1].clone(), taken[3].clone()]).await;
    consumer.give_back().await.expect("it is given back");
    bus.publish(events(9..=9)).await.expect("it is published");
    assert_eq!(numbers(&take(&mut *consumer, 7).await), [1, 3, 5, 6, 7, 8, 9]);
    // The next one to open has the broker's mark alone: what was settled behind it may come again.
    let mut next = open(&bus).await;
    let mut seen = numbers(&take(&mut *next, 7).await);
    seen.retain(|number| ![2, 4].contains(number));
    assert!(seen.is_sorted() && seen.starts_with(&[1, 3, 5]), "{seen:?}");
}

#[tokio::test]
async fn of_two_readers_the_last_is_served() {
    let Some(server) = server() else { return };
    let (here, there) = (bus(&server).await, bus(&server).await);
    let mut first = open(&here).await;
    here.publish(events(1..=6)).await.expect("it is published");
    assert_eq!(numbers(&take(&mut *first, 3).await), [1, 2, 3]);
    // It still asks for more when the other one comes.
    let _ = tokio::time::timeout(Duration::from_millis(100), take(&mut *first, 4)).await;
    let mut second = open(&there).await;
    here.publish(events(7..=40)).await.expect("it is published");
    let mut seen = Vec::new();
    while seen.len() < 40 {
        let taken = take(&mut *second, 1).await;
        acknowledge(&mut *second, &taken).await;
        seen.extend(numbers(&taken));
    }
    assert_eq!(seen, (1..=40).collect::<Vec<u128>>());
    let mut refused = None;
    for _ in 0..20 {
        match tokio::time::timeout(Duration::from_secs(40), first.fetch(10)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => refused = Some(reason(&error)),
            Err(_) => panic!("the first one still waits"),
        }
        if refused.is_some() {
            break;
        }
        here.publish(vec![event(1, 100)]).await.expect("it is published");
    }
    let refused = refused.expect("the first one is told");
    assert!(refused.contains("another one reads"), "{refused}");
}

#[tokio::test]
async fn what_slow_hands_hold_is_not_delivered_again() {
    let Some(server) = server() else { return };
    let bus = connect(Options { ack_wait: Duration::from_secs(1), ..options(&server) }).await;
    let mut consumer = open(&bus).await;
    bus.publish(events(1..=3)).await.expect("it is published");
    let taken = take(&mut *consumer, 3).await;
    nothing_comes(&mut *consumer, Duration::from_millis(3_500)).await;
    let stream = other_client(&server).await.get_stream("ORDERS").await.expect("it is there");
    let known = stream.consumer_info("inventory-order").await.expect("it is there");
    assert_eq!(known.num_redelivered, 0, "the broker did not even try");
    acknowledge(&mut *consumer, &taken).await;
    let left = bus.backlog(&subscription(0)).await.expect("the broker is there").waiting;
    assert_eq!(left, 0, "the broker took the late acknowledgement");
}

#[tokio::test]
async fn partitions_share_the_subjects_and_each_keeps_its_order() {
    let Some(server) = server() else { return };
    let bus = connect(Options { partitions: 3, ..options(&server) }).await;
    assert_eq!(bus.capabilities().partitions, 3);
    let other = other_client(&server).await;
    let unreadable = other.publish("order.counted.v1.p1", "?".into()).await;
    unreadable.expect("it is sent").await.expect("it is stored");
    let batch = (0..90u128).map(|number| event(number % 10, number + 1)).collect();
    bus.publish(batch).await.expect("it is published");
    let mut all = Vec::new();
    for partition in 0..3 {
        let mut reader = bus.open(subscription(partition)).await.expect("the partition opens");
        let mut own: Vec<(String, u128)> = Vec::new();
        while let Ok(fetched) = tokio::time::timeout(Duration::from_millis(500), reader.fetch(50)).await {
            let fetched = fetched.expect("the broker is there");
            acknowledge(&mut *reader, &fetched).await;
            own.extend(fetched.iter().map(|d| (d.envelope.subject.clone(), number(&d.envelope))));
        }
        for (index, (subject, number)) in own.iter().enumerate() {
            let partition_of = kernel::stable_hash(subject.as_bytes()) % 3;
            assert_eq!(partition_of, u64::from(partition), "{subject}");
            assert!(own[..index].iter().all(|(other, before)| other != subject || before < number));
        }
        let left = bus.backlog(&subscription(partition)).await.expect("the broker is there").waiting;
        assert_eq!(left, 0, "what belongs to others is passed over");
        all.extend(own.into_iter().map(|(_, number)| number));
    }
    all.sort_unstable();
    assert_eq!(all, (1..=90).collect::<Vec<u128>>());
    let dead = other.get_stream("DLQ").await.expect("it is there");
    assert_eq!(dead.cached_info().state.messages, 1, "what none of them can read is one dead letter");
}

#[tokio::test]
async fn a_new_consumer_of_notification_begins_with_what_comes_next() {
    let Some(server) = server() else { return };
    let bus = bus(&server).await;
    bus.publish(events(1..=3)).await.expect("it is published");
    let consumer = "notification-order".to_owned();
    let of_notification =
        Subscription { consumer, service: "notification", context: "order", partition: 0, after: None };
    assert_eq!(bus.backlog(&of_notification).await.expect("the broker is there").waiting, 0);
    let mut consumer = bus.open(of_notification.clone()).await.expect("the consumer opens");
    bus.publish(events(4..=5)).await.expect("it is published");
    assert_eq!(numbers(&take(&mut *consumer, 2).await), [4, 5]);
    // Opened again it goes on at its mark.
    drop(consumer);
    bus.publish(events(6..=6)).await.expect("it is published");
    let mut consumer = bus.open(of_notification).await.expect("the consumer opens");
    assert_eq!(numbers(&take(&mut *consumer, 3).await), [4, 5, 6]);
}

#[tokio::test]
async fn what_is_declared_misses_nothing_although_it_begins_with_what_comes_next() {
    let Some(server) = server() else { return };
    let from_now = vec!["inventory".to_owned()];
    let bus = connect(Options { from_now, ..options(&server) }).await;
    bus.publish(events(1..=3)).await.expect("the broker takes them");
    for _ in 0..2 {
        bus.declare(&[subscription(0)]).await.expect("the consumer is made, once");
    }
    bus.publish(events(4..=5)).await.expect("the broker takes them");
    let mut consumer = open(&bus).await;
    assert_eq!(numbers(&take(&mut *consumer, 2).await), [4, 5]);
}
