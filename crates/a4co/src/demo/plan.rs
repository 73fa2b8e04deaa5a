//! The day's orders, thought out before the first is placed: the same seed and the same goods give
//! the same day.

use std::collections::BTreeMap;

use super::scenario::{DAY, Scenario};
use crate::dice::Dice;
use crate::stock::Item;

/// The most different things in one order.
const LINES_MAX: u64 = 3;
/// The most pieces of one thing in one order.
const PIECES_MAX: u64 = 3;
/// What is wanted where more is wanted than there is: the most that a line may have.
pub(crate) const TOO_MANY: u32 = 10_000;

/// An order that will be placed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Planned {
    /// From 0, in the order of the day.
    pub(crate) number: u64,
    pub(crate) scenario: Scenario,
    /// Which of the customers.
    pub(crate) customer: usize,
    pub(crate) lines: Vec<(Item, u32)>,
}

/// The day.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) orders: Vec<Planned>,
    /// Pieces that the orders take of each item, the last pieces left out.
    pub(crate) needed: BTreeMap<Item, u32>,
    /// What many want the last pieces of, and how many pieces those are.
    pub(crate) last: Option<(Item, u32)>,
}

/// Plans `count` orders for `customers` customers of a market with these goods; none where there
/// is too little to choose from.
pub(crate) fn make(seed: u64, count: u64, customers: usize, goods: &[(Item, u32)]) -> Option<Plan> {
    // The first two are for what runs out; the rest is ordered in all other scenarios.
    let (apart, shelf) = goods.split_at_checked(2)?;
    if shelf.len() < LINES_MAX as usize || customers == 0 {
        return None;
    }
    let [(scarce, _), (wanted, _)] = apart else { return None };
    let mut plan = Plan { orders: Vec::new(), needed: BTreeMap::new(), last: None };
    for (number, scenario) in (0..).zip(scenarios(seed, count)) {
        let mut dice = Dice::nth(seed, number);
        let customer = dice.below(customers as u64) as usize;
        let lines = match scenario {
            Scenario::TooMany => vec![(*wanted, TOO_MANY)],
            Scenario::LastPieces => vec![(*scarce, 1)],
            _ => basket(&mut dice, shelf),
        };
        if !matches!(scenario, Scenario::TooMany | Scenario::LastPieces) {
            for (item, pieces) in &lines {
                *plan.needed.entry(*item).or_default() += pieces;
            }
        }
        plan.orders.push(Planned { number, scenario, customer, lines });
    }
    let racers = plan.orders.iter().filter(|order| order.scenario == Scenario::LastPieces).count();
    // Half of those who want one get one.
    plan.last = (racers > 0).then(|| (*scarce, (racers as u32).div_ceil(2)));
    Some(plan)
}

/// What happens in which order: everything once where there is room, then by weight, mixed. Those
/// who race for the last pieces come one after the other.
fn scenarios(seed: u64, count: u64) -> Vec<Scenario> {
    let mut dice = Dice::new(seed);
    let mut day: Vec<Scenario> = DAY.iter().map(|(_, scenario)| *scenario).take(count as usize).collect();
    while (day.len() as u64) < count {
        day.push(*dice.weighted(&DAY));
    }
    for place in (1..day.len()).rev() {
        day.swap(place, dice.below(place as u64 + 1) as usize);
    }
    let Some(first) = day.iter().position(|scenario| *scenario == Scenario::LastPieces) else { return day };
    let racers = day.iter().filter(|scenario| **scenario == Scenario::LastPieces).count();
    day.retain(|scenario| *scenario != Scenario::LastPieces);
    day.splice(first..first, std::iter::repeat_n(Scenario::LastPieces, racers));
    day
}

fn basket(dice: &mut Dice, shelf: &[(Item, u32)]) -> Vec<(Item, u32)> {
    let lines = dice.between(1, LINES_MAX) as usize;
    let chosen = dice.different(lines, shelf.len());
    chosen.into_iter().map(|index| (shelf[index].0, dice.between(1, PIECES_MAX) as u32)).collect()
}

#[cfg(test)]
mod tests {
    use kernel::ProductId;
    use uuid::Uuid;

    use super::*;

    fn goods(count: u128) -> Vec<(Item, u32)> {
        let item = |n| Item { product_id: ProductId(Uuid::from_u128(n)), variant_id: None };
        (0..count).map(|n| (item(n), 50)).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_day_and_another_another() {
        let plan = |seed| make(seed, 100, 12, &goods(20)).unwrap();
        assert_eq!(plan(1), plan(1));
        assert_ne!(plan(1), plan(2));
    }

    #[test]
    fn a_day_with_room_has_everything_and_a_short_one_its_length() {
        for count in [1, 5, 14, 200] {
            let plan = make(7, count, 12, &goods(20)).unwrap();
            assert_eq!(plan.orders.len() as u64, count);
            if count >= 14 {
                for (_, scenario) in DAY {
                    assert!(plan.orders.iter().any(|order| order.scenario == scenario), "{scenario}");
                }
            }
        }
    }

    #[test]
    fn what_is_needed_is_what_is_ordered_and_the_last_pieces_are_too_few() {
        let plan = make(3, 500, 12, &goods(30)).unwrap();
        let ordered = plan
            .orders
            .iter()
            .filter(|order| !matches!(order.scenario, Scenario::TooMany | Scenario::LastPieces));
        let pieces: u32 = ordered.flat_map(|order| &order.lines).map(|(_, pieces)| pieces).sum();
        assert_eq!(pieces, plan.needed.values().sum::<u32>());
        let (scarce, last) = plan.last.unwrap();
        let racers = plan.orders.iter().filter(|order| order.scenario == Scenario::LastPieces).count();
        assert!(racers as u32 > last && !plan.needed.contains_key(&scarce));
    }

    #[test]
    fn an_order_has_each_item_once() {
        for order in make(9, 300, 12, &goods(6)).unwrap().orders {
            for (place, (item, _)) in order.lines.iter().enumerate() {
                assert!(order.lines[..place].iter().all(|(other, _)| other != item));
            }
        }
    }

    #[test]
    fn a_market_with_next_to_nothing_has_no_day() {
        assert_eq!(make(1, 10, 12, &goods(4)), None);
        assert_eq!(make(1, 10, 0, &goods(9)), None);
    }
}
