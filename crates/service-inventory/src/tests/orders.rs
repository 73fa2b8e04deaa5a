//! What inventory does on the events of orders and payments.

use contracts::inventory::{ReleaseReason, StockConfirmed, StockReleased};
use contracts::order::Created;
use contracts::shared::{Address, DateRange, OrderState};
use kernel::{Duration, Money, QuoteId};
use uuid::Uuid;

use super::scene::{CUSTOMER, Change, Scene, item, lines, minutes, order};
use crate::book::OrderBook;
use crate::demand::Demand;
use crate::error;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn created(scene: &Scene, n: u128, items: &[(u128, u32)]) -> Created {
    let now = scene.0.now();
    let address = Address {
        recipient: "Ana".to_owned(),
        line1: "Calle Maestra 1".to_owned(),
        line2: None,
        city: "Jaén".to_owned(),
        province: "Jaén".to_owned(),
        postal_code: "23001".to_owned(),
        country: "ES".to_owned(),
        latitude: None,
        longitude: None,
        phone: None,
    };
    Created {
        order_id: order(n),
        customer_id: CUSTOMER,
        items: lines(items),
        quote_id: QuoteId(Uuid::from_u128(1)),
        total_amount: Money::eur(1),
        delivery_address: address.into(),
        estimated_delivery: DateRange { from: now, to: now },
        created_at: now,
    }
}

#[test]
fn an_order_counts_as_demand_for_thirty_days() {
    let scene = Scene::with(&[30]);
    scene.0.receive(&created(&scene, 1, &[(1, 4), (1, 2)])).unwrap();
    scene.0.advance(DAY);
    scene.0.receive(&created(&scene, 2, &[(1, 3)])).unwrap();
    let average = || scene.0.get::<Demand>(item(1)).unwrap().average_daily_milli(scene.0.now());
    assert_eq!(average(), 300);
    scene.0.advance(DAY * 29);
    assert_eq!(average(), 100);
    scene.0.advance(DAY);
    assert_eq!(average(), 0);
}

#[test]
fn a_confirmed_order_buys_what_it_holds() {
    let scene = Scene::with(&[30, 40]);
    scene.request(1, 1, &[(1, 2), (2, 1)]);
    scene.updates();
    scene.confirm(1).unwrap();
    assert_eq!((scene.pieces(1), scene.pieces(2)), ((28, 0, 28), (39, 0, 39)));
    let sold = scene.0.take::<StockConfirmed>();
    let told: Vec<_> = sold.iter().map(|sold| (sold.quantity_confirmed, sold.remaining_stock)).collect();
    assert_eq!(told, [(2, 28), (1, 39)]);
    assert_eq!(scene.updates(), ["sale", "sale"]);
    scene.confirm(1).unwrap();
    scene.0.advance(minutes(60));
    assert_eq!(scene.pieces(1), (28, 0, 28));
    assert!(scene.0.take::<StockConfirmed>().is_empty());
}

#[test]
fn an_order_paid_while_its_hold_ran_out_buys_what_is_still_there() {
    let scene = Scene::with(&[3]);
    scene.request(1, 1, &[(1, 2)]);
    scene.0.advance(minutes(15));
    scene.confirm(1).unwrap();
    assert_eq!(scene.pieces(1), (1, 0, 1));
}

#[test]
fn an_order_paid_without_stock_is_an_operators_business() {
    let scene = Scene::with(&[3]);
    scene.request(1, 1, &[(1, 2)]);
    scene.0.advance(minutes(15));
    scene.request(2, 2, &[(1, 2)]);
    assert!(scene.confirm(1).is_err());
    assert!(scene.confirm(3).is_err());
    scene.request(4, 4, &[(1, 1)]);
    scene.payment_failed(4, false);
    assert!(scene.confirm(4).is_err());
    assert_eq!(scene.pieces(1), (3, 2, 1));
}

#[test]
fn a_cancelled_order_gets_nothing_any_more() {
    let scene = Scene::with(&[30]);
    scene.cancel(1);
    scene.request(1, 1, &[(1, 2)]);
    assert_eq!(scene.failed()[0].reason, error::ORDER_CLOSED);
    assert_eq!(scene.pieces(1), (30, 0, 30));
}

#[test]
fn an_order_that_failed_or_was_cancelled_by_state_gets_nothing_any_more() {
    for (state, gets) in
        [(OrderState::Failed, false), (OrderState::Cancelled, false), (OrderState::AwaitingCustomer, true)]
    {
        let scene = Scene::with(&[30]);
        scene.state_changed(1, state);
        scene.request(1, 1, &[(1, 2)]);
        assert_eq!(scene.confirmed().len(), usize::from(gets), "{state}");
    }
}

#[test]
fn an_order_cancelled_after_its_confirmation_gives_its_pieces_back_when_asked() {
    let scene = Scene::with(&[30]);
    scene.request(1, 1, &[(1, 5)]);
    scene.confirm(1).unwrap();
    scene.give_back(1, 1, &[(1, 2)]);
    scene.cancel(1);
    assert_eq!(scene.pieces(1), (27, 0, 27));
    scene.updates();
    scene.release(1, 1).unwrap();
    assert_eq!(scene.pieces(1), (30, 0, 30));
    assert_eq!(scene.released()[0].released_items[0].quantity, 3);
    assert_eq!(scene.0.take::<StockReleased>()[0].quantity_released, 3);
    assert_eq!(scene.updates(), ["cancellation"]);
    scene.release(1, 1).unwrap();
    assert_eq!(scene.pieces(1), (30, 0, 30));
}

#[test]
fn sold_pieces_follow_the_lines_of_the_order() {
    let scene = Scene::with(&[30, 40, 50]);
    scene.request(1, 1, &[(1, 5), (2, 2)]);
    scene.confirm(1).unwrap();
    // The difference was reserved before: one piece more of 2, and 4 of 3.
    scene.request(2, 1, &[(2, 1), (3, 4)]);
    let change = Change { added: &[(3, 4)], removed: &[(1, 5)], modified: &[(2, 3)] };
    scene.change(1, change).unwrap();
    assert_eq!((scene.pieces(1), scene.pieces(2), scene.pieces(3)), ((30, 0, 30), (37, 0, 37), (46, 0, 46)));
    scene.change(1, change).unwrap();
    assert_eq!((scene.pieces(1), scene.pieces(2), scene.pieces(3)), ((30, 0, 30), (37, 0, 37), (46, 0, 46)));
    scene.0.advance(minutes(60));
    scene.change(1, Change { modified: &[(2, 1)], ..Change::default() }).unwrap();
    assert_eq!(scene.pieces(2), (39, 0, 39));
    // Without a reservation it takes what is there.
    scene.change(1, Change { modified: &[(2, 4)], ..Change::default() }).unwrap();
    assert_eq!(scene.pieces(2), (36, 0, 36));
}

#[test]
fn lines_that_change_before_the_confirmation_are_settled_with_it() {
    let scene = Scene::with(&[30, 40]);
    scene.request(1, 1, &[(1, 5), (2, 2)]);
    scene.change(1, Change { removed: &[(2, 2)], modified: &[(1, 3)], ..Change::default() }).unwrap();
    assert_eq!((scene.pieces(1), scene.pieces(2)), ((30, 5, 25), (40, 2, 38)));
    scene.confirm(1).unwrap();
    assert_eq!((scene.pieces(1), scene.pieces(2)), ((27, 0, 27), (40, 0, 40)));
}

#[test]
fn returned_pieces_are_stock_again_once() {
    let scene = Scene::with(&[30]);
    scene.request(1, 1, &[(1, 5)]);
    scene.confirm(1).unwrap();
    scene.updates();
    scene.give_back(1, 1, &[(1, 2)]);
    scene.give_back(1, 1, &[(1, 2)]);
    assert_eq!(scene.pieces(1), (27, 0, 27));
    assert_eq!(scene.updates(), ["return"]);
    scene.give_back(1, 2, &[(1, 3)]);
    assert_eq!(scene.pieces(1), (30, 0, 30));
    assert_eq!(scene.0.get::<OrderBook>(order(1)).unwrap().sold(item(1)), 0);
}

#[test]
fn a_failed_payment_releases_only_when_it_failed_for_good() {
    let scene = Scene::with(&[30]);
    scene.request(1, 1, &[(1, 5)]);
    scene.payment_failed(1, true);
    assert_eq!(scene.pieces(1), (30, 5, 25));
    scene.payment_failed(1, false);
    assert_eq!(scene.pieces(1), (30, 0, 30));
    let released = scene.released();
    assert_eq!(released[0].reason, ReleaseReason::OrderCancelled);
    // The saga's own release gets the same answer.
    scene.release(1, 1).unwrap();
    assert_eq!(scene.released(), released);
}

#[test]
fn a_failed_payment_of_a_change_leaves_what_was_bought() {
    let scene = Scene::with(&[30]);
    scene.request(1, 1, &[(1, 5)]);
    scene.confirm(1).unwrap();
    scene.request(2, 1, &[(1, 1)]);
    scene.payment_failed(1, false);
    assert_eq!(scene.pieces(1), (25, 0, 25));
}

#[test]
fn a_cancelled_order_gives_back_what_it_bought_by_changed_lines_as_well() {
    let scene = Scene::with(&[30, 40, 50]);
    scene.request(1, 1, &[(1, 5)]);
    scene.confirm(1).unwrap();
    scene.request(2, 1, &[(2, 3)]);
    scene.change(1, Change { added: &[(2, 3)], modified: &[(1, 7)], ..Change::default() }).unwrap();
    scene.request(3, 1, &[(3, 4)]);
    scene.released();
    scene.release(1, 1).unwrap();
    assert_eq!((scene.pieces(1), scene.pieces(2), scene.pieces(3)), ((30, 0, 30), (40, 0, 40), (50, 0, 50)));
    let given_back = scene.released().into_iter().flat_map(|released| released.released_items);
    assert_eq!(given_back.map(|item| item.quantity).sum::<u32>(), 14);
    // What comes late of the order changes nothing any more.
    scene.change(1, Change { modified: &[(1, 9)], ..Change::default() }).unwrap();
    scene.request(4, 1, &[(1, 1)]);
    assert_eq!((scene.pieces(1), scene.failed()[0].reason.as_str()), ((30, 0, 30), error::ORDER_CLOSED));
}

#[test]
fn a_release_that_overtakes_the_confirmation_leaves_nothing_to_confirm() {
    let scene = Scene::with(&[30]);
    scene.request(1, 1, &[(1, 5)]);
    scene.release(1, 1).unwrap();
    scene.confirm(1).unwrap();
    scene.cancel(1);
    assert_eq!(scene.pieces(1), (30, 0, 30));
}
