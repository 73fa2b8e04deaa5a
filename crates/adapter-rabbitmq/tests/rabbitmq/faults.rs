//! Servers that die, connections that are cut, confirms that are lost, and storage that is gone.

use std::sync::Arc;

use adapter_rabbitmq::{Options, RabbitBus};
use backbone::bus::{Bus, Error};
use kernel::{Duration, Envelope};
use testservers::RabbitServer;
use tokio::time::{sleep, timeout};

use crate::broker::{
    Inbox, PATIENCE, acknowledge, backlog_becomes, bus, connect, event, events, numbers, open,
    open_in_the_end, options, publish_in_the_end, subscription, take,
};
use crate::way::Way;

/// A node takes seconds to start.
const RESTART: Duration = Duration::from_secs(90);

/// Short, so that a lost answer is noticed soon.
fn impatient(options: Options) -> Options {
    Options { answer_time_max: Duration::from_millis(700), ..options }
}

/// The connection came up so often.
async fn is_up(bus: &RabbitBus, ups: u64) {
    let mut state = bus.connection();
    let up = timeout(RESTART, state.wait_for(|state| state.is_up && state.ups >= ups)).await;
    up.expect("it comes back").expect("it lives");
}

pub(crate) async fn a_lost_confirm_is_a_failure_and_what_is_published_again_arrives(
    server: Arc<RabbitServer>,
    host: String,
) {
    let way = Way::to(&server, &host).await;
    let through = connect(impatient(options(&way.host))).await;
    through.publish(events(1..=1)).await.expect("it is published");
    way.set_deaf(true);
    let lost = through.publish(vec![event(1, 2), event(2, 3)]).await;
    assert!(matches!(lost, Err(Error::Unavailable { .. })), "{lost:?}");
    way.set_deaf(false);
    assert!(publish_in_the_end(&through, &[event(1, 2), event(2, 3)]).await < 1_000);
    let mut consumer = open(&bus(&host).await).await;
    // The first publication arrived as well: the inbox takes one of each.
    let mut inbox = Inbox::default();
    inbox.take(&take(&mut *consumer, 5).await);
    assert_eq!((inbox.len(), inbox.repeated), (3, 2));
}

pub(crate) async fn a_cut_connection_is_made_anew(server: Arc<RabbitServer>, host: String) {
    let way = Way::to(&server, &host).await;
    let through = connect(impatient(options(&way.host))).await;
    let mut consumer = open(&through).await;
    through.publish(events(1..=4)).await.expect("it is published");
    let taken = take(&mut *consumer, 4).await;
    acknowledge(&mut *consumer, &taken[..2]).await;
    way.cut();
    let told = timeout(PATIENCE, consumer.fetch(1)).await.expect("it is told");
    assert!(matches!(told, Err(Error::Unavailable { .. })));
    let positions = [taken[2].position];
    consumer.acknowledge(&positions).await.expect_err("its channel is gone");
    is_up(&through, 2).await;
    publish_in_the_end(&through, &events(5..=5)).await;
    let mut consumer = open_in_the_end(&through).await;
    assert_eq!(numbers(&take(&mut *consumer, 3).await), [3, 4, 5]);
}

pub(crate) async fn a_server_that_takes_no_messages_is_unavailable_and_says_so(
    server: Arc<RabbitServer>,
    host: String,
) {
    let bus = connect(impatient(options(&host))).await;
    let mut consumer = open(&bus).await;
    bus.publish(events(1..=3)).await.expect("it is published");
    let taken = take(&mut *consumer, 3).await;
    let node = server.clone();
    let short = move || node.control(&["set_vm_memory_high_watermark", "0.000001"]);
    tokio::task::spawn_blocking(short).await.expect("the operator may");
    let refused = bus.publish(events(4..=4)).await;
    assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
    let mut state = bus.connection();
    let told = timeout(PATIENCE, state.wait_for(|state| state.is_blocked)).await;
    told.expect("it is told").expect("it lives");
    let refused = bus.publish(events(5..=5)).await.map_err(|error| error.to_string());
    assert!(refused.as_ref().is_err_and(|said| said.contains("short of memory")), "{refused:?}");
    // Who reads goes on: only so does the server get rid of anything.
    acknowledge(&mut *consumer, &taken).await;
    backlog_becomes(&bus, 0).await;
    let enough = move || server.control(&["set_vm_memory_high_watermark", "0.8"]);
    tokio::task::spawn_blocking(enough).await.expect("the operator may");
    publish_in_the_end(&bus, &events(4..=5)).await;
    let mut inbox = Inbox::default();
    while inbox.len() < 2 {
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

async fn restart(server: Arc<RabbitServer>) {
    let again = move || {
        server.kill();
        server.start_again();
    };
    tokio::task::spawn_blocking(again).await.expect("it starts");
}

pub(crate) async fn a_server_that_is_killed_in_mid_stream_loses_nothing_and_no_subject_its_order(
    server: Arc<RabbitServer>,
    host: String,
) {
    const BATCHES: u128 = 60;
    let answer_time_max = Duration::from_secs(2);
    let bus = connect(Options { answer_time_max, ..options(&host) }).await;
    let mut consumer = open(&bus).await;
    let publisher = bus.clone();
    let publishing = tokio::spawn(async move {
        let mut failures = 0;
        for (number, batch) in batches(BATCHES).into_iter().enumerate() {
            if number % 20 == 10 {
                // In the middle of what follows.
                let server = server.clone();
                tokio::spawn(async move {
                    sleep(Duration::from_millis(5)).await;
                    restart(server).await;
                });
            }
            while publisher.publish(batch.clone()).await.is_err() {
                failures += 1;
                sleep(Duration::from_millis(100)).await;
            }
            sleep(Duration::from_millis(5)).await;
        }
        failures
    });
    let mut inbox = Inbox::default();
    let mut outages = 0;
    while inbox.len() < BATCHES as usize * 40 {
        let fetched = timeout(RESTART, consumer.fetch(64)).await;
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
    assert!(failures > 0 && outages > 0, "{failures} publications failed, {outages} fetches");
}

pub(crate) async fn what_was_not_acknowledged_survives_the_server_and_comes_in_order(
    server: Arc<RabbitServer>,
    host: String,
) {
    let bus = bus(&host).await;
    let mut consumer = open(&bus).await;
    bus.publish(events(1..=20)).await.expect("it is published");
    let taken = take(&mut *consumer, 10).await;
    acknowledge(&mut *consumer, &taken[..4]).await;
    drop(consumer);
    restart(server).await;
    is_up(&bus, 2).await;
    assert!(bus.lost().is_empty(), "{:?}", bus.lost());
    assert!(bus.knows(&subscription(0)).await.expect("the broker is there"), "the mark outlasts a restart");
    let mut consumer = open_in_the_end(&bus).await;
    let first = numbers(&take(&mut *consumer, 1).await)[0];
    // What the broker had not written down when it died comes again: at least once.
    assert!(first <= 5, "{first} came first, and 5 was not acknowledged");
    let rest = take(&mut *consumer, 20 - first as usize).await;
    assert_eq!(numbers(&rest), (first + 1..=20).collect::<Vec<u128>>());
}

pub(crate) async fn a_server_that_lost_its_storage_is_filled_again_and_its_consumers_are_told(
    server: Arc<RabbitServer>,
    host: String,
) {
    let bus = bus(&host).await;
    let mut consumer = open(&bus).await;
    bus.publish(events(1..=5)).await.expect("it is published");
    let taken = take(&mut *consumer, 5).await;
    acknowledge(&mut *consumer, &taken[..2]).await;
    drop(consumer);
    let lose = move || {
        server.kill();
        server.lose_data();
        server.start_again();
    };
    tokio::task::spawn_blocking(lose).await.expect("it starts");
    is_up(&bus, 2).await;
    // As `republish --from` does, out of the journal: the queues are there before the first event.
    bus.republish(events(1..=5)).await.expect("it is published");
    publish_in_the_end(&bus, &events(6..=7)).await;
    let lost: Vec<String> = bus.lost().into_iter().map(|lost| lost.context).collect();
    assert_eq!(lost, ["order", "shipping"], "each context once");
    assert!(!bus.knows(&subscription(0)).await.expect("the broker is there"));
    assert!(matches!(bus.open(subscription(0)).await, Err(Error::Gap { .. })));
    let mut consumer = open_in_the_end(&bus).await;
    assert_eq!(numbers(&take(&mut *consumer, 7).await), (1..=7).collect::<Vec<u128>>());
}
