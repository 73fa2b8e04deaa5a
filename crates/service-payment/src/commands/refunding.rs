//! Money going back: once per refund, never more than was taken, and "nothing to give back" is
//! success.

use std::collections::BTreeSet;

use backbone::workspace::Key;
use backbone::{Refusal, Rejection, Workspace};
use contracts::payment::{RefundFailed, RefundProcessed, RefundRequested};
use kernel::{CustomerId, Money, OrderId, PaymentId, RefundId};

use super::{account, carry_out, charging, void};
use crate::domain::account::{Failure, RefundProgress, RefundRecord};
use crate::domain::payment::VoidCause;
use crate::domain::{Command, OrderAccount, Payment};
use crate::refund;

impl RefundRecord {
    fn of(requested: Money, reason: String, only: Option<PaymentId>) -> Self {
        let progress = RefundProgress::Running;
        let running = BTreeSet::new();
        Self { requested, reason, only, progress, running, awaits: None, given: 0, tries: 0, failure: None }
    }

    /// It can only be done when that payment's outcome is known.
    pub fn waits_for(&self, payment_id: PaymentId) -> bool {
        self.progress == RefundProgress::Waiting && self.awaits == Some(payment_id)
    }
}

/// Order asks for money to go back.
pub fn request(ws: &mut Workspace<'_>, request: &RefundRequested) -> Result<(), Refusal> {
    let mut account = account(ws, request.order_id)?;
    account.customer_id.get_or_insert(request.customer_id);
    match account.refunds.get(&request.refund_id).map(|known| known.progress) {
        Some(RefundProgress::Failed) => {}
        // Its answer was or will be published.
        Some(_) => return Ok(()),
        None => {
            let record = RefundRecord::of(request.amount, request.reason.clone(), None);
            account.refunds.insert(request.refund_id, record);
        }
    }
    // The undoing overtook what it undoes: should that still come, it is refused.
    account.poisoned |= !account.charged;
    let held = if account.poisoned { account.held.take() } else { None };
    let open = account.open;
    if let (Some(record), Some(open)) = (account.refunds.get_mut(&request.refund_id), open) {
        record.progress = RefundProgress::Waiting;
        record.awaits = Some(open);
    }
    ws.put(account)?;
    charging::refuse_held(ws, held)?;
    match open {
        Some(payment_id) => void(ws, payment_id, VoidCause::Cancelled),
        None => launch(ws, request.order_id, request.refund_id),
    }
}

/// An operator gives back some or all of a payment; gives the refund's id.
pub fn by_operator(
    ws: &mut Workspace<'_>,
    payment_id: PaymentId,
    amount: Option<Money>,
    reason: &str,
) -> Result<RefundId, Refusal> {
    let state = ws.state::<Payment>(payment_id)?;
    let Some(identity) = state.identity else {
        return Err(Rejection::not_found("no-such-payment", "there is no such payment").into());
    };
    let Some(refundable) = state.refundable() else {
        let message = "no money was taken, so none can go back";
        return Err(Rejection::conflict("nothing-charged", message).into());
    };
    let amount = amount.unwrap_or(refundable);
    if amount.currency != refundable.currency || amount.amount <= 0 || amount.amount > refundable.amount {
        let message = format!("at most {refundable} can still go back, and more than nothing");
        return Err(Rejection::conflict("refund-exceeds-payment", message).at("amount").into());
    }
    let refund_id = RefundId(ws.uuid());
    let mut account = account(ws, identity.order_id)?;
    account.refunds.insert(refund_id, RefundRecord::of(amount, reason.to_owned(), Some(payment_id)));
    ws.put(account)?;
    launch(ws, identity.order_id, refund_id)?;
    Ok(refund_id)
}

/// The outcome of a payment is known: refunds that waited for it go on.
pub fn settle_waiting(
    ws: &mut Workspace<'_>,
    order_id: OrderId,
    payment_id: PaymentId,
) -> Result<(), Refusal> {
    let mut account = account(ws, order_id)?;
    let waiting = account.refunds.iter().filter(|(_, refund)| refund.waits_for(payment_id));
    let waiting: Vec<RefundId> = waiting.map(|(id, _)| *id).collect();
    if waiting.is_empty() {
        return Ok(());
    }
    // Asked for while a difference was being charged, a refund undoes that difference alone,
    // unless the whole order is off.
    let only = (!account.is_closed()).then_some(payment_id);
    for refund_id in &waiting {
        if let Some(record) = account.refunds.get_mut(refund_id) {
            record.progress = RefundProgress::Running;
            record.awaits = None;
            record.only = record.only.or(only);
        }
    }
    ws.put(account)?;
    waiting.into_iter().try_for_each(|refund_id| launch(ws, order_id, refund_id))
}

/// Starts a refund, or what is left of it, at the gateways that took the money, newest payment
/// first; answers at once where there is nothing to give back.
fn launch(ws: &mut Workspace<'_>, order_id: OrderId, refund_id: RefundId) -> Result<(), Refusal> {
    let mut account = account(ws, order_id)?;
    let payments: Vec<PaymentId> = account.payments.iter().rev().copied().collect();
    ws.need(payments.iter().map(Key::aggregate::<Payment>))?;
    let Some(record) = account.refunds.get(&refund_id) else { return Ok(()) };
    let mut open = record.requested.amount - record.given;
    let mut plan = Vec::new();
    for payment_id in payments.into_iter().filter(|id| record.only.is_none_or(|only| only == *id)) {
        let refundable = ws.state::<Payment>(payment_id)?.refundable();
        let same_currency = refundable.filter(|money| money.currency == record.requested.currency);
        let amount = same_currency.map_or(0, |money| money.amount).min(open);
        if amount > 0 {
            plan.push((payment_id, Money::new(amount, record.requested.currency)));
            open -= amount;
        }
    }
    if let Some(record) = account.refunds.get_mut(&refund_id) {
        record.tries += 1;
        record.failure = None;
        record.progress = if plan.is_empty() { RefundProgress::Processed } else { RefundProgress::Running };
        record.running = plan.iter().map(|(payment_id, _)| *payment_id).collect();
    }
    let tries = account.refunds.get(&refund_id).map_or(0, |record| record.tries);
    if plan.is_empty() {
        publish_processed(ws, &account, refund_id, None);
    }
    ws.put(account)?;
    for (payment_id, amount) in plan {
        let (key, at) = (format!("{payment_id}/refund/{refund_id}/{tries}"), ws.now());
        let command = Command::StartRefund { refund_id, key: key.clone(), amount, at };
        carry_out(ws, payment_id, command)?;
        refund::start(ws, payment_id, refund_id, key)?;
    }
    Ok(())
}

/// A gateway gave money back.
pub fn completed(
    ws: &mut Workspace<'_>,
    order_id: OrderId,
    payment_id: PaymentId,
    (refund_id, amount): (RefundId, Money),
) -> Result<(), Refusal> {
    let mut account = account(ws, order_id)?;
    account.net -= amount.amount;
    super::invoicing::correct(ws, &mut account, payment_id, amount)?;
    if let Some(record) = account.refunds.get_mut(&refund_id) {
        record.given += amount.amount;
    }
    answered(ws, account, payment_id, refund_id)
}

/// A gateway refused to give money back.
pub fn declined(
    ws: &mut Workspace<'_>,
    order_id: OrderId,
    payment_id: PaymentId,
    (refund_id, failure): (RefundId, &Failure),
) -> Result<(), Refusal> {
    let mut account = account(ws, order_id)?;
    if let Some(record) = account.refunds.get_mut(&refund_id) {
        record.failure = Some(failure.clone());
    }
    answered(ws, account, payment_id, refund_id)
}

/// One of a refund's gateways answered; the last one's answer is the refund's.
fn answered(
    ws: &mut Workspace<'_>,
    mut account: OrderAccount,
    payment_id: PaymentId,
    refund_id: RefundId,
) -> Result<(), Refusal> {
    let Some(record) = account.refunds.get_mut(&refund_id) else { return ws.put(account) };
    record.running.remove(&payment_id);
    if record.running.is_empty() {
        let failure = record.failure.clone();
        record.progress = if failure.is_some() { RefundProgress::Failed } else { RefundProgress::Processed };
        match failure {
            Some(failure) => publish_failed(ws, &account, refund_id, failure),
            None => publish_processed(ws, &account, refund_id, Some(payment_id)),
        }
    }
    ws.put(account)
}

fn publish_failed(ws: &mut Workspace<'_>, account: &OrderAccount, refund_id: RefundId, failure: Failure) {
    let failed_at = ws.now();
    ws.publish(RefundFailed {
        refund_id,
        order_id: account.order_id,
        customer_id: customer(account),
        error_code: failure.code,
        error_message: failure.message,
        retryable: failure.retryable,
        failed_at,
    });
}

fn customer(account: &OrderAccount) -> CustomerId {
    account.customer_id.unwrap_or_default()
}

/// Where nothing was ever charged there is no original payment, and its id is nil.
fn publish_processed(
    ws: &mut Workspace<'_>,
    account: &OrderAccount,
    refund_id: RefundId,
    payment_id: Option<PaymentId>,
) {
    let Some(record) = account.refunds.get(&refund_id) else { return };
    let original = payment_id.or(record.only).or(account.payments.last().copied());
    let processed_at = ws.now();
    ws.publish(RefundProcessed {
        refund_id,
        original_payment_id: original.unwrap_or_default(),
        order_id: account.order_id,
        customer_id: customer(account),
        amount: Money::new(record.given, record.requested.currency),
        reason: record.reason.clone(),
        processed_at,
    });
}
