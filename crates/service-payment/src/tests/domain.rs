//! The rules in tables.

use contracts::shared::RecipientType;
use kernel::{Money, RefundId, SplitId, Timestamp};
use uuid::Uuid;

use super::bank::{asks, charged, declined};
use super::samples::*;
use crate::domain::payment::{Identity, Terms, VoidCause};
use crate::domain::shares::{self, Part, Role};
use crate::domain::{Command, Payment, State};
use crate::ports::{Answer, MethodType};
use backbone::Aggregate;

const AT: Timestamp = Timestamp::from_micros(1);

pub(super) fn terms(attempt: u32) -> Terms {
    let amount = Money::eur(TOTAL);
    let goods = [(POTTER, "pottery", 4_000), (MILLER, "oil", 1_550)].map(|(artisan_id, category, amount)| {
        shares::Goods {
            artisan_id,
            category: category.to_owned(),
            vat_rate: 2_100,
            amount: Money::eur(amount),
        }
    });
    let division = shares::divide(amount, &gross(), &goods, &config()).unwrap();
    Terms {
        identity: Identity { payment_id: PAYMENT, order_id: ORDER, customer_id: CUSTOMER },
        amount,
        token: "bank-card".to_owned().into(),
        method_type: MethodType::Card,
        gateway: "bank".to_owned(),
        attempt,
        key: format!("k{attempt}"),
        parts: division.parts,
        commission: division.commission,
        sales: Vec::new(),
        wait_limit_seconds: 600,
        at: AT,
    }
}

pub(super) fn record(key: &str, answer: Answer) -> Command {
    let (key, split_id) = (key.to_owned(), SplitId(Uuid::from_u128(5)));
    Command::Record { key, answer, heard: true, split_id, at: AT }
}

fn request(attempt: u32) -> Command {
    Command::Request(Box::new(terms(attempt)))
}

fn refund(amount: i64) -> Command {
    let refund_id = RefundId(Uuid::from_u128(u128::try_from(amount).unwrap_or(0)));
    Command::StartRefund { refund_id, key: "r".to_owned(), amount: Money::eur(amount), at: AT }
}

/// The state after commands that succeed.
fn given(commands: Vec<Command>) -> State {
    commands.into_iter().fold(State::default(), |state, command| {
        Payment::decide(&state, command).unwrap().iter().fold(state, Payment::evolve)
    })
}

/// A name, the commands before, the command, and the events or the rejection's code.
type Row = (&'static str, Vec<Command>, Command, Result<&'static [&'static str], &'static str>);

fn check(table: Vec<Row>) {
    for (name, before, when, then) in table {
        let outcome = Payment::decide(&given(before), when);
        let outcome = outcome.map(|events| events.iter().map(Payment::event_name).collect::<Vec<_>>());
        match (outcome, then) {
            (Ok(names), Ok(expected)) => assert_eq!(names, expected, "{name}"),
            (Err(rejection), Err(code)) => assert_eq!(rejection.code, code, "{name}"),
            (outcome, expected) => panic!("{name}: {outcome:?} instead of {expected:?}"),
        }
    }
}

#[test]
fn attempts_are_taken_in_once_and_in_order() {
    let failed = || vec![request(1), record("k1", declined(true))];
    check(vec![
        ("a first request", vec![], request(1), Ok(&["requested"])),
        ("the same again", vec![request(1)], request(1), Err("already-requested")),
        (
            "an older one",
            vec![request(2), record("k2", declined(true))],
            request(1),
            Err("already-requested"),
        ),
        ("a next attempt", failed(), request(2), Ok(&["requested"])),
        ("joining", vec![request(1)], Command::Join { attempt: 2 }, Ok(&["joined"])),
        ("joining twice", vec![request(1)], Command::Join { attempt: 1 }, Ok(&[])),
        ("joining what has failed", failed(), Command::Join { attempt: 2 }, Ok(&[])),
    ]);
}

#[test]
fn the_gateways_answer_is_recorded_once() {
    let paid = || vec![request(1), record("k1", charged())];
    let asked = || vec![request(1), record("k1", asks())];
    let pending = || record("k1", Answer::Pending);
    check(vec![
        ("charged", vec![request(1)], record("k1", charged()), Ok(&["processing-started", "succeeded"])),
        ("charged twice", paid(), record("k1", charged()), Ok(&[])),
        ("another key", vec![request(1)], record("k0", charged()), Ok(&[])),
        ("declined", vec![request(1)], record("k1", declined(false)), Ok(&["processing-started", "failed"])),
        ("asked", vec![request(1)], record("k1", asks()), Ok(&["processing-started", "awaiting-customer"])),
        ("asked again", asked(), record("k1", asks()), Ok(&[])),
        ("transfer", vec![request(1)], pending(), Ok(&["processing-started", "awaiting-transfer"])),
        (
            "money after a failure is told",
            vec![request(1), record("k1", declined(false))],
            record("k1", charged()),
            Ok(&["succeeded"]),
        ),
    ]);
}

#[test]
fn what_waits_is_answered_or_called_off() {
    let asked = || vec![request(1), record("k1", asks())];
    let void = |cause| Command::Void { cause, at: AT };
    let voiding = |cause| asked().into_iter().chain([void(cause)]).collect::<Vec<_>>();
    let answer = || Command::AnswerThreeDs { at: AT };
    check(vec![
        ("answered", asked(), answer(), Ok(&["three-ds-answered"])),
        ("answered unasked", vec![request(1)], answer(), Err("not-awaiting-customer")),
        ("voided while the gateway is asked", vec![request(1)], void(VoidCause::Cancelled), Ok(&[])),
        ("voided", asked(), void(VoidCause::Cancelled), Ok(&["void-started"])),
        ("called off", voiding(VoidCause::Cancelled), record("k1", Answer::Voided), Ok(&["voided"])),
        ("expired", voiding(VoidCause::Expired), record("k1", Answer::Voided), Ok(&["failed"])),
        ("too late", voiding(VoidCause::Cancelled), record("k1", charged()), Ok(&["succeeded"])),
    ]);
}

#[test]
fn no_more_goes_back_than_was_taken() {
    let paid = || vec![request(1), record("k1", charged())];
    let all = || paid().into_iter().chain([refund(TOTAL)]).collect::<Vec<_>>();
    let payable = || Command::MakePayable { at: AT };
    check(vec![
        ("of nothing", vec![request(1)], refund(1), Err("nothing-charged")),
        ("a part", paid(), refund(1), Ok(&["refund-started"])),
        ("too much", paid(), refund(TOTAL + 1), Err("refund-exceeds-payment")),
        ("nothing at all", paid(), refund(0), Err("bad-refund-amount")),
        ("too much together", all(), refund(1), Err("refund-exceeds-payment")),
        ("the same again", all(), refund(TOTAL), Err("refund-known")),
        ("payable", paid(), payable(), Ok(&["became-payable"])),
        ("payable unpaid", vec![request(1)], payable(), Ok(&[])),
    ]);
}

#[test]
fn commission_is_taken_by_category_with_vat_on_it() {
    let terms = terms(1);
    let amount = |role, recipient: Uuid| {
        let same = |part: &&Part| part.role == role && part.recipient_id.0 == recipient;
        terms.parts.iter().find(same).unwrap().amount.amount
    };
    let platform = config().platform.0;
    assert_eq!(amount(Role::Commission, platform), 480 + 155);
    assert_eq!(amount(Role::CommissionVat, platform), 101 + 33);
    assert_eq!(amount(Role::Artisan, POTTER.0), 4_000 - 581);
    assert_eq!(amount(Role::Artisan, MILLER.0), 1_550 - 188);
    assert_eq!(amount(Role::Delivery, CARRIER.0), 600);
    assert_eq!(terms.commission.iter().map(|line| line.rate).collect::<Vec<_>>(), [1_200, 1_000]);
}

#[test]
fn shares_are_published_one_per_recipient_with_their_percentage() {
    let terms = terms(1);
    let published = shares::published(&terms.parts, terms.amount);
    assert_eq!(published.len(), 4);
    let delivery = published.iter().find(|share| share.recipient_type == RecipientType::Delivery).unwrap();
    assert!((delivery.percentage - 9.76).abs() < 1e-9);
}
