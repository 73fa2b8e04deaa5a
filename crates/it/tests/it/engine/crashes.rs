//! A process that is killed: what it had answered stands, what it had begun is done by the next one, and
//! nothing twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use backbone::Module;
use backbone::reaction::on;
use backbone::timer::TimerHandler;
use backbone::work::{Origin, Work};
use serde_json::Value;
use uuid::Uuid;

use super::bench::{Bench, until};
use super::faulty::{Faults, Rates};
use super::ground::{reacting, upto};
use super::place::Place;
use super::probe::{Misbehaviour, Orders, Ping, SEEN, Seen, probe_module, see};

pub(super) async fn a_process_that_is_killed_in_mid_stream_loses_nothing_and_doubles_nothing(place: Place) {
    const LAST: u64 = 60;
    let orders = Arc::new(Orders::default());
    let keys = [(); 4].map(|()| Uuid::now_v7());
    let (failing, dead) = (keys[2], keys[3]);
    orders.fail(failing, 3, 2, Misbehaviour::Transient);
    orders.fail(dead, 3, 1, Misbehaviour::Permanent);
    let bench = Bench::probe(&place, &orders).await;
    for n in 1..=LAST {
        bench.ping(&keys.map(|key| (key, n))).await;
    }
    // In the middle of it, if it is as slow as others; at its end at the latest.
    until(async || bench.seen(keys[0]).await.len(), |count| *count >= 10).await;
    bench.kill().await;

    let bench = Bench::probe(&place, &orders).await;
    bench.ping(&keys.map(|key| (key, LAST + 1))).await;
    for key in &keys[..3] {
        bench.until_seen(*key, &upto(LAST + 1)).await;
    }
    let (id, _) = bench.until_dead(1).await.remove(0);
    assert_eq!(bench.seen(dead).await, [1, 2], "its key waits");
    bench.running.dead_letters().retry("probe", &id).await.unwrap();
    bench.until_seen(dead, &upto(LAST + 1)).await;
    bench.stop().await;
}

/// A probe whose timer leaves a trace each time that it fires.
fn alarmed() -> Module {
    let fire = TimerHandler::new("alarm", |timer, ws| {
        let key = Uuid::parse_str(&timer.key).expect("it was set with one");
        let seen = ws.get::<Seen>(key)?;
        let mut seen = seen.map_or_else(|| Seen { key, ..Seen::default() }, Arc::unwrap_or_clone);
        seen.order.push(timer.generation);
        ws.put(seen)
    });
    Module { timers: vec![fire], collections: vec![&SEEN], ..Module::new("probe") }
}

pub(super) async fn a_timer_that_was_set_before_its_process_was_killed_fires_once(place: Place) {
    let key = Uuid::now_v7();
    let bench = Bench::of(&place, vec![alarmed()]).await;
    let work = Work::new("set", Origin::default(), move |ws| {
        let due = ws.now().plus(Duration::from_secs(1));
        ws.set_timer("alarm", key, due, 7);
        Ok(Value::Null)
    });
    bench.context.commands.execute(work).await.unwrap();
    bench.kill().await;

    let bench = Bench::of(&place, vec![alarmed()]).await;
    bench.until_seen(key, &[7]).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(bench.seen(key).await, [7]);
    bench.stop().await;
}

/// The probe, and how often one of its deliveries killed its process.
struct Deadly {
    poison: Uuid,
    deaths: Arc<AtomicU32>,
}

impl Deadly {
    /// A process that dies of the poison's first ping: from then on nothing is written for it. It has
    /// no retries, so one attempt is all that the poison has.
    async fn start(&self, place: &Place) -> (Option<Bench>, Arc<Faults>) {
        let faults = Faults::new(1, Rates::default());
        let (poison, deaths, end) = (self.poison, self.deaths.clone(), faults.clone());
        let react = on::<Ping>(move |ping, ws| {
            ws.get::<Seen>(ping.key)?;
            if (ping.key, ping.n) == (poison, 1) && !end.is_dead() {
                deaths.fetch_add(1, Ordering::SeqCst);
                end.die();
            }
            see(ping, ws)
        });
        let module = Module { retries: &[], ..reacting(react) };
        (Bench::try_failing(place, vec![module], &faults).await, faults)
    }

    /// Where it replays what was in flight before it has started, it may die of that.
    async fn start_again(&self, place: &Place) -> (Bench, Arc<Faults>) {
        loop {
            if let (Some(bench), faults) = self.start(place).await {
                return (bench, faults);
            }
        }
    }
}

pub(super) async fn what_kills_its_process_each_time_is_given_up_and_no_innocent_is(place: Place) {
    let deadly = Deadly { poison: Uuid::now_v7(), deaths: Arc::default() };
    let innocent = Uuid::now_v7();
    let (bench, mut faults) = deadly.start(&place).await;
    let mut bench = bench.expect("nothing kills it yet");
    bench.ping(&[(innocent, 1), (deadly.poison, 1), (innocent, 2), (deadly.poison, 2)]).await;
    let dead = loop {
        let look = async || match faults.is_dead() {
            true => None,
            false => Some(bench.running.dead_letters().list("probe", None, 10).await.unwrap()),
        };
        let found = until(look, |found| found.as_ref().is_none_or(|letters| !letters.is_empty())).await;
        if let Some(letters) = found {
            break letters;
        }
        bench.kill().await;
        (bench, faults) = deadly.start_again(&place).await;
    };
    assert_eq!(deadly.deaths.load(Ordering::SeqCst), 2, "once with its batch, and once alone");
    assert_eq!((dead.len(), dead[0].1.event.subject.clone()), (1, deadly.poison.to_string()));
    bench.until_seen(innocent, &[1, 2]).await;
    assert_eq!(bench.seen(deadly.poison).await, Vec::<u64>::new(), "its later event waits");
    bench.stop().await;

    let bench = Bench::of(&place, vec![probe_module(Arc::default())]).await;
    bench.running.dead_letters().retry("probe", &dead[0].0).await.unwrap();
    bench.until_seen(deadly.poison, &[1, 2]).await;
    bench.stop().await;
}
