//! Payments that wait: for the customer's bank, for a transfer, for the end of the withdrawal
//! period.

use backbone::timer::{Timer, TimerHandler};
use backbone::{Refusal, Rejection, Workspace};
use kernel::{ErrorKind, OrderId, PaymentId, SplitId, Timestamp};

use super::{ask_gateway, carry_out, void};
use crate::charge::Task;
use crate::domain::payment::VoidCause;
use crate::domain::{Command, OrderAccount, Payment};

/// Until when a payment waits for somebody; keyed by payment.
pub const WAIT_TIMER: &str = "payment-wait";
/// When shares become payable; keyed by order.
pub const PAYABLE_TIMER: &str = "payable";

/// The handlers of both.
pub fn timers() -> Vec<TimerHandler> {
    vec![TimerHandler::new(WAIT_TIMER, expire), TimerHandler::new(PAYABLE_TIMER, make_payable)]
}

fn key<T: std::str::FromStr<Err = uuid::Error>>(timer: &Timer) -> Result<T, Refusal> {
    let unreadable = |e| Refusal::failed(ErrorKind::Permanent, format!("timer key {}: {e}", timer.key));
    timer.key.parse().map_err(unreadable)
}

/// Nobody answered in time.
fn expire(timer: &Timer, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
    let payment_id: PaymentId = key(timer)?;
    let state = ws.state::<Payment>(payment_id)?;
    match &state.waiting {
        Some(waiting) if waiting.until <= ws.now() => void(ws, payment_id, VoidCause::Expired),
        _ => Ok(()),
    }
}

/// The order was delivered: its shares become payable when the customer can no longer withdraw.
pub fn delivered(ws: &mut Workspace<'_>, order_id: OrderId, due: Timestamp) -> Result<(), Refusal> {
    if ws.get::<OrderAccount>(order_id)?.is_some() {
        ws.set_timer(PAYABLE_TIMER, order_id, due, 0);
    }
    Ok(())
}

fn make_payable(timer: &Timer, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
    let order_id: OrderId = key(timer)?;
    let account = super::account(ws, order_id)?;
    let at = ws.now();
    for payment_id in &account.payments {
        carry_out(ws, *payment_id, Command::MakePayable { at })?;
    }
    Ok(())
}

/// The customer comes back from their bank.
pub fn answer_three_ds(ws: &mut Workspace<'_>, payment_id: PaymentId, answer: &str) -> Result<(), Refusal> {
    known(ws, payment_id)?;
    let at = ws.now();
    carry_out(ws, payment_id, Command::AnswerThreeDs { at })?;
    ask_gateway(ws, payment_id, Task::ThreeDs(answer.to_owned()))
}

/// An operator saw a transfer on the account.
pub fn confirm_transfer(
    ws: &mut Workspace<'_>,
    payment_id: PaymentId,
    reference: &str,
) -> Result<(), Refusal> {
    known(ws, payment_id)?;
    let (split_id, at) = (SplitId(ws.uuid()), ws.now());
    let reference = reference.to_owned();
    carry_out(ws, payment_id, Command::ConfirmTransfer { reference, split_id, at }).map(drop)
}

fn known(ws: &mut Workspace<'_>, payment_id: PaymentId) -> Result<(), Refusal> {
    match ws.state::<Payment>(payment_id)?.identity {
        Some(_) => Ok(()),
        None => Err(Rejection::not_found("no-such-payment", "there is no such payment").into()),
    }
}

/// A gateway hints that something became of a key: it is asked, for a hint proves nothing.
pub fn hinted(ws: &mut Workspace<'_>, key: &str) -> Result<bool, Refusal> {
    let order_id = key.split_once("/charge/").and_then(|(order_id, _)| order_id.parse::<OrderId>().ok());
    let Some(order_id) = order_id else { return Ok(false) };
    let account = super::account(ws, order_id)?;
    for payment_id in account.payments.iter().rev() {
        let state = ws.state::<Payment>(*payment_id)?;
        if state.terms.as_ref().is_some_and(|terms| terms.key == key) {
            ask_gateway(ws, *payment_id, Task::Ask)?;
            return Ok(true);
        }
    }
    Ok(false)
}
