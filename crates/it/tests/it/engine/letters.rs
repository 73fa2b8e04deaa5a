//! What an operator does with dead letters, and what the engine does by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use adapter_sim::BusKind;
use backbone::Refusal;
use backbone::reaction::on;
use engine::{By, DeadLetters, Filter, Letter, SweepEnd};
use kernel::ErrorKind;
use uuid::Uuid;

use super::ground::{Ground, reacting, seconds, upto, world};
use super::probe::{Misbehaviour, Orders, Ping, see};

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

#[tokio::test(start_paused = true)]
async fn what_died_of_an_outage_alone_is_tried_again_by_itself() {
    let world = world(5, BusKind::Log);
    let is_down = Arc::new(AtomicBool::new(true));
    let down = is_down.clone();
    let react = on::<Ping>(move |ping, ws| {
        if down.load(Ordering::SeqCst) {
            return Err(Refusal::failed(ErrorKind::Infrastructure, "the other side is down"));
        }
        see(ping, ws)
    });
    let ground = Ground::start(&world, reacting(react)).await;
    ground.ping(key(1), 1..=2).await;
    seconds(20).await;
    let letters = ground.running.dead_letters();
    assert_eq!(all(&letters).await.len(), 1);
    is_down.store(false, Ordering::SeqCst);
    seconds(120).await;
    assert_eq!((ground.seen(key(1)).await, all(&letters).await.len()), (upto(2), 0));
    assert_eq!(letters.acts("probe", None, 10).await.unwrap()[0].who, "engine");
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
