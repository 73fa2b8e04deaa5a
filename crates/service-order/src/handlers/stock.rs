//! What inventory says of an order's stock.

use backbone::reaction::Received;
use backbone::{Refusal, Workspace};
use contracts::inventory::{
    ReleaseReason, ReservationConfirmed, ReservationReleased, StockConfirmed, StockFailed, StockReleased,
    StockReserved,
};
use contracts::order::CancelledBy;
use kernel::{OrderId, ReservationId};

use crate::cancellation::{self, Cancellation};
use crate::commands::act;
use crate::domain::{Act, Cancel, Details, Keep, Movement, Order};
use crate::fulfilment::{self, Fulfilment};
use crate::item_change::{self, ItemChange};

/// The order, where the event is about one of ours: a cart's hold is not.
pub(super) fn known(ws: &mut Workspace<'_>, order_id: OrderId) -> Result<Option<Details>, Refusal> {
    Ok(ws.state::<Order>(order_id)?.0.as_deref().cloned())
}

/// The change of items whose hold this is.
fn change_of(order: &Details, reservation: ReservationId) -> Option<uuid::Uuid> {
    order.changes.iter().find(|change| change.reservation_id == reservation).map(|change| change.change_id)
}

pub(super) fn reservation_confirmed(
    event: &Received<'_, ReservationConfirmed>,
    ws: &mut Workspace<'_>,
) -> Result<(), Refusal> {
    let Some(order) = known(ws, event.order_id)? else { return Ok(()) };
    if order.hold.id == event.reservation_id {
        let until = event.expires_at;
        act(ws, order.order_id, Act::Stock(Keep::Held { until }))?;
        let reply = fulfilment::Reply::Reserved { until };
        ws.reply_to_saga::<Fulfilment>(order.order_id.0, &reply)?;
    } else if let Some(change) = change_of(&order, event.reservation_id) {
        ws.reply_to_saga::<ItemChange>(change, &item_change::Reply::Reserved)?;
    }
    Ok(())
}

pub(super) fn stock_failed(event: &Received<'_, StockFailed>, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
    let Some(order) = known(ws, event.order_id)? else { return Ok(()) };
    let reason = shortage(event);
    if order.hold.id == event.reservation_id {
        let shortages = event.shortages.clone();
        act(ws, order.order_id, Act::Stock(Keep::Refused { reason: reason.clone(), shortages }))?;
        let reply = fulfilment::Reply::NotReserved { reason };
        ws.reply_to_saga::<Fulfilment>(order.order_id.0, &reply)?;
    } else if let Some(change) = change_of(&order, event.reservation_id) {
        ws.reply_to_saga::<ItemChange>(change, &item_change::Reply::NotReserved { reason })?;
    }
    Ok(())
}

/// Why nothing is held, with what was lacking.
fn shortage(event: &StockFailed) -> String {
    let lacking = event
        .shortages
        .iter()
        .map(|s| format!("{} of product {} wanted, {} available", s.requested, s.product_id, s.available));
    let lacking: Vec<String> = lacking.collect();
    if lacking.is_empty() {
        event.reason.clone()
    } else {
        format!("{}: {}", event.reason, lacking.join("; "))
    }
}

/// Takes in a movement of pieces of a line.
macro_rules! movement {
    ($name:ident, $event:ty, $movement:expr, $quantity:ident) => {
        pub(super) fn $name(event: &Received<'_, $event>, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
            let Some(order) = known(ws, event.order_id)? else { return Ok(()) };
            let moved = Keep::Moved {
                movement: $movement,
                reservation_id: event.reservation_id,
                product_id: event.product_id,
                variant_id: event.variant_id,
                quantity: event.$quantity,
            };
            act(ws, order.order_id, Act::Stock(moved)).map(drop)
        }
    };
}

movement!(stock_reserved, StockReserved, Movement::Reserved, quantity_reserved);
movement!(stock_confirmed, StockConfirmed, Movement::Confirmed, quantity_confirmed);
movement!(stock_released, StockReleased, Movement::Released, quantity_released);

/// Compensation answered; or the hold ended under a running saga, which then ends as well.
pub(super) fn reservation_released(
    event: &Received<'_, ReservationReleased>,
    ws: &mut Workspace<'_>,
) -> Result<(), Refusal> {
    let Some(order) = known(ws, event.order_id)? else { return Ok(()) };
    let expired = event.reason == ReleaseReason::ReservationExpired;
    if let Some(change) = change_of(&order, event.reservation_id) {
        if expired {
            ws.abort_saga::<ItemChange>(change, "the hold on stock expired")?;
        }
        ws.reply_to_saga::<ItemChange>(change, &item_change::Reply::Released)?;
        return Ok(());
    }
    if order.hold.id != event.reservation_id {
        return Ok(());
    }
    act(ws, order.order_id, Act::Stock(Keep::Released { reason: event.reason }))?;
    if order.confirmed_at.is_some() {
        if let Some(cancelling) = &order.cancelling {
            let reply = cancellation::Reply::Released;
            ws.reply_to_saga::<Cancellation>(cancelling.refund_id.0, &reply)?;
        }
        return Ok(());
    }
    if expired && order.is_pending() {
        let reason = "the hold on stock expired".to_owned();
        let cancel =
            Cancel::Now { reason: reason.clone(), by: CancelledBy::System, changed_by: "order".to_owned() };
        act(ws, order.order_id, Act::Cancel(cancel))?;
        ws.abort_saga::<Fulfilment>(order.order_id.0, &reason)?;
    }
    ws.reply_to_saga::<Fulfilment>(order.order_id.0, &fulfilment::Reply::Released).map(drop)
}
