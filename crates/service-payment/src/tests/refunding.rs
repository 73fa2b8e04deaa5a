//! Money going back.

use contracts::payment::{Failed, RefundFailed, RefundProcessed, Requested, Succeeded};
use kernel::Money;

use super::bank::{Act, asks, declined};
use super::samples::*;
use crate::commands::refunding;
use crate::domain::account::RefundProgress;
use crate::ports::Answer;
use crate::views::Status;

fn processed(market: &Market) -> Vec<i64> {
    market.stage.take::<RefundProcessed>().iter().map(|refund| refund.amount.amount).collect()
}

#[test]
fn payment_refund_requested_gives_back_once() {
    let market = Market::paid();
    market.stage.receive(&refund_requested(1, TOTAL)).unwrap();
    market.stage.receive(&refund_requested(1, TOTAL)).unwrap();
    market.settle();
    market.stage.receive(&refund_requested(1, TOTAL)).unwrap();
    market.settle();
    let refund = market.stage.take::<RefundProcessed>();
    assert_eq!(refund.len(), 1);
    assert_eq!((refund[0].original_payment_id, refund[0].amount), (PAYMENT, Money::eur(TOTAL)));
    assert_eq!(refund[0].reason, "undone");
    assert_eq!(market.bank.refunded(), TOTAL);
    assert_eq!(market.payment(PAYMENT).status, Status::Refunded);
    assert_eq!(market.account().net, 0);
}

#[test]
fn parts_are_given_back_until_nothing_is_left() {
    let market = Market::paid();
    for (refund, amount) in [(1, 1_000), (2, 2_000), (3, 5_000), (4, 1)] {
        market.stage.receive(&refund_requested(refund, amount)).unwrap();
        market.settle();
    }
    assert_eq!(processed(&market), [1_000, 2_000, TOTAL - 3_000, 0], "never more than was taken");
    assert_eq!(market.bank.refunded(), TOTAL);
}

#[test]
fn nothing_to_give_back_is_success_and_poisons_a_charge_that_comes_later() {
    let market = Market::with_order();
    market.stage.receive(&refund_requested(1, TOTAL)).unwrap();
    assert_eq!(processed(&market), [0]);
    market.stage.receive(&requested(1)).unwrap();
    market.settle();
    assert_eq!(market.stage.take::<Failed>()[0].error_code, "order-cancelled");
    assert_eq!(market.bank.charges(), 0);
}

#[test]
fn a_refund_of_an_order_nobody_knows_is_success() {
    let market = Market::empty();
    market.stage.receive(&requested(1)).unwrap();
    market.stage.receive(&refund_requested(1, TOTAL)).unwrap();
    assert_eq!(processed(&market), [0]);
    assert_eq!(market.stage.take::<Failed>().len(), 1, "the held request is answered too");
    market.stage.receive(&created()).unwrap();
    market.settle();
    assert_eq!(market.bank.charges(), 0);
}

#[test]
fn a_refund_after_a_failed_attempt_gives_back_nothing_and_poisons() {
    let market = Market::with_order();
    market.bank.will([Act::Says(declined(true))]);
    market.stage.receive(&requested(1)).unwrap();
    market.settle();
    market.stage.clear_published();
    market.stage.receive(&refund_requested(1, TOTAL)).unwrap();
    market.stage.receive(&requested(2)).unwrap();
    market.settle();
    assert_eq!(market.published(), ["refund.processed", "failed"]);
    assert_eq!(market.bank.charges(), 0);
}

#[test]
fn a_refund_waits_for_a_charge_whose_outcome_is_open() {
    let market = Market::with_order();
    market.stage.receive(&requested(1)).unwrap();
    market.stage.receive(&refund_requested(1, TOTAL)).unwrap();
    assert!(processed(&market).is_empty());
    market.settle();
    assert_eq!(market.stage.take::<Succeeded>().len(), 1, "the truth is told");
    assert_eq!(processed(&market), [TOTAL]);
    assert_eq!((market.bank.charges(), market.bank.refunded()), (1, TOTAL));
}

#[test]
fn a_refund_that_waited_for_a_charge_that_failed_gives_back_nothing() {
    let market = Market::with_order();
    market.bank.will([Act::Says(declined(false))]);
    market.stage.receive(&requested(1)).unwrap();
    market.stage.receive(&refund_requested(1, TOTAL)).unwrap();
    market.settle();
    assert_eq!(market.stage.take::<Failed>().len(), 1);
    assert_eq!(processed(&market), [0]);
}

#[test]
fn a_refund_calls_off_a_payment_that_waits_for_its_customer() {
    let market = Market::with_order();
    market.bank.will([Act::Says(asks())]);
    market.stage.receive(&requested(1)).unwrap();
    market.settle();
    market.stage.receive(&refund_requested(1, TOTAL)).unwrap();
    market.settle();
    assert_eq!(processed(&market), [0]);
    assert_eq!(market.payment(PAYMENT).status, Status::Voided);
    assert!(market.stage.take::<Failed>().is_empty());
}

#[test]
fn a_refund_of_a_difference_that_was_not_taken_leaves_the_order_paid() {
    let market = Market::paid();
    market.stage.receive(&modified()).unwrap();
    market.bank.will([Act::Says(declined(false))]);
    market.stage.receive(&difference()).unwrap();
    market.stage.receive(&refund_requested(1, 2_000)).unwrap();
    market.settle();
    assert_eq!(processed(&market), [0]);
    assert_eq!(market.account().net, TOTAL);
}

#[test]
fn a_refund_of_the_whole_comes_out_of_every_payment_of_the_order_and_is_told_once() {
    let market = Market::paid();
    market.stage.receive(&modified()).unwrap();
    market.stage.receive(&difference()).unwrap();
    market.settle();
    market.stage.receive(&refund_requested(1, TOTAL + 2_000)).unwrap();
    market.settle();
    assert_eq!(processed(&market), [TOTAL + 2_000]);
    assert_eq!(market.bank.refunded(), TOTAL + 2_000);
    assert_eq!(market.payment(PAYMENT).status, Status::Refunded);
    assert_eq!(market.payment(OTHER_PAYMENT).status, Status::Refunded);
}

#[test]
fn a_refund_that_fails_is_told_and_tried_again_when_asked_again() {
    let market = Market::paid();
    market.bank.will([Act::Says(declined(true)), Act::Says(declined(true))]);
    for _ in 0..2 {
        market.stage.receive(&refund_requested(1, TOTAL)).unwrap();
        market.settle();
        let failed = market.stage.take::<RefundFailed>();
        assert_eq!((failed.len(), failed[0].retryable), (1, true));
        assert_eq!(market.payment(PAYMENT).status, Status::Succeeded);
    }
    market.stage.receive(&refund_requested(1, TOTAL)).unwrap();
    market.settle();
    assert_eq!(processed(&market), [TOTAL]);
    assert_eq!(market.bank.refunded(), TOTAL);
}

#[test]
fn a_refund_in_two_parts_that_half_fails_gives_back_only_the_rest_the_next_time() {
    let market = Market::paid();
    market.stage.receive(&modified()).unwrap();
    market.stage.receive(&difference()).unwrap();
    market.settle();
    market.bank.will([Act::Says(declined(true))]);
    market.stage.receive(&refund_requested(1, TOTAL + 2_000)).unwrap();
    market.settle();
    assert_eq!(market.stage.take::<RefundFailed>().len(), 1);
    assert!(processed(&market).is_empty());
    market.stage.receive(&refund_requested(1, TOTAL + 2_000)).unwrap();
    market.settle();
    assert_eq!(processed(&market), [TOTAL + 2_000]);
    assert_eq!(market.bank.refunded(), TOTAL + 2_000);
}

#[test]
fn a_refund_whose_answer_is_lost_or_whose_process_dies_is_given_once() {
    let market = Market::paid();
    market.bank.will([Act::Swallows(Answer::Refunded { reference: "r".to_owned() })]);
    market.stage.receive(&refund_requested(1, TOTAL)).unwrap();
    market.crash();
    market.settle();
    assert_eq!(processed(&market), [TOTAL]);
    assert_eq!(market.bank.refunded(), TOTAL);
}

#[test]
fn a_refund_at_a_gateway_that_is_away_fails_retryably() {
    let market = Market::paid();
    market.bank.will([Act::Unreachable, Act::Unreachable, Act::Unreachable]);
    market.stage.receive(&refund_requested(1, TOTAL)).unwrap();
    market.settle();
    let failed = market.stage.take::<RefundFailed>();
    assert_eq!((failed[0].error_code.as_str(), failed[0].retryable), ("gateway-unreachable", true));
}

#[test]
fn an_operator_gives_back_part_of_one_payment_and_never_more_than_is_left() {
    let market = Market::paid();
    let give = |amount| {
        market.stage.run(|ws| refunding::by_operator(ws, PAYMENT, Some(Money::eur(amount)), "goodwill"))
    };
    let refund_id = give(1_000).unwrap();
    assert!(give(TOTAL).is_err(), "what is under way counts");
    assert!(give(0).is_err());
    market.settle();
    assert_eq!(processed(&market), [1_000]);
    assert_eq!(market.account().refunds[&refund_id].progress, RefundProgress::Processed);
    let payment = market.payment(PAYMENT);
    assert_eq!(payment.status, Status::PartlyRefunded);
    let sum = |shares: &[contracts::shared::Split]| shares.iter().map(|s| s.amount.amount).sum::<i64>();
    assert_eq!((sum(&payment.splits), sum(&payment.left)), (TOTAL, TOTAL - 1_000));
}

#[test]
fn order_cancelled_refuses_later_charges_and_the_refund_gives_everything_back() {
    let market = Market::paid();
    market.stage.receive(&cancelled()).unwrap();
    market.stage.receive(&Requested { payment_id: OTHER_PAYMENT, ..requested(1) }).unwrap();
    assert_eq!(market.stage.take::<Failed>()[0].error_code, "order-cancelled");
    market.stage.receive(&refund_requested(1, TOTAL)).unwrap();
    market.settle();
    assert_eq!(processed(&market), [TOTAL]);
}
