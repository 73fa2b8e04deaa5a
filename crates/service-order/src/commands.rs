//! Commands: what a decision asks of an order, and the sagas that start with it.

use backbone::{Refusal, Rejection, Workspace};
use contracts::order::CancelledBy;
use kernel::{Money, OrderId, PaymentId, RefundId, ReservationId, ReturnId};

use crate::cancellation::{self, Cancellation};
use crate::config::{Config, days};
use crate::domain::{
    Act, Cancel, ChangeIds, ChangeItems, Command, Details, Event, Order, Placed, ReturnItem, SendBack,
};
use crate::error;
use crate::fulfilment::{self, Fulfilment};
use crate::item_change::{self, ItemChange};
use crate::returns::{self, OrderReturn};

/// Asks something of an order, now.
pub fn act(ws: &mut Workspace<'_>, order_id: OrderId, act: Act) -> Result<Vec<Event>, Refusal> {
    let at = ws.now();
    ws.execute::<Order>(order_id, Command { at, act })
}

/// The order, where it was placed.
pub fn order(ws: &mut Workspace<'_>, order_id: OrderId) -> Result<Details, Refusal> {
    Ok(ws.state::<Order>(order_id)?.order()?.clone())
}

/// Places an order whose ids were made in this decision, and starts its fulfilment: one commit.
pub fn place(ws: &mut Workspace<'_>, placed: Placed, config: &Config) -> Result<(), Refusal> {
    let order_id = placed.order_id;
    let token = placed.payment_method_id.known().cloned().unwrap_or_default();
    let data = fulfilment::Data::new(&placed, token, RefundId(ws.uuid()), config.policy());
    ws.assume_new::<Order>(order_id);
    act(ws, order_id, Act::Place(Box::new(placed)))?;
    ws.start_saga::<Fulfilment>(order_id.0, data)
}

/// Who wants an order called off, and why.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Why.
    pub reason: String,
    /// On whose behalf.
    pub by: CancelledBy,
    /// A user's id, or a service's name.
    pub asked_by: String,
}

/// Calls an order off: at once before confirmation; after it, a saga finds out whether it is
/// still possible.
pub fn cancel(ws: &mut Workspace<'_>, order_id: OrderId, wish: &Wish) -> Result<(), Refusal> {
    let order = order(ws, order_id)?;
    let Wish { reason, by, asked_by } = wish.clone();
    if order.is_pending() {
        act(ws, order_id, Act::Cancel(Cancel::Now { reason, by, changed_by: asked_by }))?;
        // The saga repeats nobody's words.
        return ws.abort_saga::<Fulfilment>(order_id.0, "the order was called off").map(drop);
    }
    if order.is_called_off() {
        return Err(error::wrong_state("cancelled", order.state).into());
    }
    let refund_id = RefundId(ws.uuid());
    act(ws, order_id, Act::Cancel(Cancel::Ask { refund_id, reason, by, asked_by }))?;
    ws.start_saga::<Cancellation>(refund_id.0, cancellation::Data::of_order(&order, refund_id))
}

/// Sees to it that an order that was called off keeps no money: whatever was taken late goes
/// back. Nothing while a refund is under way.
pub fn settle_debt(ws: &mut Workspace<'_>, order_id: OrderId) -> Result<(), Refusal> {
    let order = order(ws, order_id)?;
    let owed = order.balance().unwrap_or(Money::zero(order.total.currency));
    if !order.is_called_off() || order.is_refund_open() || owed.amount <= 0 {
        return Ok(());
    }
    let refund_id = RefundId(ws.uuid());
    ws.start_saga::<Cancellation>(refund_id.0, cancellation::Data::of_late_money(&order, refund_id, owed))
}

/// Changes an order's items.
pub fn change_items(
    ws: &mut Workspace<'_>,
    order_id: OrderId,
    wish: &ChangeWish,
    config: &Config,
) -> Result<uuid::Uuid, Refusal> {
    let ids = ChangeIds {
        change: ws.uuid(),
        reservation: ReservationId(ws.uuid()),
        payment: PaymentId(ws.uuid()),
        refund: RefundId(ws.uuid()),
    };
    let ask =
        ChangeItems::Ask { seen: wish.seen, ids, items: wish.items.clone(), asked_by: wish.asked_by.clone() };
    act(ws, order_id, Act::Change(ask))?;
    let order = order(ws, order_id)?;
    let change = order.change(ids.change).ok_or_else(error::no_such_change)?;
    let token = order.payment_method_id.as_ref().and_then(|token| token.known()).cloned();
    let token = token.ok_or_else(|| {
        Rejection::conflict("payment-method-gone", "the payment method is no longer known: place a new order")
    })?;
    ws.start_saga::<ItemChange>(ids.change, item_change::Data::new(&order, change, token, config.policy()))?;
    Ok(ids.change)
}

/// The items that an order shall have.
#[derive(Clone, Debug)]
pub struct ChangeWish {
    /// The version that the customer saw.
    pub seen: u64,
    /// All lines as they shall be.
    pub items: Vec<contracts::shared::OrderItem>,
    /// Who asks.
    pub asked_by: String,
}

/// Announces a return.
pub fn send_back(
    ws: &mut Workspace<'_>,
    order_id: OrderId,
    (items, reason): (&[ReturnItem], &str),
    config: &Config,
) -> Result<ReturnId, Refusal> {
    let (return_id, refund_id) = (ReturnId(ws.uuid()), RefundId(ws.uuid()));
    let ask = SendBack::Ask {
        return_id,
        refund_id,
        items: items.to_vec(),
        reason: reason.to_owned(),
        days: config.withdrawal_days,
    };
    act(ws, order_id, Act::Return(ask))?;
    let zero = Money::zero(order(ws, order_id)?.total.currency);
    let limit_s = days(config.return_days).as_secs();
    let data = returns::Data { order_id, return_id, refund_id, refund: zero, limit_s, failures: 0 };
    ws.start_saga::<OrderReturn>(return_id.0, data)?;
    Ok(return_id)
}
