//! One test for each row of notification in reactions.md: who is told what.

use backbone::testing::Stage;
use contracts::auth::{ChallengeIssued, ChallengeKind};
use contracts::cart::{Abandoned, CheckoutInitiated};
use contracts::chat::MessageSent;
use contracts::loyalty::{ChangeReason, PointsChanged};
use contracts::order::{
    Cancelled, CancelledBy, Confirmed, Delivered, ItemsModified, Returned, Shipped, StateChanged,
};
use contracts::payment::{Failed, RefundProcessed, Succeeded};
use contracts::product::Reviewed;
use contracts::shared::{Locale, OrderState};
use contracts::shipping::{ShipmentCancelled, ShipmentDelivered, ShipmentDispatched, ShipmentScheduled};
use contracts::user::{EmailVerified, ProfileUpdated, SegmentChanged};
use kernel::{CartId, Duration, Money, PaymentId, Personal, ProductId, RefundId, ShipmentId};
use uuid::Uuid;

use super::{
    ANA, MILL, NOON, ORDER, POTTER, ana, created, days, deliver_scheduled, item, prefer, registered, said,
    stage, told,
};
use crate::domain::{Notification, Recipient, State};

/// A stage that knows Ana's order.
fn ordered() -> Stage {
    let (stage, _) = stage();
    stage.receive(&created()).unwrap();
    deliver_scheduled(&stage);
    stage
}

fn to_ana(template: &str) -> (Uuid, String) {
    (ANA.0, template.to_owned())
}

fn to_mill(template: &str) -> (Uuid, String) {
    (MILL.0, template.to_owned())
}

fn to_potter(template: &str) -> (Uuid, String) {
    (POTTER.0, template.to_owned())
}

#[test]
fn a_created_order_is_acknowledged_to_the_customer() {
    let (stage, _) = stage();
    assert_eq!(told(&stage, &created()), [to_ana("order-received")]);
}

#[test]
fn a_confirmed_order_is_told_to_the_customer_and_to_each_artisan_once() {
    let confirmed = Confirmed {
        order_id: ORDER,
        customer_id: ANA,
        payment_reference: "ref".to_owned(),
        estimated_delivery: days(),
        confirmed_at: NOON,
    };
    let expected = [to_ana("order-confirmed"), to_mill("order-to-prepare"), to_potter("order-to-prepare")];
    assert_eq!(told(&ordered(), &confirmed), expected);
    assert_eq!(told(&stage().0, &confirmed), [to_ana("order-confirmed")], "an order from before");
}

#[test]
fn a_cancelled_order_is_told_to_the_customer_and_to_each_artisan() {
    let cancelled = Cancelled {
        order_id: ORDER,
        customer_id: ANA,
        reason: "out of stock".to_owned(),
        cancelled_by: CancelledBy::System,
        refund_required: false,
        cancelled_at: NOON,
    };
    let expected = [to_ana("order-cancelled"), to_mill("order-called-off"), to_potter("order-called-off")];
    assert_eq!(told(&ordered(), &cancelled), expected);
}

#[test]
fn a_shipped_a_delivered_and_a_returned_order_are_told_to_the_customer() {
    let stage = ordered();
    let shipped = Shipped { order_id: ORDER, customer_id: ANA, shipments: Vec::new(), shipped_at: NOON };
    assert_eq!(told(&stage, &shipped), [to_ana("order-shipped")]);
    let delivered = Delivered { order_id: ORDER, customer_id: ANA, delivered_at: NOON };
    assert_eq!(told(&stage, &delivered), [to_ana("order-delivered")]);
    let returned = Returned {
        return_id: kernel::ReturnId::default(),
        order_id: ORDER,
        customer_id: ANA,
        items: vec![item(MILL)],
        reason: "broken".to_owned(),
        refund_amount: Money::eur(1_700),
        returned_at: NOON,
    };
    assert_eq!(told(&stage, &returned), [to_ana("order-returned")]);
}

#[test]
fn a_changed_state_is_told_where_no_other_event_tells_it() {
    let stage = ordered();
    let changed = |current_state| StateChanged {
        order_id: ORDER,
        previous_state: OrderState::Pending,
        current_state,
        reason: "3-D Secure".to_owned(),
        changed_by: "order".to_owned(),
        changed_at: NOON,
    };
    assert_eq!(told(&stage, &changed(OrderState::AwaitingCustomer)), [to_ana("order-needs-you")]);
    assert_eq!(told(&stage, &changed(OrderState::Failed)), [to_ana("order-failed")]);
    assert_eq!(told(&stage, &changed(OrderState::Confirmed)), []);
}

#[test]
fn changed_items_are_told_with_the_new_total() {
    let modified = ItemsModified {
        order_id: ORDER,
        added_items: Vec::new(),
        removed_items: vec![item(MILL)],
        modified_items: Vec::new(),
        new_total_amount: Money::eur(3_400),
        modified_by: ANA.to_string(),
        modified_at: NOON,
    };
    let stage = ordered();
    assert_eq!(told(&stage, &modified), [to_ana("order-changed")]);
    assert!(said(&stage, "order-changed").contains(&Money::eur(3_400).to_string()));
}

#[test]
fn a_payment_gives_a_receipt_and_a_refund_a_notice() {
    let (stage, _) = stage();
    let succeeded = Succeeded {
        payment_id: PaymentId::default(),
        order_id: ORDER,
        customer_id: ANA,
        transaction_id: "tx".to_owned(),
        amount: Money::eur(5_100),
        gateway: "sandbox".to_owned(),
        processed_at: NOON,
    };
    assert_eq!(told(&stage, &succeeded), [to_ana("payment-receipt")]);
    let receipt = said(&stage, "payment-receipt");
    assert!(receipt.contains(&Money::eur(5_100).to_string()) && receipt.contains("tx"), "{receipt}");
    let refunded = RefundProcessed {
        refund_id: RefundId::default(),
        original_payment_id: PaymentId::default(),
        order_id: ORDER,
        customer_id: ANA,
        amount: Money::eur(5_100),
        reason: "cancelled".to_owned(),
        processed_at: NOON,
    };
    assert_eq!(told(&stage, &refunded), [to_ana("payment-refunded")]);
}

#[test]
fn a_failed_payment_says_what_to_do_when_it_is_not_tried_again() {
    let (stage, _) = stage();
    let failed = |retryable| Failed {
        payment_id: PaymentId::default(),
        order_id: ORDER,
        customer_id: ANA,
        error_code: "card_declined".to_owned(),
        error_message: "The card was declined.".to_owned(),
        attempt: 1,
        retryable,
        failed_at: NOON,
    };
    assert_eq!(told(&stage, &failed(false)), [to_ana("payment-failed")]);
    let words = said(&stage, "payment-failed");
    assert!(words.contains("The card was declined.") && words.contains("another way to pay"), "{words}");
    assert_eq!(told(&stage, &failed(true)), []);
}

#[test]
fn who_registers_is_welcomed_and_known_by_language_and_address() {
    let (stage, _) = stage();
    assert_eq!(told(&stage, &registered()), [to_ana("welcome")]);
    let known = stage.get::<Recipient>(ana()).unwrap();
    assert_eq!((known.locale, known.email), (Locale::En, Personal::Known("ana@example.org".to_owned())));
}

#[test]
fn a_verified_address_and_a_changed_profile_are_told() {
    let (stage, _) = stage();
    let verified = EmailVerified { user_id: ANA.into(), verified_at: NOON };
    assert_eq!(told(&stage, &verified), [to_ana("email-verified")]);
    let values = |name: &str| serde_json::Map::from_iter([("firstName".to_owned(), name.into())]);
    let updated = ProfileUpdated {
        user_id: ANA.into(),
        changed_fields: vec!["firstName".to_owned()],
        previous_values: values("Ana").into(),
        new_values: values("Ana María").into(),
        updated_at: NOON,
    };
    assert_eq!(told(&stage, &updated), [to_ana("profile-changed")]);
    assert_eq!(stage.get::<Recipient>(ana()).unwrap().name, Personal::Known("Ana María".to_owned()));
}

#[test]
fn changed_preferences_and_segments_change_what_is_sent_and_say_nothing() {
    let (stage, _) = stage();
    prefer(&stage, false, Some("22:00-08:00"));
    let changed = SegmentChanged {
        user_id: ANA.into(),
        previous_segments: Vec::new(),
        current_segments: vec!["vip".to_owned()],
        triggers: Vec::new(),
        changed_at: NOON,
    };
    assert_eq!(told(&stage, &changed), []);
    let known = stage.get::<Recipient>(ana()).unwrap();
    assert!(!known.wants_news);
    assert_eq!((known.quiet_hours.as_deref(), known.segments), (Some("22:00-08:00"), vec!["vip".to_owned()]));
}

#[test]
fn a_challenge_is_sent_with_its_token() {
    let (stage, _) = stage();
    for (kind, template) in
        [(ChallengeKind::VerifyEmail, "verify-email"), (ChallengeKind::ResetPassword, "reset-password")]
    {
        let issued = ChallengeIssued {
            challenge_id: kernel::ChallengeId::default(),
            user_id: ANA.into(),
            kind,
            token: "482 913".to_owned().into(),
            expires_at: NOON.plus(Duration::from_secs(3_600)),
        };
        assert_eq!(told(&stage, &issued), [to_ana(template)]);
        assert!(said(&stage, template).contains("482 913"));
    }
}

#[test]
fn a_review_points_and_a_chat_message_are_told_to_whom_they_concern() {
    let (stage, _) = stage();
    let reviewed = Reviewed {
        review_id: kernel::ReviewId::default(),
        product_id: ProductId::default(),
        artisan_id: MILL,
        order_id: ORDER,
        customer_id: ANA,
        rating: 5,
        satisfaction: 5,
        reviewed_at: NOON,
    };
    assert_eq!(told(&stage, &reviewed), [to_mill("new-review")]);
    let points = PointsChanged {
        user_id: ANA.into(),
        delta: -5,
        balance: 10,
        reason: ChangeReason::Redeemed,
        order_id: None,
        changed_at: NOON,
    };
    assert_eq!(told(&stage, &points), [to_ana("points-changed")]);
    assert_eq!(said(&stage, "points-changed"), "You have 10 points. Change: -5.");
    let sent = MessageSent {
        message_id: kernel::MessageId::default(),
        conversation_id: kernel::ConversationId::default(),
        sender_id: ANA.into(),
        recipient_id: MILL.0.into(),
        preview: "Hello".to_owned().into(),
        sent_at: NOON,
    };
    assert_eq!(told(&stage, &sent), [to_mill("chat-unread")]);
    let all = serde_json::to_string(&stage.all::<Notification>()).unwrap();
    assert!(!all.contains("Hello"), "the sender's words stay where the sender's erasure reaches them");
}

const CART: CartId = CartId(Uuid::from_u128(0xCA));

fn abandoned() -> Abandoned {
    Abandoned {
        cart_id: CART,
        customer_id: Some(ANA),
        items: vec![item(MILL)],
        total: Money::eur(1_700),
        last_activity_at: NOON,
        abandoned_at: NOON,
    }
}

#[test]
fn an_abandoned_carts_owner_is_reminded_after_a_while() {
    let (stage, _) = stage();
    assert_eq!(told(&stage, &abandoned()), [to_ana("cart-reminder")]);
    assert_eq!(stage.all::<Notification>()[0].state, State::Queued);
    stage.advance(Duration::from_secs(30 * 60));
    assert_eq!(stage.all::<Notification>()[0].state, State::Delivered);
    let nobody = Abandoned { customer_id: None, ..abandoned() };
    assert_eq!(told(&stage, &nobody), []);
}

#[test]
fn who_goes_to_the_checkout_is_not_reminded() {
    let (stage, _) = stage();
    told(&stage, &abandoned());
    let checkout = CheckoutInitiated {
        cart_id: CART,
        customer_id: ANA,
        items: vec![item(MILL)],
        total: Money::eur(1_700),
        initiated_at: NOON,
    };
    assert_eq!(told(&stage, &checkout), []);
    assert!(stage.all::<Notification>().is_empty());
    assert_eq!(told(&stage, &checkout), [], "a checkout without a reminder changes nothing");
}

#[test]
fn an_orders_parcels_are_told_to_its_customer() {
    let stage = ordered();
    let shipment_id = ShipmentId(Uuid::from_u128(0x51));
    let scheduled = ShipmentScheduled {
        shipment_id,
        order_id: ORDER,
        artisan_id: MILL,
        carrier: "Correos".to_owned(),
        pickup: days(),
        estimated_delivery: days(),
        scheduled_at: NOON,
    };
    assert_eq!(told(&stage, &scheduled), [to_ana("parcel-scheduled")]);
    let dispatched = ShipmentDispatched {
        shipment_id,
        order_id: ORDER,
        artisan_id: MILL,
        carrier: "Correos".to_owned(),
        tracking_number: "PQ123".to_owned(),
        dispatched_at: NOON,
    };
    assert_eq!(told(&stage, &dispatched), [to_ana("parcel-dispatched")]);
    assert!(said(&stage, "parcel-dispatched").contains("Correos, tracking number PQ123"));
    let delivered = ShipmentDelivered {
        shipment_id,
        order_id: ORDER,
        artisan_id: MILL,
        on_time: true,
        delivered_at: NOON,
        proof: None,
    };
    assert_eq!(told(&stage, &delivered), [to_ana("parcel-delivered")]);
}

#[test]
fn called_off_parcels_are_told_and_an_empty_answer_is_not() {
    let stage = ordered();
    let cancelled = |shipment_ids| ShipmentCancelled {
        order_id: ORDER,
        shipment_ids,
        reason: "changed my mind".to_owned(),
        cancelled_at: NOON,
    };
    assert_eq!(told(&stage, &cancelled(vec![ShipmentId::default()])), [to_ana("parcel-cancelled")]);
    assert_eq!(told(&stage, &cancelled(Vec::new())), []);
}

#[test]
fn a_message_that_cannot_be_handled_is_tried_again_five_times() {
    let stage = Stage::new("notification");
    let module = crate::module(&stage.context(), crate::Config::default());
    let waits: Vec<u64> = module.retries.iter().map(|wait| wait.as_secs()).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16]);
}

#[test]
fn every_event_that_names_notification_as_a_consumer_has_a_reaction() {
    let stage = Stage::new("notification");
    let module = crate::module(&stage.context(), crate::Config::default());
    for event in contracts::catalogue().iter().filter(|event| event.consumers.contains(&"notification")) {
        let reactions = module.reactions.iter().filter(|reaction| reaction.event.name == event.name);
        assert_eq!(reactions.count(), 1, "{}", event.name);
    }
}
