//! Compensation: in reverse, each answered before the next, never dropped; and the customer who
//! changes their mind at every step.

use backbone::saga::{Operator, Phase};
use contracts::inventory::{ReleaseReason, ReleaseRequested};
use contracts::order::{Cancelled, CancelledBy};
use contracts::payment::RefundRequested;
use contracts::shared::OrderState;
use kernel::Money;

use super::world::{Failure, ORDER, TOTAL, World};
use crate::ports::Ports;

fn operate(world: &World, act: Operator) {
    let ports = Ports::over(world.stage.context().calls);
    let operate = crate::fulfilment::registration(&ports).operate;
    world.stage.run(|ws| operate(ORDER.0, act.clone(), ws)).unwrap();
}

#[test]
fn a_release_without_an_answer_is_asked_for_again_and_in_the_end_parked_for_an_operator() {
    let world = World::new();
    world.place().reserve().decline(1, false);
    world.pass(3_600);
    assert_eq!(world.saga().phase, Phase::Blocked);
    assert_eq!(world.stage.take::<ReleaseRequested>().len(), 8);
    operate(&world, Operator::Retry);
    assert_eq!(world.saga().phase, Phase::Compensating);
    assert_eq!(world.stage.take::<ReleaseRequested>().len(), 1);
    world.release(ReleaseReason::OrderCancelled);
    assert_eq!(world.saga().phase, Phase::Compensated);
}

#[test]
fn a_release_that_is_answered_while_it_is_parked_ends_the_saga() {
    let world = World::new();
    world.place().reserve().decline(1, false).pass(3_600);
    world.release(ReleaseReason::OrderCancelled);
    assert_eq!(world.saga().phase, Phase::Compensated);
}

#[test]
fn a_refund_that_fails_is_tried_again_under_the_same_id() {
    let world = World::new();
    world.place().reserve().pass(301);
    let first = world.refund_asked();
    world.fail_refund(first.refund_id, true).pass(1);
    let second = world.refund_asked();
    assert_eq!(first.refund_id, second.refund_id);
    world.refund(second.refund_id, TOTAL).release(ReleaseReason::OrderCancelled);
    assert_eq!(world.saga().phase, Phase::Compensated);
    world.check();
}

#[test]
fn a_refund_that_fails_for_good_waits_for_an_operator_while_the_stock_goes_back() {
    let world = World::new();
    world.place().reserve().pass(301);
    let refund = world.refund_asked();
    world.fail_refund(refund.refund_id, false);
    assert_eq!(world.stage.take::<ReleaseRequested>().len(), 1);
    world.release(ReleaseReason::OrderCancelled);
    assert_eq!(world.saga().phase, Phase::Blocked);
    operate(&world, Operator::Retry);
    let again = world.refund_asked();
    world.refund(again.refund_id, TOTAL);
    assert_eq!(world.saga().phase, Phase::Compensated);
}

#[test]
fn stock_that_is_back_early_does_not_end_a_refund_that_is_under_way() {
    let world = World::new();
    world.place().reserve().pass(301);
    let refund = world.refund_asked();
    world.release(ReleaseReason::OrderCancelled);
    assert_eq!(world.saga().phase, Phase::Compensating);
    world.refund(refund.refund_id, TOTAL);
    assert_eq!(world.saga().phase, Phase::Compensated);
    assert!(world.stage.take::<ReleaseRequested>().is_empty(), "it is back already");
}

#[test]
fn money_taken_after_a_cancelled_order_with_a_parked_refund_is_not_refunded_twice() {
    let world = World::new();
    world.place().reserve().pass(301);
    let refund = world.refund_asked();
    world.fail_refund(refund.refund_id, false).pay();
    assert!(world.stage.take::<RefundRequested>().is_empty());
}

/// Brings a saga to a step; says what is to be undone there.
fn at(step: &str) -> (World, bool, bool) {
    let silent = Err(Failure::Down);
    let (world, refund, release) = match step {
        "validate-customer" => (World::with(|n| n.standing = Err(Failure::Down)), false, false),
        "reserve-stock" => (World::new(), false, true),
        "validate-payment" => (World::with(|n| n.validate = silent), false, true),
        "extend" => (World::with(|n| n.extend = Err(Failure::Down)), false, true),
        _ => (World::new(), true, true),
    };
    world.place();
    if !matches!(step, "validate-customer" | "reserve-stock") {
        world.reserve();
    }
    (world, refund, release)
}

#[test]
fn a_customer_can_cancel_at_every_step_before_the_pivot() {
    for step in ["validate-customer", "reserve-stock", "validate-payment", "extend", "process-payment"] {
        let (world, refund, release) = at(step);
        assert_eq!(world.saga().step_name, if step == "extend" { "process-payment" } else { step });
        world.cancel().unwrap();
        assert_eq!(world.state(), OrderState::Cancelled, "{step}");
        let cancelled = world.stage.take::<Cancelled>().remove(0);
        assert_eq!(cancelled.cancelled_by, CancelledBy::Customer);
        if refund {
            let asked = world.refund_asked();
            world.refund(asked.refund_id, Money::eur(0));
        }
        assert_eq!(world.stage.take::<ReleaseRequested>().len(), usize::from(release), "{step}");
        if release {
            world.release(ReleaseReason::OrderCancelled);
        }
        assert_eq!(world.saga().phase, Phase::Compensated, "{step}");
        assert!(world.stage.take::<Cancelled>().is_empty(), "told once");
        assert!(!serde_json::to_string(&world.saga()).unwrap().contains("my mind"), "nobody's words");
        assert!(world.cancel().is_err(), "twice makes no sense");
        world.check();
    }
}

#[test]
fn answers_that_come_after_the_customer_cancelled_change_nothing() {
    let (world, ..) = at("process-payment");
    world.cancel().unwrap();
    let refund = world.refund_asked();
    world.pay().decline(1, false);
    assert_eq!(world.state(), OrderState::Cancelled);
    world.refund(refund.refund_id, TOTAL).release(ReleaseReason::OrderCancelled);
    assert_eq!(world.saga().phase, Phase::Compensated);
    assert_eq!(world.order().balance(), Ok(Money::eur(0)));
}
