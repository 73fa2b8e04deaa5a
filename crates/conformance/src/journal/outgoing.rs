//! Public events are part of the commit, on a bus that publishes in it.

use std::collections::BTreeMap;

use backbone::commit::{Commit, Expected};
use backbone::journal::{Sent, Sought};
use futures::future::{join, join_all};
use kernel::{Duration, Envelope};

use super::look::Handle;
use crate::World;
use crate::bus::collect;
use crate::expect::{Shown, committed, conflict, ensure, equal};
use crate::sample::{self, appending, noting, publishing};

pub(super) async fn visible_if_committed(world: World) -> Result<(), String> {
    if !world.ports().bus.capabilities().publishes_in_commit {
        return Ok(());
    }
    let journal = world.journal("order").await?;
    let event = |number| sample::public("order", 1, number);
    let submissions = [
        journal.submit(Commit { outgoing: vec![event(1), event(2)], ..appending("order-1", 0, 1) }),
        journal.submit(Commit { outgoing: vec![event(3)], ..appending("order-1", 5, 1) }),
        journal.submit(Commit { outgoing: vec![event(4)], ..noting("a", Expected::Version(0), "x") }),
        journal.submit(Commit { outgoing: vec![event(5)], ..noting("a", Expected::Version(0), "x") }),
        journal.submit(publishing(vec![event(7), event(6)])),
    ];
    let [first, stale, second, taken, third] = submissions;
    committed(first.await)?;
    conflict(stale.await, "order-1")?;
    committed(second.await)?;
    conflict(taken.await, "a")?;
    committed(third.await)?;
    let mut consumer = world.consumer("inventory-order", "order").await?;
    let found: Vec<Envelope> =
        collect(&mut *consumer, 5).await?.into_iter().map(|delivery| (*delivery.envelope).clone()).collect();
    equal("what was delivered", found, [1, 2, 4, 7, 6].map(event).to_vec())
}

pub(super) async fn positions(world: World) -> Result<(), String> {
    let capabilities = world.ports().bus.capabilities();
    let journal = world.journal("order").await?;
    let mut last = 0;
    let mut expected = Vec::new();
    for number in 0..10u128 {
        let outgoing = sample::orders(number * 10 + 1..=number * 10 + 3);
        let commit = Commit { outgoing, ..appending(&format!("order-{number}"), 0, 2) };
        let position = committed(journal.submit(commit).await)?;
        ensure(position > last, format_args!("position {position} after {last}"))?;
        let quiet = committed(journal.submit(noting("a", Expected::Any, "x")).await)?;
        ensure(quiet >= position, format_args!("the log ended at {position}, then at {quiet}"))?;
        expected.push(position);
        last = quiet;
    }
    if !(capabilities.publishes_in_commit && capabilities.reads_by_position) {
        return Ok(());
    }
    let mut consumer = world.consumer("inventory-order", "order").await?;
    let found = collect(&mut *consumer, 30).await?;
    let found: Vec<u64> = found.iter().skip(2).step_by(3).map(|delivery| delivery.position).collect();
    equal("the positions of last events", found, expected)
}

const WRITERS: u128 = 6;
const COMMITS: u128 = 20;

async fn write(journal: &Handle, writer: u128) -> Result<(), String> {
    for commit in 0..COMMITS {
        let first = (writer * COMMITS + commit) * 100;
        let count = if writer.is_multiple_of(2) { 1 } else { 1 + commit % 15 };
        let outgoing =
            (first + 1..=first + count).map(|number| sample::public("order", writer, number)).collect();
        committed(journal.submit(publishing(outgoing)).await)?;
    }
    Ok(())
}

fn written(writer: u128) -> usize {
    let counts = (0..COMMITS).map(|commit| if writer.is_multiple_of(2) { 1 } else { 1 + commit % 15 });
    counts.sum::<u128>() as usize
}

pub(super) async fn polling_reader(world: World) -> Result<(), String> {
    if !world.ports().bus.capabilities().publishes_in_commit {
        return Ok(());
    }
    // Two services write into one log.
    let (order, payment) = (world.journal("order").await?, world.journal("payment").await?);
    let journal_of = |writer: u128| if writer.is_multiple_of(3) { &payment } else { &order };
    let mut consumer = world.consumer("inventory-order", "order").await?;
    let total = (0..WRITERS).map(written).sum();
    let writers = join_all((0..WRITERS).map(|writer| write(journal_of(writer), writer)));
    let (results, seen) = join(writers, collect(&mut *consumer, total)).await;
    results.into_iter().collect::<Result<Vec<()>, String>>()?;
    let mut by_subject: BTreeMap<String, Vec<Envelope>> = BTreeMap::new();
    for delivery in seen? {
        by_subject.entry(delivery.envelope.subject.clone()).or_default().push((*delivery.envelope).clone());
    }
    for writer in 0..WRITERS {
        let found = by_subject.remove(&sample::id(writer).to_string()).unwrap_or_default();
        equal("the events of a writer", found.len(), written(writer))?;
        ensure(found.is_sorted_by(|a, b| a.id < b.id), "a writer's events came out of order")?;
    }
    Ok(())
}

pub(super) async fn reading_on(mut world: World) -> Result<(), String> {
    let capabilities = world.ports().bus.capabilities();
    if !(capabilities.publishes_in_commit && capabilities.reads_by_position) {
        return Ok(());
    }
    let mut seen = Vec::new();
    for round in 0..4u128 {
        world.send(sample::orders(round * 10 + 1..=round * 10 + 4)).await?;
        let after = seen.last().map(|(position, _)| *position);
        let mut consumer = world.consumer_after("inventory-order", "order", after).await?;
        let page = collect(&mut *consumer, if round == 3 { 7 } else { 3 }).await?;
        seen.extend(page.iter().map(|delivery| (delivery.position, delivery.envelope.id.0)));
        drop(consumer);
        world = world.reopen().await?;
    }
    let ids: Vec<_> = seen.iter().map(|(_, id)| *id).collect();
    let expected = (0..4u128).flat_map(|round| (1..=4).map(move |number| sample::id(round * 10 + number)));
    equal("what was read over four lives", ids, expected.collect())
}

/// A reader as a relay is: it pages through what the service published.
async fn page_on(journal: &Handle, limit: usize, count: usize) -> Result<Vec<Sent>, String> {
    let mut seen: Vec<Sent> = Vec::new();
    while seen.len() < count {
        let after = seen.last().map_or(0, |last| last.position);
        let page = journal.outgoing(after, limit).await.shown("reading what was published")?;
        ensure(page.len() <= limit, format_args!("a page of {} at a limit of {limit}", page.len()))?;
        if page.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        seen.extend(page);
    }
    ensure(seen.is_sorted_by(|a, b| a.position < b.position), "positions do not grow")?;
    Ok(seen)
}

fn envelopes(seen: &[Sent]) -> Vec<Envelope> {
    seen.iter().map(|sent| sent.envelope.clone()).collect()
}

pub(super) async fn kept_for_a_relay(world: World) -> Result<(), String> {
    let (journal, payment) = (world.journal("order").await?, world.journal("payment").await?);
    ensure(journal.outgoing(0, 10).await.shown("reading")?.is_empty(), "something was published")?;
    let event = |number| sample::public("order", 1, number);
    let first = Commit { outgoing: vec![event(1), event(2)], ..appending("order-1", 0, 1) };
    let stale = Commit { outgoing: vec![event(3)], ..appending("order-1", 5, 1) };
    committed(journal.submit(first).await)?;
    conflict(journal.submit(stale).await, "order-1")?;
    committed(payment.submit(publishing(vec![sample::public("payment", 1, 9)])).await)?;
    committed(journal.submit(publishing(vec![event(5), event(4)])).await)?;
    for limit in [1, 3, 100] {
        let seen = page_on(&journal, limit, 4).await?;
        equal("what was published", envelopes(&seen), [1, 2, 5, 4].map(event).to_vec())?;
        let last = seen.last().map_or(0, |last| last.position);
        ensure(journal.outgoing(last, 10).await.shown("reading")?.is_empty(), "there is more past the end")?;
    }
    drop((journal, payment));
    let world = world.reopen().await?;
    let journal = world.journal("order").await?;
    let seen = page_on(&journal, 10, 4).await?;
    equal("what was published, after a restart", envelopes(&seen), [1, 2, 5, 4].map(event).to_vec())
}

/// Rule 3: a reader that pages by position must not pass one that becomes visible later.
pub(super) async fn polling_relay(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let total = (0..WRITERS).map(written).sum();
    let writers = join_all((0..WRITERS).map(|writer| write(&journal, writer)));
    let (results, seen) = join(writers, page_on(&journal, 7, total)).await;
    results.into_iter().collect::<Result<Vec<()>, String>>()?;
    let seen = seen?;
    for writer in 0..WRITERS {
        let subject = sample::id(writer).to_string();
        let ids: Vec<_> =
            seen.iter().filter(|s| s.envelope.subject == subject).map(|s| s.envelope.id).collect();
        equal("the events of a writer", ids.len(), written(writer))?;
        ensure(ids.is_sorted(), "a writer's events came out of order")?;
    }
    Ok(())
}

/// Twelve events in three flows, of two keys and two types, with another service's between them.
async fn flows(world: &World) -> Result<Handle, String> {
    let (journal, payment) = (world.journal("order").await?, world.journal("payment").await?);
    for number in 1..=12u128 {
        let mut event = sample::public("order", 1 + number % 2, number);
        event.correlation_id = format!("flow-{}", number % 3);
        event.time = event.time.plus(Duration::from_secs(number as u64));
        event.kind = if number > 6 { "order.later.v1".to_owned() } else { event.kind };
        committed(journal.submit(publishing(vec![event.clone()])).await)?;
        let theirs = Envelope { source: "payment".to_owned(), id: sample::id(100 + number).into(), ..event };
        committed(payment.submit(publishing(vec![theirs])).await)?;
    }
    Ok(journal)
}

pub(super) async fn sought(world: World) -> Result<(), String> {
    let journal = flows(&world).await?;
    let all = journal.outgoing(0, 100).await.shown("reading")?;
    let everything = Sought { upto: u64::MAX, limit: 100, ..Sought::default() };
    let flow = Some("flow-1".to_owned());
    for sought in [
        everything.clone(),
        Sought { correlation: flow.clone(), ..everything.clone() },
        Sought { correlation: flow.clone(), limit: 2, ..everything.clone() },
        Sought {
            correlation: flow.clone(),
            after: all[3].position,
            upto: all[9].position,
            ..everything.clone()
        },
        Sought { kind: Some("order.later.v1".to_owned()), ..everything.clone() },
        Sought {
            subject: Some(sample::id(2).to_string()),
            after: all[0].position,
            limit: 3,
            ..everything.clone()
        },
        Sought {
            kind: Some("order.counted.v1".to_owned()),
            subject: Some(sample::id(1).to_string()),
            correlation: flow,
            ..everything.clone()
        },
        Sought { correlation: Some("never".to_owned()), ..everything.clone() },
        Sought { from: Some(all[7].envelope.time), limit: 3, ..everything.clone() },
        Sought { upto: all[1].position, ..everything.clone() },
        Sought { after: all[5].position, upto: all[5].position, ..everything },
    ] {
        let between = all.iter().filter(|sent| sent.position > sought.after && sent.position <= sought.upto);
        let expected: Vec<Sent> =
            between.filter(|sent| sought.wants(&sent.envelope)).take(sought.limit).cloned().collect();
        let found = journal.published(sought.clone()).await.shown("looking")?;
        equal(&format!("{sought:?}"), found, expected)?;
    }
    Ok(())
}
