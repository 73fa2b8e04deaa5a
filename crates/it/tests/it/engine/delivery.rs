//! Deliveries: once, in the order of their key, retried, parked, given up, taken back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::probe::{Bench, Misbehaviour, Orders};

fn keys() -> (Uuid, Uuid) {
    (Uuid::now_v7(), Uuid::now_v7())
}

#[tokio::test]
async fn every_event_takes_its_effect_once_and_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let orders = Arc::new(Orders::default());
    let bench = Bench::probe(directory.path(), &orders).await;
    let (a, b) = keys();
    for n in 1..=50 {
        bench.ping(&[(a, n), (b, n)]).await;
    }
    let all: Vec<u64> = (1..=50).collect();
    bench.until_seen(a, &all).await;
    bench.until_seen(b, &all).await;
    assert_eq!(orders.delivered(a, 7), 1);
    bench.stop().await;
}

#[tokio::test]
async fn a_failing_key_blocks_only_itself_and_keeps_its_order() {
    let directory = tempfile::tempdir().unwrap();
    let orders = Arc::new(Orders::default());
    let bench = Bench::probe(directory.path(), &orders).await;
    let (bad, good) = keys();
    orders.fail(bad, 1, 2, Misbehaviour::Transient);
    bench.ping(&[(bad, 1), (good, 1), (bad, 2), (good, 2)]).await;
    bench.ping(&[(bad, 3), (good, 3)]).await;
    let begun = Instant::now();
    bench.until_seen(good, &[1, 2, 3]).await;
    assert!(begun.elapsed() < Duration::from_millis(900), "the others do not wait for the retry");
    assert_eq!(bench.seen(bad).await, Vec::<u64>::new());
    bench.until_seen(bad, &[1, 2, 3]).await;
    assert!(begun.elapsed() > Duration::from_millis(2_900), "after 1 s and after 2 s, not before");
    assert_eq!(orders.delivered(bad, 1), 3, "the first delivery and two retries");
    assert!(bench.running.dead_letters().list("probe", None, 10).await.unwrap().is_empty());
    bench.stop().await;
}

#[tokio::test]
async fn a_panic_counts_and_after_its_retries_the_letter_is_dead_and_its_key_waits() {
    let directory = tempfile::tempdir().unwrap();
    let orders = Arc::new(Orders::default());
    let bench = Bench::probe(directory.path(), &orders).await;
    let (bad, good) = keys();
    orders.fail(bad, 1, 100, Misbehaviour::Panic);
    bench.ping(&[(bad, 1), (bad, 2), (good, 1)]).await;
    let dead = bench.until_dead(1).await;
    assert_eq!(dead[0].1.attempts, 4, "N retries after the first delivery");
    assert_eq!(orders.delivered(bad, 1), 4);
    assert!(dead[0].1.error.contains("told to panic"), "{}", dead[0].1.error);
    bench.ping(&[(bad, 3), (good, 2)]).await;
    bench.until_seen(good, &[1, 2]).await;
    assert_eq!(bench.seen(bad).await, Vec::<u64>::new(), "the key waits behind its dead letter");

    orders.fail(bad, 1, 0, Misbehaviour::Panic);
    bench.running.dead_letters().retry("probe", &dead[0].0).await.unwrap();
    bench.until_seen(bad, &[1, 2, 3]).await;
    bench.until_dead(0).await;
    bench.stop().await;
}

#[tokio::test]
async fn what_can_never_succeed_dies_at_once_and_discarding_it_lets_the_rest_flow() {
    let directory = tempfile::tempdir().unwrap();
    let orders = Arc::new(Orders::default());
    let bench = Bench::probe(directory.path(), &orders).await;
    let (bad, _) = keys();
    orders.fail(bad, 1, 1, Misbehaviour::Permanent);
    bench.ping(&[(bad, 1), (bad, 2)]).await;
    let dead = bench.until_dead(1).await;
    assert_eq!(orders.delivered(bad, 1), 1);
    bench.running.dead_letters().discard("probe", &dead[0].0).await.unwrap();
    bench.until_seen(bad, &[2]).await;
    bench.stop().await;
}

#[tokio::test]
async fn parked_deliveries_and_dead_letters_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let orders = Arc::new(Orders::default());
    let bench = Bench::probe(directory.path(), &orders).await;
    let (bad, dead_key) = keys();
    orders.fail(bad, 1, 1, Misbehaviour::Transient);
    orders.fail(dead_key, 1, 1, Misbehaviour::Permanent);
    bench.ping(&[(bad, 1), (bad, 2), (dead_key, 1), (dead_key, 2)]).await;
    bench.until_dead(1).await;
    bench.stop().await;

    let bench = Bench::probe(directory.path(), &orders).await;
    bench.until_seen(bad, &[1, 2]).await;
    bench.ping(&[(dead_key, 3)]).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(bench.seen(dead_key).await, Vec::<u64>::new());
    let dead = bench.until_dead(1).await;
    bench.running.dead_letters().retry("probe", &dead[0].0).await.unwrap();
    bench.until_seen(dead_key, &[1, 2, 3]).await;
    bench.stop().await;
}
