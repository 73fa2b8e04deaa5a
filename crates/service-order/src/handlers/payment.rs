//! What payment says of an order's money.

use backbone::reaction::Received;
use backbone::{Refusal, Workspace};
use contracts::payment::{
    Failed, Initiated, MethodValidated, ProcessingStarted, RefundFailed, RefundProcessed, Succeeded,
};
use kernel::RefundId;

use super::stock::known;
use crate::cancellation::{self, Cancellation};
use crate::commands::{act, settle_debt};
use crate::domain::{Act, Details, Event, HoldStatus, Pay, RefundFor};
use crate::fulfilment::{self, Fulfilment};
use crate::item_change::{self, ItemChange};
use crate::returns::{self, OrderReturn};

pub(super) fn method_validated(
    event: &Received<'_, MethodValidated>,
    ws: &mut Workspace<'_>,
) -> Result<(), Refusal> {
    let Some(order) = known(ws, event.order_id)? else { return Ok(()) };
    let validated = Pay::Validated {
        method: event.method_type,
        is_valid: event.is_valid,
        three_ds: event.requires_3ds.unwrap_or(false),
    };
    act(ws, order.order_id, Act::Payment(validated)).map(drop)
}

pub(super) fn initiated(event: &Received<'_, Initiated>, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
    let Some(order) = known(ws, event.order_id)? else { return Ok(()) };
    let initiated = Pay::Initiated { payment_id: event.payment_id, method: event.payment_method };
    act(ws, order.order_id, Act::Payment(initiated)).map(drop)
}

/// The gateway has the charge. Where the customer has to act, the order waits for them.
pub(super) fn processing_started(
    event: &Received<'_, ProcessingStarted>,
    ws: &mut Workspace<'_>,
) -> Result<(), Refusal> {
    let Some(order) = known(ws, event.order_id)? else { return Ok(()) };
    let processing = Pay::Processing { payment_id: event.payment_id, gateway: event.processor_id.clone() };
    let events = act(ws, order.order_id, Act::Payment(processing))?;
    if events.iter().any(|event| matches!(event, Event::AwaitingCustomer { .. })) {
        let reply = fulfilment::Reply::AwaitingCustomer;
        ws.reply_to_saga::<Fulfilment>(order.order_id.0, &reply)?;
    }
    Ok(())
}

/// The money was taken. An order that nobody wants any more gives it back.
pub(super) fn succeeded(event: &Received<'_, Succeeded>, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
    let Some(order) = known(ws, event.order_id)? else { return Ok(()) };
    let taken = Pay::Taken {
        payment_id: event.payment_id,
        reference: event.transaction_id.clone(),
        gateway: event.gateway.clone(),
        amount: event.amount,
    };
    if act(ws, order.order_id, Act::Payment(taken))?.is_empty() {
        return Ok(());
    }
    if event.payment_id == order.payment.id {
        let held = order.hold.status == HoldStatus::Held;
        let reply = fulfilment::Reply::Paid { amount: event.amount, now: ws.now(), held };
        ws.reply_to_saga::<Fulfilment>(order.order_id.0, &reply)?;
    } else if let Some(change) = change_paid_by(&order, event.payment_id) {
        ws.reply_to_saga::<ItemChange>(change, &item_change::Reply::Paid)?;
    }
    settle_debt(ws, order.order_id)
}

fn change_paid_by(order: &Details, payment_id: kernel::PaymentId) -> Option<uuid::Uuid> {
    let change = order.changes.iter().find(|change| change.payment.id == payment_id);
    change.map(|change| change.change_id)
}

/// An attempt failed. An answer to an attempt that is no longer the current one changes nothing.
pub(super) fn failed(event: &Received<'_, Failed>, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
    let Some(order) = known(ws, event.order_id)? else { return Ok(()) };
    let failed = Pay::Failed {
        payment_id: event.payment_id,
        attempt: event.attempt,
        code: event.error_code.clone(),
        message: event.error_message.clone(),
        retryable: event.retryable,
    };
    if act(ws, order.order_id, Act::Payment(failed))?.is_empty() {
        return Ok(());
    }
    let reason = format!("{} ({})", event.error_message, event.error_code);
    let retryable = event.retryable;
    if event.payment_id == order.payment.id {
        let reply = fulfilment::Reply::NotPaid { reason, retryable };
        ws.reply_to_saga::<Fulfilment>(order.order_id.0, &reply)?;
    } else if let Some(change) = change_paid_by(&order, event.payment_id) {
        ws.reply_to_saga::<ItemChange>(change, &item_change::Reply::NotPaid { reason, retryable })?;
    }
    Ok(())
}

fn purpose(order: &Details, refund_id: RefundId) -> RefundFor {
    let refund = order.refunds.iter().find(|refund| refund.refund_id == refund_id);
    refund.map_or(RefundFor::Other, |refund| refund.purpose)
}

pub(super) fn refund_processed(
    event: &Received<'_, RefundProcessed>,
    ws: &mut Workspace<'_>,
) -> Result<(), Refusal> {
    let Some(order) = known(ws, event.order_id)? else { return Ok(()) };
    let refunded =
        Pay::Refunded { refund_id: event.refund_id, amount: event.amount, reason: event.reason.clone() };
    if act(ws, order.order_id, Act::Payment(refunded))?.is_empty() {
        return Ok(());
    }
    match purpose(&order, event.refund_id) {
        RefundFor::Fulfilment => {
            ws.reply_to_saga::<Fulfilment>(order.order_id.0, &fulfilment::Reply::Refunded)?;
        }
        RefundFor::Cancellation => {
            ws.reply_to_saga::<Cancellation>(event.refund_id.0, &cancellation::Reply::Refunded)?;
        }
        RefundFor::Change(change) => {
            ws.reply_to_saga::<ItemChange>(change, &item_change::Reply::Refunded)?;
        }
        RefundFor::Return(back) => {
            ws.reply_to_saga::<OrderReturn>(back.0, &returns::Reply::Refunded)?;
        }
        RefundFor::Other => {}
    }
    settle_debt(ws, order.order_id)
}

pub(super) fn refund_failed(
    event: &Received<'_, RefundFailed>,
    ws: &mut Workspace<'_>,
) -> Result<(), Refusal> {
    let Some(order) = known(ws, event.order_id)? else { return Ok(()) };
    let reason = format!("{} ({})", event.error_message, event.error_code);
    let retryable = event.retryable;
    let failed = Pay::RefundFailed { refund_id: event.refund_id, error: reason.clone(), retryable };
    act(ws, order.order_id, Act::Payment(failed))?;
    match purpose(&order, event.refund_id) {
        RefundFor::Fulfilment => {
            let reply = fulfilment::Reply::NotRefunded { reason, retryable };
            ws.reply_to_saga::<Fulfilment>(order.order_id.0, &reply)?;
        }
        RefundFor::Cancellation => {
            let reply = cancellation::Reply::NotRefunded { reason, retryable };
            ws.reply_to_saga::<Cancellation>(event.refund_id.0, &reply)?;
        }
        RefundFor::Change(change) => {
            let reply = item_change::Reply::NotRefunded { reason, retryable };
            ws.reply_to_saga::<ItemChange>(change, &reply)?;
        }
        RefundFor::Return(back) => {
            let reply = returns::Reply::NotRefunded { reason, retryable };
            ws.reply_to_saga::<OrderReturn>(back.0, &reply)?;
        }
        RefundFor::Other => {}
    }
    Ok(())
}
