//! A queue that is new holds nothing of what was published before: that is never passed over.

use adapter_rabbitmq::RabbitBus;
use backbone::bus::{Bus, Consumer, Error, Subscription};
use lapin::options::QueueDeleteOptions;

use crate::broker::{
    QUEUE, acknowledge, bus, events, numbers, open, other_client, publish_in_the_end, subscription, take,
};

fn caught_up() -> Subscription {
    Subscription { after: Some(0), ..subscription(0) }
}

fn is_gap(opened: Result<Box<dyn Consumer>, Error>) -> bool {
    match opened {
        Ok(_) => false,
        Err(Error::Gap { consumer, .. }) => consumer == "inventory-order",
        Err(other) => panic!("{other}"),
    }
}

async fn is_known(bus: &RabbitBus) -> bool {
    bus.knows(&subscription(0)).await.expect("the broker is there")
}

async fn delete_queue(host: &str) {
    let deleted = other_client(host).await.queue_delete(QUEUE.into(), QueueDeleteOptions::default()).await;
    deleted.expect("an operator may");
}

pub(crate) async fn a_new_consumer_stands_still_until_it_has_caught_up_once_for_all(host: String) {
    let first = bus(&host).await;
    first.publish(events(1..=3)).await.expect("its queue is there");
    assert!(is_gap(first.open(caught_up()).await), "with nothing, it was told of no gap");
    for _ in 0..2 {
        assert!(is_gap(first.open(subscription(0)).await));
    }
    assert!(!is_known(&first).await);
    let mut consumer = first.open(caught_up()).await.expect("it goes on");
    let taken = take(&mut *consumer, 1).await;
    acknowledge(&mut *consumer, &taken).await;
    drop(consumer);
    first.close().await;
    let second = bus(&host).await;
    assert!(is_known(&second).await);
    let mut consumer = second.open(subscription(0)).await.expect("another process knows it");
    assert_eq!(numbers(&take(&mut *consumer, 2).await), [2, 3]);
    assert!(second.lost().is_empty());
}

pub(crate) async fn a_queue_that_somebody_deleted_is_a_gap_whoever_made_it_again(host: String) {
    let bus = bus(&host).await;
    drop(open(&bus).await);
    assert!(is_known(&bus).await);
    delete_queue(&host).await;
    // Another process makes it again, as one that publishes does.
    let other = crate::broker::bus(&host).await;
    publish_in_the_end(&other, &events(1..=1)).await;
    assert!(is_gap(bus.open(subscription(0)).await));
    // In the midst of catching up it goes once more: what was published in between is not in it.
    delete_queue(&host).await;
    let again = crate::broker::bus(&host).await;
    publish_in_the_end(&again, &events(2..=2)).await;
    assert!(is_gap(bus.open(caught_up()).await), "it has caught up for another queue");
    let mut consumer = bus.open(caught_up()).await.expect("it goes on");
    assert_eq!(numbers(&take(&mut *consumer, 1).await), [2]);
}
