//! What a broker loses and gives up on, and how it comes back out of the journals.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use adapter_sim::BusKind;
use backbone::reaction::on;
use backbone::system::RawMessage;
use engine::{Beginning, By, RepublishError};
use kernel::{Duration, ErrorKind};
use uuid::Uuid;

use super::ground::{Ground, reacting, seconds, upto, world};
use super::probe::{Misbehaviour, Orders, see};

const KEY: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);

/// A broker that had 20 events of a key which nobody had read, and lost them.
async fn lost(ground: &Ground) {
    seconds(1).await;
    ground.deafen(true);
    ground.ping(KEY, 1..=20).await;
    seconds(2).await;
    ground.world.lose_broker();
    ground.deafen(false);
    // Traffic goes on.
    ground.ping(OTHER, 1..=5).await;
    seconds(10).await;
    assert_eq!(ground.seen(KEY).await, Vec::<u64>::new());
    assert_eq!(ground.seen(OTHER).await, upto(5), "the reader goes on without a restart");
}

#[tokio::test(start_paused = true)]
async fn what_a_broker_lost_is_published_again_while_traffic_goes_on() {
    let world = world(1, BusKind::Broker);
    let orders = Arc::new(Orders::default());
    let ground = Ground::probe(&world, &orders).await;
    let begun = world.now();
    lost(&ground).await;
    assert_eq!(ground.firing(), ["events-lost"]);
    let by = By::new("ana").because("the broker's disk is new");
    let republisher = ground.running.republisher();
    let asked = republisher.ask(Some("probe"), Beginning::Moment(begun), &by).await.unwrap();
    assert!(asked[0].progress.is_under_way());
    ground.ping(KEY, 21..=25).await;
    ground.ping(OTHER, 6..=7).await;
    seconds(10).await;
    assert_eq!(ground.seen(KEY).await, upto(25));
    assert_eq!(ground.seen(OTHER).await, upto(7));
    let again = republisher.progress().await.unwrap().remove(0).progress;
    assert!(again.finished_at.is_some() && (25..=32).contains(&again.published), "{again:?}");
    assert_eq!(ground.firing(), Vec::<&str>::new());
    let acts = ground.running.dead_letters().acts("probe", None, 10).await.unwrap();
    assert_eq!((acts.len(), acts[0].who.as_str(), acts[0].what.as_str()), (1, "ana", "republish"));
    ground.running.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn publishing_again_survives_a_crash() {
    let world = world(2, BusKind::Broker);
    let orders = Arc::new(Orders::default());
    let ground = Ground::probe(&world, &orders).await;
    lost(&ground).await;
    ground.running.republisher().ask(None, Beginning::Position(0), &By::new("ana")).await.unwrap();
    world.crash();
    let ground = Ground::probe(&world, &orders).await;
    ground.ping(KEY, 21..=22).await;
    seconds(10).await;
    assert_eq!(ground.seen(KEY).await, upto(22), "nothing newer went out before what is older");
    ground.running.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn the_embedded_log_has_nothing_to_publish_again() {
    let ground = Ground::probe(&world(3, BusKind::Log), &Arc::default()).await;
    let asked = ground.running.republisher().ask(None, Beginning::Position(0), &By::new("ana")).await;
    assert!(matches!(asked, Err(RepublishError::Embedded)));
    ground.running.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_parked_before_a_broker_lost_its_storage_comes_before_what_arrives_after() {
    let world = world(4, BusKind::Broker);
    let orders = Arc::new(Orders::default());
    let ground = Ground::probe(&world, &orders).await;
    // The broker's numbers stand at 10 before anything is parked.
    ground.ping(OTHER, 1..=10).await;
    seconds(2).await;
    orders.fail(KEY, 1, 1, Misbehaviour::Permanent);
    ground.ping(KEY, 1..=3).await;
    seconds(2).await;
    world.lose_broker();
    // These get the numbers 1 and on.
    ground.ping(KEY, 4..=16).await;
    seconds(5).await;
    let letters = ground.running.dead_letters();
    let (id, _) = letters.list("probe", None, 10).await.unwrap().remove(0);
    letters.retry("probe", &id).await.unwrap();
    seconds(5).await;
    assert_eq!(ground.seen(KEY).await, upto(16));
    ground.running.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_the_brokers_limits_overtook_catches_up_from_the_journal_and_goes_on() {
    let world = world(5, BusKind::Broker);
    let orders = Arc::new(Orders::default());
    let ground = Ground::probe(&world, &orders).await;
    ground.ping(KEY, 1..=5).await;
    seconds(2).await;
    world.broker_keeps(Some(10));
    ground.deafen(true);
    orders.fail(KEY, 300, 2, Misbehaviour::Transient);
    ground.ping(KEY, 6..=700).await;
    ground.ping(OTHER, 1..=3).await;
    seconds(3).await;
    ground.deafen(false);
    seconds(30).await;
    assert_eq!(ground.seen(KEY).await, upto(700));
    assert_eq!(ground.seen(OTHER).await, upto(3));
    assert_eq!(orders.delivered(KEY, 3), 1, "the inbox knows what was taken");
    ground.ping(KEY, 701..=705).await;
    seconds(2).await;
    assert_eq!(ground.seen(KEY).await, upto(705), "it reads the broker again");
    let consumer = ground.running.watch().health().remove(0).consumers.remove(0);
    assert!(!consumer.is_catching_up);
    ground.running.shut_down().await;
}

/// What is published once it has begun to catch up comes from the broker.
#[tokio::test(start_paused = true)]
async fn a_consumer_catches_up_while_producers_go_on_without_a_pause() {
    let world = world(9, BusKind::Broker);
    let ground = Ground::probe(&world, &Arc::default()).await;
    world.broker_keeps(Some(10));
    ground.deafen(true);
    ground.ping(KEY, 1..=500).await;
    ground.deafen(false);
    let is_catching_up = || ground.running.watch().health().remove(0).consumers.remove(0).is_catching_up;
    let (begun, mut others) = (world.now(), 0);
    let (mut has_begun, mut has_ended) = (false, false);
    while !has_ended && world.now() < begun.plus(Duration::from_secs(100)) {
        others += 1;
        ground.ping(Uuid::from_u128(1_000 + others), 1..=1).await;
        if is_catching_up() {
            has_begun = true;
            world.broker_keeps(None);
        }
        has_ended = has_begun && !is_catching_up();
    }
    assert!(has_begun && has_ended, "{others} events later: begun {has_begun}, ended {has_ended}");
    seconds(5).await;
    assert_eq!(ground.seen(KEY).await, upto(500));
    assert_eq!(ground.seen(Uuid::from_u128(1_000 + others)).await, upto(1));
    ground.running.shut_down().await;
}

/// With what it was owed gone by the broker's limit, or still there.
#[tokio::test(start_paused = true)]
async fn a_consumer_that_was_deleted_at_the_broker_catches_up_from_the_journal() {
    for keeps in [Some(10), None] {
        let world = world(8, BusKind::Broker);
        let orders = Arc::new(Orders::default());
        let ground = Ground::probe(&world, &orders).await;
        ground.ping(KEY, 1..=50).await;
        seconds(2).await;
        world.broker_keeps(keeps);
        ground.deafen(true);
        ground.ping(KEY, 51..=100).await;
        seconds(2).await;
        world.delete_consumer("probe-probe", "probe");
        ground.deafen(false);
        seconds(30).await;
        assert_eq!(ground.seen(KEY).await, upto(100), "each once, where the broker keeps {keeps:?}");
        ground.ping(KEY, 101..=105).await;
        seconds(2).await;
        assert_eq!(ground.seen(KEY).await, upto(105), "it reads the broker again");
        ground.running.shut_down().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_kills_the_process_while_it_catches_up_is_given_up_and_the_rest_goes_on() {
    let world = world(6, BusKind::Broker);
    let kills = Arc::new(AtomicU32::new(0));
    let module = || {
        let (world, kills) = (world.clone(), kills.clone());
        reacting(on::<super::probe::Ping>(move |ping, ws| {
            if ping.key == OTHER && ping.n == 3 {
                kills.fetch_add(1, Ordering::SeqCst);
                world.crash();
            }
            see(ping, ws)
        }))
    };
    let mut ground = Ground::start(&world, module()).await;
    seconds(1).await;
    world.broker_keeps(Some(2));
    ground.deafen(true);
    ground.ping(KEY, 1..=10).await;
    ground.ping(OTHER, 1..=10).await;
    ground.ping(KEY, 11..=20).await;
    seconds(2).await;
    ground.deafen(false);
    let mut crashes = 0;
    loop {
        tokio::select! {
            died = world.crashed(crashes) => crashes = died,
            () = seconds(30) => break,
        }
        // It may die before it has started.
        let start = tokio::spawn({
            let (world, module) = (world.clone(), module());
            async move { Ground::start(&world, module).await }
        });
        if let Ok(Ok(started)) = tokio::time::timeout(Duration::from_secs(60), start).await {
            ground = started;
        }
    }
    assert!((4..=6).contains(&kills.load(Ordering::SeqCst)), "{kills:?}");
    assert_eq!(ground.seen(KEY).await, upto(20));
    assert_eq!(ground.seen(OTHER).await, upto(2));
    let letters = ground.running.dead_letters().list("probe", None, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert!(letters[0].1.error.contains("the process died"), "{}", letters[0].1.error);
    ground.running.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_broker_gave_up_on_is_taken_back_once_and_then_forgotten_there() {
    let world = world(7, BusKind::Broker);
    let orders = Arc::new(Orders::default());
    let ground = Ground::probe(&world, &orders).await;
    seconds(1).await;
    ground.deafen(true);
    ground.ping(KEY, 1..=4).await;
    seconds(2).await;
    assert_eq!(world.broker_gives_up("probe-probe", "probe", 3), 3);
    world.broker_keeps_unreadable("probe-probe", "probe.ping.v1", "{no event");
    ground.deafen(false);
    seconds(60).await;
    assert_eq!(world.given_up("probe-probe"), 0);
    let mut seen = ground.seen(KEY).await;
    seen.sort_unstable();
    assert_eq!(seen, upto(4));
    assert!((1..=4).all(|n| orders.delivered(KEY, n) == 1));
    let letters = ground.running.dead_letters();
    let (id, letter) = letters.list("probe", None, 10).await.unwrap().remove(0);
    assert_eq!((letter.error_kind, letter.event.kind.as_str()), (ErrorKind::Undecodable, "probe.ping.v1"));
    let headers = vec![("x-origin".to_owned(), "elsewhere".to_owned())];
    assert_eq!(letter.raw, Some(RawMessage { headers, body: "e25vIGV2ZW50".to_owned() }));
    assert!(letters.retry("probe", &id).await.is_err(), "nobody can read it");
    letters.discard("probe", &id).await.unwrap();
    ground.running.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_broker_gave_up_on_is_not_forgotten_before_it_is_stored() {
    let world = world(8, BusKind::Broker);
    let ground = Ground::probe(&world, &Arc::default()).await;
    seconds(1).await;
    ground.deafen(true);
    ground.ping(KEY, 1..=1).await;
    seconds(2).await;
    world.broker_gives_up("probe-probe", "probe", 1);
    world.faults(|faults| faults.not_written_permille = 1_000);
    ground.deafen(false);
    seconds(120).await;
    assert_eq!(world.given_up("probe-probe"), 1);
    world.faults(|faults| faults.not_written_permille = 0);
    seconds(60).await;
    assert_eq!((world.given_up("probe-probe"), ground.seen(KEY).await), (0, upto(1)));
    ground.running.shut_down().await;
}

/// As much as several looks take.
#[tokio::test(start_paused = true)]
async fn what_the_broker_gave_up_on_comes_before_what_is_new_to_whoever_reads_next() {
    let world = world(9, BusKind::Broker);
    let orders = Arc::new(Orders::default());
    let ground = Ground::probe(&world, &orders).await;
    seconds(1).await;
    ground.deafen(true);
    ground.ping(KEY, 1..=200).await;
    seconds(2).await;
    assert_eq!(world.broker_gives_up("probe-probe", "probe", 150), 150);
    ground.running.shut_down().await;
    world.hold_deliveries(false);
    let ground = Ground::probe(&world, &orders).await;
    seconds(5).await;
    assert_eq!((ground.seen(KEY).await, world.given_up("probe-probe")), (upto(200), 0));
    ground.running.shut_down().await;
}
