//! The same seed gives the same trace; another seed gives another.

use backbone::bus::Consumer;
use backbone::commit::{Commit, Source};
use backbone::environment::Environment;
use kernel::Duration;

use super::faults::{consumer, event, noting, open};
use crate::{BusKind, Faults, Settings, SimWorld};

fn faulty(bus: BusKind) -> Settings {
    let faults = Faults {
        answer_lost_permille: 30,
        not_written_permille: 30,
        crash_permille: 10,
        slow_sync_permille: 50,
        slow_sync: Duration::from_millis(40),
        read_fails_permille: 20,
        fetch_fails_permille: 30,
        redelivery_permille: 100,
        ..Faults::default()
    };
    Settings { bus, faults, ..Settings::default() }
}

/// One life of a process: writers at random moments, and a consumer that claims what it reads.
async fn live(world: &SimWorld) {
    let Environment { clock, ids, spawner, .. } = world.environment();
    for writer in 0..4 {
        let (journal, clock, ids) = (open(world).await, clock.clone(), ids.clone());
        let write = async move {
            loop {
                clock.sleep(Duration::from_millis(ids.random() % 20)).await;
                let outgoing = vec![event(ids.uuid().as_u128())];
                drop(journal.submit(Commit { outgoing, ..noting(&format!("note-{writer}")) }).await);
            }
        };
        spawner.spawn("writer", Box::pin(write));
    }
    let (journal, mut consumer) = (open(world).await, consumer(world).await);
    let read = async move {
        while let Some(commit) = next(&mut *consumer).await {
            if journal.submit(commit).await.is_err() {
                return;
            }
        }
    };
    spawner.spawn("reader", Box::pin(read));
}

/// Claims the next deliveries; a fetch that fails is tried again.
async fn next(consumer: &mut dyn Consumer) -> Option<Commit> {
    loop {
        let Ok(deliveries) = consumer.fetch(10).await else { continue };
        let numbers: Vec<u64> = deliveries.iter().map(|delivery| delivery.position).collect();
        consumer.acknowledge(&numbers).await.ok()?;
        let events = deliveries.iter().map(|delivery| delivery.envelope.id.0).collect();
        let source = Some(Source::Inbox { consumer: "inventory-order".to_owned(), events });
        return Some(Commit { source, ..Commit::default() });
    }
}

/// What happened in five lives.
async fn play(seed: u64, bus: BusKind) -> (u64, Vec<String>, u64) {
    let world = SimWorld::with(seed, faulty(bus));
    for deaths in 0..5 {
        live(&world).await;
        let long = Duration::from_millis(1_500);
        if tokio::time::timeout(long, world.crashed(deaths)).await.is_err() {
            world.crash();
        }
    }
    assert_eq!(world.panics(), Vec::<String>::new());
    (world.trace_hash(), world.trace(), world.commits())
}

/// Plays in a runtime of its own, as another run of the program would.
fn played(seed: u64, bus: BusKind) -> (u64, Vec<String>, u64) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime starts");
    runtime.block_on(play(seed, bus))
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for bus in [BusKind::Log, BusKind::Broker] {
        for seed in 0..4 {
            let (first, second) = (played(seed, bus), played(seed, bus));
            assert_eq!(first.1, second.1, "seed {seed}");
            assert_eq!(first.0, second.0, "seed {seed}");
            assert!(first.2 > 50, "seed {seed} made {} commits", first.2);
        }
    }
}

#[test]
fn another_seed_gives_another_trace() {
    let mut hashes: Vec<u64> = (0..8).map(|seed| played(seed, BusKind::Log).0).collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 8);
}

#[tokio::test(start_paused = true)]
async fn ids_are_version_7_unique_growing_and_seeded() {
    let ids = |seed| {
        let world = SimWorld::new(seed);
        (0..1_000).map(|_| world.environment().ids.uuid()).collect::<Vec<_>>()
    };
    let first = ids(1);
    assert!(first.is_sorted_by(|a, b| a < b));
    assert!(first.iter().all(|id| id.get_version_num() == 7));
    assert_eq!(first, ids(1));
    assert_ne!(first, ids(2));
}

#[tokio::test(start_paused = true)]
async fn simulated_time_passes_without_waiting() {
    let world = SimWorld::new(1);
    assert_eq!(world.now().to_string(), "2026-01-05T10:00:00.000000Z");
    world.environment().clock.sleep(Duration::from_secs(31 * 24 * 3_600)).await;
    assert_eq!(world.now().to_string(), "2026-02-05T10:00:00.000000Z");
}
