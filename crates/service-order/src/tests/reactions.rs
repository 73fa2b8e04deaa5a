//! One test per reaction of order in reactions.md.

use backbone::Aggregate;
use contracts::inventory::{
    ReleaseReason, ReservationConfirmed, StockConfirmed, StockFailed, StockReleaseReason, StockReleased,
    StockReserved,
};
use contracts::payment::{Initiated, MethodType, MethodValidated, ProcessingStarted};
use contracts::shared::OrderState;
use contracts::user::Erased;
use kernel::{Money, OrderId, Personal, UserId, ValidationId};
use uuid::Uuid;

use super::offers::{CART, check_out};
use super::world::{BOWL, CUSTOMER, HOLD, ORDER, PAYMENT, POTTER, RUG, TOTAL, WEAVER, World};
use crate::domain::{Details, HoldStatus, Order, PaymentStatus, RefundStatus, ShipmentStatus};
use crate::views::{Quote, Shopper};

fn placed() -> World {
    let world = World::new();
    world.place();
    world
}

#[test]
fn on_reservation_confirmed_the_stock_is_reserved_and_the_saga_goes_on() {
    let world = placed();
    world.reserve();
    assert_eq!(world.order().hold.status, HoldStatus::Held);
    assert!(world.timeline().contains(&"reserve-stock succeeded".to_owned()));
}

#[test]
fn on_stock_failed_the_reservation_has_failed_with_its_shortages() {
    let world = placed();
    world.hear(&StockFailed {
        reservation_id: HOLD,
        order_id: ORDER,
        shortages: vec![contracts::shared::Shortage {
            product_id: RUG,
            variant_id: None,
            requested: 1,
            available: 0,
        }],
        reason: "not enough stock".into(),
        failed_at: world.stage.now(),
    });
    let order = world.order();
    assert_eq!(order.hold.status, HoldStatus::Refused);
    assert!(order.hold.reason.unwrap().contains("1 of product"));
    assert!(world.timeline().contains(&"reserve-stock failed".to_owned()));
    assert_eq!(world.state(), OrderState::Cancelled);
}

#[test]
fn on_stock_reserved_confirmed_and_released_the_quantities_of_the_line_follow() {
    let world = placed();
    let at = world.stage.now();
    let (reservation_id, product_id, variant_id, order_id) = (HOLD, BOWL, None, ORDER);
    world.hear(&StockReserved {
        reservation_id,
        product_id,
        variant_id,
        order_id,
        quantity_reserved: 2,
        remaining_stock: 8,
        reservation_expiry: at,
    });
    world.hear(&StockConfirmed {
        reservation_id,
        product_id,
        variant_id,
        order_id,
        quantity_confirmed: 1,
        remaining_stock: 8,
        confirmed_at: at,
    });
    world.hear(&StockReleased {
        reservation_id,
        product_id,
        variant_id,
        order_id,
        quantity_released: 1,
        reason: StockReleaseReason::ManualRelease,
        new_stock: 9,
    });
    let line = world.order().items[0].clone();
    assert_eq!((line.reserved, line.confirmed, line.released), (2, 1, 1));
    world.check();
}

#[test]
fn on_reservation_released_the_compensation_is_answered() {
    let world = placed();
    world.reserve().decline(1, false).release(ReleaseReason::OrderCancelled);
    assert!(world.timeline().contains(&"undo:reserve-stock succeeded".to_owned()));
}

#[test]
fn on_a_reservation_that_expired_under_a_running_saga_the_order_is_cancelled() {
    let world = placed();
    world.reserve().release(ReleaseReason::ReservationExpired);
    assert_eq!(world.state(), OrderState::Cancelled);
    assert_eq!(world.order().called_off.unwrap().reason, "the hold on stock expired");
}

#[test]
fn on_payment_method_validated_the_payment_shows_it() {
    let world = placed();
    validated(&world, false);
    let payment = world.order().payment;
    assert_eq!((payment.status, payment.method), (PaymentStatus::Validated, Some(MethodType::Card)));
}

fn validated(world: &World, three_ds: bool) {
    world.hear(&MethodValidated {
        validation_id: ValidationId::default(),
        order_id: ORDER,
        payment_method_id: "tok".into(),
        method_type: MethodType::Card,
        is_valid: true,
        available_credit: None,
        requires_3ds: Some(three_ds),
        risk_score: None,
        validated_at: world.stage.now(),
    });
}

fn processing(world: &World) {
    world.hear(&ProcessingStarted {
        payment_id: PAYMENT,
        order_id: ORDER,
        customer_id: CUSTOMER,
        amount: TOTAL,
        payment_method: MethodType::Card,
        processor_id: "sandbox".into(),
        started_at: world.stage.now(),
    });
}

#[test]
fn on_payment_initiated_and_processing_started_the_payment_shows_it() {
    let world = placed();
    world.reserve();
    world.hear(&Initiated {
        payment_id: PAYMENT,
        order_id: ORDER,
        customer_id: CUSTOMER,
        amount: TOTAL,
        payment_method: MethodType::Card,
    });
    assert_eq!(world.order().payment.status, PaymentStatus::Initiated);
    processing(&world);
    let order = world.order();
    assert_eq!(order.payment.status, PaymentStatus::Processing);
    assert_eq!((order.payment.gateway.as_deref(), order.state), (Some("sandbox"), OrderState::Pending));
}

#[test]
fn a_payment_that_needs_3ds_turns_the_order_awaiting_customer() {
    let world = placed();
    world.reserve();
    validated(&world, true);
    world.stage.clear_published();
    processing(&world);
    assert_eq!(world.state(), OrderState::AwaitingCustomer);
    assert_eq!(world.told(), ["order.state.changed.v1"]);
}

#[test]
fn on_payment_succeeded_the_order_is_confirmed() {
    let world = placed();
    world.reserve().pay();
    assert_eq!(world.state(), OrderState::Confirmed);
    assert!(world.timeline().contains(&"process-payment succeeded".to_owned()));
}

#[test]
fn on_payment_failed_the_saga_retries_where_that_may_help_and_else_compensates() {
    let world = placed();
    world.reserve().decline(1, true);
    assert_eq!(world.state(), OrderState::Pending);
    world.pass(1).decline(2, false);
    assert_eq!(world.state(), OrderState::Cancelled);
}

#[test]
fn on_refund_processed_the_compensation_is_settled() {
    let world = placed();
    world.reserve().pass(301);
    let refund = world.refund_asked();
    world.refund(refund.refund_id, TOTAL);
    assert_eq!(world.order().refunds[0].status, RefundStatus::Processed);
    assert!(world.timeline().contains(&"undo:process-payment succeeded".to_owned()));
}

#[test]
fn on_refund_failed_for_good_the_saga_is_blocked() {
    let world = placed();
    world.reserve().pass(301);
    let refund = world.refund_asked();
    world.fail_refund(refund.refund_id, false).release(ReleaseReason::OrderCancelled);
    assert_eq!(world.order().refunds[0].status, RefundStatus::Failed);
    assert_eq!(world.saga().phase, backbone::saga::Phase::Blocked);
}

#[test]
fn a_refund_that_an_operator_made_is_recorded() {
    let world = World::prepared();
    world.refund(kernel::RefundId(Uuid::from_u128(9)), Money::eur(100));
    assert_eq!(world.order().balance(), Ok(Money::eur(TOTAL.amount - 100)));
}

#[test]
fn on_shipment_scheduled_the_order_is_preparing_when_every_artisan_has_a_parcel() {
    let world = placed();
    world.reserve().pay().schedule(1, POTTER);
    assert_eq!(world.state(), OrderState::Confirmed);
    world.schedule(2, WEAVER);
    assert_eq!(world.state(), OrderState::Preparing);
}

#[test]
fn on_shipment_dispatched_the_order_is_shipped_when_all_are() {
    let world = World::prepared();
    world.stage.clear_published();
    world.dispatch(1, POTTER);
    assert_eq!(world.state(), OrderState::Preparing);
    world.dispatch(2, WEAVER);
    assert_eq!(world.state(), OrderState::Shipped);
    assert_eq!(world.told(), ["order.shipped.v1", "order.state.changed.v1"]);
}

#[test]
fn on_shipment_delivered_the_order_is_delivered_when_all_are() {
    let world = World::prepared();
    world.dispatch(1, POTTER).dispatch(2, WEAVER).deliver(1, POTTER);
    assert_eq!(world.state(), OrderState::Shipped);
    world.stage.clear_published();
    world.deliver(2, WEAVER);
    assert_eq!(world.told(), ["order.delivered.v1", "order.state.changed.v1"]);
    assert_eq!(world.order().delivered_at, Some(world.stage.now()));
}

#[test]
fn on_shipment_cancelled_the_parcel_is_off_and_nothing_else_happens_unasked() {
    let world = World::prepared();
    world.hear(&contracts::shipping::ShipmentCancelled {
        order_id: ORDER,
        shipment_ids: vec![kernel::ShipmentId(Uuid::from_u128(1))],
        reason: "the carrier had an accident".into(),
        cancelled_at: world.stage.now(),
    });
    assert_eq!(world.order().shipments[0].status, ShipmentStatus::Cancelled);
    assert_eq!(world.state(), OrderState::Preparing);
}

#[test]
fn on_cart_checkout_a_quote_is_prepared_and_no_order_is_made() {
    let world = World::new();
    let quote = check_out(&world);
    assert_eq!((quote.cart_id, quote.total), (Some(CART), Money::eur(10_500)));
    assert!(world.stage.all::<Details>().is_empty());
    assert!(world.told().is_empty());
}

#[test]
fn on_user_erased_personal_fields_read_redacted_and_what_is_not_accounting_goes() {
    let world = placed();
    check_out(&world);
    world.hear(&Erased { user_id: UserId::from(CUSTOMER), erased_at: world.stage.now() });
    assert!(world.stage.get::<Quote>(CART).is_none());
    assert!(world.stage.get::<Shopper>(CUSTOMER).is_none());
    // The engine reads an erased person's fields like this.
    let mut document = serde_json::to_value(world.order()).unwrap();
    for field in crate::domain::PERSONAL {
        if let Some(value) = document.get_mut(field) {
            *value = serde_json::json!({"redacted": true});
        }
    }
    let order: Details = serde_json::from_value(document).unwrap();
    assert_eq!(order.delivery_address, Personal::Redacted);
    assert_eq!(order.total, TOTAL);
}

#[test]
fn an_order_of_an_erased_person_still_comes_to_its_end() {
    let world = placed();
    let mut state = world.stage.state::<Order>(ORDER);
    let order = state.0.as_mut().unwrap();
    order.delivery_address = Personal::Redacted;
    order.payment_method_id = Some(Personal::Redacted);
    let held = crate::domain::Event::ReservationHeld { until: world.stage.now(), at: world.stage.now() };
    let state = Order::evolve(state, &held);
    assert!(Order::view("1", &state).is_some());
}

#[test]
fn events_about_orders_that_are_not_ours_are_taken_in_without_effect() {
    let world = World::new();
    world.stage.clear_published();
    world.hear(&ReservationConfirmed {
        reservation_id: HOLD,
        order_id: OrderId(Uuid::from_u128(0xFF)),
        reserved_items: Vec::new(),
        expires_at: world.stage.now(),
        total_reserved: 1,
    });
    assert!(world.told().is_empty());
}

#[test]
fn the_module_reacts_to_every_event_that_the_published_language_sends_here() {
    let module = crate::module(&world_context(), crate::Config::default());
    let registered: Vec<_> = module.reactions.iter().map(|reaction| reaction.event.name).collect();
    let wanted = contracts::catalogue().iter().filter(|event| event.consumers.contains(&"order"));
    for event in wanted {
        assert!(registered.contains(&event.name), "{}", event.name);
    }
    let published: Vec<_> = module.publishes.iter().map(|event| event.name).collect();
    let own = contracts::catalogue().iter().filter(|event| event.producer == "order");
    for event in own {
        assert!(published.contains(&event.name), "{}", event.name);
    }
    assert!(module.publishes.iter().all(|event| event.producer == "order"));
}

fn world_context() -> backbone::Context {
    World::new().stage.context()
}
