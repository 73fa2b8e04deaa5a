//! Two processes of one service beside each other, and what a way that breaks or another's slow commit
//! does to them.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::bench::Bench;
use super::ground::upto;
use super::place::Place;
use super::probe::Orders;

fn keys(count: usize) -> Vec<Uuid> {
    (0..count).map(|_| Uuid::now_v7()).collect()
}

async fn ping_all(bench: &Bench, keys: &[Uuid], n: u64) {
    bench.ping(&keys.iter().map(|key| (*key, n)).collect::<Vec<_>>()).await;
}

async fn all_are_seen(bench: &Bench, keys: &[Uuid], last: u64) {
    for key in keys {
        bench.until_seen(*key, &upto(last)).await;
    }
}

pub(super) async fn two_replicas_share_the_partitions_and_one_goes_on_alone_in_order(place: Place) {
    let (place, keys) = (place.with_partitions(4), keys(12));
    let (orders, of_second) = (Arc::new(Orders::default()), Arc::new(Orders::default()));
    let first = Bench::probe(&place, &orders).await;
    let second = Bench::probe(&place, &of_second).await;
    for n in 1..=20 {
        ping_all(if n % 2 == 0 { &first } else { &second }, &keys, n).await;
    }
    all_are_seen(&second, &keys, 20).await;
    first.kill().await;
    for n in 21..=30 {
        ping_all(&second, &keys, n).await;
    }
    all_are_seen(&second, &keys, 30).await;
    assert!(keys.iter().any(|key| of_second.delivered(*key, 30) == 1), "the second one reads");
    second.until_dead(0).await;
    second.stop().await;
}

pub(super) async fn a_replica_that_stood_still_past_its_leases_finishes_nothing_when_it_goes_on(
    place: Place,
) {
    let keys = keys(3);
    let mut of_first = place.clone();
    let way = of_first.break_the_way();
    let first = Bench::probe(&of_first, &Arc::default()).await;
    ping_all(&first, &keys, 1).await;
    all_are_seen(&first, &keys, 1).await;
    let of_second = Arc::new(Orders::default());
    let second = Bench::probe(&place, &of_second).await;
    for n in 2..=10 {
        ping_all(&second, &keys, n).await;
    }
    // With whatever it has in hand; the broker gives up whoever gives no sign of life.
    first.machine.stand_still();
    way.close();
    for n in 11..=20 {
        ping_all(&second, &keys, n).await;
    }
    all_are_seen(&second, &keys, 20).await;
    assert!(of_second.delivered(keys[0], 20) > 0, "the second one took over");
    way.open();
    first.machine.go_on();
    for n in 21..=30 {
        ping_all(&second, &keys, n).await;
    }
    all_are_seen(&second, &keys, 30).await;
    ping_all(&first, &keys, 31).await;
    all_are_seen(&first, &keys, 31).await;
    second.until_dead(0).await;
    first.stop().await;
    second.stop().await;
}

/// The other one numbers its event first and commits last (rule 3): nobody may pass it.
pub(super) async fn a_writer_that_began_first_and_commits_last_is_passed_by_nobody(place: Place) {
    let key = Uuid::now_v7();
    let bench = Bench::probe(&place, &Arc::default()).await;
    bench.ping(&[(key, 1)]).await;
    bench.until_seen(key, &[1]).await;
    let slow = format!(
        "BEGIN; SELECT 1 FROM probe.positions FOR UPDATE; UPDATE probe.positions SET log = log + 1; \
         INSERT INTO probe.log (position, id, kind, subject, source, time, correlation, causation, sequence, \
         data) SELECT log, '{}', 'probe.ping.v1', '{key}', 'probe', 1, '', '', 1, \
         '{{\"key\":\"{key}\",\"n\":2,\"secret\":{{\"redacted\":true}}}}' FROM probe.positions; \
         SELECT pg_sleep(1.5); COMMIT",
        Uuid::now_v7()
    );
    let there = place.clone();
    let writing = tokio::task::spawn_blocking(move || there.sql(&slow));
    tokio::time::sleep(Duration::from_millis(700)).await;
    for n in 3..=6 {
        bench.ping(&[(key, n)]).await;
    }
    writing.await.unwrap();
    bench.until_seen(key, &upto(6)).await;
    bench.stop().await;
}

pub(super) async fn two_writers_at_once_lose_nothing_and_each_keeps_its_order(place: Place) {
    let reader = Bench::probe(&place, &Arc::default()).await;
    // One process alone may write on the embedded store.
    let other = match place.is_shared() {
        true => Some(Bench::probe(&place, &Arc::default()).await),
        false => None,
    };
    let second = other.as_ref().unwrap_or(&reader);
    let [mine, others] = [keys(2), keys(2)];
    let write = async |bench: &Bench, keys: &[Uuid]| {
        for n in 1..=40 {
            ping_all(bench, keys, n).await;
        }
    };
    futures::join!(write(&reader, &mine), write(second, &others));
    all_are_seen(&reader, &mine, 40).await;
    all_are_seen(&reader, &others, 40).await;
    if let Some(other) = other {
        other.stop().await;
    }
    reader.stop().await;
}

pub(super) async fn commits_go_on_while_the_broker_is_away_and_then_the_outbox_drains_in_order(place: Place) {
    Bench::make_known(&place).await;
    let (mut place, keys) = (place, keys(3));
    let way = place.break_the_way();
    let bench = Bench::probe(&place, &Arc::default()).await;
    ping_all(&bench, &keys, 1).await;
    all_are_seen(&bench, &keys, 1).await;
    way.close();
    for n in 2..=30 {
        ping_all(&bench, &keys, n).await;
    }
    assert_eq!(bench.seen(keys[0]).await, [1]);
    way.open();
    all_are_seen(&bench, &keys, 30).await;
    bench.until_dead(0).await;
    bench.stop().await;
}

pub(super) async fn a_broker_whose_answers_are_lost_doubles_nothing(place: Place) {
    let (mut place, keys) = (place, keys(3));
    let way = place.break_the_way();
    let bench = Bench::probe(&place, &Arc::default()).await;
    ping_all(&bench, &keys, 1).await;
    all_are_seen(&bench, &keys, 1).await;
    for round in 0..3 {
        way.set_deaf(true);
        for n in 2 + round * 5..7 + round * 5 {
            ping_all(&bench, &keys, n).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        way.set_deaf(false);
    }
    all_are_seen(&bench, &keys, 16).await;
    bench.until_dead(0).await;
    bench.stop().await;
}

pub(super) async fn a_connection_that_is_cut_again_and_again_loses_nothing(place: Place) {
    let (mut place, keys) = (place, keys(3));
    let way = place.break_the_way();
    let bench = Bench::probe(&place, &Arc::default()).await;
    for n in 1..=40 {
        if n % 8 == 0 {
            way.cut();
        }
        ping_all(&bench, &keys, n).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    all_are_seen(&bench, &keys, 40).await;
    bench.until_dead(0).await;
    bench.stop().await;
}
