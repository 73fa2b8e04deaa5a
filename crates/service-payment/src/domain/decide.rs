//! What a command does to a payment. What comes too late or twice does nothing.

use backbone::Rejection;
use kernel::{Money, RefundId, SplitId, Timestamp};

use super::account::Failure;
use super::payment::{Command, Event, Phase, RefundStatus, State, Terms, VoidCause};
use super::shares;
use crate::ports::Answer;

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::Request(terms) => request(state, *terms),
        Command::Refuse { identity, attempt, failure, at } => Ok(match state.phase {
            Phase::New | Phase::Failed | Phase::Voided => {
                vec![Event::Refused { identity, attempt, failure, at }]
            }
            _ => Vec::new(),
        }),
        Command::Join { attempt } if state.phase.is_open() && attempt > state.attempt => {
            Ok(vec![Event::Joined { attempt }])
        }
        Command::Join { .. } => Ok(Vec::new()),
        Command::Record { key, answer, heard, split_id, at } => {
            let current = state.terms.as_ref().filter(|terms| terms.key == key);
            Ok(current
                .map(|terms| record(state, terms, answer, Receipt { heard, split_id, at }))
                .unwrap_or_default())
        }
        Command::AnswerThreeDs { at } if state.phase == Phase::AwaitingCustomer => {
            Ok(vec![Event::ThreeDsAnswered { at }])
        }
        Command::AnswerThreeDs { .. } => Err(Rejection::conflict(
            "not-awaiting-customer",
            "this payment does not wait for its customer's bank",
        )),
        Command::ConfirmTransfer { reference, split_id, at } => match (&state.terms, state.phase) {
            (Some(terms), Phase::AwaitingTransfer) => Ok(vec![success(terms, reference, split_id, at)]),
            _ => Err(Rejection::conflict(
                "not-awaiting-transfer",
                "this payment waits for no transfer: send the money back if it has arrived",
            )),
        },
        Command::Void { cause, at } => Ok(match state.phase {
            Phase::AwaitingCustomer | Phase::AwaitingTransfer => vec![Event::VoidStarted { cause, at }],
            _ => Vec::new(),
        }),
        Command::StartRefund { refund_id, key, amount, at } => {
            check_refund(state, refund_id, amount)?;
            Ok(vec![Event::RefundStarted { refund_id, key, amount, at }])
        }
        Command::RecordRefund { refund_id, key, answer, at } => {
            Ok(record_refund(state, refund_id, &key, answer, at))
        }
        Command::MakePayable { at } => Ok(make_payable(state, at)),
    }
}

fn request(state: &State, terms: Terms) -> Result<Vec<Event>, Rejection> {
    match state.phase {
        Phase::New | Phase::Failed | Phase::Voided if terms.attempt > state.attempt => {
            Ok(vec![Event::Requested(terms)])
        }
        _ => Err(Rejection::conflict("already-requested", "this attempt was asked for before")),
    }
}

/// The circumstances of an answer.
struct Receipt {
    heard: bool,
    split_id: SplitId,
    at: Timestamp,
}

fn success(terms: &Terms, transaction: String, split_id: SplitId, at: Timestamp) -> Event {
    Event::Succeeded {
        transaction,
        gateway: terms.gateway.clone(),
        amount: terms.amount,
        split_id,
        parts: terms.parts.clone(),
        at,
    }
}

fn record(state: &State, terms: &Terms, answer: Answer, receipt: Receipt) -> Vec<Event> {
    let Receipt { heard, split_id, at } = receipt;
    let mut events = Vec::new();
    if state.phase.is_open() && heard && !state.heard {
        events.push(Event::ProcessingStarted { at });
    }
    let follows = match (answer, state.phase) {
        (_, Phase::New | Phase::Succeeded) => None,
        // Money that was taken is taken, even where it was thought to have failed: order decides.
        (Answer::Charged { transaction }, _) => Some(success(terms, transaction, split_id, at)),
        (_, Phase::Failed | Phase::Voided) => None,
        (Answer::Declined { code, message, retryable }, _) => {
            Some(Event::Failed { failure: Failure { code, message, retryable }, at })
        }
        (Answer::ActionRequired { url, token }, Phase::Processing) => {
            let until = state.waiting.as_ref().map_or(at.plus(state.wait_limit()), |waiting| waiting.until);
            Some(Event::AwaitingCustomer { url, token, until, at })
        }
        (Answer::Pending, Phase::Processing) => {
            Some(Event::AwaitingTransfer { until: at.plus(state.wait_limit()), at })
        }
        (Answer::Voided, _) => Some(called_off(state.void_cause, at)),
        (Answer::ActionRequired { .. } | Answer::Pending | Answer::Refunded { .. }, _) => None,
    };
    events.extend(follows);
    events
}

fn called_off(cause: Option<VoidCause>, at: Timestamp) -> Event {
    match cause {
        Some(VoidCause::Cancelled) => Event::Voided { at },
        Some(VoidCause::Expired) => {
            let message = "the customer did not complete the payment in time";
            Event::Failed { failure: Failure::of("not-completed-in-time", message), at }
        }
        None => Event::Failed { failure: Failure::of("voided", "the gateway called the charge off"), at },
    }
}

fn check_refund(state: &State, refund_id: RefundId, amount: Money) -> Result<(), Rejection> {
    let Some(refundable) = state.refundable() else {
        return Err(Rejection::conflict("nothing-charged", "no money was taken, so none can go back"));
    };
    if state.refunds.get(&refund_id).is_some_and(|refund| refund.status != RefundStatus::Failed) {
        return Err(Rejection::conflict("refund-known", "this refund was started before"));
    }
    if amount.currency != refundable.currency || amount.amount <= 0 {
        let message = format!("a refund is above zero and in {}", refundable.currency);
        return Err(Rejection::invalid("bad-refund-amount", message).at("amount"));
    }
    if amount.amount > refundable.amount {
        let message = format!("at most {refundable} can still go back");
        return Err(Rejection::conflict("refund-exceeds-payment", message).at("amount"));
    }
    Ok(())
}

fn record_refund(state: &State, refund_id: RefundId, key: &str, answer: Answer, at: Timestamp) -> Vec<Event> {
    let running = state.refunds.get(&refund_id).filter(|r| r.status == RefundStatus::Running && r.key == key);
    let (Some(refund), Some(terms)) = (running, &state.terms) else { return Vec::new() };
    match answer {
        Answer::Refunded { reference } => vec![Event::RefundCompleted {
            refund_id,
            reference,
            gateway: terms.gateway.clone(),
            amount: refund.amount,
            reversed: shares::reverse(refund.amount, &state.left),
            payable: state.payable,
            at,
        }],
        Answer::Declined { code, message, retryable } => {
            vec![Event::RefundDeclined { refund_id, failure: Failure { code, message, retryable }, at }]
        }
        _ => Vec::new(),
    }
}

fn make_payable(state: &State, at: Timestamp) -> Vec<Event> {
    if state.phase != Phase::Succeeded || state.payable {
        return Vec::new();
    }
    let due = state.left.iter().filter(|part| part.role.is_paid_out() && !part.amount.is_zero());
    vec![Event::BecamePayable { parts: due.cloned().collect(), at }]
}
