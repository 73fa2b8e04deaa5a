//! Rule 32: available stock is never below zero, and the sum of movements equals the quantity, at
//! every instant: every item's history is folded again.

use std::collections::{BTreeMap, BTreeSet};

use backbone::Aggregate;
use backbone::aggregate::read_event;
use service_inventory::domain::stock::{Item, State, movement};

use super::{Facts, Findings, number, text};

const RULE: &str = "rule 32";

/// How long past its expiry a reservation may still stand: timers are late, never lost.
const LATE: kernel::Duration = kernel::Duration::from_secs(60);

#[derive(Default)]
struct Folded {
    state: State,
    quantity: i64,
    reserved: i64,
}

pub(super) fn check(facts: &Facts, findings: &mut Findings) {
    let items = fold(facts, findings);
    for (id, folded) in &items {
        let Some(view) = facts.stock.get(id) else {
            if folded.state.description.is_some() {
                findings.add(RULE, format!("item {id}"), "has a history and no view");
            }
            continue;
        };
        let shown = (number(view, "/quantity"), number(view, "/reserved"));
        let told = (i64::from(folded.state.quantity()), i64::from(folded.state.reserved()));
        if shown != told {
            let what = format!("its view shows {shown:?} (quantity, reserved), its history {told:?}");
            findings.add(RULE, format!("item {id}"), what);
        }
    }
    holds(facts, &items, findings);
    expiries(facts, findings);
}

fn fold(facts: &Facts, findings: &mut Findings) -> BTreeMap<String, Folded> {
    let mut items: BTreeMap<String, Folded> = BTreeMap::new();
    for recorded in &facts.inventory {
        let prefix = format!("{}-", Item::NAME);
        let Some(id) = recorded.stream.strip_prefix(&prefix) else { continue };
        let event = match read_event::<Item>(&recorded.event) {
            Ok(event) => event,
            Err(reason) => {
                findings.add("rule 23", format!("item {id}"), reason);
                continue;
            }
        };
        let folded = items.entry(id.to_owned()).or_default();
        let moved = movement(&event);
        folded.state = Item::evolve(std::mem::take(&mut folded.state), &event);
        if let Some(moved) = moved {
            folded.quantity += moved.quantity;
            folded.reserved += moved.reserved;
        }
        instant(id, recorded.event.version, folded, findings);
    }
    items
}

fn instant(id: &str, version: u64, folded: &Folded, findings: &mut Findings) {
    let subject = || format!("item {id} at event {version}");
    for shelf in folded.state.shelves.values() {
        if shelf.reserved > shelf.quantity {
            let what = format!("{} pieces held of {} there", shelf.reserved, shelf.quantity);
            findings.add(RULE, subject(), what);
        }
    }
    let told = (i64::from(folded.state.quantity()), i64::from(folded.state.reserved()));
    if told != (folded.quantity, folded.reserved) {
        let sums = (folded.quantity, folded.reserved);
        findings.add(
            RULE,
            subject(),
            format!("movements sum to {sums:?} (quantity, reserved), the state is {told:?}"),
        );
    }
}

/// What an item holds is held for an open reservation, and the other way round.
fn holds(facts: &Facts, items: &BTreeMap<String, Folded>, findings: &mut Findings) {
    let mut held: BTreeSet<String> = BTreeSet::new();
    for (id, folded) in items {
        for reservation in folded.state.holds.keys().map(ToString::to_string) {
            let status = facts.reservations.get(&reservation).map_or("absent", |view| text(view, "/status"));
            if !matches!(status, "reserved" | "confirmed") {
                findings.add(
                    RULE,
                    format!("item {id}"),
                    format!("holds pieces for reservation {reservation}, which is {status}"),
                );
            }
            held.insert(reservation);
        }
    }
    for (id, view) in &facts.reservations {
        if text(view, "/status") == "reserved" && !held.contains(id) {
            findings.add(RULE, format!("reservation {id}"), "is open and no item holds anything for it");
        }
    }
}

/// Rule 33: no reservation outlives its expiry.
fn expiries(facts: &Facts, findings: &mut Findings) {
    for (id, view) in &facts.reservations {
        let expires: Option<kernel::Timestamp> = text(view, "/expiresAt").parse().ok();
        let over = expires.is_some_and(|expires| expires.plus(LATE) < facts.now);
        if text(view, "/status") == "reserved" && over {
            findings.add(
                "rule 33",
                format!("reservation {id}"),
                format!("outlived its expiry {}", text(view, "/expiresAt")),
            );
        }
    }
}
