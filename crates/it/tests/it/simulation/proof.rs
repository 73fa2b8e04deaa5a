//! What must be true after every run.

use std::collections::{BTreeMap, BTreeSet};

use a4co::services::SERVICES;
use a4co::verify::{self, Facts};
use contracts::shared::OrderState;

use super::customer::Told;
use super::life::Ends;
use super::name_of;
use super::replica::Ground;

/// Proves it; gives how often each end was.
pub(super) fn check(ground: &Ground, told: &[Told], facts: &Facts) -> Ends {
    assert_eq!(ground.world.panics(), Vec::<String>::new());
    let breaches = ground.witness.breaches();
    assert!(breaches.is_empty(), "{breaches:#?}");
    effects_are_in_order_and_once(ground, facts);
    let report = verify::check(facts);
    let wrong: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let mut ends = Ends::new();
    let mut taken = BTreeSet::new();
    for told in told {
        match told {
            Told::Taken(order) => {
                assert!(taken.insert(order.to_string()), "two requests got the same order {order}");
            }
            Told::Refused(code) => {
                assert_eq!(code, "out-of-stock", "nothing else was wrong with any order");
                *ends.entry("refused").or_default() += 1;
            }
        }
    }
    let there: BTreeSet<String> = facts.orders.keys().cloned().collect();
    assert_eq!(there, taken, "the orders that are there are those that were acknowledged");
    for (id, order) in &facts.orders {
        let state: OrderState = serde_json::from_value(order["state"].clone()).expect("orders have a state");
        let ended = !matches!(state, OrderState::Pending | OrderState::AwaitingCustomer);
        assert!(ended, "order {id} is {state:?} for ever");
        *ends.entry(name_of(state)).or_default() += 1;
        let created = facts.log.iter().filter(|(_, event)| event.kind == "order.created.v1");
        let created = created.filter(|(_, event)| event.subject == *id).count();
        assert_eq!(created, 1, "order {id} was told of {created} times");
    }
    ends
}

/// Each consumer took the events of a subject in in the order in which their producer committed them,
/// and each once.
fn effects_are_in_order_and_once(ground: &Ground, facts: &Facts) {
    let places: BTreeMap<_, _> =
        facts.log.iter().enumerate().map(|(place, (_, event))| (event.id, (place, event))).collect();
    let mut wrong = Vec::new();
    for service in SERVICES {
        let mut last = BTreeMap::new();
        for effect in ground.world.effects(service) {
            let Some((place, event)) = places.get(&effect.event) else {
                wrong.push(format!("{} took in {}, which nobody published", effect.consumer, effect.event));
                continue;
            };
            let key = (effect.consumer.clone(), &event.source, &event.subject);
            let before = last.insert(key, *place);
            if before.is_some_and(|before| before >= *place) {
                let (consumer, kind, id) = (&effect.consumer, &event.kind, event.id);
                wrong.push(format!("{consumer} took in {kind} {id} again, or after what came later"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
