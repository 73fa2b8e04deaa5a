//! The fulfilment saga, from a placed order to scheduled parcels.

use backbone::saga::Phase;
use contracts::inventory::{ReleaseReason, ReleaseRequested, ReservationRequested};
use contracts::order::{Cancelled, CancelledBy, Confirmed, Created};
use contracts::payment::{MethodType, Requested};
use contracts::shared::OrderState;
use kernel::{Duration, Money};

use super::world::{CUSTOMER, Failure, ORDER, POTTER, TOTAL, WEAVER, World};
use crate::domain::{HoldStatus, PaymentStatus};
use crate::tests::world::placed;

const STEPS: [&str; 8] = [
    "validate-customer",
    "reserve-stock",
    "calculate-pricing",
    "validate-payment",
    "process-payment",
    "confirm-order",
    "notify-participants",
    "schedule-delivery",
];

#[test]
fn all_eight_steps_succeed_in_order() {
    let world = World::prepared();
    let saga = world.saga();
    let done: Vec<_> =
        saga.timeline.iter().filter(|e| e.what == "succeeded").map(|e| e.step.as_str()).collect();
    assert_eq!(done, STEPS);
    assert_eq!(saga.phase, Phase::Completed);
    assert_eq!(world.state(), OrderState::Preparing);
    assert_eq!(
        world.told(),
        [
            "order.created.v1",
            "inventory.reservation.requested.v1",
            "payment.requested.v1",
            "order.confirmed.v1",
            "order.state.changed.v1",
            "order.state.changed.v1",
        ]
    );
    world.check();
}

#[test]
fn the_customers_priority_and_the_lines_stand_in_the_reservation() {
    let world = World::new();
    world.place();
    let created = world.stage.take::<Created>().remove(0);
    assert_eq!((created.total_amount, created.customer_id), (TOTAL, CUSTOMER));
    let asked = world.stage.take::<ReservationRequested>().remove(0);
    assert_eq!(asked.priority, contracts::inventory::Priority::High);
    assert_eq!(asked.items.len(), 2);
    assert_eq!(asked.expiration_time, world.stage.now().plus(Duration::from_secs(900)));
}

#[test]
fn stock_is_held_past_the_payments_deadline_before_the_charge_is_asked_for() {
    let world = World::new();
    world.place().reserve();
    let order = world.order();
    let deadline = world.stage.now().plus(Duration::from_secs(300));
    assert_eq!(order.payment.deadline, Some(deadline));
    assert!(order.hold.expires_at > Some(deadline));
    let asked = world.stage.take::<Requested>().remove(0);
    assert_eq!((asked.amount, asked.attempt), (TOTAL, 1));
    let shares = Money::sum(TOTAL.currency, asked.splits.iter().map(|share| share.amount));
    assert_eq!(shares, Ok(TOTAL));
}

#[test]
fn a_transfer_is_waited_for_by_days() {
    const DAY: u32 = 86_400;
    // As long as payment says, and no longer than this service's own limit of 5 days.
    for (payment_says, waited_for) in [(3 * DAY + 60, 3 * DAY + 60), (9 * DAY, 5 * DAY)] {
        let world = World::with(|neighbours| {
            neighbours.method = MethodType::Transfer;
            neighbours.limit_s = payment_says;
        });
        world.place().reserve();
        let deadline = world.stage.now().plus(Duration::from_secs(waited_for.into()));
        assert_eq!(world.order().payment.deadline, Some(deadline));
        assert!(world.order().hold.expires_at > Some(deadline));
        world.pass(2 * u64::from(DAY)).pay();
        assert_eq!(world.state(), OrderState::Confirmed);
    }
}

#[test]
fn a_guest_is_not_asked_for_at_the_user_service() {
    let world = World::new();
    world.place_as(crate::domain::Placed { guest: true, ..placed(world.stage.now()) });
    assert!(world.neighbours.lock().unwrap().asked.is_empty());
    assert_eq!(world.saga().step_name, "reserve-stock");
}

#[test]
fn a_customer_who_may_not_order_is_refused_and_nothing_is_reserved() {
    let world = World::with(|neighbours| neighbours.standing = Ok(false));
    world.place();
    assert_eq!(world.state(), OrderState::Cancelled);
    assert_eq!(world.saga().phase, Phase::Compensated);
    assert_eq!(world.told(), ["order.created.v1", "order.cancelled.v1", "order.state.changed.v1"]);
    assert_eq!(world.order().called_off.unwrap().reason, "the account is blocked");
}

#[test]
fn without_stock_the_order_is_cancelled_and_nothing_is_left_to_undo() {
    let world = World::new();
    world.place().hear(&contracts::inventory::StockFailed {
        reservation_id: super::world::HOLD,
        order_id: ORDER,
        shortages: vec![contracts::shared::Shortage {
            product_id: super::world::RUG,
            variant_id: None,
            requested: 1,
            available: 0,
        }],
        reason: "not enough stock".into(),
        failed_at: world.stage.now(),
    });
    assert_eq!(world.state(), OrderState::Cancelled);
    assert_eq!(world.saga().phase, Phase::Compensated);
    assert!(world.order().called_off.unwrap().reason.contains("1 of product"));
    assert!(world.stage.take::<ReleaseRequested>().is_empty());
}

#[test]
fn a_declined_payment_cancels_at_once_and_gives_the_stock_back() {
    let world = World::new();
    world.place().reserve();
    world.stage.clear_published();
    world.decline(1, false);
    assert_eq!(
        world.told(),
        ["order.cancelled.v1", "order.state.changed.v1", "inventory.release.requested.v1"]
    );
    assert_eq!(world.state(), OrderState::Cancelled);
    assert_eq!(world.order().called_off.unwrap().by, CancelledBy::PaymentFailure);
    assert_eq!(world.saga().phase, Phase::Compensating);
    world.release(ReleaseReason::OrderCancelled);
    assert_eq!(world.saga().phase, Phase::Compensated);
    assert_eq!(world.order().hold.status, HoldStatus::Released);
    world.check();
}

#[test]
fn a_payment_method_that_is_refused_cancels_without_a_charge() {
    let world = World::with(|neighbours| neighbours.validate = Ok(false));
    world.place().reserve();
    let cancelled = world.stage.take::<Cancelled>().remove(0);
    assert_eq!(cancelled.cancelled_by, CancelledBy::PaymentFailure);
    assert!(!cancelled.refund_required);
    assert!(world.stage.take::<Requested>().is_empty());
    assert_eq!(world.stage.take::<ReleaseRequested>().len(), 1);
}

#[test]
fn a_retryable_failure_is_tried_again_after_one_two_and_four_seconds() {
    let world = World::new();
    world.place().reserve();
    for (attempt, wait) in [(1, 1), (2, 2), (3, 4)] {
        assert_eq!(world.stage.take::<Requested>().remove(0).attempt, attempt);
        world.decline(attempt, true);
        world.stage.advance(Duration::from_millis(wait * 1_000 - 1));
        world.stage.perform_calls();
        assert!(world.stage.take::<Requested>().is_empty());
        world.stage.advance(Duration::from_millis(1));
        world.stage.perform_calls();
    }
    assert_eq!(world.stage.take::<Requested>().remove(0).attempt, 4);
    world.pay();
    assert_eq!(world.state(), OrderState::Confirmed);
    assert_eq!(world.order().payment.attempt, 4);
}

#[test]
fn after_the_last_retry_the_order_is_cancelled() {
    let world = World::new();
    world.place().reserve();
    for attempt in 1..=4 {
        world.decline(attempt, true).pass(5);
    }
    assert_eq!(world.state(), OrderState::Cancelled);
    assert_eq!(world.stage.take::<ReleaseRequested>().len(), 1);
}

#[test]
fn an_answer_to_an_earlier_attempt_changes_nothing() {
    let world = World::new();
    world.place().reserve().decline(1, true).pass(1);
    world.decline(1, false);
    assert_eq!(world.state(), OrderState::Pending);
    assert_eq!(world.saga().attempt, 2);
    world.pay();
    assert_eq!(world.state(), OrderState::Confirmed);
}

#[test]
fn a_payment_with_3ds_waits_for_the_customer_and_then_confirms() {
    let world = waiting_for_3ds();
    assert_eq!(world.state(), OrderState::AwaitingCustomer);
    world.pass(200).pay();
    assert_eq!(world.state(), OrderState::Confirmed);
    assert_eq!(world.stage.take::<Confirmed>().remove(0).payment_reference, "tx-1");
}

#[test]
fn a_customer_who_does_not_answer_their_bank_in_time_loses_the_order() {
    let world = waiting_for_3ds();
    world.pass(301);
    assert_eq!(world.state(), OrderState::Cancelled);
    let off = world.order().called_off.unwrap();
    assert_eq!(
        (off.by, off.reason.as_str()),
        (CancelledBy::PaymentFailure, "the payment was not completed in time")
    );
    // Nobody knows whether money was taken: it is asked back, then the stock is.
    let refund = world.refund_asked();
    assert!(world.stage.take::<ReleaseRequested>().is_empty());
    world.refund(refund.refund_id, Money::eur(0));
    assert_eq!(world.stage.take::<ReleaseRequested>().len(), 1);
    world.release(ReleaseReason::OrderCancelled);
    assert_eq!(world.saga().phase, Phase::Compensated);
}

#[test]
fn a_customer_whose_bank_says_no_loses_the_order() {
    let world = waiting_for_3ds();
    world.decline(1, false);
    assert_eq!(world.state(), OrderState::Cancelled);
    assert_eq!(world.stage.take::<ReleaseRequested>().len(), 1);
}

fn waiting_for_3ds() -> World {
    let world = World::with(|neighbours| neighbours.three_ds = true);
    world.place().reserve();
    world.hear(&contracts::payment::MethodValidated {
        validation_id: kernel::ValidationId::default(),
        order_id: ORDER,
        payment_method_id: "tok".into(),
        method_type: MethodType::Card,
        is_valid: true,
        available_credit: None,
        requires_3ds: Some(true),
        risk_score: None,
        validated_at: world.stage.now(),
    });
    world.hear(&contracts::payment::ProcessingStarted {
        payment_id: super::world::PAYMENT,
        order_id: ORDER,
        customer_id: CUSTOMER,
        amount: TOTAL,
        payment_method: MethodType::Card,
        processor_id: "sandbox".into(),
        started_at: world.stage.now(),
    });
    world
}

#[test]
fn a_payment_without_an_answer_fails_the_order_and_everything_is_undone() {
    let world = World::new();
    world.place().reserve().pass(301);
    assert_eq!(world.state(), OrderState::Failed);
    assert_eq!(world.stage.take::<Cancelled>().remove(0).cancelled_by, CancelledBy::System);
    let refund = world.refund_asked();
    assert_eq!(refund.amount, TOTAL);
    world.refund(refund.refund_id, TOTAL).release(ReleaseReason::OrderCancelled);
    assert_eq!(world.saga().phase, Phase::Compensated);
}

#[test]
fn a_success_after_the_deadline_is_refunded_and_never_confirms() {
    let world = World::new();
    world.place().reserve().pass(301);
    let refund = world.refund_asked();
    world.pay();
    assert_eq!(world.state(), OrderState::Failed);
    assert_eq!(world.order().payment.status, PaymentStatus::Paid);
    assert!(world.stage.take::<Confirmed>().is_empty());
    world.refund(refund.refund_id, TOTAL).release(ReleaseReason::OrderCancelled);
    assert_eq!(world.order().balance(), Ok(Money::eur(0)));
    assert_eq!(world.saga().phase, Phase::Compensated);
}

#[test]
fn money_that_arrives_after_everything_was_undone_goes_back_too() {
    let world = World::new();
    world.place().reserve().pass(301);
    let refund = world.refund_asked();
    world.refund(refund.refund_id, Money::eur(0)).release(ReleaseReason::OrderCancelled);
    assert_eq!(world.saga().phase, Phase::Compensated);
    world.pay();
    let late = world.refund_asked();
    assert_eq!(late.amount, TOTAL);
    world.refund(late.refund_id, TOTAL);
    assert_eq!(world.order().balance(), Ok(Money::eur(0)));
    let saga = world.saga_of::<crate::cancellation::Cancellation>(late.refund_id.0);
    assert_eq!(saga.phase, Phase::Completed);
    assert_eq!(world.state(), OrderState::Failed);
}

#[test]
fn a_success_that_finds_no_stock_is_undone() {
    let world = World::new();
    world.place().reserve();
    world.release(ReleaseReason::ManualRelease);
    assert_eq!(world.state(), OrderState::Pending);
    world.pay();
    assert_eq!(world.state(), OrderState::Cancelled);
    assert!(world.timeline().contains(&"process-payment void".to_owned()));
    let cancelled = world.stage.take::<Cancelled>().remove(0);
    assert!(cancelled.refund_required);
    let refund = world.refund_asked();
    world.refund(refund.refund_id, TOTAL);
    world.release(ReleaseReason::OrderCancelled);
    assert_eq!(world.saga().phase, Phase::Compensated);
}

#[test]
fn an_expired_reservation_cancels_the_order() {
    let world = World::new();
    world.place().reserve().release(ReleaseReason::ReservationExpired);
    assert_eq!(world.state(), OrderState::Cancelled);
    let refund = world.refund_asked();
    world.refund(refund.refund_id, Money::eur(0));
    assert_eq!(world.saga().phase, Phase::Compensated);
}

#[test]
fn a_reservation_that_cannot_be_kept_long_enough_cancels_before_any_charge() {
    let world = World::with(|n| n.extend = Err(Failure::Says(http::StatusCode::NOT_FOUND)));
    world.place().reserve();
    assert_eq!(world.state(), OrderState::Cancelled);
    assert!(world.stage.take::<Requested>().is_empty());
    assert_eq!(world.stage.take::<ReleaseRequested>().len(), 1);
}

#[test]
fn a_service_that_is_back_in_time_is_asked_again() {
    for failure in [Failure::Down, Failure::Silent, Failure::Says(http::StatusCode::SERVICE_UNAVAILABLE)] {
        let world = World::with(|neighbours| neighbours.standing = Err(failure));
        world.place();
        assert_eq!(world.saga().step_name, "validate-customer");
        world.tell(|neighbours| neighbours.standing = Ok(true));
        world.pass(1);
        assert_eq!(world.saga().step_name, "reserve-stock", "{failure:?}");
    }
}

#[test]
fn infrastructure_that_stays_down_fails_the_order_and_still_gives_the_stock_back() {
    let world = World::with(|neighbours| neighbours.validate = Err(Failure::Down));
    world.place().reserve().pass(1).pass(2).pass(4);
    assert_eq!(world.state(), OrderState::Failed);
    assert_eq!(world.stage.take::<ReleaseRequested>().len(), 1);
    // Inventory is back much later.
    world.pass(20).release(ReleaseReason::OrderCancelled);
    assert_eq!(world.saga().phase, Phase::Compensated);
}

#[test]
fn stock_that_is_never_answered_is_given_back_by_a_release_that_poisons_the_request() {
    let world = World::new();
    world.place().pass(61);
    assert_eq!(world.state(), OrderState::Failed);
    assert_eq!(world.stage.take::<ReleaseRequested>().len(), 1);
    // The reservation comes after all: it is recorded, and the release is answered.
    world.reserve();
    assert_eq!(world.state(), OrderState::Failed);
    world.release(ReleaseReason::OrderCancelled);
    assert_eq!(world.saga().phase, Phase::Compensated);
}

#[test]
fn calls_that_a_crash_interrupted_are_made_after_it() {
    let world = World::new();
    let config = crate::Config::default();
    let now = world.stage.now();
    world.stage.run(|ws| crate::commands::place(ws, placed(now), &config)).unwrap();
    world.stage.crash_and_resume();
    world.stage.perform_calls();
    assert_eq!(world.saga().step_name, "reserve-stock");
}

#[test]
fn no_saga_ends_before_every_parcel_is_scheduled() {
    let world = World::new();
    world.place().reserve().pay().schedule(1, POTTER);
    assert_eq!((world.saga().phase, world.state()), (Phase::Running, OrderState::Confirmed));
    world.pass(4 * 3_600);
    assert_eq!(world.saga().phase, Phase::Running);
    world.schedule(2, WEAVER);
    assert_eq!((world.saga().phase, world.state()), (Phase::Completed, OrderState::Preparing));
}

#[test]
fn the_saga_remembers_no_personal_data() {
    let world = World::prepared();
    let saga = serde_json::to_string(&world.saga()).unwrap();
    for personal in ["Ana", "Calle", "23400", "tok_visa"] {
        assert!(!saga.contains(personal), "{personal}");
    }
}

#[test]
fn only_a_payment_of_the_whole_amount_while_the_stock_is_held_confirms() {
    use crate::fulfilment::{Data, Fulfilment, Reply};
    use backbone::saga::{Outcome, Saga};
    let now = World::new().stage.now();
    let policy = crate::Config::default().policy();
    let outcome = |amount, held, late| {
        let placed = placed(now);
        let mut data = Data::new(&placed, String::new(), kernel::RefundId::default(), policy);
        data.stock_until = Some(now.plus(Duration::from_secs(60)));
        let now = now.plus(Duration::from_secs(if late { 61 } else { 60 }));
        Fulfilment::absorb(&mut data, &Reply::Paid { amount, now, held }).outcome
    };
    assert_eq!(outcome(TOTAL, true, false), Outcome::Succeeded);
    let less = Money::eur(TOTAL.amount - 1);
    for (amount, held, late) in [(TOTAL, false, false), (TOTAL, true, true), (less, true, false)] {
        assert!(matches!(outcome(amount, held, late), Outcome::Void { .. }), "{amount} {held} {late}");
    }
}
