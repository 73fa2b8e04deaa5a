//! What a store or a broker does not say, says late, or says twice: effects are taken once all the same.

use std::sync::Arc;
use std::time::Duration;

use backbone::work::{Done, Error, Idempotency, Origin, Work};
use serde_json::Value;
use uuid::Uuid;

use super::bench::{Bench, until};
use super::faulty::{Faults, Rates};
use super::ground::upto;
use super::place::Place;
use super::probe::{Orders, Ping, probe_module};

const ALWAYS: u64 = 1_000;

/// The probe behind ports that fail.
async fn failing(place: &Place, rates: Rates) -> (Bench, Arc<Faults>) {
    let faults = Faults::new(7, rates);
    let bench = Bench::failing(place, vec![probe_module(Arc::default())], &faults).await;
    (bench, faults)
}

/// Pings a key until so many deliveries were acknowledged, or were to be; gives the last number.
async fn ping_until_acknowledged(bench: &Bench, faults: &Faults, key: Uuid) -> u64 {
    let mut last = 0;
    while faults.acknowledged().0 < 20 && last < 200 {
        last += 1;
        bench.ping(&[(key, last)]).await;
        bench.until_seen(key, &upto(last)).await;
    }
    last
}

pub(super) async fn nothing_is_acknowledged_before_its_commit(place: Place) {
    Bench::make_known(&place).await;
    let (bench, faults) = failing(&place, Rates { slow_answer: ALWAYS, ..Rates::default() }).await;
    ping_until_acknowledged(&bench, &faults, Uuid::now_v7()).await;
    bench.stop().await;
    let (count, too_early) = faults.acknowledged();
    assert_eq!((count >= 20, too_early), (true, Vec::new()), "{count}");
}

pub(super) async fn what_was_never_acknowledged_comes_again_and_takes_no_effect_again(place: Place) {
    Bench::make_known(&place).await;
    let (bench, faults) = failing(&place, Rates { acknowledgement_lost: ALWAYS, ..Rates::default() }).await;
    let key = Uuid::now_v7();
    let last = ping_until_acknowledged(&bench, &faults, key).await;
    bench.stop().await;
    assert!(faults.injected("acknowledgement lost") > 0);

    let bench = Bench::probe(&place, &Arc::default()).await;
    bench.ping(&[(key, last + 1), (key, last + 2)]).await;
    bench.until_seen(key, &upto(last + 2)).await;
    bench.until_dead(0).await;
    bench.stop().await;
}

/// Asks until it is answered, each time under the same key.
pub(super) async fn ping_once(bench: &Bench, key: Uuid, n: u64) -> Done {
    loop {
        let named = Idempotency { key: format!("POST /pings|me|{key}/{n}"), fingerprint: n };
        let work = Work::new("ping", Origin::default(), move |ws| {
            ws.publish(Ping { key, n, secret: String::new().into() });
            Ok(Value::Null)
        });
        match bench.context.commands.execute(work.idempotent(Some(named))).await {
            Ok(done) => return done,
            Err(Error::Rejected(refused)) => panic!("{refused:?}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

pub(super) async fn a_commit_whose_answer_was_lost_is_made_once(place: Place) {
    let (bench, faults) = failing(&place, Rates { answer_lost: 80, ..Rates::default() }).await;
    let key = Uuid::now_v7();
    let mut repeated = 0;
    for n in 1..=20 {
        repeated += u32::from(ping_once(&bench, key, n).await.repeated);
    }
    bench.until_seen(key, &upto(20)).await;
    assert!(repeated > 0 && faults.injected("answer lost") > 0, "{repeated} were repeated");
    faults.end();
    bench.until_dead(0).await;
    bench.stop().await;
}

pub(super) async fn a_commit_that_was_not_written_is_made_again(place: Place) {
    let (bench, faults) = failing(&place, Rates { not_written: 80, ..Rates::default() }).await;
    let key = Uuid::now_v7();
    for n in 1..=20 {
        ping_once(&bench, key, n).await;
    }
    bench.until_seen(key, &upto(20)).await;
    assert!(faults.injected("not written") > 0);
    faults.end();
    bench.until_dead(0).await;
    bench.stop().await;
}

pub(super) async fn what_was_published_and_not_confirmed_takes_effect_once(place: Place) {
    let (bench, faults) = failing(&place, Rates { publication_unknown: ALWAYS, ..Rates::default() }).await;
    let keys = [Uuid::now_v7(), Uuid::now_v7()];
    for n in 1..=12 {
        bench.ping(&keys.map(|key| (key, n))).await;
    }
    // It is published again each time.
    until(async || faults.injected("publication unknown"), |count| *count >= 3).await;
    faults.end();
    for key in keys {
        bench.until_seen(key, &upto(12)).await;
    }
    assert!(faults.injected("publication unknown") >= 3);
    bench.until_dead(0).await;
    bench.stop().await;
}

pub(super) async fn what_was_not_published_is_published_later_in_its_order(place: Place) {
    Bench::make_known(&place).await;
    let (bench, faults) = failing(&place, Rates { not_published: ALWAYS, ..Rates::default() }).await;
    let keys = [Uuid::now_v7(), Uuid::now_v7()];
    for n in 1..=12 {
        bench.ping(&keys.map(|key| (key, n))).await;
    }
    until(async || faults.injected("not published"), |count| *count >= 2).await;
    assert_eq!(bench.seen(keys[0]).await, Vec::<u64>::new());
    faults.end();
    for key in keys {
        bench.until_seen(key, &upto(12)).await;
    }
    bench.stop().await;
}

pub(super) async fn what_lies_at_the_broker_twice_takes_effect_once(place: Place) {
    let (bench, faults) = failing(&place, Rates { published_twice: ALWAYS, ..Rates::default() }).await;
    let keys = [Uuid::now_v7(), Uuid::now_v7()];
    for n in 1..=12 {
        bench.ping(&keys.map(|key| (key, n))).await;
    }
    for key in keys {
        bench.until_seen(key, &upto(12)).await;
    }
    bench.stop().await;
    assert!(faults.injected("published twice") > 0);
    // Whatever of it came late is known, too.
    let bench = Bench::probe(&place, &Arc::new(Orders::default())).await;
    bench.ping(&keys.map(|key| (key, 13))).await;
    for key in keys {
        bench.until_seen(key, &upto(13)).await;
    }
    bench.until_dead(0).await;
    bench.stop().await;
}
