//! The ledger of movements as queries see it.

use backbone::Aggregate;
use backbone::journal::Recorded;
use backbone::projection::{Fact, View};
use futures::executor::block_on;

use super::scene::{Scene, item, order};
use crate::domain::ItemKey;
use crate::domain::stock::{Cause, Item};
use crate::movements::{Movement, projection};

/// Folds the item's history, as the engine does after each commit.
pub(super) fn fold(scene: &Scene, key: ItemKey) {
    let stream = Item::stream(&key.to_string());
    let context = scene.0.context();
    let stored = block_on(context.documents.history(&stream, &[], 0, 10_000)).unwrap();
    let fold = projection().fold;
    for (position, event) in stored.into_iter().enumerate() {
        let recorded = Recorded { position: position as u64, stream: stream.clone(), event };
        scene.0.run(|ws| fold(Fact::Own(&recorded), &mut View(ws))).unwrap();
    }
}

#[test]
fn every_movement_is_recorded_with_its_cause_and_order() {
    let scene = Scene::with(&[9]);
    scene.request(1, 1, &[(1, 2)]);
    scene.confirm(1).unwrap();
    scene.give_back(1, 1, &[(1, 1)]);
    fold(&scene, item(1));
    fold(&scene, item(1));
    let moved = scene.0.all::<Movement>();
    let told: Vec<_> = moved.iter().map(|m| (m.cause, m.quantity, m.reserved, m.order_id)).collect();
    assert_eq!(
        told,
        [
            (Cause::Opening, 9, 0, None),
            (Cause::Reservation, 0, 2, Some(order(1))),
            (Cause::Sale, -2, -2, Some(order(1))),
            (Cause::Return, 1, 0, Some(order(1))),
        ]
    );
    assert!(moved.iter().all(|m| !m.caused_by.is_empty() && m.product_id == item(1).product_id));
}

#[test]
fn other_streams_and_damage_are_not_taken_for_movements() {
    let scene = Scene::with(&[9]);
    scene.request(1, 1, &[(1, 2)]);
    let stream = "reservation-1".to_owned();
    let item_stream = Item::stream(&item(1).to_string());
    let context = scene.0.context();
    let event = block_on(context.documents.history(&item_stream, &[], 0, 1)).unwrap().remove(0);
    let fold = projection().fold;
    let other = Recorded { position: 1, stream, event: event.clone() };
    scene.0.run(|ws| fold(Fact::Own(&other), &mut View(ws))).unwrap();
    assert!(scene.0.all::<Movement>().is_empty());
    let damaged = Recorded { position: 2, stream: "item-x".to_owned(), event };
    let refusal = scene.0.run(|ws| fold(Fact::Own(&damaged), &mut View(ws))).unwrap_err();
    assert_eq!(refusal.kind(), kernel::ErrorKind::Undecodable);
}
