//! The cancellation saga, after confirmation.

use backbone::saga::Phase;
use contracts::inventory::{ReleaseReason, ReleaseRequested};
use contracts::order::{Cancelled, CancelledBy, ItemsModified};
use contracts::payment::RefundRequested;
use contracts::shared::OrderState;
use contracts::shipping::{CancellationRequested, ShipmentCancelled};
use kernel::{Money, RefundId, ShipmentId};
use uuid::Uuid;

use super::world::{BOWL, ORDER, POTTER, RUG, TOTAL, WEAVER, World};
use crate::cancellation::Cancellation;

fn called_off(world: &World, shipments: &[u128]) {
    world.hear(&ShipmentCancelled {
        order_id: ORDER,
        shipment_ids: shipments.iter().map(|id| ShipmentId(Uuid::from_u128(*id))).collect(),
        reason: "changed my mind".into(),
        cancelled_at: world.stage.now(),
    });
}

fn cancelling() -> (World, RefundId) {
    let world = World::prepared();
    world.stage.clear_published();
    world.cancel().unwrap();
    let id = world.order().cancelling.unwrap().refund_id;
    (world, id)
}

#[test]
fn parcels_then_participants_then_money_then_stock() {
    let (world, id) = cancelling();
    assert_eq!(world.told(), ["shipping.cancellation.requested.v1"]);
    assert_eq!(world.state(), OrderState::Preparing);
    called_off(&world, &[1, 2]);
    assert_eq!(world.state(), OrderState::Cancelled);
    let cancelled = world.stage.take::<Cancelled>().remove(0);
    assert_eq!((cancelled.cancelled_by, cancelled.refund_required), (CancelledBy::Customer, true));
    let refund = world.refund_asked();
    assert_eq!((refund.amount, refund.refund_id), (TOTAL, id));
    assert!(world.stage.take::<ReleaseRequested>().is_empty());
    world.refund(id, TOTAL);
    assert_eq!(world.stage.take::<ReleaseRequested>().len(), 1);
    world.release(ReleaseReason::OrderCancelled);
    assert_eq!(world.saga_of::<Cancellation>(id.0).phase, Phase::Completed);
    assert_eq!(world.order().balance(), Ok(Money::eur(0)));
    world.check();
}

#[test]
fn an_order_whose_parcels_are_not_scheduled_yet_can_be_cancelled_and_nobody_waits_for_them() {
    let world = World::new();
    world.place().reserve().pay();
    world.cancel().unwrap();
    called_off(&world, &[]);
    assert_eq!(world.state(), OrderState::Cancelled);
    assert_eq!(world.saga().phase, Phase::Completed);
    // A parcel that is scheduled all the same changes nothing.
    world.schedule(1, POTTER).schedule(2, WEAVER);
    assert_eq!(world.state(), OrderState::Cancelled);
}

#[test]
fn shipping_is_asked_until_it_answers() {
    let (world, id) = cancelling();
    world.pass(62).pass(63);
    assert!(world.stage.take::<CancellationRequested>().len() >= 2);
    called_off(&world, &[1, 2]);
    assert_eq!(world.saga_of::<Cancellation>(id.0).step_name, "refund");
}

#[test]
fn a_refund_that_keeps_failing_waits_for_an_operator() {
    let (world, id) = cancelling();
    called_off(&world, &[1, 2]);
    for _ in 0..8 {
        world.fail_refund(id, true).pass(61);
    }
    assert_eq!(world.saga_of::<Cancellation>(id.0).phase, Phase::Blocked);
    world.refund(id, TOTAL);
    assert_eq!(world.saga_of::<Cancellation>(id.0).step_name, "return-stock");
}

#[test]
fn a_wish_that_comes_after_every_parcel_left_is_refused_and_the_order_goes_on() {
    let (world, id) = cancelling();
    world.dispatch(1, POTTER).dispatch(2, WEAVER);
    called_off(&world, &[]);
    assert_eq!(world.saga_of::<Cancellation>(id.0).phase, Phase::Completed);
    assert_eq!(world.state(), OrderState::Shipped);
    assert!(world.stage.take::<RefundRequested>().is_empty());
    world.deliver(1, POTTER).deliver(2, WEAVER);
    assert_eq!(world.state(), OrderState::Delivered);
}

#[test]
fn where_one_parcel_has_left_the_other_is_dropped_and_refunded() {
    let (world, id) = cancelling();
    world.dispatch(1, POTTER);
    called_off(&world, &[2]);
    let modified = world.stage.take::<ItemsModified>().remove(0);
    assert_eq!(modified.removed_items[0].product_id, RUG);
    assert_eq!(modified.new_total_amount, Money::eur(2_995));
    let refund = world.refund_asked();
    assert_eq!(refund.amount, Money::eur(8_600));
    world.refund(id, refund.amount);
    assert_eq!(world.saga_of::<Cancellation>(id.0).phase, Phase::Completed);
    assert_eq!(world.state(), OrderState::Shipped);
    assert!(world.stage.take::<Cancelled>().is_empty());
    world.deliver(1, POTTER);
    assert_eq!(world.state(), OrderState::Delivered);
    assert_eq!(world.order().items.iter().find(|line| line.product_id == BOWL).unwrap().quantity, 2);
    world.check();
}

#[test]
fn an_order_that_is_on_its_way_cannot_be_cancelled() {
    let world = World::prepared();
    world.dispatch(1, POTTER);
    assert!(world.cancel().is_err());
    let world = World::arrived();
    assert!(world.cancel().is_err());
}

#[test]
fn a_second_wish_while_the_first_is_looked_at_is_refused() {
    let (world, _) = cancelling();
    assert!(world.cancel().is_err());
}
