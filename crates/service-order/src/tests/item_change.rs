//! The item change saga, between confirmation and dispatch.

use backbone::saga::Phase;
use backbone::{Refusal, RejectionKind};
use contracts::inventory::{
    ReleaseReason, ReleaseRequestReason, ReleaseRequested, ReservationConfirmed, ReservationRequested,
    StockFailed,
};
use contracts::order::ItemsModified;
use contracts::payment::{Initiated, MethodType, RefundRequested, Requested};
use contracts::shared::OrderItem;
use kernel::{Duration, Money};

use super::world::{BOWL, CUSTOMER, JUG, ORDER, PAYMENT, POTTER, RUG, TOTAL, WEAVER, World, item};
use crate::commands::{self, ChangeWish};
use crate::domain::{Change, ChangeStatus};
use crate::item_change::ItemChange;

fn ask(world: &World, items: Vec<OrderItem>) -> Result<uuid::Uuid, Refusal> {
    let wish = ChangeWish { seen: world.order().version, items, asked_by: "ana".into() };
    let config = crate::Config::default();
    world.stage.run(|ws| commands::change_items(ws, ORDER, &wish, &config))
}

/// An order that shall have these lines.
fn changing(items: Vec<OrderItem>) -> World {
    let world = World::prepared();
    world.stage.clear_published();
    ask(&world, items).unwrap();
    world
}

fn change(world: &World) -> Change {
    world.order().changes.remove(0)
}

fn reserved(world: &World) {
    world.hear(&ReservationConfirmed {
        reservation_id: change(world).reservation_id,
        order_id: ORDER,
        reserved_items: Vec::new(),
        expires_at: world.stage.now(),
        total_reserved: 1,
    });
}

fn phase(world: &World) -> Phase {
    world.saga_of::<ItemChange>(change(world).change_id).phase
}

#[test]
fn more_pieces_are_reserved_then_charged_then_in_the_order() {
    let world = changing(vec![item(BOWL, 3), item(RUG, 1), item(JUG, 1)]);
    let asked = world.stage.take::<ReservationRequested>().remove(0);
    let pieces: Vec<_> = asked.items.iter().map(|item| (item.product_id, item.quantity)).collect();
    assert_eq!(pieces, [(BOWL, 1), (JUG, 1)]);
    reserved(&world);
    let charge = world.stage.take::<Requested>().remove(0);
    assert_eq!(charge.amount, Money::eur(3_250));
    assert_eq!(charge.splits.len(), 1);
    assert_eq!(charge.splits[0].amount, Money::eur(3_250));
    assert!(world.stage.take::<ItemsModified>().is_empty());
    world.hear(&world.succeeded(charge.payment_id, charge.amount));
    let modified = world.stage.take::<ItemsModified>().remove(0);
    assert_eq!(modified.new_total_amount, Money::eur(TOTAL.amount + 3_250));
    assert_eq!((modified.added_items.len(), modified.modified_items.len()), (1, 1));
    assert_eq!(phase(&world), Phase::Completed);
    assert_eq!(world.order().balance(), Ok(modified.new_total_amount));
    world.check();
}

#[test]
fn fewer_pieces_are_refunded_and_then_out_of_the_order() {
    let world = changing(vec![item(BOWL, 1), item(RUG, 1)]);
    assert!(world.stage.take::<ReservationRequested>().is_empty());
    let refund = world.refund_asked();
    assert_eq!(refund.amount, Money::eur(1_250));
    assert!(world.stage.take::<ItemsModified>().is_empty());
    world.refund(refund.refund_id, refund.amount);
    assert_eq!(world.stage.take::<ItemsModified>().remove(0).modified_items[0].quantity, 1);
    assert_eq!(world.order().total, Money::eur(TOTAL.amount - 1_250));
    assert_eq!(phase(&world), Phase::Completed);
}

#[test]
fn what_cannot_be_reserved_is_not_changed() {
    let world = changing(vec![item(BOWL, 9), item(RUG, 1)]);
    world.hear(&StockFailed {
        reservation_id: change(&world).reservation_id,
        order_id: ORDER,
        shortages: Vec::new(),
        reason: "not enough stock".into(),
        failed_at: world.stage.now(),
    });
    assert_eq!((phase(&world), change(&world).status), (Phase::Compensated, ChangeStatus::Dropped));
    assert_eq!(world.order().total, TOTAL);
    assert!(world.stage.take::<Requested>().is_empty());
}

#[test]
fn what_cannot_be_charged_is_given_back_to_stock() {
    let world = changing(vec![item(BOWL, 3), item(RUG, 1)]);
    reserved(&world);
    let change = change(&world);
    world.hear(&world.declined(change.payment.id, 1, false));
    let release = world.stage.take::<ReleaseRequested>().remove(0);
    assert_eq!(release.reason, ReleaseRequestReason::OrderChanged);
    world.release_hold(change.reservation_id, ReleaseReason::OrderChanged);
    assert_eq!(phase(&world), Phase::Compensated);
    assert!(world.stage.take::<RefundRequested>().is_empty());
    assert_eq!(world.order().hold.status, crate::domain::HoldStatus::Sold, "the order keeps its own");
}

#[test]
fn a_charge_is_tried_again_where_that_may_help() {
    let world = changing(vec![item(BOWL, 3), item(RUG, 1)]);
    reserved(&world);
    let payment = change(&world).payment.id;
    world.hear(&world.declined(payment, 1, true)).pass(1);
    assert_eq!(world.stage.take::<Requested>().last().unwrap().attempt, 2);
}

#[test]
fn the_difference_of_an_order_paid_by_transfer_is_waited_for_by_days() {
    let world = World::new();
    world.place().reserve().hear(&Initiated {
        payment_id: PAYMENT,
        order_id: ORDER,
        customer_id: CUSTOMER,
        amount: TOTAL,
        payment_method: MethodType::Transfer,
    });
    world.pay().schedule(1, POTTER).schedule(2, WEAVER);
    world.stage.clear_published();
    ask(&world, vec![item(BOWL, 3), item(RUG, 1)]).unwrap();
    let held = world.stage.take::<ReservationRequested>().remove(0);
    reserved(&world);
    let payment = change(&world).payment;
    assert!(payment.deadline > Some(world.stage.now().plus(Duration::from_secs(4 * 86_400))));
    assert!(Some(held.expiration_time) > payment.deadline, "the pieces are held until then");
    world.pass(2 * 86_400).hear(&world.succeeded(payment.id, payment.amount));
    assert_eq!(phase(&world), Phase::Completed);
}

#[test]
fn a_parcel_that_leaves_ends_a_change_that_is_not_paid() {
    let world = changing(vec![item(BOWL, 3), item(RUG, 1)]);
    reserved(&world);
    world.dispatch(1, POTTER);
    assert_eq!(change(&world).status, ChangeStatus::Dropped);
    // What was not taken must not be given back out of the order's own payment.
    assert!(world.stage.take::<RefundRequested>().is_empty());
    let payment = change(&world).payment.id;
    world.hear(&world.declined(payment, 1, false));
    world.release_hold(change(&world).reservation_id, ReleaseReason::OrderChanged);
    assert_eq!(phase(&world), Phase::Compensated);
    assert!(world.stage.take::<RefundRequested>().is_empty());
}

#[test]
fn a_difference_that_is_paid_all_the_same_goes_back() {
    let world = changing(vec![item(BOWL, 3), item(RUG, 1)]);
    reserved(&world);
    world.dispatch(1, POTTER);
    let payment = change(&world).payment.id;
    world.hear(&world.succeeded(payment, Money::eur(1_250))).pass(1);
    let refund = world.refund_asked();
    assert_eq!(refund.amount, Money::eur(1_250));
    world.refund(refund.refund_id, refund.amount);
    world.release_hold(change(&world).reservation_id, ReleaseReason::OrderChanged);
    assert_eq!(phase(&world), Phase::Compensated);
    assert_eq!(world.order().balance(), Ok(TOTAL));
}

#[test]
fn a_charge_without_an_answer_drops_the_change_and_is_waited_for() {
    let world = changing(vec![item(BOWL, 3), item(RUG, 1)]);
    reserved(&world);
    world.pass(3_601);
    assert_eq!(change(&world).status, ChangeStatus::Dropped);
    assert!(world.stage.take::<RefundRequested>().is_empty());
    let payment = change(&world).payment.id;
    world.hear(&world.succeeded(payment, Money::eur(1_250))).pass(1);
    let refund = world.refund_asked();
    world.refund(refund.refund_id, refund.amount);
    world.release_hold(change(&world).reservation_id, ReleaseReason::OrderChanged);
    assert_eq!(phase(&world), Phase::Compensated);
}

#[test]
fn a_hold_that_expires_ends_the_change() {
    let world = changing(vec![item(BOWL, 3), item(RUG, 1)]);
    reserved(&world);
    world.release_hold(change(&world).reservation_id, ReleaseReason::ReservationExpired);
    assert_eq!(change(&world).status, ChangeStatus::Dropped);
}

#[test]
fn changes_that_make_no_sense_are_refused() {
    let refused = |items: Vec<OrderItem>| match ask(&World::prepared(), items) {
        Err(Refusal::Rejected(rejection)) => rejection.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(vec![item(BOWL, 2), item(RUG, 1)]), "nothing-changes");
    assert_eq!(refused(vec![item(BOWL, 2)]), "parcel-empty");
    let stranger = OrderItem { artisan_id: kernel::ArtisanId::default(), ..item(JUG, 1) };
    assert_eq!(refused(vec![item(BOWL, 2), item(RUG, 1), stranger]), "artisan-not-in-order");
}

#[test]
fn a_change_of_an_order_that_changed_in_between_is_stale() {
    let world = World::prepared();
    let wish = ChangeWish {
        seen: world.order().version - 1,
        items: vec![item(BOWL, 1), item(RUG, 1)],
        asked_by: "a".into(),
    };
    let config = crate::Config::default();
    let refused = world.stage.run(|ws| commands::change_items(ws, ORDER, &wish, &config));
    assert!(matches!(refused, Err(Refusal::Rejected(r)) if r.kind == RejectionKind::Stale));
}

#[test]
fn one_thing_at_a_time() {
    let world = changing(vec![item(BOWL, 3), item(RUG, 1)]);
    assert!(ask(&world, vec![item(BOWL, 4), item(RUG, 1)]).is_err());
    assert!(world.cancel().is_err());
}

#[test]
fn nothing_changes_before_confirmation_or_after_dispatch() {
    let world = World::new();
    world.place().reserve();
    assert!(ask(&world, vec![item(BOWL, 3), item(RUG, 1)]).is_err());
    let world = World::prepared();
    world.dispatch(1, POTTER);
    assert!(ask(&world, vec![item(BOWL, 3), item(RUG, 1)]).is_err());
}

#[test]
fn a_charge_that_failed_is_not_given_back_when_the_change_ends_before_its_retry() {
    let world = changing(vec![item(BOWL, 3), item(RUG, 1)]);
    reserved(&world);
    let payment = change(&world).payment.id;
    world.hear(&world.declined(payment, 1, true)).dispatch(1, POTTER);
    assert!(world.stage.take::<RefundRequested>().is_empty());
    world.release_hold(change(&world).reservation_id, ReleaseReason::OrderChanged);
    assert_eq!(phase(&world), Phase::Compensated);
}
