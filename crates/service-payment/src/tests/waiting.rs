//! Payments that wait: for the customer's bank, for a transfer, for the withdrawal period.

use contracts::payment::{Failed, ProcessingStarted, Requested, Succeeded};
use kernel::{Duration, Money, PaymentId};

use super::bank::{Act, asks, charged};
use super::samples::*;
use crate::commands::waiting;
use crate::domain::shares::Role;
use crate::domain::{Event, Payment};
use crate::ports::{Answer, Gateway};
use crate::views::Status;

const KEY: &str = "00000000-0000-0000-0000-00000000000a/charge/1";

fn asked() -> Market {
    let market = Market::with_order();
    market.bank.will([Act::Says(asks())]);
    market.stage.receive(&requested(1)).unwrap();
    market.settle();
    market
}

fn transfer() -> Market {
    let market = Market::with_order();
    let request = Requested { payment_method_id: "transfer".to_owned(), ..requested(1) };
    market.stage.receive(&request).unwrap();
    market.settle();
    market
}

fn answer(market: &Market, given: &str) -> bool {
    let done = market.stage.run(|ws| waiting::answer_three_ds(ws, PAYMENT, given));
    market.settle();
    done.is_ok()
}

#[test]
fn processing_started_is_published_before_the_wait_for_the_bank() {
    let market = asked();
    assert_eq!(market.stage.take::<ProcessingStarted>().len(), 1);
    assert!(market.stage.take::<Succeeded>().is_empty());
    let payment = market.payment(PAYMENT);
    assert_eq!(payment.status, Status::AwaitingCustomer);
    assert_eq!(payment.challenge.unwrap().token, "question-1");
}

#[test]
fn the_customers_answer_continues_or_fails_the_payment_once() {
    for (given, published) in [("approve", vec!["succeeded", "split.created"]), ("deny", vec!["failed"])] {
        let market = asked();
        market.stage.clear_published();
        assert!(answer(&market, given));
        assert_eq!(market.published(), published);
        assert!(!answer(&market, "approve"), "there is no question any more");
        assert!(market.published().is_empty());
    }
}

#[test]
fn a_customer_who_never_answers_fails_for_good_at_the_deadline() {
    let market = asked();
    market.stage.advance(Duration::from_secs(600));
    market.settle();
    let failed = market.stage.take::<Failed>();
    assert_eq!((failed[0].error_code.as_str(), failed[0].retryable), ("not-completed-in-time", false));
    assert_eq!(market.bank.standing(KEY), Some(Answer::Voided));
    assert!(!answer(&market, "approve"));
    assert_eq!(market.bank.charges(), 0);
}

#[test]
fn a_deadline_that_finds_the_money_taken_succeeds() {
    let market = asked();
    // The bank charged, and its answer went astray with the customer.
    futures::executor::block_on(market.bank.complete_three_ds(KEY, "approve")).unwrap();
    market.stage.advance(Duration::from_secs(600));
    market.settle();
    assert_eq!(market.stage.take::<Succeeded>().len(), 1);
    assert!(market.stage.take::<Failed>().is_empty());
}

#[test]
fn order_cancelled_voids_a_payment_that_waits_and_refuses_what_comes_later() {
    let market = asked();
    market.stage.clear_published();
    market.stage.receive(&cancelled()).unwrap();
    market.stage.receive(&cancelled()).unwrap();
    market.settle();
    assert!(market.published().is_empty(), "nobody waits for an answer");
    assert_eq!(market.payment(PAYMENT).status, Status::Voided);
    assert_eq!(market.bank.standing(KEY), Some(Answer::Voided));
    market.stage.receive(&requested(2)).unwrap();
    assert_eq!(market.stage.take::<Failed>()[0].error_code, "order-cancelled");
}

/// Found by seed 723 of the simulation: the process died while it called the payment off.
#[test]
fn what_ends_a_wait_and_never_arrives_is_done_again() {
    let market = asked();
    market.bank.loses_one();
    market.stage.receive(&cancelled()).unwrap();
    market.settle();
    assert_eq!(market.payment(PAYMENT).status, Status::Voided);
    assert_eq!(market.bank.standing(KEY), Some(Answer::Voided));

    let market = asked();
    market.bank.loses_one();
    assert!(answer(&market, "approve"));
    assert_eq!((market.payment(PAYMENT).status, market.bank.charges()), (Status::Succeeded, 1));
}

#[test]
fn order_cancelled_while_the_gateway_is_asked_voids_as_soon_as_it_would_wait() {
    let market = Market::with_order();
    market.bank.will([Act::Says(asks())]);
    market.stage.receive(&requested(1)).unwrap();
    market.stage.receive(&cancelled()).unwrap();
    market.settle();
    assert_eq!(market.payment(PAYMENT).status, Status::Voided);
}

#[test]
fn a_gateways_hint_makes_payment_ask_and_proves_nothing() {
    let market = asked();
    assert!(!market.stage.run(|ws| waiting::hinted(ws, "somebody/charge/1")).unwrap());
    assert!(market.stage.run(|ws| waiting::hinted(ws, KEY)).unwrap());
    market.settle();
    assert_eq!(market.payment(PAYMENT).status, Status::AwaitingCustomer);
    futures::executor::block_on(market.bank.complete_three_ds(KEY, "approve")).unwrap();
    market.stage.run(|ws| waiting::hinted(ws, KEY)).unwrap();
    market.settle();
    assert_eq!(market.payment(PAYMENT).status, Status::Succeeded);
    assert_eq!(market.payment(PAYMENT).transaction, Some("bank-1".to_owned()));
    assert_eq!(charged(), market.bank.standing(KEY).unwrap());
}

#[test]
fn a_transfer_waits_for_an_operator() {
    let market = transfer();
    assert_eq!(market.payment(PAYMENT).status, Status::AwaitingTransfer);
    market.stage.run(|ws| waiting::confirm_transfer(ws, PAYMENT, "ES-123")).unwrap();
    let succeeded = market.stage.take::<Succeeded>();
    assert_eq!((succeeded[0].gateway.as_str(), succeeded[0].transaction_id.as_str()), ("transfer", "ES-123"));
    assert!(market.stage.run(|ws| waiting::confirm_transfer(ws, PAYMENT, "ES-123")).is_err());
    let nobody = PaymentId::default();
    assert!(market.stage.run(|ws| waiting::confirm_transfer(ws, nobody, "ES-123")).is_err());
}

#[test]
fn a_transfer_that_never_comes_fails_for_good() {
    let market = transfer();
    market.stage.advance(Duration::from_secs(3 * 24 * 3_600));
    market.settle();
    assert_eq!(market.stage.take::<Failed>()[0].error_code, "not-completed-in-time");
    assert!(market.stage.run(|ws| waiting::confirm_transfer(ws, PAYMENT, "late")).is_err());
}

#[test]
fn order_delivered_makes_the_shares_payable_after_the_withdrawal_period() {
    let market = Market::paid();
    market.stage.receive(&delivered()).unwrap();
    market.stage.receive(&refund_requested(1, 1_000)).unwrap();
    market.settle();
    market.stage.advance(Duration::from_secs(13 * 24 * 3_600));
    assert!(!market.payment(PAYMENT).payable);
    market.stage.advance(Duration::from_secs(24 * 3_600));
    assert!(market.payment(PAYMENT).payable);
    let state = market.stage.state::<Payment>(PAYMENT);
    let left: i64 = state.left.iter().map(|part| part.amount.amount).sum();
    assert_eq!(left, TOTAL - 1_000);
    let past =
        futures::executor::block_on(market.stage.context().history::<Payment>(PAYMENT, 0, 100)).unwrap();
    let due = past.iter().find_map(|past| match &past.event {
        Event::BecamePayable { parts, .. } => Some(parts.clone()),
        _ => None,
    });
    let due = due.unwrap();
    assert!(due.iter().all(|part| matches!(part.role, Role::Artisan | Role::Delivery)));
    assert!(Money::sum(kernel::Currency::EUR, due.iter().map(|part| part.amount)).unwrap().amount < left);
}

#[test]
fn an_order_that_was_never_heard_of_sets_no_timer() {
    let market = Market::empty();
    market.stage.receive(&delivered()).unwrap();
    assert!(market.stage.all::<backbone::timer::Timer>().is_empty());
}
