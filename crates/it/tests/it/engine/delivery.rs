//! Deliveries: once, in the order of their key, retried, parked, given up, taken back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backbone::commit::{Commit, Expected, Outcome, Put};
use backbone::reaction::{Reaction, on};
use backbone::work::{Origin, Priority, Work};
use backbone::{Module, Rejection};
use bytes::Bytes;
use serde_json::Value;
use uuid::Uuid;

use super::bench::Bench;
use super::place::Place;
use super::probe::{Misbehaviour, Orders, Ping, SEEN, Seen, probe_module, see};

fn keys() -> (Uuid, Uuid) {
    (Uuid::now_v7(), Uuid::now_v7())
}

pub(super) async fn every_event_takes_its_effect_once_and_in_order(place: Place) {
    let orders = Arc::new(Orders::default());
    let bench = Bench::probe(&place, &orders).await;
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

pub(super) async fn a_failing_key_blocks_only_itself_and_keeps_its_order(place: Place) {
    let orders = Arc::new(Orders::default());
    let bench = Bench::probe(&place, &orders).await;
    let (bad, good) = keys();
    orders.fail(bad, 1, 2, Misbehaviour::Transient);
    bench.ping(&[(bad, 1), (good, 1), (bad, 2), (good, 2)]).await;
    bench.ping(&[(bad, 3), (good, 3)]).await;
    let begun = Instant::now();
    bench.until_seen(good, &[1, 2, 3]).await;
    assert_eq!(bench.seen(bad).await, Vec::<u64>::new(), "the others do not wait for the retry");
    bench.until_seen(bad, &[1, 2, 3]).await;
    assert!(begun.elapsed() > Duration::from_millis(2_900), "after 1 s and after 2 s, not before");
    assert_eq!(orders.delivered(bad, 1), 3, "the first delivery and two retries");
    assert!(bench.running.dead_letters().list("probe", None, 10).await.unwrap().is_empty());
    bench.stop().await;
}

pub(super) async fn a_panic_counts_and_after_its_retries_the_letter_is_dead_and_its_key_waits(place: Place) {
    let orders = Arc::new(Orders::default());
    let bench = Bench::probe(&place, &orders).await;
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

pub(super) async fn what_can_never_succeed_dies_at_once_and_discarding_it_lets_the_rest_flow(place: Place) {
    let orders = Arc::new(Orders::default());
    let bench = Bench::probe(&place, &orders).await;
    let (bad, _) = keys();
    orders.fail(bad, 1, 1, Misbehaviour::Permanent);
    bench.ping(&[(bad, 1), (bad, 2)]).await;
    let dead = bench.until_dead(1).await;
    assert_eq!(orders.delivered(bad, 1), 1);
    bench.running.dead_letters().discard("probe", &dead[0].0).await.unwrap();
    bench.until_seen(bad, &[2]).await;
    bench.stop().await;
}

/// A key ring that serves one after the other hands its turn to a load; the commit of another job waits
/// for that turn, and the load must go on meanwhile.
#[tokio::test]
async fn a_commit_that_needs_a_key_holds_up_no_load_that_needs_one_too() {
    let directory = tempfile::tempdir().unwrap();
    let orders = Arc::new(Orders::default());
    let known: Vec<Uuid> = (0..16).map(|_| Uuid::now_v7()).collect();
    let bench = Bench::probe(directory.path(), &orders).await;
    bench.ping(&known.iter().map(|key| (*key, 1)).collect::<Vec<_>>()).await;
    for key in &known {
        bench.until_seen(*key, &[1]).await;
    }
    let keys = bench.keys.clone();
    bench.stop().await;

    // Nothing is at hand any more: states are loaded, and keys asked for.
    keys.take_time();
    let bench = Bench::start(directory.path(), keys, |_| probe_module(orders.clone())).await;
    let look = async |key: Uuid| {
        let look = Work::new("look", Origin::default(), move |ws| {
            ws.get::<Seen>(key)?;
            Ok(Value::Null)
        });
        bench.context.commands.execute(look).await.map(drop)
    };
    // Not all at once: while the load of one has its turn, the commit of the next asks for one.
    let all = known.iter().zip(0..).map(async |(key, n)| {
        tokio::time::sleep(Duration::from_millis(n)).await;
        let fresh = [(Uuid::now_v7(), 1)];
        let (looked, _) = futures::join!(look(*key), bench.ping(&fresh));
        looked.unwrap();
    });
    let done = tokio::time::timeout(Duration::from_secs(10), futures::future::join_all(all)).await;
    assert!(done.is_ok(), "they wait for each other");
    bench.stop().await;
}

/// As a newer program leaves it: nobody can decide on it here. Rule 13: the others flow.
pub(super) async fn a_state_that_cannot_be_read_holds_its_key_alone(place: Place) {
    let orders = Arc::new(Orders::default());
    let bench = Bench::probe(&place, &orders).await;
    let (bad, good) = keys();
    let unreadable = Put {
        collection: &SEEN,
        shadow: false,
        id: bad.to_string(),
        expected: Expected::Any,
        person: None,
        body: Bytes::from_static(b"{\"key\":7}"),
        columns: vec![0_i64.into()],
    };
    let commit = Commit { puts: vec![unreadable], ..Commit::default() };
    let journal = bench.running.host("probe").unwrap().journal().clone();
    assert!(matches!(journal.submit(commit).await.unwrap(), Ok(Outcome::Committed { .. })));
    bench.ping(&[(bad, 1), (good, 1), (bad, 2), (good, 2)]).await;
    bench.until_seen(good, &[1, 2]).await;
    let dead = bench.until_dead(1).await;
    assert_eq!((dead.len(), dead[0].1.event.subject.clone()), (1, bad.to_string()));
    bench.ping(&[(good, 3)]).await;
    bench.until_seen(good, &[1, 2, 3]).await;
    bench.stop().await;
}

pub(super) async fn parked_deliveries_and_dead_letters_survive_a_restart(place: Place) {
    let orders = Arc::new(Orders::default());
    let bench = Bench::probe(&place, &orders).await;
    let (bad, dead_key) = keys();
    orders.fail(bad, 1, 1, Misbehaviour::Transient);
    orders.fail(dead_key, 1, 1, Misbehaviour::Permanent);
    bench.ping(&[(bad, 1), (bad, 2), (dead_key, 1), (dead_key, 2)]).await;
    bench.until_dead(1).await;
    bench.stop().await;

    let bench = Bench::probe(&place, &orders).await;
    bench.until_seen(bad, &[1, 2]).await;
    bench.ping(&[(dead_key, 3)]).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(bench.seen(dead_key).await, Vec::<u64>::new());
    let dead = bench.until_dead(1).await;
    bench.running.dead_letters().retry("probe", &dead[0].0).await.unwrap();
    bench.until_seen(dead_key, &[1, 2, 3]).await;
    bench.stop().await;
}

/// The probe with another handler, or another order among those that wait together.
async fn bench_of(place: &Place, react: Reaction) -> Bench {
    let publishes = vec![&<Ping as kernel::Event>::TYPE];
    let (reactions, collections) = (vec![react], vec![&SEEN]);
    let module = Module { publishes, reactions, collections, ..Module::new("probe") };
    Bench::start(place, Arc::default(), |_| module).await
}

pub(super) async fn a_handler_that_fails_half_way_leaves_nothing_of_what_it_did(place: Place) {
    let ((bad, good), follower) = (keys(), Uuid::now_v7());
    let react = on::<Ping>(move |ping, ws| {
        see(ping, ws)?;
        if ping.key == bad {
            ws.publish(Ping { key: follower, n: 1, secret: String::new().into() });
            return Err(Rejection::invalid("half", "told to fail after its first half").into());
        }
        Ok(())
    });
    let bench = bench_of(&place, react).await;
    bench.ping(&[(bad, 1), (good, 1)]).await;
    bench.until_dead(1).await;
    // Had the follower been told, it would stand in the log before this one.
    bench.ping(&[(good, 2)]).await;
    bench.until_seen(good, &[1, 2]).await;
    assert_eq!(bench.seen(bad).await, Vec::<u64>::new());
    assert_eq!(bench.seen(follower).await, Vec::<u64>::new());
    bench.stop().await;
}

pub(super) async fn the_rank_of_a_delivery_never_moves_it_before_an_earlier_one_of_its_key(place: Place) {
    let rank = |ping: &Ping| if ping.n.is_multiple_of(2) { Priority::High } else { Priority::Normal };
    let bench = bench_of(&place, on::<Ping>(|ping, ws| see(ping, ws)).ranked(rank)).await;
    let (a, b) = keys();
    bench.ping(&[(a, 1), (b, 2), (a, 2), (b, 3), (a, 3), (b, 4), (a, 4)]).await;
    bench.until_seen(a, &[1, 2, 3, 4]).await;
    bench.until_seen(b, &[2, 3, 4]).await;
    bench.stop().await;
}

/// An event that nobody can read.
fn unreadable(subject: Uuid) -> kernel::Envelope {
    kernel::Envelope {
        id: Uuid::now_v7().into(),
        source: "probe".to_owned(),
        kind: <Ping as kernel::Event>::TYPE.name.to_owned(),
        subject: subject.to_string(),
        time: kernel::Timestamp::default(),
        correlation_id: String::new(),
        causation_id: String::new(),
        sequence: 1,
        traceparent: None,
        key_id: None,
        data: "{\"key\":".into(),
    }
}

pub(super) async fn what_cannot_be_read_dies_at_once(place: Place) {
    let orders = Arc::new(Orders::default());
    let bench = Bench::probe(&place, &orders).await;
    let (bad, good) = keys();
    let envelope = unreadable(bad);
    bench.bus.publish(vec![envelope]).await.unwrap();
    let dead = bench.until_dead(1).await;
    assert_eq!((dead[0].1.error_kind, dead[0].1.attempts), (kernel::ErrorKind::Undecodable, 1));
    bench.ping(&[(good, 1)]).await;
    bench.until_seen(good, &[1]).await;
    bench.stop().await;
}

/// Rule 23, of public events: held behind its reason, and its key with it.
pub(super) async fn an_event_newer_than_the_program_is_held_and_not_dropped(place: Place) {
    let orders = Arc::new(Orders::default());
    let bench = Bench::probe(&place, &orders).await;
    let (late, good) = keys();
    let newer = |kind: &str| kernel::Envelope { kind: kind.to_owned(), ..unreadable(late) };
    bench.bus.publish(vec![newer("probe.ping.v2"), newer("probe.other.v2")]).await.unwrap();
    let dead = bench.until_dead(1).await;
    assert_eq!(dead[0].1.event.kind, "probe.ping.v2");
    assert!(dead[0].1.error.contains("newer than this program"), "{}", dead[0].1.error);
    bench.ping(&[(late, 1), (good, 1)]).await;
    bench.until_seen(good, &[1]).await;
    assert_eq!(bench.seen(late).await, Vec::<u64>::new(), "its key waits");
    bench.stop().await;
}

#[tokio::test]
async fn beyond_its_bound_nothing_more_is_parked_and_the_rest_waits_in_the_log() {
    const TOLD: u64 = 11_000;
    let directory = tempfile::tempdir().unwrap();
    let orders = Arc::new(Orders::default());
    let bench = Bench::probe(directory.path(), &orders).await;
    let (bad, good) = keys();
    orders.fail(bad, 1, 1, Misbehaviour::Permanent);
    let all: Vec<(Uuid, u64)> = (1..=TOLD).map(|n| (bad, n)).collect();
    for some in all.chunks(1_000) {
        bench.ping(some).await;
    }
    bench.ping(&[(good, 1)]).await;
    let journal = bench.running.host("probe").unwrap().journal().clone();
    let mut stands = 0;
    while stands < 10_000 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        stands = journal.checkpoint("probe-probe").await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let stands = journal.checkpoint("probe-probe").await.unwrap();
    assert!(stands < TOLD, "the consumer stands at {stands}: it went on past its bound");
    assert_eq!(bench.seen(good).await, Vec::<u64>::new());
    bench.stop().await;
}
