//! What holds after every step of every history (reliability.md, rules 32 and 33).

use std::collections::BTreeMap;

use contracts::inventory::{Priority, StockUpdated};
use contracts::shared::OrderState;
use futures::executor::block_on;
use kernel::{CartId, Duration};
use proptest::prelude::*;
use uuid::Uuid;

use super::scene::{Change, Scene, item, minutes, order, product, reservation};
use crate::Config;
use crate::book::OrderBook;
use crate::commands::{self, Asked, Stocktake};
use crate::domain::reservation::{Reservation, Status};
use crate::domain::stock::{Backorder, Count, Item, Pick, Rules, movement};
use crate::domain::{ItemKey, Owner};
use crate::views::{ReservationView, StockView};

const ITEMS: u128 = 3;
const RESERVATIONS: u128 = 8;
const ORDERS: u128 = 4;

#[derive(Clone, Debug)]
enum Step {
    Request(u128, Vec<(u128, u32)>),
    CartHold(u128, u128, u32),
    Release(u128),
    Extend(u128, u64),
    Confirm(u128),
    Cancel(u128),
    Fail(u128),
    PaymentFailed(u128, bool),
    Change(u128, u128, u32),
    Return(u128, u128, u128, u32),
    Count(u128, bool, u32),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let an_item = 1..=ITEMS;
    let an_order = 0..ORDERS;
    let items = prop::collection::vec((1..=ITEMS, 0u32..6), 1..4);
    prop_oneof![
        6 => (0..RESERVATIONS, items).prop_map(|(id, items)| Step::Request(id, items)),
        1 => (0..RESERVATIONS, an_item.clone(), 1u32..5).prop_map(|(id, n, q)| Step::CartHold(id, n, q)),
        3 => (0..RESERVATIONS).prop_map(Step::Release),
        1 => (0..RESERVATIONS, 1u64..60).prop_map(|(id, minutes)| Step::Extend(id, minutes)),
        4 => an_order.clone().prop_map(Step::Confirm),
        1 => an_order.clone().prop_map(Step::Cancel),
        1 => an_order.clone().prop_map(Step::Fail),
        1 => (an_order.clone(), any::<bool>()).prop_map(|(of, retryable)| Step::PaymentFailed(of, retryable)),
        2 => (an_order.clone(), an_item.clone(), 0u32..6).prop_map(|(of, n, q)| Step::Change(of, n, q)),
        2 => (an_order, 0u128..3, an_item.clone(), 0u32..4)
            .prop_map(|(of, id, n, q)| Step::Return(of, id, n, q)),
        3 => (an_item, any::<bool>(), 0u32..15).prop_map(|(n, barn, q)| Step::Count(n, barn, q)),
        2 => (1u64..12).prop_map(Step::Wait),
    ]
}

/// The order of a reservation: two each.
fn order_of(id: u128) -> u128 {
    id / 2
}

/// Takes a step; what the rules refuse leaves no trace.
fn take(scene: &Scene, step: &Step) {
    match step {
        Step::Request(id, items) => scene.request(*id, order_of(*id), items),
        Step::CartHold(id, n, quantity) => {
            let asked = Asked {
                reservation_id: reservation(*id),
                owner: Owner::Cart { cart_id: CartId(Uuid::from_u128(*id)), customer_id: None },
                items: vec![(item(*n), *quantity)],
                expires_at: None,
                priority: Priority::Normal,
            };
            scene.0.run(|ws| commands::reserve(ws, &Config::default(), &asked)).unwrap();
        }
        Step::Release(id) => drop(scene.release(*id, order_of(*id))),
        Step::Extend(id, more) => {
            let until = scene.0.now().plus(minutes(*more));
            let max = Config::default().hold_max;
            drop(scene.0.run(|ws| commands::extend(ws, reservation(*id), until, max)));
        }
        Step::Confirm(of) => drop(scene.confirm(*of)),
        Step::Cancel(of) => scene.cancel(*of),
        Step::Fail(of) => scene.state_changed(*of, OrderState::Failed),
        Step::PaymentFailed(of, retryable) => scene.payment_failed(*of, *retryable),
        Step::Change(of, n, quantity) => {
            drop(scene.change(*of, Change { modified: &[(*n, *quantity)], ..Change::default() }));
        }
        Step::Return(of, id, n, quantity) => {
            scene.give_back(*of, *of * 10 + *id, &[(*n, (*quantity).min(arrived(scene, *of, *n)))]);
        }
        Step::Count(n, barn, quantity) => {
            let warehouse_id = barn.then(|| kernel::WarehouseId(Uuid::from_u128(0xB1)));
            let count = Count { warehouse_id, location: None, quantity: *quantity, seen_revision: None };
            let stocktake = Stocktake { key: item(*n), count, unknown: None };
            let config = Config::default();
            drop(scene.0.run(|ws| commands::count(ws, &config, &stocktake)));
        }
        Step::Wait(n) => scene.0.advance(minutes(*n)),
    }
}

/// Pieces that an order was sold and that are not owed to it any more: it can send those back.
fn arrived(scene: &Scene, of: u128, n: u128) -> u32 {
    let Some(book) = scene.0.get::<OrderBook>(order(of)) else { return 0 };
    let holds = scene.stock(item(n)).holds;
    let owed = holds.values().filter(|hold| hold.sold && hold.owner.order_id() == Some(order(of)));
    book.sold(item(n)).saturating_sub(owed.map(|hold| hold.waiting).sum())
}

fn sum(picks: &[Pick]) -> u32 {
    picks.iter().map(|pick| pick.quantity).sum()
}

fn check(scene: &Scene) {
    for n in 1..=ITEMS {
        let key = item(n);
        let state = scene.stock(key);
        for shelf in state.shelves.values() {
            assert!(shelf.reserved <= shelf.quantity, "available is never below zero: {state:?}");
        }
        let open: u32 = state.holds.values().map(|hold| sum(&hold.picks)).sum();
        assert_eq!(state.reserved(), open, "reserved is the sum of the open holds");
        if state.waiting() > 0 {
            assert_eq!(state.available(), 0, "nobody waits while there are pieces: {state:?}");
        }
        check_ledger(scene, key);
        for (id, hold) in &state.holds {
            let reservation = scene.0.state::<Reservation>(id);
            assert!(hold.sold || reservation.status == Status::Reserved, "{id} is over but holds {hold:?}");
        }
        let view = scene.0.get::<StockView>(key).unwrap();
        assert_eq!(Some(view), StockView::of(&key.to_string(), &state), "queries see the state");
    }
    for seen in scene.0.all::<ReservationView>() {
        check_reservation(scene, &seen);
    }
    for told in scene.0.take::<StockUpdated>() {
        assert_eq!(told.available, told.quantity - told.reserved);
    }
}

/// Movements sum to what there is, and those of orders to what orders were sold.
fn check_ledger(scene: &Scene, key: ItemKey) {
    let state = scene.stock(key);
    let history = block_on(scene.0.context().history::<Item>(key, 0, 100_000)).unwrap();
    let moved: Vec<_> = history.iter().filter_map(|past| movement(&past.event)).collect();
    assert_eq!(moved.iter().map(|m| m.quantity).sum::<i64>(), i64::from(state.quantity()));
    assert_eq!(moved.iter().map(|m| m.reserved).sum::<i64>(), i64::from(state.reserved()));
    let gone: i64 = moved.iter().filter(|m| m.order_id.is_some()).map(|m| -m.quantity).sum();
    let owed: u32 = state.holds.values().filter(|hold| hold.sold).map(|hold| hold.waiting).sum();
    let sold: u32 = scene.0.all::<OrderBook>().iter().map(|book| book.sold(key)).sum();
    assert_eq!(gone + i64::from(owed), i64::from(sold), "what left is what was sold");
}

/// A reservation holds exactly what it says, all of it, and not beyond its time.
fn check_reservation(scene: &Scene, seen: &ReservationView) {
    let id = seen.reservation_id;
    let mut held = BTreeMap::new();
    for n in 1..=ITEMS {
        if let Some(hold) = scene.stock(item(n)).holds.get(&id).filter(|hold| !hold.sold) {
            held.insert(item(n), (sum(&hold.picks), hold.waiting));
        }
    }
    if seen.status != Status::Reserved {
        assert!(held.is_empty(), "{id} is {} but holds {held:?}", seen.status.as_str());
        return;
    }
    let said: BTreeMap<_, _> =
        seen.lines.iter().map(|line| (line.key(), (sum(&line.picks), line.waiting))).collect();
    assert_eq!(held, said);
    assert!(seen.expires_at.is_some_and(|end| end > scene.0.now()), "{id} outlived its time");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn stock_is_never_oversold_and_every_piece_is_accounted_for(
        pieces in prop::collection::vec(0u32..12, 3),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let scene = Scene::with(&pieces);
        let backorder = Some(Backorder { lead_days: 3, waiting_max: Some(5) });
        let rules = Rules { backorder, ..Rules::default() };
        scene.0.run(|ws| commands::set_rules(ws, item(3), rules, None)).unwrap();
        prop_assert_eq!(product(3), item(3).product_id);
        for step in &steps {
            take(&scene, step);
            check(&scene);
        }
        scene.0.advance(Duration::from_secs(31 * 24 * 60 * 60));
        check(&scene);
        for n in 1..=ITEMS {
            prop_assert_eq!(scene.stock(item(n)).reserved(), 0, "no reservation outlives its expiry");
        }
    }
}
