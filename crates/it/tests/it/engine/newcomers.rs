//! A broker that keeps nothing from before a queue was made: what a consumer is owed of that comes out of
//! the producers' journals, whether the storage was lost or the consumer is new. On a real RabbitMQ.

use std::sync::Arc;

use backbone::Module;
use backbone::journal::{Stored, Want};
use backbone::module::Beginning;
use backbone::reaction::on;
use testservers::skip;
use uuid::Uuid;

use super::bench::until;
use super::ground::upto;
use super::place::{Place, Servers};
use super::probe::{Bench, Orders, Ping, SEEN, Seen, probe_module, see};

const KEY: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);

/// Another service, which sees what the probe publishes.
fn other(beginning: Beginning) -> Module {
    let reactions = vec![on::<Ping>(|ping, ws| see(ping, ws))];
    Module { reactions, collections: vec![&SEEN], beginning, ..Module::new("other") }
}

async fn seen_by_other(bench: &Bench, key: Uuid) -> Vec<u64> {
    let journal = bench.running.host("other").expect("it runs").journal().clone();
    let found = journal.load(vec![Want::Document(&SEEN, key.to_string())]).await.expect("the store is there");
    match found.into_iter().next() {
        Some(Stored::Document(Some(found))) => serde_json::from_slice::<serde_json::Value>(&found.body)
            .expect("it is JSON")["order"]
            .as_array()
            .map_or_else(Vec::new, |all| all.iter().filter_map(serde_json::Value::as_u64).collect()),
        _ => Seen::default().order,
    }
}

async fn ping(bench: &Bench, key: Uuid, numbers: std::ops::RangeInclusive<u64>) {
    bench.ping(&numbers.map(|n| (key, n)).collect::<Vec<_>>()).await;
}

async fn on_rabbitmq() -> Option<Place> {
    let place = tokio::task::spawn_blocking(|| Servers::with_rabbitmq(1).map(|servers| servers.place()));
    match place.await.expect("they start or say why") {
        Ok(place) => Some(place),
        Err(missing) => {
            skip(&missing);
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_broker_lost_and_what_a_newcomer_never_had_come_out_of_the_journals() {
    let Some(place) = on_rabbitmq().await else { return };
    let orders = Arc::new(Orders::default());
    let bench = Bench::of(&place, vec![probe_module(orders.clone())]).await;
    ping(&bench, KEY, 1..=300).await;
    bench.until_seen(KEY, &upto(300)).await;
    // What comes next is published, and lost before anybody takes it in, or comes while nobody is there.
    ping(&bench, KEY, 301..=600).await;
    let lost = place.act(|place| {
        place.servers().kill_broker();
        place.servers().lose_the_brokers_data();
        place.servers().start_broker_again();
    });
    let traffic = async {
        ping(&bench, OTHER, 1..=20).await;
        ping(&bench, KEY, 601..=620).await;
    };
    tokio::join!(lost, traffic);
    bench.until_seen(KEY, &upto(620)).await;
    bench.until_seen(OTHER, &upto(20)).await;
    assert_eq!(orders.delivered(KEY, 3), 1, "the inbox knows what was taken");
    let lost = until(async || bench.bus.lost(), |lost| !lost.is_empty()).await;
    assert_eq!(lost.iter().map(|lost| lost.context.as_str()).collect::<Vec<_>>(), ["probe"]);
    bench.stop().await;

    // Its queue is a few seconds old.
    let bench = Bench::of(&place, vec![probe_module(orders), other(Beginning::Stream)]).await;
    ping(&bench, KEY, 621..=630).await;
    let all = upto(630);
    assert_eq!(until(|| seen_by_other(&bench, KEY), |seen| *seen == all).await, all);
    assert_eq!(until(|| seen_by_other(&bench, OTHER), |seen| seen.len() == 20).await, upto(20));
    let catching_up = async || {
        let health = bench.running.watch().health();
        health
            .iter()
            .flat_map(|service| &service.consumers)
            .filter(|consumer| consumer.is_catching_up)
            .count()
    };
    assert_eq!(until(catching_up, |count| *count == 0).await, 0, "they read the broker");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_that_begins_with_what_comes_next_gets_nothing_older_than_its_queue() {
    let Some(place) = on_rabbitmq().await else { return };
    let bench = Bench::probe(&place, &Arc::default()).await;
    ping(&bench, KEY, 1..=5).await;
    bench.until_seen(KEY, &upto(5)).await;
    bench.stop().await;
    place
        .act(|place| {
            place.servers().kill_broker();
            place.servers().lose_the_brokers_data();
            place.servers().start_broker_again();
        })
        .await;
    let bench = Bench::of(&place, vec![probe_module(Arc::default()), other(Beginning::Now)]).await;
    ping(&bench, KEY, 6..=8).await;
    let seen = until(|| seen_by_other(&bench, KEY), |seen| seen.last() == Some(&8)).await;
    assert_eq!(seen, [6, 7, 8]);
    bench.stop().await;
}
