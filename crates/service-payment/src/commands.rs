//! What can be done to payments, and what follows from it in the same commit.

use std::sync::Arc;

use backbone::{Refusal, Workspace};
use kernel::{OrderId, PaymentId, Timestamp};

use crate::charge::{self, Task};
use crate::domain::payment::{Phase, VoidCause};
use crate::domain::{Command, Event, OrderAccount, Payment, State};

pub mod charging;
pub mod invoicing;
pub mod methods;
pub mod refunding;
pub mod validating;
pub mod waiting;

/// The account of an order; a new one where nothing is known of it.
pub fn account(ws: &mut Workspace<'_>, order_id: OrderId) -> Result<OrderAccount, Refusal> {
    let found = ws.get::<OrderAccount>(order_id)?;
    Ok(found.map_or_else(|| OrderAccount::new(order_id), Arc::unwrap_or_clone))
}

/// Does a command to a payment, and what follows from its events.
pub fn carry_out(
    ws: &mut Workspace<'_>,
    payment_id: PaymentId,
    command: Command,
) -> Result<Vec<Event>, Refusal> {
    let events = ws.execute::<Payment>(payment_id, command)?;
    if events.is_empty() {
        return Ok(events);
    }
    let state = ws.state::<Payment>(payment_id)?;
    for event in &events {
        follow(ws, payment_id, &state, event)?;
    }
    Ok(events)
}

fn follow(
    ws: &mut Workspace<'_>,
    payment_id: PaymentId,
    state: &State,
    event: &Event,
) -> Result<(), Refusal> {
    let Some(order_id) = state.identity.map(|identity| identity.order_id) else { return Ok(()) };
    match event {
        Event::Succeeded { amount, .. } => {
            let mut account = account(ws, order_id)?;
            account.closed(payment_id, Some(amount.amount));
            invoicing::issue(ws, &mut account, state)?;
            ws.put(account)?;
            refunding::settle_waiting(ws, order_id, payment_id)
        }
        Event::Failed { .. } | Event::Voided { .. } => {
            let mut account = account(ws, order_id)?;
            account.closed(payment_id, None);
            ws.put(account)?;
            refunding::settle_waiting(ws, order_id, payment_id)
        }
        Event::AwaitingCustomer { until, .. } | Event::AwaitingTransfer { until, .. } => {
            wait(ws, order_id, payment_id, *until)
        }
        Event::RefundCompleted { refund_id, amount, .. } => {
            refunding::completed(ws, order_id, payment_id, (*refund_id, *amount))
        }
        Event::RefundDeclined { refund_id, failure, .. } => {
            refunding::declined(ws, order_id, payment_id, (*refund_id, failure))
        }
        _ => Ok(()),
    }
}

/// A payment waits for somebody: not for an order that is off, and not for ever.
fn wait(
    ws: &mut Workspace<'_>,
    order_id: OrderId,
    payment_id: PaymentId,
    until: Timestamp,
) -> Result<(), Refusal> {
    let account = account(ws, order_id)?;
    let undone = account.refunds.values().any(|refund| refund.waits_for(payment_id));
    if account.is_closed() || undone {
        return void(ws, payment_id, VoidCause::Cancelled);
    }
    ws.set_timer(waiting::WAIT_TIMER, payment_id, until, 0);
    Ok(())
}

/// Calls a payment off, where it waits for somebody.
pub fn void(ws: &mut Workspace<'_>, payment_id: PaymentId, cause: VoidCause) -> Result<(), Refusal> {
    let at = ws.now();
    if carry_out(ws, payment_id, Command::Void { cause, at })?.is_empty() {
        return Ok(());
    }
    ask_gateway(ws, payment_id, Task::Void)
}

/// Wants something of a payment's charge at its gateway.
pub fn ask_gateway(ws: &mut Workspace<'_>, payment_id: PaymentId, task: Task) -> Result<(), Refusal> {
    let state = ws.state::<Payment>(payment_id)?;
    match &state.terms {
        Some(terms) if state.phase != Phase::New => charge::start(ws, payment_id, terms.key.clone(), task),
        _ => Ok(()),
    }
}
