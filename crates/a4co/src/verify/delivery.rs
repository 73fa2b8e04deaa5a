//! The promise: an event is published if and only if its commit happened, and takes its effect once,
//! in order. Nothing is dropped silently: it took effect, waits, or lies in the dead letters.

use std::collections::{BTreeMap, BTreeSet};

use super::{Facts, Findings};

const RULE: &str = "the promise";

pub(super) fn check(facts: &Facts, findings: &mut Findings) {
    identity(facts, findings);
    orders_are_told_once(facts, findings);
    effects(facts, findings);
    let end = facts.log.last().map_or(0, |(position, _)| *position);
    for (consumer, position) in &facts.checkpoints {
        if *position > end {
            let what = format!("stands at {position}, beyond the log's end {end}");
            findings.add("rule 21", consumer, what);
        }
    }
    for (service, letter) in &facts.dead {
        let what = format!("{} {} is a dead letter: {}", letter.event.kind, letter.event.id, letter.error);
        findings.add(RULE, format!("{service}'s consumer {}", letter.consumer), what);
    }
}

/// Ids are unique, and an order's events are in the order of its history.
fn identity(facts: &Facts, findings: &mut Findings) {
    let mut ids = BTreeSet::new();
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for (position, event) in &facts.log {
        if !ids.insert(event.id) {
            findings.add(
                RULE,
                format!("event {}", event.id),
                format!("stands twice in the log, again at {position}"),
            );
        }
        if event.source != "order" {
            continue;
        }
        let before = last.insert(&event.subject, event.sequence);
        if before.is_some_and(|before| before >= event.sequence) {
            let what = format!("sequence {} does not come after {before:?}", event.sequence);
            findings.add(RULE, format!("event {} of order {}", event.id, event.subject), what);
        }
    }
}

/// Each order was told of once, was confirmed at most once, and nobody else was.
fn orders_are_told_once(facts: &Facts, findings: &mut Findings) {
    for (kind, needed) in [("order.created.v1", true), ("order.confirmed.v1", false)] {
        let mut told: BTreeMap<&str, u32> = BTreeMap::new();
        for (_, event) in facts.log.iter().filter(|(_, event)| event.kind == kind) {
            *told.entry(&event.subject).or_default() += 1;
        }
        for (order, times) in &told {
            if *times > 1 {
                findings.add(RULE, format!("order {order}"), format!("{kind} was published {times} times"));
            }
            if !facts.orders.contains_key(*order) {
                findings.add(
                    RULE,
                    format!("order {order}"),
                    format!("{kind} was published for an order that is not there"),
                );
            }
        }
        for order in facts.orders.keys().filter(|order| needed && !told.contains_key(order.as_str())) {
            findings.add(RULE, format!("order {order}"), format!("{kind} was never published"));
        }
    }
}

/// What a consumer passed left its effect: payment expects every order that it was told of.
fn effects(facts: &Facts, findings: &mut Findings) {
    let passed = facts.checkpoints.get("payment-order").copied();
    let underway = facts.underway.iter().filter(|(consumer, _)| consumer == "payment-order");
    let underway: BTreeSet<_> = underway.map(|(_, event)| event.id).collect();
    let dead: BTreeSet<&str> = facts.dead.iter().map(|(_, letter)| letter.event.subject.as_str()).collect();
    for (position, event) in facts.log.iter().filter(|(_, event)| event.kind == "order.created.v1") {
        let was_passed = match passed {
            Some(passed) => *position <= passed,
            None => facts.has_inboxes && !underway.contains(&event.id),
        };
        let missing = was_passed && !facts.accounts.contains_key(&event.subject);
        if missing && !dead.contains(event.subject.as_str()) && facts.parked == 0 {
            findings.add(
                RULE,
                format!("order {}", event.subject),
                "payment passed its order.created.v1 without effect",
            );
        }
    }
}
