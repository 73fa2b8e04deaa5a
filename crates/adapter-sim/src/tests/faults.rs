//! Each fault does what it says, and no more.

use std::sync::Arc;

use backbone::bus::{Consumer, Subscription};
use backbone::collection::Collection;
use backbone::commit::{Commit, Expected, Outcome, Put};
use backbone::journal::{self, Journal, Schema, Storage, Stored, Submission, Want};
use backbone::keyring::PersonKey;
use bytes::Bytes;
use kernel::{Duration, Envelope, Timestamp};
use uuid::Uuid;

use crate::{BusKind, CommitFault, Faults, Settings, SimWorld};

static NOTES: Collection = Collection { name: "notes", columns: &[], children: &[] };

pub(super) async fn open(world: &SimWorld) -> Arc<dyn Journal> {
    open_on(&*world.storage()).await
}

pub(super) async fn open_on(storage: &dyn Storage) -> Arc<dyn Journal> {
    let schema = Schema { service: "order", collections: vec![&NOTES] };
    storage.open(schema).await.expect("the process lives")
}

pub(super) fn noting(id: &str) -> Commit {
    let (id, body) = (id.to_owned(), Bytes::from_static(b"{}"));
    let put = Put {
        collection: &NOTES,
        shadow: false,
        id,
        expected: Expected::Any,
        person: None,
        body,
        columns: vec![],
    };
    Commit { puts: vec![put], ..Commit::default() }
}

pub(super) fn event(number: u128) -> Envelope {
    Envelope {
        id: Uuid::from_u128(number).into(),
        source: "order".to_owned(),
        kind: "order.counted.v1".to_owned(),
        subject: "one".to_owned(),
        time: Timestamp::from_micros(0),
        correlation_id: String::new(),
        causation_id: String::new(),
        sequence: 0,
        traceparent: None,
        key_id: None,
        data: Bytes::from_static(b"{}"),
    }
}

pub(super) async fn version(world: &SimWorld, id: &str) -> u64 {
    let wants = vec![Want::Document(&NOTES, id.to_owned())];
    match &open(world).await.load(wants).await.expect("reads work")[0] {
        Stored::Document(found) => found.as_ref().map_or(0, |found| found.version),
        other => panic!("{other:?}"),
    }
}

pub(super) async fn is_committed(submission: Submission) -> bool {
    matches!(submission.await, Ok(Ok(Outcome::Committed { .. })))
}

async fn is_unknown(submission: Submission) -> bool {
    matches!(submission.await, Ok(Err(journal::Error::Unavailable { .. })) | Err(_))
}

pub(super) async fn consumer(world: &SimWorld) -> Box<dyn Consumer> {
    let consumer = "inventory-order".to_owned();
    let subscription =
        Subscription { consumer, service: "inventory", context: "order", partition: 0, after: None };
    world.bus().open(subscription).await.expect("the process lives")
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_answer_is_lost_is_written() {
    let world = SimWorld::new(1);
    let journal = open(&world).await;
    world.at(1, CommitFault::AnswerLost);
    let lost = journal.submit(Commit { ticket: 1, ..noting("a") });
    let next = journal.submit(Commit { built_on: vec![1], ..noting("b") });
    assert!(is_unknown(lost).await);
    assert!(is_committed(next).await, "what was built on it stands");
    assert_eq!(version(&world, "a").await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_fails_unwritten_takes_along_what_was_built_on_it_and_nothing_else() {
    let world = SimWorld::new(1);
    let journal = open(&world).await;
    world.at(1, CommitFault::NotWritten);
    let failed = journal.submit(Commit { ticket: 1, ..noting("a") });
    let built = journal.submit(Commit { built_on: vec![1], ..noting("b") });
    let aside = journal.submit(noting("c"));
    assert!(is_unknown(failed).await);
    assert!(matches!(built.await, Ok(Ok(Outcome::Conflict { .. }))));
    assert!(is_committed(aside).await);
    assert_eq!((version(&world, "a").await, version(&world, "b").await), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_the_sync_loses_the_batch_and_one_after_it_keeps_the_batch() {
    for (fault, kept) in [(CommitFault::CrashBefore, 0), (CommitFault::CrashAfter, 1)] {
        let world = SimWorld::new(1);
        let journal = open(&world).await;
        assert!(is_committed(journal.submit(noting("durable"))).await);
        world.at(3, fault);
        let submissions = ["a", "b", "c"].map(|id| journal.submit(noting(id)));
        assert_eq!(world.crashed(0).await, 1);
        for submission in submissions {
            assert!(is_unknown(submission).await, "nobody is answered");
        }
        assert!(is_unknown(journal.submit(noting("late"))).await, "a dead process writes nothing");
        assert!(journal.checkpoint("c").await.is_err(), "a dead process reads nothing");
        for (id, expected) in [("durable", 1), ("a", kept), ("b", kept), ("c", kept), ("late", 0)] {
            assert_eq!(version(&world, id).await, expected, "{fault:?} {id}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_in_mid_sync_keeps_all_of_the_batch_or_nothing_and_never_what_was_only_queued() {
    let mut kept = [0; 2];
    for seed in 0..40 {
        let settings = Settings { batch_max: 2, sync_time_ms: 3..=3, ..Settings::default() };
        let world = SimWorld::with(seed, settings);
        let journal = open(&world).await;
        let submissions = ["a", "b", "queued"].map(|id| journal.submit(noting(id)));
        world.environment().clock.sleep(Duration::from_millis(1)).await;
        world.crash();
        drop(submissions);
        let (a, b) = (version(&world, "a").await, version(&world, "b").await);
        assert_eq!(a, b, "seed {seed}");
        assert_eq!(version(&world, "queued").await, 0, "seed {seed}");
        kept[usize::from(a == 1)] += 1;
    }
    assert!(kept.iter().all(|count| *count > 5), "{kept:?}");
}

#[tokio::test(start_paused = true)]
async fn tasks_die_with_their_process_and_panics_are_reported() {
    let world = SimWorld::new(1);
    let environment = world.environment();
    for id in ["a", "b"] {
        let (journal, clock) = (open(&world).await, environment.clock.clone());
        let task = async move {
            clock.sleep(Duration::from_millis(50)).await;
            drop(journal.submit(noting(id)).await);
            clock.sleep(Duration::from_secs(1)).await;
            drop(journal.submit(noting(id)).await);
        };
        environment.spawner.spawn("writer", Box::pin(task));
    }
    environment.spawner.spawn("broken", Box::pin(async { panic!("on purpose") }));
    environment.clock.sleep(Duration::from_millis(500)).await;
    world.crash();
    environment.spawner.spawn("late", Box::pin(async { panic!("a dead process starts nothing") }));
    environment.clock.sleep(Duration::from_secs(5)).await;
    assert_eq!((version(&world, "a").await, version(&world, "b").await), (1, 1));
    assert_eq!(world.panics(), ["task broken panicked: on purpose"]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_sync_is_slow() {
    let world = SimWorld::new(1);
    let journal = open(&world).await;
    world.faults(|faults| {
        *faults =
            Faults { slow_sync_permille: 1_000, slow_sync: Duration::from_secs(3), ..Faults::default() };
    });
    let before = world.now();
    assert!(is_committed(journal.submit(noting("a"))).await);
    assert!(world.now().since(before) >= Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn failing_reads_fetches_and_keys_lose_nothing() {
    for bus in [BusKind::Log, BusKind::Broker] {
        let world = SimWorld::with(7, Settings { bus, ..Settings::default() });
        let journal = open(&world).await;
        let mut consumer = consumer(&world).await;
        let outgoing: Vec<_> = (1..=20).map(event).collect();
        assert!(is_committed(journal.submit(Commit { outgoing: outgoing.clone(), ..noting("a") })).await);
        if bus == BusKind::Broker {
            world.bus().publish(outgoing).await.expect("no faults yet");
        }
        world.faults(|faults| {
            faults.read_fails_permille = 500;
            faults.fetch_fails_permille = 500;
            faults.keyring_fails_permille = 500;
        });
        let (mut seen, mut failures) = (Vec::new(), 0);
        while seen.len() < 20 {
            match consumer.fetch(1).await {
                Ok(deliveries) => {
                    seen.extend(deliveries.iter().map(|delivery| delivery.envelope.id.0.as_u128()))
                }
                Err(_) => failures += 1,
            }
        }
        assert_eq!(seen, (1..=20).collect::<Vec<u128>>());
        assert!(failures > 3, "{failures}");
        let (mut answers, mut errors, keyring) = (0, 0, world.keyring());
        for _ in 0..30 {
            match journal.checkpoint("c").await {
                Ok(_) => answers += 1,
                Err(_) => errors += 1,
            }
            if let Ok(keys) = keyring.ensure(&[Uuid::nil()]).await {
                assert!(matches!(keys[..], [PersonKey::Known(_)]));
            }
        }
        assert!(answers > 3 && errors > 3, "{answers} {errors}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_publish_may_have_been_written_and_is_published_again() {
    for bus in [BusKind::Log, BusKind::Broker] {
        let world = SimWorld::with(3, Settings { bus, ..Settings::default() });
        let mut consumer = consumer(&world).await;
        world.faults(|faults| faults.publish_fails_permille = 700);
        for number in 1..=20 {
            while world.bus().publish(vec![event(number)]).await.is_err() {}
        }
        world.faults(|faults| *faults = Faults::default());
        assert_eq!(world.bus().publish(vec![event(21)]).await.ok(), Some(()));
        let mut seen = Vec::new();
        while seen.last() != Some(&21) {
            let deliveries = consumer.fetch(100).await.expect("no more faults");
            seen.extend(deliveries.iter().map(|delivery| delivery.envelope.id.0.as_u128()));
        }
        assert_eq!(seen.len() > 21, bus == BusKind::Broker, "{seen:?}");
        seen.dedup();
        assert_eq!(seen, (1..=21).collect::<Vec<u128>>());
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_whose_acknowledgements_are_lost_delivers_again() {
    let world = SimWorld::with(3, Settings { bus: BusKind::Broker, ..Settings::default() });
    world.faults(|faults| faults.redelivery_permille = 400);
    world.bus().publish((1..=30).map(event).collect()).await.expect("publishing works");
    let mut consumer = consumer(&world).await;
    let mut seen: Vec<u128> = Vec::new();
    while seen.iter().max() != Some(&30) {
        let deliveries = consumer.fetch(4).await.expect("fetches work");
        let numbers: Vec<u64> = deliveries.iter().map(|delivery| delivery.position).collect();
        consumer.acknowledge(&numbers).await.expect("the error is silent");
        seen.extend(deliveries.iter().map(|delivery| delivery.envelope.id.0.as_u128()));
    }
    assert!(seen.len() > 35, "{seen:?}");
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, (1..=30).collect::<Vec<u128>>());
}

#[tokio::test(start_paused = true)]
async fn a_broker_serves_the_last_who_opened_and_wakes_the_one_before() {
    let world = SimWorld::with(3, Settings { bus: BusKind::Broker, ..Settings::default() });
    let mut first = consumer(&world).await;
    let (replaced, mut second) = tokio::join!(first.fetch(1), async {
        world.environment().clock.sleep(Duration::from_millis(20)).await;
        consumer(&world).await
    });
    assert!(replaced.is_err());
    assert_eq!(world.bus().publish(vec![event(1)]).await.ok(), Some(()));
    assert_eq!(second.fetch(1).await.map(|deliveries| deliveries.len()).ok(), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_waits_ends_when_its_process_dies() {
    for bus in [BusKind::Log, BusKind::Broker] {
        let world = SimWorld::with(3, Settings { bus, ..Settings::default() });
        let mut consumer = consumer(&world).await;
        let (fetched, ()) = tokio::join!(consumer.fetch(1), async {
            world.environment().clock.sleep(Duration::from_millis(20)).await;
            world.crash();
        });
        assert!(fetched.is_err());
    }
}
