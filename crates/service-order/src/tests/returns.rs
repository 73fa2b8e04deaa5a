//! The return saga: received, inspected, refunded, back on stock.

use backbone::Refusal;
use backbone::saga::Phase;
use contracts::order::{Returned, StateChanged};
use contracts::payment::RefundRequested;
use contracts::shared::OrderState;
use kernel::{Money, ProductId, ReturnId};

use super::world::{BOWL, JUG, ORDER, RUG, TOTAL, World};
use crate::commands::{act, order, send_back};
use crate::domain::{Act, Inspected, Return, ReturnItem, ReturnStatus, SendBack};
use crate::returns::{OrderReturn, Reply};

fn pieces(product_id: ProductId, quantity: u32) -> ReturnItem {
    ReturnItem { product_id, variant_id: None, quantity, accepted: 0 }
}

fn ask(world: &World, items: &[ReturnItem]) -> Result<ReturnId, Refusal> {
    let config = crate::Config::default();
    world.stage.run(|ws| send_back(ws, ORDER, (items, "it does not match"), &config))
}

fn receive(world: &World, return_id: ReturnId) {
    let by = String::from("weaver");
    world
        .stage
        .run(|ws| {
            act(ws, ORDER, Act::Return(SendBack::Receive { return_id, by }))?;
            ws.reply_to_saga::<OrderReturn>(return_id.0, &Reply::Received)
        })
        .unwrap();
}

fn inspect(world: &World, return_id: ReturnId, accepted: Vec<Inspected>) {
    let inspection = SendBack::Inspect { return_id, accepted, note: None, by: "weaver".into() };
    world
        .stage
        .run(|ws| {
            act(ws, ORDER, Act::Return(inspection))?;
            let refund = order(ws, ORDER)?.sent_back(return_id).unwrap().refund;
            ws.reply_to_saga::<OrderReturn>(return_id.0, &Reply::Inspected { refund })
        })
        .unwrap();
}

fn back(world: &World, id: ReturnId) -> Return {
    world.order().sent_back(id).unwrap().clone()
}

#[test]
fn goods_are_received_inspected_refunded_and_told_of() {
    let world = World::arrived();
    world.stage.clear_published();
    let id = ask(&world, &[pieces(BOWL, 1)]).unwrap();
    receive(&world, id);
    assert!(world.stage.take::<RefundRequested>().is_empty());
    inspect(&world, id, Vec::new());
    let refund = world.refund_asked();
    assert_eq!(refund.amount, Money::eur(1_250), "a bowl is left, so the delivery is not refunded");
    assert!(world.stage.take::<Returned>().is_empty());
    world.refund(refund.refund_id, refund.amount);
    let returned = world.stage.take::<Returned>().remove(0);
    assert_eq!((returned.items[0].quantity, returned.refund_amount), (1, Money::eur(1_250)));
    assert_eq!((world.state(), back(&world, id).status), (OrderState::Delivered, ReturnStatus::Closed));
    assert_eq!(world.saga_of::<OrderReturn>(id.0).phase, Phase::Completed);
    world.check();
}

#[test]
fn an_order_that_came_back_whole_is_returned_and_its_delivery_refunded() {
    let world = World::arrived();
    world.stage.clear_published();
    for (items, worth) in [(vec![pieces(BOWL, 2)], 2_995), (vec![pieces(RUG, 1)], 8_600)] {
        let id = ask(&world, &items).unwrap();
        receive(&world, id);
        inspect(&world, id, Vec::new());
        let refund = world.refund_asked();
        assert_eq!(refund.amount, Money::eur(worth));
        world.refund(refund.refund_id, refund.amount);
    }
    assert_eq!(world.state(), OrderState::Returned);
    assert_eq!(world.stage.take::<StateChanged>().remove(0).current_state, OrderState::Returned);
    assert_eq!(world.order().balance(), Ok(Money::eur(0)));
    assert_eq!(TOTAL, Money::eur(2_995 + 8_600));
}

#[test]
fn only_what_the_inspection_accepts_is_refunded() {
    let world = World::arrived();
    let id = ask(&world, &[pieces(BOWL, 2)]).unwrap();
    receive(&world, id);
    inspect(&world, id, vec![Inspected { product_id: BOWL, variant_id: None, quantity: 1 }]);
    assert_eq!(world.refund_asked().amount, Money::eur(1_250));
}

#[test]
fn what_the_inspection_refuses_is_closed_without_a_refund() {
    let world = World::arrived();
    let id = ask(&world, &[pieces(RUG, 1)]).unwrap();
    receive(&world, id);
    inspect(&world, id, vec![Inspected { product_id: RUG, variant_id: None, quantity: 0 }]);
    assert!(world.stage.take::<RefundRequested>().is_empty());
    assert!(world.stage.take::<Returned>().is_empty());
    assert_eq!(back(&world, id).status, ReturnStatus::Rejected);
    assert_eq!(world.saga_of::<OrderReturn>(id.0).phase, Phase::Completed);
}

#[test]
fn goods_that_never_come_back_end_the_return_and_can_be_announced_again() {
    let world = World::arrived();
    let id = ask(&world, &[pieces(RUG, 1)]).unwrap();
    world.pass(30 * 86_400 + 1);
    assert_eq!(back(&world, id).status, ReturnStatus::Dropped);
    assert_eq!(world.saga_of::<OrderReturn>(id.0).phase, Phase::Compensated);
}

#[test]
fn goods_that_are_back_wait_for_their_inspection_as_long_as_it_takes() {
    let world = World::arrived();
    let id = ask(&world, &[pieces(RUG, 1)]).unwrap();
    receive(&world, id);
    world.pass(60 * 86_400);
    inspect(&world, id, Vec::new());
    assert_eq!(world.refund_asked().amount, Money::eur(8_600));
}

#[test]
fn a_refund_that_fails_is_tried_again_until_it_goes_through() {
    let world = World::arrived();
    let id = ask(&world, &[pieces(RUG, 1)]).unwrap();
    receive(&world, id);
    inspect(&world, id, Vec::new());
    let refund = world.refund_asked();
    world.fail_refund(refund.refund_id, true).pass(1);
    assert_eq!(world.refund_asked().refund_id, refund.refund_id);
    world.refund(refund.refund_id, refund.amount);
    assert_eq!(back(&world, id).status, ReturnStatus::Closed);
}

#[test]
fn returns_that_make_no_sense_are_refused() {
    let code = |world: &World, items: &[ReturnItem]| match ask(world, items) {
        Err(Refusal::Rejected(rejection)) => rejection.code,
        other => panic!("{other:?}"),
    };
    let world = World::arrived();
    assert_eq!(code(&world, &[pieces(JUG, 1)]), "not-in-order");
    assert_eq!(code(&world, &[pieces(BOWL, 3)]), "too-many-returned");
    ask(&world, &[pieces(BOWL, 2)]).unwrap();
    assert_eq!(code(&world, &[pieces(BOWL, 1)]), "too-many-returned");
    assert_eq!(code(&World::prepared(), &[pieces(BOWL, 1)]), "order-state");
    world.pass(14 * 86_400 + 1);
    assert_eq!(code(&world, &[pieces(RUG, 1)]), "return-too-late");
}
