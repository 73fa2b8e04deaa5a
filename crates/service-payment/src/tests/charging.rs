//! Requests for charges: once per order, whatever is repeated, lost or crashes.

use contracts::payment::{Failed, Initiated, ProcessingStarted, Requested, SplitCreated, Succeeded};
use contracts::shared::RecipientType;
use contracts::user::Erased;
use kernel::{Duration, Money, OrderId, Personal, UserId};

use super::bank::{Act, charged, declined};
use super::samples::*;
use crate::commands::methods;
use crate::domain::invoice::Invoice;
use crate::ports::{Answer, Charge, Gateway};
use crate::views::{CheckedMethod, Payer, Status};

const KEY: &str = "00000000-0000-0000-0000-00000000000a/charge/1";

#[test]
fn order_created_records_the_expected_amount_and_charges_nothing() {
    let market = Market::with_order();
    market.settle();
    let account = market.account();
    assert_eq!(account.expected, Some(Money::eur(TOTAL)));
    let splits: Vec<_> = account.goods().iter().map(|part| (part.artisan_id, part.amount.amount)).collect();
    assert_eq!(splits, [(POTTER, 4_000), (MILLER, 1_550)]);
    assert_eq!(market.bank.charges(), 0);
    assert!(market.published().is_empty());
}

#[test]
fn payment_requested_charges_once_and_tells_each_step_in_order() {
    let market = Market::with_order();
    market.stage.receive(&requested(1)).unwrap();
    assert_eq!(market.stage.take::<Initiated>().len(), 1);
    assert_eq!(market.bank.charges(), 0);
    market.settle();
    let started = market.stage.take::<ProcessingStarted>();
    assert_eq!(started[0].processor_id, "bank");
    let succeeded = market.stage.take::<Succeeded>();
    assert_eq!((succeeded[0].payment_id, succeeded[0].amount), (PAYMENT, Money::eur(TOTAL)));
    assert_eq!(succeeded[0].transaction_id, "bank-1");
    let split = market.stage.take::<SplitCreated>().remove(0);
    let sum: i64 = split.splits.iter().map(|share| share.amount.amount).sum();
    assert_eq!(sum, TOTAL);
    // 12 % of 40.00 € and 10 % of 15.50 €, and 21 % VAT on each.
    let platform = split.splits.iter().find(|share| share.recipient_type == RecipientType::Platform).unwrap();
    assert_eq!(platform.amount, Money::eur(480 + 101 + 155 + 33));
    assert!(market.stage.published().is_empty());
    assert_eq!(market.bank.charges(), 1);
    assert_eq!(market.payment(PAYMENT).token, None);
}

#[test]
fn a_repeated_request_changes_nothing_before_and_after_its_answer() {
    let market = Market::with_order();
    market.stage.receive(&requested(1)).unwrap();
    market.stage.receive(&requested(1)).unwrap();
    market.settle();
    assert_eq!(market.published(), ["initiated", "processing.started", "succeeded", "split.created"]);
    market.stage.receive(&requested(1)).unwrap();
    market.stage.receive(&requested(2)).unwrap();
    market.settle();
    assert!(market.published().is_empty());
    assert_eq!(market.bank.charges(), 1);
}

#[test]
fn a_decline_fails_and_the_next_attempt_is_a_new_group_at_the_gateway() {
    let market = Market::with_order();
    market.bank.will([Act::Says(declined(true))]);
    market.stage.receive(&requested(1)).unwrap();
    market.settle();
    let failed = market.stage.take::<Failed>();
    assert_eq!((failed[0].attempt, failed[0].retryable), (1, true));
    market.stage.receive(&requested(1)).unwrap();
    market.settle();
    assert!(market.stage.take::<Failed>().is_empty(), "the first attempt keeps its answer");
    market.stage.receive(&requested(2)).unwrap();
    market.settle();
    assert_eq!(market.stage.take::<Succeeded>().len(), 1);
    assert_eq!(market.payment(PAYMENT).key.unwrap(), KEY.replace("/1", "/2"));
}

#[test]
fn an_attempt_that_comes_while_one_is_under_way_gets_that_ones_answer() {
    let market = Market::with_order();
    market.bank.will([Act::Says(declined(false))]);
    market.stage.receive(&requested(1)).unwrap();
    market.stage.receive(&requested(2)).unwrap();
    market.settle();
    let failed = market.stage.take::<Failed>();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].attempt, 2);
}

#[test]
fn a_request_that_overtakes_its_order_waits_for_it() {
    let market = Market::empty();
    market.stage.receive(&requested(1)).unwrap();
    market.settle();
    assert!(market.published().is_empty());
    market.stage.receive(&created()).unwrap();
    market.settle();
    assert_eq!(market.stage.take::<Succeeded>().len(), 1);
}

#[test]
fn what_does_not_fit_the_order_is_refused_for_good() {
    let table: Vec<(Requested, &str)> = vec![
        (Requested { amount: Money::eur(TOTAL + 1), ..requested(1) }, "amount-mismatch"),
        (
            Requested {
                amount: Money::new(TOTAL, kernel::Currency::from_code("USD").unwrap()),
                ..requested(1)
            },
            "amount-mismatch",
        ),
        (Requested { splits: gross()[..2].to_vec(), ..requested(1) }, "bad-splits"),
        (Requested { payment_method_id: "nobody-s".to_owned(), ..requested(1) }, "method-unknown"),
        (
            Requested { payment_method_id: "4111 1111 1111 1111".to_owned(), ..requested(1) },
            "card-number-refused",
        ),
        (
            Requested { customer_id: kernel::CustomerId(uuid::Uuid::from_u128(7)), ..requested(1) },
            "other-customer",
        ),
    ];
    for (request, code) in table {
        let market = Market::with_order();
        market.stage.receive(&request).unwrap();
        market.settle();
        let failed = market.stage.take::<Failed>();
        assert_eq!((failed[0].error_code.as_str(), failed[0].retryable), (code, false));
        assert!(market.stage.published().is_empty(), "{code}");
        assert_eq!(market.bank.charges(), 0);
        assert!(!failed[0].error_message.contains("4111"));
    }
}

#[test]
fn a_paid_order_is_not_charged_again_by_another_payment() {
    let market = Market::paid();
    market.stage.receive(&Requested { payment_id: OTHER_PAYMENT, ..requested(1) }).unwrap();
    market.settle();
    assert_eq!(market.stage.take::<Failed>()[0].error_code, "already-paid");
    assert_eq!(market.bank.charges(), 1);
}

#[test]
fn two_payments_of_one_order_are_never_under_way_together() {
    let market = Market::with_order();
    market.stage.receive(&requested(1)).unwrap();
    market.stage.receive(&Requested { payment_id: OTHER_PAYMENT, ..requested(1) }).unwrap();
    let failed = market.stage.take::<Failed>();
    assert_eq!((failed[0].error_code.as_str(), failed[0].retryable), ("payment-under-way", true));
    market.settle();
    assert_eq!(market.bank.charges(), 1);
}

#[test]
fn order_items_modified_moves_the_expected_amount_and_the_goods() {
    let market = Market::with_order();
    market.stage.receive(&modified()).unwrap();
    let account = market.account();
    assert_eq!(account.expected, Some(Money::eur(TOTAL + 2_000)));
    assert_eq!(account.goods().iter().map(|goods| goods.amount.amount).sum::<i64>(), 7_550);
    market.stage.receive(&requested(1)).unwrap();
    assert_eq!(market.stage.take::<Failed>()[0].error_code, "amount-mismatch");
    // The splits follow: the commission is that of three bowls.
    let mut splits = gross();
    splits[0].amount = Money::eur(6_000);
    let whole = Requested { amount: Money::eur(TOTAL + 2_000), splits, ..requested(2) };
    market.stage.receive(&whole).unwrap();
    market.settle();
    let split = market.stage.take::<SplitCreated>().remove(0);
    let of = |kind| split.splits.iter().filter(move |s| s.recipient_type == kind).map(|s| s.amount.amount);
    assert_eq!(of(RecipientType::Platform).sum::<i64>(), 720 + 151 + 155 + 33);
    assert_eq!(split.splits.iter().map(|s| s.amount.amount).sum::<i64>(), TOTAL + 2_000);
}

#[test]
fn the_difference_of_a_change_is_charged_once_before_or_after_the_change_is_told() {
    for told_first in [false, true] {
        let market = Market::paid();
        if told_first {
            market.stage.receive(&modified()).unwrap();
        }
        market.stage.receive(&difference()).unwrap();
        market.stage.receive(&difference()).unwrap();
        market.settle();
        market.stage.receive(&difference()).unwrap();
        market.settle();
        let succeeded = market.stage.take::<Succeeded>();
        assert_eq!(succeeded.len(), 1);
        assert_eq!(succeeded[0].amount, Money::eur(2_000));
        assert_eq!(market.bank.charges(), 2);
        assert_eq!(market.account().net, TOTAL + 2_000);
    }
}

#[test]
fn a_difference_is_above_zero_and_in_the_orders_currency() {
    let dollars = Money::new(2_000, kernel::Currency::from_code("USD").unwrap());
    for (amount, code) in [(dollars, "amount-mismatch"), (Money::eur(0), "already-paid")] {
        let market = Market::paid();
        market.stage.receive(&Requested { amount, ..difference() }).unwrap();
        assert_eq!(market.stage.take::<Failed>()[0].error_code, code);
    }
}

#[test]
fn an_order_that_costs_nothing_is_paid_without_a_gateway() {
    let market = Market::empty();
    let mut free = created();
    free.total_amount = Money::eur(0);
    market.stage.receive(&free).unwrap();
    market.stage.receive(&Requested { amount: Money::eur(0), splits: Vec::new(), ..requested(1) }).unwrap();
    market.settle();
    assert_eq!(market.stage.take::<Succeeded>().len(), 1);
    assert_eq!(market.bank.charges(), 0);
}

#[test]
fn a_crash_after_the_charge_is_settled_by_asking() {
    let market = Market::with_order();
    market.stage.receive(&requested(1)).unwrap();
    // The gateway has charged; the process dies before that is recorded.
    let charge = Charge {
        token: "bank-card".to_owned(),
        amount: Money::eur(TOTAL),
        payment_id: PAYMENT,
        order_id: ORDER,
    };
    futures::executor::block_on(market.bank.charge(KEY, &charge)).unwrap();
    market.crash();
    market.settle();
    assert_eq!(market.bank.asked(), 1);
    assert_eq!(market.stage.take::<Succeeded>().len(), 1);
    assert_eq!(market.bank.charges(), 1);
}

#[test]
fn a_crash_before_the_charge_repeats_it_with_the_same_key() {
    let market = Market::with_order();
    market.stage.receive(&requested(1)).unwrap();
    market.crash();
    market.crash();
    market.settle();
    assert_eq!(market.stage.take::<Succeeded>().len(), 1);
    assert_eq!((market.bank.asked(), market.bank.charges()), (1, 1));
    assert_eq!(market.bank.standing(KEY), Some(charged()));
}

#[test]
fn an_answer_that_never_comes_is_asked_for() {
    let market = Market::with_order();
    market.bank.will([Act::Swallows(charged())]);
    market.stage.receive(&requested(1)).unwrap();
    market.settle();
    assert_eq!(market.stage.take::<Succeeded>().len(), 1);
    assert_eq!((market.bank.asked(), market.bank.charges()), (1, 1));
}

#[test]
fn a_charge_that_keeps_vanishing_is_voided_before_it_counts_as_failed() {
    let market = Market::with_order();
    market.bank.will([Act::Loses, Act::Loses]);
    market.stage.receive(&requested(1)).unwrap();
    market.settle();
    let failed = market.stage.take::<Failed>();
    assert_eq!((failed[0].error_code.as_str(), failed[0].retryable), ("gateway-lost-it", true));
    assert_eq!(market.bank.standing(KEY), Some(Answer::Voided), "should it arrive late, it is refused");
    market.stage.receive(&requested(2)).unwrap();
    market.settle();
    assert_eq!(market.bank.charges(), 1);
}

#[test]
fn a_gateway_that_cannot_be_reached_fails_the_attempt_after_three_tries() {
    let market = Market::with_order();
    market.bank.will([Act::Unreachable, Act::Unreachable, Act::Unreachable]);
    market.stage.receive(&requested(1)).unwrap();
    market.settle();
    assert_eq!(market.published(), ["initiated", "failed"], "the gateway never had it");
    let failure = market.payment(PAYMENT).failure.unwrap();
    assert_eq!((failure.code.as_str(), failure.retryable), ("gateway-unreachable", true));
}

#[test]
fn a_charge_that_may_have_arrived_is_never_given_up_while_the_gateway_is_away() {
    let market = Market::with_order();
    market.bank.will([Act::Loses]);
    market.bank.will(std::iter::repeat_n(Act::Unreachable, 6));
    market.stage.receive(&requested(1)).unwrap();
    market.stage.perform_calls();
    market.stage.advance(Duration::from_secs(10));
    market.stage.perform_calls();
    assert_eq!(market.payment(PAYMENT).status, Status::Processing);
    for _ in 0..10 {
        market.settle();
    }
    assert_eq!(market.stage.take::<Succeeded>().len(), 1);
    assert_eq!(market.bank.charges(), 1);
}

#[test]
fn a_stored_method_is_charged_by_the_token_that_was_checked_for_the_order() {
    let market = Market::with_order();
    let stored = Requested { payment_method_id: "my-card".to_owned(), ..requested(1) };
    remember(&market, ORDER);
    market.stage.receive(&stored).unwrap();
    market.settle();
    assert_eq!(market.stage.take::<Succeeded>().len(), 1);
}

fn checked(name: &str) -> CheckedMethod {
    CheckedMethod {
        order_id: ORDER,
        customer_id: CUSTOMER,
        payment_method_id: name.to_owned(),
        token: "bank-card".to_owned().into(),
    }
}

fn remember(market: &Market, order_id: OrderId) {
    let method = CheckedMethod { order_id, ..checked("my-card") };
    market.stage.run(|ws| methods::remember(ws, method)).unwrap();
}

fn kept(market: &Market) -> Vec<OrderId> {
    market.stage.all::<CheckedMethod>().into_iter().map(|method| method.order_id).collect()
}

#[test]
fn user_erased_drops_the_methods_of_all_the_persons_orders_and_keeps_the_books() {
    let market = Market::paid();
    let other = OrderId(uuid::Uuid::from_u128(0xB));
    remember(&market, ORDER);
    remember(&market, other);
    assert_eq!(kept(&market), [ORDER, other]);
    let books = (market.payment(PAYMENT), market.account(), market.stage.all::<Invoice>());
    assert!(!books.2.is_empty());
    let erased = Erased { user_id: UserId(CUSTOMER.0), erased_at: market.stage.now() };
    market.stage.receive(&erased).unwrap();
    market.stage.receive(&erased).unwrap();
    assert_eq!(kept(&market), []);
    assert!(market.stage.all::<Payer>().is_empty());
    assert_eq!((market.payment(PAYMENT), market.account(), market.stage.all::<Invoice>()), books);
}

#[test]
fn another_persons_methods_stay() {
    let market = Market::with_order();
    remember(&market, ORDER);
    let erased_at = market.stage.now();
    market.stage.receive(&Erased { user_id: UserId(uuid::Uuid::from_u128(0xD)), erased_at }).unwrap();
    assert_eq!(kept(&market), [ORDER]);
}

#[test]
fn a_method_is_forgotten_when_its_order_is_delivered_or_off() {
    let market = Market::with_order();
    let other = OrderId(uuid::Uuid::from_u128(0xB));
    remember(&market, ORDER);
    remember(&market, other);
    market.stage.receive(&cancelled()).unwrap();
    assert_eq!(kept(&market), [other]);
    assert_eq!(market.stage.get::<Payer>(CUSTOMER).unwrap().orders, [other]);
    market.stage.receive(&contracts::order::Delivered { order_id: other, ..delivered() }).unwrap();
    assert_eq!(kept(&market), []);
    assert!(market.stage.all::<Payer>().is_empty());
}

#[test]
fn a_token_that_cannot_be_read_any_more_charges_nothing() {
    let unreadable = CheckedMethod { token: Personal::Redacted, ..checked("my-card") };
    assert_eq!(unreadable.token("my-card"), None);
}

#[test]
fn a_checked_method_is_found_under_its_own_name_alone() {
    assert_eq!(checked("my-card").token("my-card"), Some("bank-card"));
    assert_eq!(checked("my-card").token("other"), None);
}
