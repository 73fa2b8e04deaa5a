//! Which public events tell others of a payment's private ones. Refunds are announced by the
//! order's account: one refund may come out of several payments.

use backbone::Announcements;
use contracts::payment as public;

use super::account::Failure;
use super::payment::{Event, State, Terms};
use super::shares;
use kernel::Timestamp;

pub(super) fn announce(state: &State, event: &Event, out: &mut Announcements) {
    match event {
        Event::Requested(terms) => out.publish(public::Initiated {
            payment_id: terms.identity.payment_id,
            order_id: terms.identity.order_id,
            customer_id: terms.identity.customer_id,
            amount: terms.amount,
            payment_method: terms.method_type,
        }),
        Event::ProcessingStarted { at } => {
            if let Some(terms) = &state.terms {
                out.publish(processing_started(terms, *at));
            }
        }
        Event::Succeeded { .. } => succeeded(state, event, out),
        Event::Failed { failure, at } | Event::Refused { failure, at, .. } => {
            failed(state, failure, *at, out)
        }
        _ => {}
    }
}

fn processing_started(terms: &Terms, started_at: Timestamp) -> public::ProcessingStarted {
    public::ProcessingStarted {
        payment_id: terms.identity.payment_id,
        order_id: terms.identity.order_id,
        customer_id: terms.identity.customer_id,
        amount: terms.amount,
        payment_method: terms.method_type,
        processor_id: terms.gateway.clone(),
        started_at,
    }
}

fn succeeded(state: &State, event: &Event, out: &mut Announcements) {
    let Event::Succeeded { transaction, gateway, amount, split_id, parts, at } = event else { return };
    let Some(identity) = state.identity else { return };
    out.publish(public::Succeeded {
        payment_id: identity.payment_id,
        order_id: identity.order_id,
        customer_id: identity.customer_id,
        transaction_id: transaction.clone(),
        amount: *amount,
        gateway: gateway.clone(),
        processed_at: *at,
    });
    out.publish(public::SplitCreated {
        split_id: *split_id,
        payment_id: identity.payment_id,
        order_id: identity.order_id,
        splits: shares::published(parts, *amount),
        total_amount: *amount,
        created_at: *at,
    });
}

fn failed(state: &State, failure: &Failure, failed_at: Timestamp, out: &mut Announcements) {
    let Some(identity) = state.identity else { return };
    out.publish(public::Failed {
        payment_id: identity.payment_id,
        order_id: identity.order_id,
        customer_id: identity.customer_id,
        error_code: failure.code.clone(),
        error_message: failure.message.clone(),
        attempt: state.attempt,
        retryable: failure.retryable,
        failed_at,
    });
}
