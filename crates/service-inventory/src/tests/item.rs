//! An item of stock: given what happened, when this is asked, then that follows.

use backbone::Aggregate as _;
use contracts::inventory::{ReleaseReason, ThresholdType};
use kernel::{Duration, PurchaseOrderId, Timestamp, WarehouseId};
use uuid::Uuid;

use super::scene::{ARTISAN, CUSTOMER, order, product, reservation};
use crate::domain::Owner;
use crate::domain::stock::{
    Command, Count, Event, HoldRequest, Item, Moment, Opening, QUANTITY_MAX, Receipt, Rules, State, TakeBack,
    TakenBack, Thresholds,
};

const WORKSHOP: WarehouseId = WarehouseId(ARTISAN.0);
const BARN: WarehouseId = WarehouseId(Uuid::from_u128(0xB1));

fn now() -> Timestamp {
    Timestamp::from_micros(1_767_607_200_000_000)
}

fn opening(quantity: u32) -> Command {
    let thresholds = Thresholds { reorder: 6, low: 4, critical: 1 };
    let opening = Opening {
        product_id: product(1),
        variant_id: None,
        artisan_id: ARTISAN,
        product_name: "Aceite".to_owned(),
        warehouse_id: WORKSHOP,
        location: "workshop".to_owned(),
        quantity,
        rules: Rules { thresholds, ..Rules::default() },
        discontinued: false,
    };
    Command::Open(opening, now())
}

fn hold(id: u128, quantity: u32) -> Command {
    let request = HoldRequest {
        reservation_id: reservation(id),
        owner: Owner::Order { order_id: order(id), customer_id: Some(CUSTOMER) },
        quantity,
        expires_at: now().plus(Duration::from_secs(900)),
    };
    Command::Hold(request, Moment { at: now(), average_daily_milli: 500 })
}

fn count(warehouse: WarehouseId, quantity: u32) -> Command {
    let count = Count {
        warehouse_id: Some(warehouse),
        location: Some("shelf 3".to_owned()),
        quantity,
        seen_revision: None,
    };
    Command::Count(count, now().into())
}

fn release(id: u128) -> Command {
    Command::Release(reservation(id), ReleaseReason::ManualRelease, now())
}

fn sell(id: u128) -> Command {
    Command::Sell(reservation(id), order(id), now())
}

/// The state after all of these, and what the last one gave.
fn after(commands: &[Command]) -> (State, Vec<Event>) {
    let mut state = State::default();
    let mut last = Vec::new();
    for command in commands {
        last = Item::decide(&state, command.clone()).expect("the test's history is possible");
        state = last.iter().fold(state, Item::evolve);
    }
    (state, last)
}

/// Given these commands, the last one gives events of these names and leaves quantity, reserved
/// and available pieces.
fn check(given: &[Command], names: &[&str], pieces: (u32, u32, u32)) {
    let (state, events) = after(given);
    assert_eq!(events.iter().map(Event::name).collect::<Vec<_>>(), names, "{given:?}");
    assert_eq!((state.quantity(), state.reserved(), state.available()), pieces, "{given:?}");
}

fn refused(given: &[Command], when: Command) -> &'static str {
    let (state, _) = after(given);
    Item::decide(&state, when).expect_err("it is refused").code
}

#[test]
fn pieces_are_held_sold_and_given_back() {
    check(&[opening(20)], &["opened"], (20, 0, 20));
    check(&[opening(20), opening(99)], &[], (20, 0, 20));
    check(&[opening(20), hold(1, 3)], &["held"], (20, 3, 17));
    check(&[opening(20), hold(1, 3), sell(1)], &["sold"], (17, 0, 17));
    check(&[opening(20), hold(1, 3), release(1)], &["released"], (20, 0, 20));
    check(&[opening(20), hold(1, 3), release(1), release(1)], &[], (20, 0, 20));
    check(&[opening(20), hold(1, 3), sell(1), sell(1)], &[], (17, 0, 17));
    check(&[opening(20), hold(1, 3), sell(1), release(1)], &[], (17, 0, 17));
    check(&[opening(20), hold(1, 3), hold(1, 5)], &["held"], (20, 5, 15));
}

#[test]
fn no_more_is_held_than_there_is() {
    assert_eq!(refused(&[opening(2)], hold(1, 3)), "insufficient-stock");
    assert_eq!(refused(&[opening(2), hold(1, 1)], hold(2, 2)), "insufficient-stock");
    assert_eq!(refused(&[opening(2), Command::Discontinue(now())], hold(1, 1)), "insufficient-stock");
    assert_eq!(refused(&[], hold(1, 1)), "no-such-stock");
}

#[test]
fn each_limit_and_the_depletion_are_told_once_per_crossing() {
    check(&[opening(9), hold(1, 2)], &["held"], (9, 2, 7));
    check(&[opening(9), hold(1, 3)], &["held", "threshold-reached"], (9, 3, 6));
    check(&[opening(9), hold(1, 3), hold(2, 1)], &["held"], (9, 4, 5));
    check(
        &[opening(9), hold(1, 9)],
        &["held", "threshold-reached", "threshold-reached", "threshold-reached", "depleted"],
        (9, 9, 0),
    );
    check(&[opening(9), hold(1, 9), sell(1)], &["sold"], (0, 0, 0));
    check(&[opening(9), hold(1, 9), release(1), hold(2, 4)], &["held", "threshold-reached"], (9, 4, 5));
    check(&[opening(0)], &["opened"], (0, 0, 0));
}

#[test]
fn a_crossing_says_who_took_the_last_pieces_and_how_fast_they_sell() {
    let (_, events) = after(&[opening(3), hold(1, 3)]);
    let Some(Event::ThresholdReached { kind, threshold, average_daily_milli, .. }) = events.get(1) else {
        panic!("{events:?}");
    };
    assert_eq!((*kind, *threshold, *average_daily_milli), (ThresholdType::Critical, 1, 500));
    let Some(Event::Depleted { order_id, user_id, quantity, .. }) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!((*order_id, *user_id, *quantity), (Some(order(1)), Some(CUSTOMER.into()), 3));
}

#[test]
fn a_count_corrects_one_warehouse_and_never_takes_what_is_held() {
    check(&[opening(20), count(WORKSHOP, 18)], &["counted"], (18, 0, 18));
    check(&[opening(20), count(BARN, 5)], &["counted"], (25, 0, 25));
    check(&[opening(7), count(WORKSHOP, 5)], &["counted", "threshold-reached"], (5, 0, 5));
    assert_eq!(refused(&[opening(20), hold(1, 3)], count(WORKSHOP, 2)), "count-below-held");
    assert_eq!(refused(&[opening(20)], count(BARN, QUANTITY_MAX)), "too-many-pieces");
    let seen = Count { warehouse_id: None, location: None, quantity: 1, seen_revision: Some(1) };
    let given = [opening(20), hold(1, 1), sell(1)];
    assert_eq!(refused(&given, Command::Count(seen, now().into())), "stale-version");
}

#[test]
fn a_parcel_leaves_from_one_warehouse_where_one_has_enough() {
    let picks = |quantity| {
        let (_, events) = after(&[opening(4), count(BARN, 9), hold(1, quantity)]);
        let Event::Held { picks, .. } = &events[0] else { panic!("{events:?}") };
        picks.iter().map(|pick| (pick.warehouse_id, pick.quantity)).collect::<Vec<_>>()
    };
    assert_eq!(picks(8), [(BARN, 8)]);
    assert_eq!(picks(12), [(BARN, 9), (WORKSHOP, 3)]);
}

#[test]
fn pieces_come_in_and_come_back() {
    let receipt = Receipt {
        purchase_order_id: PurchaseOrderId(Uuid::from_u128(1)),
        warehouse_id: None,
        location: None,
        quantity: 30,
    };
    check(&[opening(2), Command::Receive(receipt, now())], &["received"], (32, 0, 32));
    let back = TakeBack {
        why: TakenBack::Return,
        order_id: order(1),
        reservation_id: None,
        return_id: None,
        quantity: 2,
    };
    check(&[opening(9), hold(1, 2), sell(1), Command::TakeBack(back, now())], &["taken-back"], (9, 0, 9));
}

#[test]
fn a_limit_that_is_raised_to_what_there_is_is_reached() {
    let rules = |reorder, low, critical| {
        let thresholds = Thresholds { reorder, low, critical };
        Command::SetRules(Rules { thresholds, ..Rules::default() }, None, now().into())
    };
    check(&[opening(8), rules(8, 4, 1)], &["rules-set", "threshold-reached"], (8, 0, 8));
    check(&[opening(8), rules(7, 4, 1)], &["rules-set"], (8, 0, 8));
    check(&[opening(8), rules(6, 4, 1)], &[], (8, 0, 8));
    check(&[opening(3), rules(8, 4, 1)], &["rules-set"], (3, 0, 3));
    check(&[opening(8), rules(0, 0, 2)], &["rules-set"], (8, 0, 8));
    assert_eq!(refused(&[opening(8)], rules(3, 4, 1)), "unordered-thresholds");
    let lost = Command::SetRules(Rules::default(), Some(7), now().into());
    assert_eq!(refused(&[opening(8)], lost), "stale-version");
}

#[test]
fn a_snapshot_gives_back_the_state() {
    let (state, _) = after(&[opening(20), count(BARN, 5), hold(1, 3), hold(2, 22)]);
    let snapshot = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<State>(&snapshot).unwrap(), state);
}
