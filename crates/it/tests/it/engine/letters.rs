//! What an operator does with dead letters, and what the engine does by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use adapter_sim::{BusKind, CommitFault};
use backbone::commit::{Commit, Expected, Outcome, Put};
use backbone::reaction::on;
use backbone::system::{DEAD_LETTERS, DeadLetter, KeptEvent};
use backbone::{Document, Module, Refusal};
use engine::{By, DeadLetters, Filter, Letter, SweepEnd};
use kernel::{Duration, ErrorKind, Timestamp};
use uuid::Uuid;

use super::ground::{Ground, reacting, seconds, upto, world};
use super::probe::{Misbehaviour, Orders, Ping, Seen, see};

fn key(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// A probe with `count` dead letters, one a second, each of a key of its own with another behind it.
async fn dead(seed: u64, count: u128, times: u32) -> (Ground, Arc<Orders>) {
    let world = world(seed, BusKind::Log);
    let orders = Arc::new(Orders::default());
    let ground = Ground::probe(&world, &orders).await;
    for number in 1..=count {
        orders.fail(key(number), 1, times, Misbehaviour::Permanent);
        ground.ping(key(number), 1..=2).await;
        seconds(1).await;
    }
    (ground, orders)
}

async fn all(letters: &DeadLetters) -> Vec<Letter> {
    letters.find(&Filter::default(), None, 100).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn dead_letters_are_filtered_and_paged_in_the_order_of_their_deaths() {
    let (ground, _) = dead(1, 5, 1).await;
    let letters = ground.running.dead_letters();
    let whole = all(&letters).await;
    assert_eq!(whole.len(), 5);
    let mut paged: Vec<Letter> = Vec::new();
    loop {
        let after = paged.last().map(Letter::place);
        let page = letters.find(&Filter::default(), after.as_ref(), 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    let ids = |letters: &[Letter]| letters.iter().map(|letter| letter.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&paged), ids(&whole));
    let third = whole[2].letter.moved_at;
    for (filter, expected) in [
        (Filter { subject: Some(key(4).to_string()), ..Filter::default() }, 1),
        (Filter { service: Some("probe".to_owned()), ..Filter::default() }, 5),
        (Filter { consumer: Some("probe-other".to_owned()), ..Filter::default() }, 0),
        (Filter { kind: Some("probe.ping.v1".to_owned()), ..Filter::default() }, 5),
        (Filter { error_kind: Some(ErrorKind::Transient), ..Filter::default() }, 0),
        (Filter { from: Some(third), ..Filter::default() }, 3),
        (Filter { to: Some(third), ..Filter::default() }, 2),
    ] {
        assert_eq!(letters.find(&filter, None, 100).await.unwrap().len(), expected, "{filter:?}");
    }
    let nowhere = Filter { service: Some("nowhere".to_owned()), ..Filter::default() };
    assert!(letters.find(&nowhere, None, 100).await.is_err());
    let (shown, behind) = letters.show(&whole[0].id).await.unwrap();
    assert_eq!((shown.letter.event.subject, behind), (key(1).to_string(), 1));
    ground.running.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_rehearsed_retry_says_what_it_would_do_and_leaves_no_trace() {
    let (ground, orders) = dead(2, 1, 2).await;
    let letters = ground.running.dead_letters();
    let id = all(&letters).await.remove(0).id;
    let fails = letters.rehearse(&id).await.unwrap();
    assert_eq!((fails.succeeds, fails.error.as_deref()), (false, Some("told to refuse (told)")));
    let commits = ground.world.commits();
    let works = letters.rehearse(&id).await.unwrap();
    assert!(works.succeeds, "{works:?}");
    let seen = works.writes.iter().map(|touched| (touched.what.as_str(), touched.about.clone()));
    assert_eq!(seen.collect::<Vec<_>>(), [("seen", key(1).to_string())]);
    assert_eq!(works.removes[0].what, "dead_letters");
    assert_eq!(ground.world.commits(), commits);
    assert_eq!((ground.seen(key(1)).await, all(&letters).await.len()), (vec![], 1));
    assert_eq!(orders.delivered(key(1), 1), 3, "it ran each time");
    ground.running.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn every_act_is_written_down_with_who_and_why_and_none_that_did_nothing() {
    let (ground, _) = dead(3, 2, 1).await;
    let letters = ground.running.dead_letters();
    let both = all(&letters).await;
    letters.retry_one(&both[0].id, &By::new("ana")).await.unwrap();
    letters.discard_one(&both[1].id, &By::new("ben").because("a test order")).await.unwrap();
    assert!(letters.retry_one(&both[1].id, &By::new("ana")).await.is_err());
    seconds(5).await;
    assert_eq!((ground.seen(key(1)).await, ground.seen(key(2)).await), (upto(2), vec![2]));
    let acts = letters.acts("probe", None, 10).await.unwrap();
    let told = acts.iter().map(|act| (act.who.as_str(), act.what.as_str(), act.reason.as_deref()));
    assert_eq!(told.collect::<Vec<_>>(), [("ben", "discard", Some("a test order")), ("ana", "retry", None)]);
    let earlier = Some((acts[0].at, acts[0].id.to_string()));
    assert_eq!(letters.acts("probe", earlier, 10).await.unwrap(), acts[1..]);
    ground.running.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn many_are_retried_in_waves_and_the_rest_is_left_where_the_first_few_fail_again() {
    let (ground, orders) = dead(4, 30, 2).await;
    let letters = ground.running.dead_letters();
    let begun = letters.retry_all(&Filter::default(), &By::new("ana")).await.unwrap();
    assert_eq!((begun[0].matching, begun[0].ended), (30, None));
    let again = letters.retry_all(&Filter::default(), &By::new("ana")).await.unwrap();
    assert_eq!(again[0].started_at, begun[0].started_at, "one at a time");
    seconds(20).await;
    let sweep = letters.sweeps().remove(0);
    assert_eq!((sweep.retried, sweep.failed, sweep.ended), (3, 3, Some(SweepEnd::FailedAgain)));
    assert_eq!(orders.delivered(key(4), 1), 1, "the fourth was left alone");
    (4..=30).for_each(|number| orders.fail(key(number), 1, 0, Misbehaviour::Permanent));
    letters.retry_all(&Filter::default(), &By::new("ana")).await.unwrap();
    seconds(60).await;
    let sweep = letters.sweeps().remove(0);
    assert_eq!((sweep.matching, sweep.succeeded, sweep.ended), (30, 30, Some(SweepEnd::Done)));
    assert!(all(&letters).await.is_empty());
    for number in 1..=30 {
        assert_eq!(ground.seen(key(number)).await, [1, 2]);
    }
    ground.running.shut_down().await;
}

/// The probe, which cannot do its work while something is down; and how often it tried.
fn needing(is_down: &Arc<AtomicBool>) -> (Module, Arc<AtomicU32>) {
    let (down, tried) = (is_down.clone(), Arc::new(AtomicU32::new(0)));
    let counted = tried.clone();
    let react = on::<Ping>(move |ping, ws| {
        ws.get::<Seen>(ping.key)?;
        counted.fetch_add(1, Ordering::SeqCst);
        if down.load(Ordering::SeqCst) {
            return Err(Refusal::failed(ErrorKind::Infrastructure, "the other side is down"));
        }
        see(ping, ws)
    });
    (reacting(react), tried)
}

#[tokio::test(start_paused = true)]
async fn an_outage_uses_up_no_attempt_and_is_probed_with_one_delivery_at_a_time() {
    for kind in [BusKind::Log, BusKind::Broker] {
        let is_down = Arc::new(AtomicBool::new(true));
        let (module, tried) = needing(&is_down);
        let ground = Ground::start(&world(5, kind), module).await;
        for number in 1..=20 {
            ground.ping(key(number), 1..=2).await;
        }
        seconds(60).await;
        let before = tried.load(Ordering::SeqCst);
        for number in 21..=40 {
            ground.ping(key(number), 1..=2).await;
        }
        seconds(600).await;
        let probed = tried.load(Ordering::SeqCst) - before;
        assert!((100..=130).contains(&probed), "{kind:?}: tried {probed} times in ten minutes");
        assert_eq!(all(&ground.running.dead_letters()).await.len(), 0, "{kind:?}");
        is_down.store(false, Ordering::SeqCst);
        seconds(15).await;
        for number in 1..=40 {
            assert_eq!(ground.seen(key(number)).await, upto(2), "{kind:?}: {number}");
        }
        ground.running.shut_down().await;
    }
}

/// The attempt is written before it is made; where the store goes away in between, it was none.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_could_not_be_committed_is_taken_back() {
    let world = world(9, BusKind::Log);
    let (store, runs) = (world.clone(), Arc::new(AtomicU32::new(0)));
    let counted = runs.clone();
    let react = on::<Ping>(move |ping, ws| {
        ws.get::<Seen>(ping.key)?;
        match counted.fetch_add(1, Ordering::SeqCst) {
            0 => return Err(Refusal::failed(ErrorKind::Transient, "told to fail")),
            1..=6 => store.at(store.commits() + 1, CommitFault::NotWritten),
            _ => {}
        }
        see(ping, ws)
    });
    let ground = Ground::start(&world, reacting(react)).await;
    ground.ping(key(1), 1..=2).await;
    seconds(60).await;
    let letters = all(&ground.running.dead_letters()).await;
    assert!(letters.is_empty(), "{letters:?}");
    assert_eq!(ground.seen(key(1)).await, upto(2));
    assert!(runs.load(Ordering::SeqCst) > 7, "the store was never away");
    ground.running.shut_down().await;
}

/// As a program leaves it that counted outages as attempts.
fn died_of_an_outage(number: u128, at: Timestamp) -> Put {
    let event = KeptEvent {
        id: key(1_000 + number),
        source: "probe".to_owned(),
        kind: "probe.ping.v1".to_owned(),
        subject: key(number).to_string(),
        time: at,
        correlation_id: String::new(),
        causation_id: String::new(),
        sequence: 1,
        traceparent: None,
        key_id: None,
        data: serde_json::json!({"key": key(number), "n": 1, "secret": ""}).to_string(),
    };
    let letter = DeadLetter {
        consumer: "probe-probe".to_owned(),
        position: u64::try_from(number).unwrap(),
        error_kind: ErrorKind::Infrastructure,
        error: "down".to_owned(),
        attempts: 4,
        first_failed_at: at,
        last_failed_at: at,
        moved_at: at,
        behind: 0,
        event,
        raw: None,
    };
    Put {
        collection: &DEAD_LETTERS,
        shadow: false,
        id: letter.id(),
        expected: Expected::Any,
        person: None,
        body: serde_json::to_vec(&letter).unwrap().into(),
        columns: letter.columns(),
    }
}

/// A round over many is made in parts, and so are the retries: what comes meanwhile does not wait.
#[tokio::test(start_paused = true)]
async fn many_that_died_of_an_outage_come_back_while_new_events_flow() {
    const MANY: u128 = 1_500;
    let (module, _) = needing(&Arc::new(AtomicBool::new(false)));
    let world = world(8, BusKind::Log);
    let ground = Ground::start(&world, module).await;
    let now = ground.context.environment.clock.now();
    let puts = (1..=MANY).map(|number| died_of_an_outage(number, now)).collect();
    let journal = ground.running.host("probe").unwrap().journal().clone();
    let written = journal.submit(Commit { puts, ..Commit::default() }).await.unwrap();
    assert!(matches!(written, Ok(Outcome::Committed { .. })), "{written:?}");
    ground.running.shut_down().await;

    // At the start it reads which keys do not flow.
    let (module, _) = needing(&Arc::new(AtomicBool::new(false)));
    let ground = Ground::start(&world, module).await;
    seconds(61).await;
    let mut slowest = Duration::ZERO;
    for number in 1..=60 {
        let new = key(100_000 + number);
        let published = tokio::time::Instant::now();
        ground.ping(new, 1..=1).await;
        while ground.seen(new).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        slowest = slowest.max(published.elapsed());
        seconds(1).await;
    }
    assert!(slowest < Duration::from_secs(1), "one waited for {slowest:?}");
    seconds(120).await;
    assert_eq!(all(&ground.running.dead_letters()).await.len(), 0);
    for number in 1..=MANY {
        assert_eq!(ground.seen(key(number)).await, [1], "{number}");
    }
    let acts = ground.running.dead_letters().acts("probe", None, 10).await.unwrap();
    assert_eq!(acts[0].who, "engine");
    ground.running.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_kind_of_failure_is_noted_once() {
    let (ground, orders) = dead(6, 3, 1).await;
    let letters = ground.running.dead_letters();
    assert_eq!(letters.kinds("probe", 10).await.unwrap().len(), 1);
    orders.fail(key(9), 1, 9, Misbehaviour::Transient);
    ground.ping(key(9), 1..=1).await;
    seconds(20).await;
    let kinds = letters.kinds("probe", 10).await.unwrap();
    let errors = kinds.iter().map(|kind| kind.error.as_str()).collect::<Vec<_>>();
    assert_eq!(errors, ["told to fail (Transient)", "told to refuse (told)"]);
    ground.running.shut_down().await;
}
