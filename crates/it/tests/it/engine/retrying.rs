//! Retries by the clock, counted once, and dead letters that go back to the consumer that failed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backbone::journal::{Stored, Want};
use backbone::module::RETRIES;
use backbone::reaction::on;
use backbone::{Module, Refusal};
use kernel::{ErrorKind, Timestamp};
use uuid::Uuid;

use super::bench::{Bench, until};
use super::ground::reacting;
use super::place::Place;
use super::probe::{Misbehaviour, Orders, Ping, SEEN, Seen, probe_module, see};

/// How much later than it is due a retry may come where many scenarios share two processors.
const LATE_MAX: Duration = Duration::from_secs(5);

pub(super) async fn retries_come_one_two_and_four_seconds_after_each_failure_and_then_no_more(place: Place) {
    let (times, key) = (Arc::new(Mutex::new(Vec::<Timestamp>::new())), Uuid::now_v7());
    let noted = times.clone();
    let bench = Bench::start(&place, Arc::default(), |_| {
        reacting(on::<Ping>(move |ping, ws| {
            ws.get::<Seen>(ping.key)?;
            noted.lock().unwrap().push(ws.now());
            Err(Refusal::failed(ErrorKind::Transient, "told to fail"))
        }))
    })
    .await;
    bench.ping(&[(key, 1)]).await;
    let (_, letter) = bench.until_dead(1).await.remove(0);
    let times = times.lock().unwrap().clone();
    assert_eq!(times.len(), 1 + RETRIES.len(), "retries after the first delivery");
    for (pair, wait) in times.windows(2).zip(RETRIES) {
        let waited = pair[1].since(pair[0]);
        assert!(waited >= *wait && waited < *wait + LATE_MAX, "{waited:?}, and {wait:?} was its time");
    }
    assert_eq!((letter.consumer.as_str(), letter.attempts), ("probe-probe", 4));
    assert_eq!(letter.error_kind, ErrorKind::Transient);
    assert!(letter.error.contains("told to fail"), "{}", letter.error);
    assert!(letter.first_failed_at >= times[0] && letter.first_failed_at < times[1], "{letter:?}");
    assert!(letter.last_failed_at >= times[3] && letter.moved_at >= letter.last_failed_at, "{letter:?}");
    let (kind, subject) = (letter.event.kind.as_str(), letter.event.subject.as_str());
    assert_eq!((kind, subject), ("probe.ping.v1", key.to_string().as_str()), "as it was published");
    bench.stop().await;
}

/// The probe with waits of its own.
fn waiting(waits: &'static [Duration], orders: &Arc<Orders>) -> Module {
    Module { retries: waits, ..probe_module(orders.clone()) }
}

pub(super) async fn a_service_with_waits_of_its_own_is_given_one_delivery_more_than_waits(place: Place) {
    const WAITS: &[Duration] = &[Duration::from_millis(50); 5];
    let (orders, key) = (Arc::new(Orders::default()), Uuid::now_v7());
    orders.fail(key, 1, 100, Misbehaviour::Transient);
    let bench = Bench::of(&place, vec![waiting(WAITS, &orders)]).await;
    bench.ping(&[(key, 1), (key, 2)]).await;
    let (_, letter) = bench.until_dead(1).await.remove(0);
    assert_eq!((letter.attempts, orders.delivered(key, 1)), (6, 6));
    assert_eq!(orders.delivered(key, 2), 0, "its key waits behind it");
    bench.stop().await;
}

pub(super) async fn a_dead_letter_that_is_retried_goes_to_the_consumer_that_failed_alone(place: Place) {
    let (orders, key) = (Arc::new(Orders::default()), Uuid::now_v7());
    orders.fail(key, 1, 1, Misbehaviour::Permanent);
    let other = Module { service: "other", publishes: Vec::new(), ..probe_module(Arc::default()) };
    let bench = Bench::of(&place, vec![probe_module(orders.clone()), other]).await;
    bench.ping(&[(key, 1)]).await;
    let (id, _) = bench.until_dead(1).await.remove(0);
    bench.ping(&[(key, 2)]).await;
    // The other one's key does not wait.
    let of_other = async || seen_by_other(&bench, key).await;
    assert_eq!(until(of_other, |seen| seen.len() == 2).await, [1, 2]);
    bench.running.dead_letters().retry("probe", &id).await.unwrap();
    bench.until_seen(key, &[1, 2]).await;
    bench.ping(&[(key, 3)]).await;
    assert_eq!(until(of_other, |seen| seen.len() >= 3).await, [1, 2, 3]);
    bench.stop().await;
}

async fn seen_by_other(bench: &Bench, key: Uuid) -> Vec<u64> {
    let journal = bench.running.host("other").unwrap().journal();
    let found = journal.load(vec![Want::Document(&SEEN, key.to_string())]).await.unwrap();
    let [Stored::Document(Some(found))] = &found[..] else { return Vec::new() };
    let seen: serde_json::Value = serde_json::from_slice(&found.body).unwrap();
    serde_json::from_value(seen["order"].clone()).unwrap()
}

pub(super) async fn an_outage_uses_up_no_attempt_and_kills_nothing(place: Place) {
    let (is_down, keys) = (Arc::new(AtomicBool::new(true)), [(); 5].map(|()| Uuid::now_v7()));
    let down = is_down.clone();
    let react = on::<Ping>(move |ping, ws| {
        ws.get::<Seen>(ping.key)?;
        if down.load(Ordering::SeqCst) {
            return Err(Refusal::failed(ErrorKind::Infrastructure, "the other side is down"));
        }
        see(ping, ws)
    });
    let place = place.hasty(10);
    let bench = Bench::start(&place, Arc::default(), |_| reacting(react)).await;
    for key in keys {
        bench.ping(&[(key, 1), (key, 2)]).await;
    }
    // By its clock three times as long as all its retries take.
    tokio::time::sleep(Duration::from_secs(2)).await;
    bench.until_dead(0).await;
    is_down.store(false, Ordering::SeqCst);
    for key in keys {
        bench.until_seen(key, &[1, 2]).await;
    }
    bench.until_dead(0).await;
    bench.stop().await;
}
