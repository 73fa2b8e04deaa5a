//! Servers that end and come back while work goes on. Nobody else may use them meanwhile.

use std::sync::Arc;
use std::time::Duration;

use engine::{Beginning, By};
use uuid::Uuid;

use super::bench::{Bench, until};
use super::ground::upto;
use super::place::Place;

/// Publishes pings of keys while something happens to the servers.
async fn ping_throughout(bench: &Bench, keys: &[Uuid], numbers: std::ops::RangeInclusive<u64>) {
    for n in numbers {
        let pings: Vec<(Uuid, u64)> = keys.iter().map(|key| (*key, n)).collect();
        bench.ping(&pings).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn keys() -> [Uuid; 4] {
    [(); 4].map(|()| Uuid::now_v7())
}

pub(super) async fn a_broker_that_is_killed_in_mid_stream_loses_nothing_and_doubles_nothing(place: Place) {
    let keys = keys();
    Bench::make_known(&place).await;
    let bench = Bench::probe(&place, &Arc::default()).await;
    let restart = place.act(|place| {
        // A quorum queue that RabbitMQ has made a moment before it is killed may stay without a leader.
        std::thread::sleep(Duration::from_secs(3));
        place.servers().kill_broker();
        place.servers().start_broker_again();
    });
    futures::join!(ping_throughout(&bench, &keys, 1..=180), restart);
    ping_throughout(&bench, &keys, 181..=185).await;
    for key in keys {
        bench.until_seen(key, &upto(185)).await;
    }
    bench.until_dead(0).await;
    bench.stop().await;
}

pub(super) async fn a_database_whose_power_fails_in_mid_stream_loses_nothing_and_doubles_nothing(
    place: Place,
) {
    let keys = keys();
    let bench = Bench::probe(&place, &Arc::default()).await;
    // Its recovery begins here, and not with the databases of all scenarios.
    place.act(|place| drop(place.sql("CHECKPOINT"))).await;
    let restart = place.act(|place| {
        std::thread::sleep(Duration::from_millis(200));
        place.servers().restart_postgres();
    });
    let write = async {
        for n in 1..=60 {
            for key in &keys {
                // What was not answered is asked again under its key.
                super::unreliable::ping_once(&bench, *key, n).await;
            }
        }
    };
    futures::join!(write, restart);
    for key in keys {
        let seen = until(
            async || bench.context.get::<super::probe::Seen>(key).await,
            |found| {
                found
                    .as_ref()
                    .is_ok_and(|seen| seen.as_ref().is_some_and(|seen| seen.document.order.len() >= 60))
            },
        );
        assert_eq!(seen.await.unwrap().unwrap().document.order, upto(60));
    }
    bench.until_dead(0).await;
    bench.stop().await;
}

pub(super) async fn a_broker_that_loses_its_storage_is_made_again_and_filled_while_the_process_runs(
    place: Place,
) {
    let key = Uuid::now_v7();
    let bench = Bench::probe(&place, &Arc::default()).await;
    ping_throughout(&bench, &[key], 1..=5).await;
    bench.until_seen(key, &upto(5)).await;
    place.act(|place| place.servers().kill_broker()).await;
    ping_throughout(&bench, &[key], 6..=8).await;
    place
        .act(|place| {
            place.servers().lose_the_brokers_data();
            place.servers().start_broker_again();
        })
        .await;
    bench.until_seen(key, &upto(8)).await;
    until_it_fires(&bench, "events-lost", true).await;
    let republisher = bench.running.republisher();
    republisher.ask(None, Beginning::Position(0), &By::new("ana")).await.unwrap();
    ping_throughout(&bench, &[key], 9..=10).await;
    bench.until_seen(key, &upto(10)).await;
    until_it_fires(&bench, "events-lost", false).await;
    let again = republisher.progress().await.unwrap().remove(0).progress;
    assert_eq!((again.published, again.is_under_way()), (8, false));
    bench.stop().await;
}

async fn until_it_fires(bench: &Bench, alert: &str, wanted: bool) {
    let fires = async || bench.running.watch().alerts().iter().any(|firing| firing.alert == alert);
    assert_eq!(until(fires, |fires| *fires == wanted).await, wanted, "{alert}");
}
