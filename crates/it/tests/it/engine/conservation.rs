//! Whatever goes wrong: what was published took effect, waits, or is dead, and nothing is in two places.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use backbone::Module;
use backbone::collection::Query;
use backbone::system::{DeadLetter, PARKED, Parked};
use uuid::Uuid;

use super::bench::{Bench, until};
use super::faulty::{Faults, Rates};
use super::place::Place;
use super::probe::{Misbehaviour, Orders, probe_module};

const KEYS: usize = 8;
const LAST: u64 = 30;
const RETRIES: &[Duration] = &[Duration::from_millis(50), Duration::from_millis(100)];

const RATES: Rates = Rates {
    answer_lost: 30,
    not_written: 30,
    slow_answer: 30,
    publication_unknown: 150,
    published_twice: 150,
    not_published: 100,
    acknowledgement_lost: 200,
};

/// One in eight fails, of these one in three for ever.
fn misbehave(orders: &Orders, faults: &Faults, keys: &[Uuid]) {
    for (key, n) in keys.iter().flat_map(|key| (1..=LAST).map(move |n| (*key, n))) {
        match faults.below(24) {
            0 => orders.fail(key, n, 1, Misbehaviour::Transient),
            1 => orders.fail(key, n, 2, Misbehaviour::Panic),
            2 => orders.fail(key, n, u32::MAX, Misbehaviour::Permanent),
            _ => {}
        }
    }
}

async fn parked(bench: &Bench) -> Vec<Parked> {
    let found = bench.journal().find(Query::all(&PARKED)).await.unwrap();
    found.iter().map(|stored| serde_json::from_slice(&stored.body).unwrap()).collect()
}

/// How many took effect, are parked and are dead, and whether all that is parked waits behind a dead letter.
async fn count(bench: &Bench, keys: &[Uuid]) -> (usize, usize, usize, bool) {
    let mut seen = 0;
    for key in keys {
        seen += bench.seen(*key).await.len();
    }
    let (waits, dead) = (parked(bench).await, dead(bench).await);
    let is_settled =
        waits.iter().all(|row| dead.iter().any(|letter| letter.event.subject == row.event.subject));
    (seen, waits.len(), dead.len(), is_settled)
}

async fn dead(bench: &Bench) -> Vec<DeadLetter> {
    let found = bench.running.dead_letters().list("probe", None, 100).await.unwrap();
    found.into_iter().map(|(_, letter)| letter).collect()
}

/// The events of a key that took effect, wait and are dead are all that were published, each once, and
/// what took effect did so in order, up to the first that is dead.
async fn is_whole(bench: &Bench, key: Uuid, seed: u64) {
    let number = |event: &backbone::system::KeptEvent| {
        let data: serde_json::Value = serde_json::from_str(&event.data).unwrap();
        data["n"].as_u64().unwrap()
    };
    let subject = key.to_string();
    let seen = bench.seen(key).await;
    let waits = parked(bench).await;
    let waits = waits.iter().filter(|row| row.event.subject == subject).map(|row| number(&row.event));
    let dead = dead(bench).await;
    let dead = dead.iter().filter(|letter| letter.event.subject == subject);
    let dead: Vec<u64> = dead.map(|letter| number(&letter.event)).collect();
    let all: Vec<u64> = seen.iter().copied().chain(waits).chain(dead.iter().copied()).collect();
    let once: BTreeSet<u64> = all.iter().copied().collect();
    assert_eq!((all.len() as u64, once.len() as u64), (LAST, LAST), "seed {seed}: {key} {seen:?} {dead:?}");
    assert!(seen.is_sorted(), "seed {seed}: {key} {seen:?}");
    assert!(
        dead.len() <= 1 && seen.len() as u64 == dead.first().map_or(LAST, |n| n - 1),
        "seed {seed}: {dead:?}"
    );
}

pub(super) async fn what_was_published_is_handled_parked_or_dead_under_random_faults(place: Place) {
    // Printed where it fails; write it here to play it again.
    let seed = Uuid::now_v7().as_u128() as u64;
    let (faults, orders) = (Faults::new(seed, RATES), Arc::new(Orders::default()));
    let keys: Vec<Uuid> = (0..KEYS).map(|_| Uuid::now_v7()).collect();
    misbehave(&orders, &faults, &keys);
    let module = || Module { retries: RETRIES, ..probe_module(orders.clone()) };
    let bench = Bench::failing(&place, vec![module()], &faults).await;
    for n in 1..=LAST {
        for key in &keys {
            super::unreliable::ping_once(&bench, *key, n).await;
        }
    }
    bench.kill().await;

    let bench = loop {
        // Where it fails while it replays what was in flight it does not start: it is started again.
        if let Some(bench) = Bench::try_failing(&place, vec![module()], &faults).await {
            break bench;
        }
    };
    tokio::time::sleep(Duration::from_secs(3)).await;
    faults.end();
    let whole = |(seen, parked, dead, is_settled): &(usize, usize, usize, bool)| {
        *is_settled && seen + parked + dead == KEYS * LAST as usize
    };
    let counted = until(async || count(&bench, &keys).await, whole).await;
    println!("seed {seed}: {counted:?} took effect, are parked and dead of {}", KEYS * LAST as usize);
    for key in &keys {
        is_whole(&bench, *key, seed).await;
    }
    bench.stop().await;
}
