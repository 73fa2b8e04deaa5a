//! Pieces that are made to order.

use contracts::inventory::StockConfirmed;
use kernel::{Duration, Timestamp};

use super::scene::{Scene, item, minutes, reservation};
use crate::Config;
use crate::commands::{self, Stocktake};
use crate::domain::reservation::{Reservation, Status};
use crate::domain::stock::{Backorder, Count, Rules};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A scene whose item has so many pieces and is made to order within ten days, 6 at a time at most.
fn made_to_order(pieces: u32) -> Scene {
    let scene = Scene::with(&[pieces]);
    let backorder = Some(Backorder { lead_days: 10, waiting_max: Some(6) });
    let rules = Rules { backorder, ..Rules::default() };
    scene.0.run(|ws| commands::set_rules(ws, item(1), rules, None)).unwrap();
    scene.0.clear_published();
    scene
}

/// Counts all pieces of the item.
fn count(scene: &Scene, quantity: u32) {
    let count = Count { warehouse_id: None, location: None, quantity, seen_revision: None };
    let stocktake = Stocktake { key: item(1), count, unknown: None };
    scene.0.run(|ws| commands::count(ws, &Config::default(), &stocktake).map(drop)).unwrap();
}

fn waiting(scene: &Scene, id: u128) -> (u32, Option<Timestamp>) {
    let state = scene.0.state::<Reservation>(reservation(id));
    assert_eq!(state.lines.len(), 1, "{state:?}");
    (state.lines[0].waiting, state.lines[0].promised_at)
}

#[test]
fn a_reservation_beyond_stock_carries_a_promised_date() {
    let scene = made_to_order(2);
    scene.request(1, 1, &[(1, 5)]);
    assert_eq!(waiting(&scene, 1), (3, Some(scene.0.now().plus(DAY * 10))));
    assert_eq!(scene.pieces(1), (2, 2, 0));
    let confirmed = scene.confirmed();
    assert_eq!(confirmed[0].total_reserved, 5);
    assert_eq!(confirmed[0].reserved_items.iter().map(|item| item.quantity).collect::<Vec<_>>(), [2, 3]);
    scene.request(2, 2, &[(1, 4)]);
    assert_eq!(scene.failed()[0].shortages[0].available, 3);
}

#[test]
fn those_who_wait_are_served_first_come_first_served() {
    let scene = made_to_order(0);
    scene.request(1, 1, &[(1, 3)]);
    scene.request(2, 2, &[(1, 3)]);
    count(&scene, 4);
    assert_eq!(scene.pieces(1), (4, 4, 0));
    assert_eq!((waiting(&scene, 1).0, waiting(&scene, 2).0), (0, 2));
    // Who comes now waits behind them.
    scene.request(3, 3, &[(1, 1)]);
    scene.release(1, 1).unwrap();
    assert_eq!((waiting(&scene, 2).0, waiting(&scene, 3).0), (0, 0));
    assert_eq!(scene.pieces(1), (4, 4, 0));
}

#[test]
fn pieces_that_are_sold_before_they_are_made_leave_when_they_come_in() {
    let scene = made_to_order(1);
    scene.request(1, 1, &[(1, 4)]);
    scene.confirm(1).unwrap();
    assert_eq!(scene.0.take::<StockConfirmed>()[0].quantity_confirmed, 4);
    assert_eq!(scene.pieces(1), (0, 0, 0));
    assert_eq!(scene.stock(item(1)).waiting(), 3);
    scene.updates();
    count(&scene, 5);
    assert_eq!(scene.pieces(1), (2, 0, 2));
    assert_eq!(scene.stock(item(1)).waiting(), 0);
    assert_eq!(scene.updates(), ["count", "backorder"]);
}

#[test]
fn a_cancelled_order_gives_up_its_place_before_it_gives_pieces_back() {
    let scene = made_to_order(1);
    scene.request(1, 1, &[(1, 4)]);
    scene.confirm(1).unwrap();
    scene.cancel(1);
    scene.release(1, 1).unwrap();
    assert_eq!(scene.pieces(1), (1, 0, 1));
    assert_eq!(scene.stock(item(1)).waiting(), 0);
    assert_eq!(scene.0.state::<Reservation>(reservation(1)).status, Status::Released);
}

#[test]
fn a_place_in_the_queue_ends_with_the_reservation() {
    let scene = made_to_order(0);
    scene.request(1, 1, &[(1, 3)]);
    scene.0.advance(minutes(15));
    assert_eq!(scene.stock(item(1)).waiting(), 0);
    count(&scene, 4);
    assert_eq!(scene.pieces(1), (4, 0, 4));
}
