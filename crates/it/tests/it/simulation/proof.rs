//! What must be true after every run.

use std::collections::BTreeSet;

use a4co::verify::{self, Facts};
use adapter_sim::SimWorld;
use contracts::shared::OrderState;

use super::customer::Told;
use super::life::Ends;
use super::name_of;

/// Proves it; gives how often each end was.
pub(super) fn check(world: &SimWorld, told: &[Told], facts: &Facts) -> Ends {
    assert_eq!(world.panics(), Vec::<String>::new());
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
