//! What shipping says of an order's parcels.

use backbone::reaction::Received;
use backbone::{Refusal, Workspace};
use contracts::shipping::{ShipmentCancelled, ShipmentDelivered, ShipmentDispatched, ShipmentScheduled};
use kernel::Money;

use super::stock::known;
use crate::cancellation::{self, Cancellation, Scope};
use crate::commands::{act, order};
use crate::domain::{Act, ChangeStatus, Details, Ship};
use crate::fulfilment::{self, Fulfilment};
use crate::item_change::ItemChange;

pub(super) fn scheduled(
    event: &Received<'_, ShipmentScheduled>,
    ws: &mut Workspace<'_>,
) -> Result<(), Refusal> {
    let Some(before) = known(ws, event.order_id)? else { return Ok(()) };
    let parcel = Ship::Scheduled {
        shipment_id: event.shipment_id,
        artisan_id: event.artisan_id,
        carrier: event.carrier.clone(),
        estimated_delivery: event.estimated_delivery.clone(),
    };
    act(ws, before.order_id, Act::Shipment(parcel))?;
    if !before.is_scheduled() && order(ws, before.order_id)?.is_scheduled() {
        ws.reply_to_saga::<Fulfilment>(before.order_id.0, &fulfilment::Reply::Scheduled)?;
    }
    Ok(())
}

/// A parcel has left: a change of items that is not paid yet comes too late.
pub(super) fn dispatched(
    event: &Received<'_, ShipmentDispatched>,
    ws: &mut Workspace<'_>,
) -> Result<(), Refusal> {
    let Some(order) = known(ws, event.order_id)? else { return Ok(()) };
    let parcel = Ship::Dispatched {
        shipment_id: event.shipment_id,
        carrier: event.carrier.clone(),
        tracking_number: event.tracking_number.clone(),
    };
    act(ws, order.order_id, Act::Shipment(parcel))?;
    for change in order.changes.iter().filter(|change| change.status == ChangeStatus::Asked) {
        ws.abort_saga::<ItemChange>(change.change_id, "a parcel of the order left")?;
    }
    Ok(())
}

pub(super) fn delivered(
    event: &Received<'_, ShipmentDelivered>,
    ws: &mut Workspace<'_>,
) -> Result<(), Refusal> {
    let Some(order) = known(ws, event.order_id)? else { return Ok(()) };
    let parcel = Ship::Delivered { shipment_id: event.shipment_id, on_time: event.on_time };
    act(ws, order.order_id, Act::Shipment(parcel)).map(drop)
}

/// Parcels were called off: the cancellation learns what it still can do.
pub(super) fn cancelled(
    event: &Received<'_, ShipmentCancelled>,
    ws: &mut Workspace<'_>,
) -> Result<(), Refusal> {
    let Some(before) = known(ws, event.order_id)? else { return Ok(()) };
    let parcels = Ship::Cancelled { shipment_ids: event.shipment_ids.clone(), reason: event.reason.clone() };
    act(ws, before.order_id, Act::Shipment(parcels))?;
    let Some(cancelling) = before.cancelling.as_ref().filter(|_| before.is_cancelling()) else {
        return Ok(());
    };
    let (scope, amount) = still_possible(&order(ws, before.order_id)?);
    let reply = cancellation::Reply::ShipmentsCancelled { scope, amount };
    ws.reply_to_saga::<Cancellation>(cancelling.refund_id.0, &reply).map(drop)
}

/// What can still be called off, and what goes back for it.
fn still_possible(order: &Details) -> (Scope, Money) {
    let zero = Money::zero(order.total.currency);
    if !order.is_any_dispatched() {
        return (Scope::Whole, order.balance().unwrap_or(zero));
    }
    let artisans = order.without_parcel();
    if artisans.is_empty() {
        return (Scope::Nothing, zero);
    }
    let amount = order.parcels_cost(&artisans).unwrap_or(zero);
    (Scope::Parcels(artisans), amount)
}
