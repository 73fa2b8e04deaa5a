//! Several processes on one store: they stand still, are cut off, and come late.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use backbone::bus::Subscription;
use backbone::commit::{Commit, Fence, Outcome};
use backbone::journal::{Journal, LeaseRequest};
use kernel::{Duration, Envelope};
use uuid::Uuid;

use super::faults::{event, is_committed, noting, open, version};
use crate::planted::{Bug, plant};
use crate::{BusKind, Settings, Side, SimWorld, Witness};

const LASTS: Duration = Duration::from_secs(15);

fn replicated(seed: u64) -> SimWorld {
    let settings = Settings { bus: BusKind::Broker, replicas: 2, partitions: 4, ..Settings::default() };
    SimWorld::with(seed, settings)
}

async fn take(journal: &Arc<dyn Journal>, owner: u128) -> Option<u64> {
    let request = LeaseRequest { name: "relay".to_owned(), owner: Uuid::from_u128(owner), lasts: LASTS };
    journal.lease(request).await.expect("the store answers")
}

fn under(token: u64, commit: Commit) -> Commit {
    Commit { fence: Some(Fence { lease: "relay".to_owned(), token }), ..commit }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_stands_still_goes_on_where_it_stood_and_the_other_never_stops() {
    let world = replicated(1);
    let counts: Vec<Arc<AtomicU32>> = (0..2).map(|_| Arc::default()).collect();
    for (number, count) in counts.iter().cloned().enumerate() {
        let environment = world.replica(number).environment();
        let clock = environment.clock.clone();
        let counting = async move {
            loop {
                clock.sleep(Duration::from_secs(1)).await;
                count.fetch_add(1, Ordering::SeqCst);
            }
        };
        environment.spawner.spawn("counting", Box::pin(counting));
    }
    let seen = || counts.iter().map(|count| count.load(Ordering::SeqCst)).collect::<Vec<_>>();
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    world.replica(0).pause(false);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(seen(), [3, 63]);
    world.replica(0).resume();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(seen(), [5, 65], "the sleep that ran out meanwhile has ended");
}

#[tokio::test(start_paused = true)]
async fn what_was_submitted_before_a_pause_arrives_in_time_or_afterwards() {
    for (holds, expected) in [(false, 1), (true, 0)] {
        let world = replicated(2);
        let (journal, observer) = (open(&world).await, world.observer());
        let submission = journal.submit(noting("a"));
        // The writer has taken it up.
        tokio::task::yield_now().await;
        world.pause(holds);
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(version(&observer, "a").await, expected, "holds: {holds}");
        world.resume();
        assert!(is_committed(submission).await);
        assert_eq!(version(&observer, "a").await, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_stood_still_past_its_lease_finishes_nothing() {
    let world = replicated(3);
    let (one, other) = (open(&world.replica(0)).await, open(&world.replica(1)).await);
    let old = take(&one, 1).await.expect("it is free");
    let submission = one.submit(under(old, noting("a")));
    tokio::task::yield_now().await;
    world.pause(true);
    assert_eq!(take(&other, 2).await, None);
    tokio::time::sleep(LASTS).await;
    assert!(take(&other, 2).await.is_some_and(|new| new > old));
    world.resume();
    assert_eq!(
        submission.await.expect("it is answered").ok(),
        Some(Outcome::Fenced { lease: "relay".to_owned() })
    );
    assert_eq!(version(&world.observer(), "a").await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_cut_off_gets_no_answer_and_the_other_does() {
    let world = replicated(4);
    let (one, other) = (open(&world.replica(0)).await, open(&world.replica(1)).await);
    world.cut(Side::Store);
    assert!(one.checkpoint("c").await.is_err());
    assert!(other.checkpoint("c").await.is_ok());
    assert!(one.submit(noting("a")).await.expect("it is answered").is_err());
    assert!(is_committed(other.submit(noting("b"))).await);
    assert!(take(&one, 1).await.is_some(), "leases go over connections of their own");
    world.cut(Side::Broker);
    assert!(world.bus().publish(vec![event(1)]).await.is_err());
    assert!(world.replica(1).bus().publish(vec![event(2)]).await.is_ok());
    world.heal();
    assert!(one.checkpoint("c").await.is_ok());
    assert!(world.bus().publish(vec![event(3)]).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_torn_write_keeps_the_first_commits_of_a_batch_and_none_by_half() {
    let mut kept = [0; 4];
    for seed in 0..60 {
        let world = SimWorld::with(seed, Settings { sync_time_ms: 3..=3, ..Settings::default() });
        world.faults(|faults| faults.torn_permille = 1_000);
        let journal = open(&world).await;
        let submissions = ["a", "b", "c"].map(|id| journal.submit(noting(id)));
        tokio::time::sleep(Duration::from_millis(1)).await;
        world.crash();
        drop(submissions);
        let mut written = Vec::new();
        for id in ["a", "b", "c"] {
            written.push(version(&world, id).await);
        }
        assert!(written.is_sorted_by(|before, after| before >= after), "seed {seed}: {written:?}");
        kept[written.iter().sum::<u64>() as usize] += 1;
    }
    assert!(kept.iter().all(|count| *count > 5), "{kept:?}");
}

#[tokio::test(start_paused = true)]
async fn a_world_begins_with_what_was_durable_in_another() {
    let world = SimWorld::new(6);
    assert!(is_committed(open(&world).await.submit(noting("a"))).await);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let snapshot = world.snapshot();
    let other = SimWorld::from(7, Settings::default(), snapshot);
    assert_eq!(other.now(), world.now());
    assert_eq!(version(&other, "a").await, 1);
    assert!(is_committed(open(&other).await.submit(noting("b"))).await);
    assert_eq!(version(&world, "b").await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_subject_stays_in_its_partition_and_numbers_are_given_once_in_all_of_them() {
    let world = replicated(8);
    let bus = world.bus();
    let events = (1..=40).map(|number| Envelope { subject: format!("subject-{number}"), ..event(number) });
    bus.publish(events.collect()).await.expect("publishing works");
    let (mut numbers, mut sizes) = (Vec::new(), Vec::new());
    for partition in 0..4 {
        let subscription = Subscription {
            consumer: "inventory-order".to_owned(),
            service: "inventory",
            context: "order",
            partition,
            after: None,
        };
        let mut consumer = bus.open(subscription).await.expect("it opens");
        let waits = Duration::from_secs(1);
        let fetched = tokio::time::timeout(waits, consumer.fetch(100)).await;
        let deliveries = fetched.map_or_else(|_| Vec::new(), |fetched| fetched.expect("fetches work"));
        for delivery in &deliveries {
            assert_eq!(backbone::bus::partition_of(&delivery.envelope.subject, 4), partition);
        }
        sizes.push(deliveries.len());
        numbers.extend(deliveries.iter().map(|delivery| delivery.position));
    }
    assert_eq!(sizes.iter().sum::<usize>(), 40);
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 40);
}

#[tokio::test(start_paused = true)]
async fn a_witness_names_a_fenced_commit_that_stands_and_a_lease_that_two_hold() {
    for bug in [None, Some(Bug::FenceLost), Some(Bug::LeaseGrantedTwice)] {
        let world = replicated(9);
        let (witness, planted) = (Witness::default(), bug.map(plant));
        let mut journals = Vec::new();
        for number in 0..2 {
            let inner = world.replica(number).storage();
            let storage = planted.as_ref().map_or_else(|| inner.clone(), |bug| bug.storage(inner.clone()));
            journals.push(super::faults::open_on(&*witness.watch(storage)).await);
        }
        let old = take(&journals[0], 1).await.expect("it is free");
        for _ in 0..50 {
            let _ = take(&journals[1], 2).await;
        }
        tokio::time::sleep(LASTS).await;
        let _ = take(&journals[1], 2).await;
        drop(journals[0].submit(under(old, noting("a"))).await);
        let breaches = witness.breaches();
        match bug {
            None => assert_eq!(breaches, Vec::<String>::new()),
            Some(Bug::FenceLost) => assert!(breaches[0].contains("fenced holder stands"), "{breaches:?}"),
            Some(_) => assert!(breaches[0].contains("two hold the lease"), "{breaches:?}"),
        }
    }
}
