//! One test for each row of shipping in reactions.md, and for what overtakes what.

use backbone::Refusal;
use backbone::testing::Stage;
use contracts::shipping::{ShipmentCancelled, ShipmentScheduled};
use contracts::user::Erased;
use kernel::{Duration, ErrorKind, Personal, ShipmentId};

use super::{ANA, MILL, NOON, ORDER, POTTER, address, arrival, asked, cancelled, confirmed, created, stage};
use crate::commands::dispatch;
use crate::domain::{Consignment, Dispatch, Shipment, State, Status, ZoneName};

/// Until just before addresses are dropped, counted from the stage's beginning.
const LEGAL_PERIOD: Duration = Duration::from_secs((6 * 365 + 2) * 86_400 + 3_599);
const A_WHILE: Duration = Duration::from_secs(2);

fn scheduled() -> Stage {
    let (stage, _) = stage();
    stage.receive(&created()).unwrap();
    stage.receive(&confirmed()).unwrap();
    stage
}

fn send_from_the_mill(stage: &Stage) -> ShipmentId {
    let id = stage.get::<Consignment>(ORDER).unwrap().shipment_id(MILL);
    let how = Dispatch { tracking_number: "PQ123".to_owned(), carrier: None };
    stage.run(|ws| dispatch(ws, id, Some(MILL), &how)).unwrap();
    id
}

#[test]
fn a_created_orders_items_and_address_are_kept_by_artisan() {
    let (stage, _) = stage();
    stage.receive(&created()).unwrap();
    let consignment = stage.get::<Consignment>(ORDER).unwrap();
    let contents: Vec<_> = consignment.parcels.iter().map(|p| (p.artisan_id, p.contents.len())).collect();
    assert_eq!(contents, [(MILL, 2), (POTTER, 1)]);
    let pieces = &consignment.parcels[0].contents[1];
    assert_eq!((pieces.product_id, pieces.quantity), (created().items[2].product_id, 2));
    assert_eq!(consignment.address, Some(Personal::Known(address("23001"))));
    assert_eq!((consignment.zone, consignment.state), (Some(ZoneName::Jaen), State::Noted));
    assert!(stage.published().is_empty());
}

#[test]
fn a_confirmed_order_has_one_shipment_for_each_artisan() {
    let stage = scheduled();
    let told = stage.take::<ShipmentScheduled>();
    assert_eq!(told.iter().map(|s| s.artisan_id).collect::<Vec<_>>(), [MILL, POTTER]);
    assert!(told.iter().all(|s| s.carrier == "Correos" && s.estimated_delivery == arrival()));
    assert_eq!(stage.all::<Shipment>().len(), 2);
}

#[test]
fn events_that_come_twice_schedule_once() {
    let stage = scheduled();
    let first: Vec<ShipmentId> = stage.take::<ShipmentScheduled>().iter().map(|s| s.shipment_id).collect();
    stage.receive(&created()).unwrap();
    stage.receive(&confirmed()).unwrap();
    assert!(stage.published().is_empty());
    assert_eq!(stage.get::<Consignment>(ORDER).unwrap().shipment_ids(), first);
}

#[test]
fn a_confirmation_of_an_unknown_order_is_tried_again() {
    let (stage, _) = stage();
    let refusal = stage.receive(&confirmed()).unwrap_err();
    assert!(matches!(refusal, Refusal::Failed { kind: ErrorKind::Transient, .. }));
}

#[test]
fn a_cancelled_orders_shipments_are_called_off() {
    let stage = scheduled();
    stage.clear_published();
    stage.receive(&cancelled()).unwrap();
    assert!(stage.all::<Shipment>().iter().all(|s| s.status == Status::Cancelled));
    assert_eq!(stage.take::<ShipmentCancelled>()[0].shipment_ids.len(), 2);
}

#[test]
fn an_order_cancelled_before_it_was_confirmed_never_ships() {
    let (stage, _) = stage();
    stage.receive(&created()).unwrap();
    stage.receive(&cancelled()).unwrap();
    stage.receive(&confirmed()).unwrap();
    assert!(stage.all::<Shipment>().is_empty());
    assert!(stage.published().is_empty(), "nothing was called off, and nobody asked");
}

#[test]
fn a_request_is_answered_with_all_that_is_called_off_by_it_or_before() {
    let stage = scheduled();
    stage.clear_published();
    stage.receive(&cancelled()).unwrap();
    stage.receive(&asked()).unwrap();
    stage.receive(&asked()).unwrap();
    let answers = stage.take::<ShipmentCancelled>();
    assert_eq!(answers.iter().map(|a| a.shipment_ids.len()).collect::<Vec<_>>(), [2, 2, 2]);
}

#[test]
fn a_request_is_answered_even_where_there_is_nothing_to_call_off() {
    let (stage, _) = stage();
    stage.receive(&asked()).unwrap();
    assert_eq!(stage.take::<ShipmentCancelled>()[0].shipment_ids, []);
    stage.receive(&created()).unwrap();
    stage.receive(&confirmed()).unwrap();
    assert!(stage.all::<Shipment>().is_empty(), "a cancellation that overtakes its order refuses it");
}

#[test]
fn a_parcel_that_has_left_is_not_called_off() {
    let stage = scheduled();
    let sent = send_from_the_mill(&stage);
    stage.clear_published();
    stage.receive(&asked()).unwrap();
    let answer = &stage.take::<ShipmentCancelled>()[0];
    assert_eq!(answer.shipment_ids.len(), 1);
    assert!(!answer.shipment_ids.contains(&sent));
    assert_eq!(stage.get::<Shipment>(sent).unwrap().status, Status::Dispatched);
}

#[test]
fn an_erased_persons_addresses_are_dropped_when_the_law_no_longer_wants_them() {
    let stage = scheduled();
    stage.receive(&Erased { user_id: ANA.into(), erased_at: NOON }).unwrap();
    stage.advance(LEGAL_PERIOD);
    stage.perform_calls();
    assert!(stage.get::<Consignment>(ORDER).unwrap().address.is_some(), "the law wants six years");
    stage.advance(A_WHILE);
    stage.perform_calls();
    let consignment = stage.get::<Consignment>(ORDER).unwrap();
    assert_eq!((consignment.address, consignment.zone), (None, Some(ZoneName::Jaen)));
}

#[test]
fn a_disposal_of_many_addresses_goes_on_until_none_is_left() {
    let (stage, _) = stage();
    for n in 0..450u128 {
        let mut order = created();
        order.order_id = uuid::Uuid::from_u128(0x1_0000 + n).into();
        stage.receive(&order).unwrap();
    }
    stage.receive(&Erased { user_id: ANA.into(), erased_at: NOON }).unwrap();
    stage.advance(LEGAL_PERIOD);
    for _ in 0..4 {
        stage.advance(A_WHILE);
        stage.perform_calls();
    }
    assert!(stage.all::<Consignment>().iter().all(|consignment| consignment.address.is_none()));
}

#[test]
fn an_order_whose_address_is_redacted_already_is_still_kept_and_scheduled() {
    let (stage, _) = stage();
    let mut order = created();
    order.delivery_address = Personal::Redacted;
    stage.receive(&order).unwrap();
    stage.receive(&confirmed()).unwrap();
    assert_eq!(stage.take::<ShipmentScheduled>()[0].carrier, "to be arranged");
}

#[test]
fn every_event_that_names_shipping_as_a_consumer_has_a_reaction() {
    let stage = Stage::new("shipping");
    let module = crate::module(&stage.context(), crate::Config::default());
    for event in contracts::catalogue().iter().filter(|event| event.consumers.contains(&"shipping")) {
        let reactions = module.reactions.iter().filter(|reaction| reaction.event.name == event.name);
        assert_eq!(reactions.count(), 1, "{}", event.name);
    }
}
