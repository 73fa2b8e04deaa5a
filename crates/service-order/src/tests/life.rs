//! The states of an order: what each allows, and what each refuses.

use backbone::{Aggregate, Announcements};
use contracts::inventory::Priority;
use contracts::order::CancelledBy;
use contracts::shared::OrderState::{self, *};
use kernel::{Money, RefundId, Timestamp};

use super::world::{HOLD, ORDER, PAYMENT, TOTAL, placed};
use crate::domain::{Act, Cancel, Command, Event, Keep, Order, Pay, State, allows};

fn now() -> Timestamp {
    Timestamp::from_micros(1_767_607_200_000_000)
}

fn after(events: &[Event]) -> State {
    events.iter().fold(State::default(), Order::evolve)
}

fn decide(state: &State, act: Act) -> Result<Vec<Event>, &'static str> {
    Order::decide(state, Command { at: now(), act }).map_err(|rejection| rejection.code)
}

fn new() -> Vec<Event> {
    vec![Event::Placed(Box::new(placed(now())))]
}

/// An order in a state, by the events that lead there.
fn in_state(state: OrderState) -> State {
    let at = now();
    let held = [
        Event::ReservationAsked { until: at, priority: Priority::Normal, at },
        Event::ReservationHeld { until: at, at },
    ];
    let paid = Event::PaymentTaken {
        payment_id: PAYMENT,
        reference: "tx".into(),
        gateway: "sandbox".into(),
        amount: TOTAL,
        at,
    };
    let ready = new().into_iter().chain(held).chain([paid]).collect::<Vec<_>>();
    let confirmed = Event::Confirmed { from: Pending, reference: "tx".into(), at };
    let preparing = Event::Preparing { from: Confirmed, at };
    let shipped = Event::Shipped { from: Preparing, at };
    let delivered = Event::Delivered { from: Shipped, at };
    let cancelled = Event::Cancelled {
        from: Pending,
        reason: "why".into(),
        by: CancelledBy::Customer,
        changed_by: "ana".into(),
        at,
    };
    let returned = Event::ReturnClosed { return_id: Default::default(), from: Delivered, whole: true, at };
    let more = match state {
        Pending => vec![],
        AwaitingCustomer => vec![Event::AwaitingCustomer { from: Pending, at }],
        Confirmed => vec![confirmed],
        Preparing => vec![confirmed, preparing],
        Shipped => vec![confirmed, preparing, shipped],
        Delivered => vec![confirmed, preparing, shipped, delivered],
        Cancelled => vec![cancelled],
        Failed => vec![Event::Failed { from: Pending, reason: "why".into(), at }],
        Returned => vec![confirmed, preparing, shipped, delivered, returned],
    };
    after(&ready.into_iter().chain(more).collect::<Vec<_>>())
}

#[test]
fn the_way_of_an_order_is_this_table_and_no_other() {
    let table = [
        (Pending, vec![AwaitingCustomer, Confirmed, Cancelled, Failed]),
        (AwaitingCustomer, vec![Confirmed, Cancelled, Failed]),
        (Confirmed, vec![Preparing, Cancelled]),
        (Preparing, vec![Shipped, Cancelled]),
        (Shipped, vec![Delivered]),
        (Delivered, vec![Returned]),
        (Cancelled, vec![]),
        (Failed, vec![]),
        (Returned, vec![]),
    ];
    for (from, allowed) in table {
        for to in OrderState::ALL {
            assert_eq!(allows(from, *to), allowed.contains(to), "{from} → {to}");
        }
    }
}

/// Every command that changes the state, in every state: what is not allowed is refused, or does
/// nothing where it is done already.
#[test]
fn every_illegal_change_of_state_is_refused() {
    let cancel = || Cancel::Now { reason: "why".into(), by: CancelledBy::System, changed_by: "order".into() };
    for from in OrderState::ALL.iter().copied() {
        let state = in_state(from);
        assert_eq!(state.0.as_ref().unwrap().state, from);

        let confirmed = decide(&state, Act::Confirm);
        assert_eq!(confirmed.is_ok(), matches!(from, Pending | AwaitingCustomer), "confirm {from}");

        let called_off = decide(&state, Act::Cancel(cancel()));
        match from {
            Pending | AwaitingCustomer => assert_eq!(called_off.unwrap().len(), 1),
            Cancelled | Failed => assert_eq!(called_off, Ok(vec![])),
            Confirmed | Preparing => assert_eq!(called_off, Err("order-busy"), "only by its saga"),
            _ => assert_eq!(called_off, Err("order-state"), "cancel {from}"),
        }

        let given_up = decide(&state, Act::Cancel(Cancel::GiveUp { reason: "down".into() }));
        match from {
            Pending | AwaitingCustomer => assert_eq!(given_up.unwrap().len(), 1),
            Cancelled | Failed => assert_eq!(given_up, Ok(vec![])),
            _ => assert_eq!(given_up, Err("order-state"), "give up {from}"),
        }

        let wish = Cancel::Ask {
            refund_id: RefundId::default(),
            reason: "why".into(),
            by: CancelledBy::Customer,
            asked_by: "ana".into(),
        };
        let wished = decide(&state, Act::Cancel(wish));
        assert_eq!(wished.is_ok(), matches!(from, Confirmed | Preparing), "wish {from}");

        let reserve = Keep::Request { until: now(), priority: Priority::Normal };
        let reserved = decide(&state, Act::Stock(reserve));
        assert_eq!(reserved.is_ok(), matches!(from, Pending | AwaitingCustomer), "reserve {from}");

        let charge = Pay::Request {
            payment_id: PAYMENT,
            attempt: 1,
            deadline: now(),
            payment_method_id: "tok".into(),
        };
        let charged = decide(&state, Act::Payment(charge));
        assert_eq!(charged.is_ok(), matches!(from, Pending | AwaitingCustomer), "charge {from}");

        assert_eq!(decide(&state, Act::Place(Box::new(placed(now())))), Err("order-already-placed"));
    }
}

#[test]
fn nothing_can_be_asked_of_an_order_that_was_not_placed() {
    assert_eq!(decide(&State::default(), Act::Confirm), Err("order-unknown"));
}

#[test]
fn an_order_is_never_confirmed_without_payment_and_stock() {
    let at = now();
    let held = || {
        [
            Event::ReservationAsked { until: at, priority: Priority::Normal, at },
            Event::ReservationHeld { until: at, at },
        ]
    };
    let paid = || Event::PaymentTaken {
        payment_id: PAYMENT,
        reference: "tx".into(),
        gateway: "sandbox".into(),
        amount: TOTAL,
        at,
    };
    let given = |more: Vec<Event>| after(&new().into_iter().chain(more).collect::<Vec<_>>());
    assert_eq!(decide(&given(vec![]), Act::Confirm), Err("order-not-ready"));
    assert_eq!(decide(&given(vec![paid()]), Act::Confirm), Err("order-not-ready"));
    assert_eq!(decide(&given(held().into()), Act::Confirm), Err("order-not-ready"));
    let released =
        Event::ReservationReleased { reason: contracts::inventory::ReleaseReason::ManualRelease, at };
    let gone = held().into_iter().chain([paid(), released]).collect();
    assert_eq!(decide(&given(gone), Act::Confirm), Err("order-not-ready"));
    let ready = held().into_iter().chain([paid()]).collect();
    assert!(decide(&given(ready), Act::Confirm).is_ok());
}

#[test]
fn every_change_of_state_is_told() {
    for to in [AwaitingCustomer, Confirmed, Preparing, Shipped, Delivered, Cancelled, Failed] {
        let state = in_state(to);
        let at = now();
        let event = match to {
            AwaitingCustomer => Event::AwaitingCustomer { from: Pending, at },
            Confirmed => Event::Confirmed { from: Pending, reference: "tx".into(), at },
            Preparing => Event::Preparing { from: Confirmed, at },
            Shipped => Event::Shipped { from: Preparing, at },
            Delivered => Event::Delivered { from: Shipped, at },
            Failed => Event::Failed { from: Pending, reason: "why".into(), at },
            _ => Event::Cancelled {
                from: Pending,
                reason: "why".into(),
                by: CancelledBy::System,
                changed_by: "order".into(),
                at,
            },
        };
        let mut told = Announcements::default();
        Order::announce(&state, &event, &mut told);
        let kinds: Vec<_> = told.iter().map(|told| told.kind.name).collect();
        assert_eq!(kinds.iter().filter(|kind| **kind == "order.state.changed.v1").count(), 1, "{to}");
    }
}

#[test]
fn every_event_survives_being_written_and_read() {
    let at = now();
    let events = [
        Event::Placed(Box::new(placed(at))),
        Event::RefundAsked {
            refund_id: RefundId::default(),
            purpose: crate::domain::RefundFor::Change(ORDER.0),
            amount: Money::eur(1),
            reason: "why".into(),
            at,
        },
        Event::StockMoved {
            movement: crate::domain::Movement::Reserved,
            reservation_id: HOLD,
            product_id: super::world::BOWL,
            variant_id: None,
            quantity: 1,
            at,
        },
    ];
    for event in events {
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(json.as_object().unwrap().keys().next().unwrap(), event.name());
        assert_eq!(serde_json::from_value::<Event>(json).unwrap(), event);
    }
}

#[test]
fn personal_fields_stand_where_the_engine_looks_for_them() {
    let event = Event::Placed(Box::new(crate::domain::Placed {
        guest_email: Some("a@b.es".to_owned().into()),
        guest_name: Some("Ana".to_owned().into()),
        metadata: Some(crate::domain::Metadata::default().into()),
        ..placed(now())
    }));
    let json = serde_json::to_value(&event).unwrap();
    let document = serde_json::to_value(after(&[event]).0.unwrap()).unwrap();
    for field in crate::domain::PERSONAL {
        assert!(!json["placed"][field].is_null(), "event {field}");
        assert!(!document[field].is_null(), "document {field}");
    }
}
