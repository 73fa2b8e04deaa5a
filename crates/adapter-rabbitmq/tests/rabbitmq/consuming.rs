//! Order, redelivery, and who is served.

use adapter_rabbitmq::Options;
use backbone::bus::{Bus, Delivery};
use backbone::journal::Sent;
use kernel::Duration;
use lapin::options::{BasicQosOptions, QueueDeleteOptions};

use crate::broker::{
    Inbox, QUEUE, acknowledge, backlog_becomes, bus, connect, event, events, messages_of, next_of,
    nothing_comes, number, numbers, open, options, other_client, reason, subscription, take, try_open,
};

pub(crate) async fn what_is_given_back_keeps_the_order_of_its_subject_whatever_was_acknowledged(
    host: String,
) {
    let bus = bus(&host).await;
    let mut consumer = open(&bus).await;
    bus.publish(events(1..=8)).await.expect("it is published");
    let taken = take(&mut *consumer, 5).await;
    // The ones in the middle: what is left has holes.
    acknowledge(&mut *consumer, &[taken[1].clone(), taken[3].clone()]).await;
    consumer.give_back().await.expect("it is given back");
    bus.publish(events(9..=9)).await.expect("it is published");
    assert_eq!(numbers(&take(&mut *consumer, 7).await), [1, 3, 5, 6, 7, 8, 9]);
    let mut next = open(&bus).await;
    assert_eq!(numbers(&take(&mut *next, 7).await), [1, 3, 5, 6, 7, 8, 9]);
}

/// The broker gives what comes back in the order in which it came back: here the few that another
/// reader had for a moment come behind the rest.
pub(crate) async fn what_comes_again_keeps_its_order_although_it_came_back_in_another(host: String) {
    let wide = bus(&host).await;
    let mut consumer = open(&wide).await;
    wide.publish(events(1..=9)).await.expect("it is published");
    take(&mut *consumer, 9).await;
    drop(consumer);
    for _ in 0..2 {
        let narrow = connect(Options { in_flight_max: 4, ..options(&host) }).await;
        let mut consumer = open(&narrow).await;
        take(&mut *consumer, 4).await;
        drop(consumer);
        narrow.close().await;
    }
    wide.publish(events(10..=12)).await.expect("it is published");
    let mut consumer = open(&wide).await;
    assert_eq!(numbers(&take(&mut *consumer, 12).await), (1..=12).collect::<Vec<u128>>());
}

/// Takes everything, and lets it go back before it settles any.
async fn peek(host: &str, count: u16) {
    let other = other_client(host).await;
    other.basic_qos(count, BasicQosOptions::default()).await.expect("the broker is there");
    let mut messages = messages_of(&other, QUEUE).await;
    for _ in 0..count {
        next_of(&mut messages).await;
    }
    other.close(200, "looked".into()).await.expect("the broker is there");
}

pub(crate) async fn more_comes_again_than_a_reader_may_hold_and_keeps_its_order(host: String) {
    let bus = connect(Options { in_flight_max: 8, ..options(&host) }).await;
    drop(open(&bus).await);
    bus.publish(events(1..=60)).await.expect("it is published");
    peek(&host, 50).await;
    // What somebody else had a look at comes behind the rest: 5 to 50, then 1 to 4.
    peek(&host, 4).await;
    let mut consumer = open(&bus).await;
    let mut inbox = Inbox::default();
    while inbox.len() < 60 {
        let taken = take(&mut *consumer, 4).await;
        inbox.take(&taken);
        acknowledge(&mut *consumer, &taken).await;
    }
    assert!(inbox.is_in_order(), "{:?}", inbox.taken);
    assert_eq!(inbox.repeated, 0);
}

/// Whatever the clocks of those say who published: what was refused goes out behind what is newer.
pub(crate) async fn what_comes_again_is_in_the_order_of_its_producers_journal(host: String) {
    let sent = |position: u64| Sent { position, envelope: event(1, position.into()) };
    let bus = bus(&host).await;
    let mut consumer = open(&bus).await;
    bus.relay(vec![sent(2), sent(3)], false).await.expect("it is published");
    bus.relay(vec![sent(1)], true).await.expect("it is published");
    assert_eq!(numbers(&take(&mut *consumer, 3).await), [2, 3, 1]);
    drop(consumer);
    let mut next = open(&bus).await;
    assert_eq!(numbers(&take(&mut *next, 3).await), [1, 2, 3]);
}

/// With more waiting than any of them may hold.
pub(crate) async fn readers_that_take_over_from_each_other_keep_the_order_of_what_waits(host: String) {
    let narrow = || Options { in_flight_max: 8, ..options(&host) };
    let buses = [connect(narrow()).await, connect(narrow()).await];
    let mut consumer = open(&buses[0]).await;
    buses[0].publish(events(1..=200)).await.expect("it is published");
    let mut inbox = Inbox::default();
    for round in 0..16 {
        let taken = take(&mut *consumer, 6).await;
        inbox.take(&taken[..5]);
        acknowledge(&mut *consumer, &taken[round % 2..5]).await;
        // Of the same process, or of another one that waited for its turn.
        consumer = match round % 3 {
            0 => open(&buses[round % 2]).await,
            _ => {
                let next = open(&buses[(round + 1) % 2]).await;
                drop(consumer);
                next
            }
        };
    }
    while inbox.len() < 200 {
        let taken = take(&mut *consumer, 1).await;
        inbox.take(&taken);
        acknowledge(&mut *consumer, &taken).await;
    }
    assert!(inbox.is_in_order(), "{:?}", inbox.taken);
}

pub(crate) async fn of_two_readers_the_last_is_served(host: String) {
    let bus = bus(&host).await;
    let mut first = open(&bus).await;
    bus.publish(events(1..=6)).await.expect("it is published");
    assert_eq!(numbers(&take(&mut *first, 3).await), [1, 2, 3]);
    let mut second = open(&bus).await;
    bus.publish(events(7..=40)).await.expect("it is published");
    assert_eq!(numbers(&take(&mut *second, 40).await), (1..=40).collect::<Vec<u128>>());
    let refused = first.fetch(1).await.map_err(|error| reason(&error)).expect_err("it is told");
    assert!(refused.contains("another one reads"), "{refused}");
    // The end of the first one leaves the second one alone.
    drop(first);
    bus.publish(events(41..=41)).await.expect("it is published");
    assert_eq!(numbers(&take(&mut *second, 1).await), [41]);
}

pub(crate) async fn a_reader_of_another_process_takes_over_when_the_first_one_goes(host: String) {
    let (here, there) = (bus(&host).await, bus(&host).await);
    let mut first = open(&here).await;
    here.publish(events(1..=6)).await.expect("it is published");
    let taken = take(&mut *first, 4).await;
    acknowledge(&mut *first, &taken[..2]).await;
    let mut second = open(&there).await;
    nothing_comes(&mut *second, Duration::from_millis(200)).await;
    drop(first);
    here.publish(events(7..=8)).await.expect("it is published");
    assert_eq!(numbers(&take(&mut *second, 6).await), [3, 4, 5, 6, 7, 8]);
}

pub(crate) async fn positions_grow_over_readers(host: String) {
    let mut last = 0;
    for round in 0..3 {
        let bus = bus(&host).await;
        let mut consumer = open(&bus).await;
        bus.publish(events(round * 10 + 1..=round * 10 + 10)).await.expect("it is published");
        let taken: Vec<Delivery> = take(&mut *consumer, 10).await;
        for delivery in &taken {
            assert!(delivery.position > last, "{} after {last}", delivery.position);
            last = delivery.position;
        }
        acknowledge(&mut *consumer, &taken[..5]).await;
        let rest = taken[5..].to_vec();
        acknowledge(&mut *consumer, &rest).await;
    }
}

pub(crate) async fn partitions_share_the_subjects_and_each_keeps_its_order(host: String) {
    let bus = connect(Options { partitions: 3, ..options(&host) }).await;
    assert_eq!(bus.capabilities().partitions, 3);
    let batch = (0..90u128).map(|number| event(number % 10, number + 1)).collect();
    bus.publish(batch).await.expect("it is published");
    let mut all = Vec::new();
    for partition in 0..3 {
        let waiting = bus.backlog(&subscription(partition)).await.expect("the broker is there").waiting;
        let mut reader = try_open(&bus, subscription(partition)).await.expect("the partition opens");
        let own = take(&mut *reader, waiting as usize).await;
        acknowledge(&mut *reader, &own).await;
        let own: Vec<(String, u128)> =
            own.iter().map(|d| (d.envelope.subject.clone(), number(&d.envelope))).collect();
        for (index, (subject, number)) in own.iter().enumerate() {
            let partition_of = kernel::stable_hash(subject.as_bytes()) % 3;
            assert_eq!(partition_of, u64::from(partition), "{subject}");
            assert!(own[..index].iter().all(|(other, before)| other != subject || before < number));
        }
        all.extend(own.into_iter().map(|(_, number)| number));
    }
    all.sort_unstable();
    assert_eq!(all, (1..=90).collect::<Vec<u128>>());
}

pub(crate) async fn a_cancelled_subscription_is_told_and_made_anew(host: String) {
    let bus = bus(&host).await;
    let mut consumer = open(&bus).await;
    let deleted = other_client(&host).await.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await;
    deleted.expect("an operator may");
    consumer.fetch(1).await.expect_err("its queue is gone");
    let mut consumer = open(&bus).await;
    bus.publish(events(1..=2)).await.expect("there is a queue again");
    let taken = take(&mut *consumer, 2).await;
    acknowledge(&mut *consumer, &taken).await;
    backlog_becomes(&bus, 0).await;
}
