//! Commands: decisions on a workspace, from wherever they were asked.

use std::sync::Arc;

use backbone::workspace::Key;
use backbone::{Refusal, Rejection, RejectionKind, Workspace};
use contracts::order::{Confirmed, Created};
use contracts::shared::DateRange;
use contracts::shipping::{ShipmentCancelled, ShipmentDelivered, ShipmentDispatched, ShipmentScheduled};
use kernel::{ArtisanId, ErrorKind, OrderId, ShipmentId};

use crate::config::{Config, Zone, days};
use crate::domain::{Consignment, Dispatch, Shipment, State, Status};

/// Keeps what an order wants sent, unless it was called off already.
pub fn note(ws: &mut Workspace<'_>, order: &Created) -> Result<(), Refusal> {
    match ws.get::<Consignment>(order.order_id)? {
        Some(_) => Ok(()),
        None => ws.put(Consignment::of(order)),
    }
}

/// Schedules one shipment for each artisan of a confirmed order, once.
pub fn schedule(ws: &mut Workspace<'_>, config: &Config, order: &Confirmed) -> Result<(), Refusal> {
    let Some(consignment) = ws.get::<Consignment>(order.order_id)? else {
        // Both events have one key, so the other one comes first; where it lies in the dead
        // letters it may still come.
        let message = format!("order {} was confirmed but is not known yet", order.order_id);
        return Err(Refusal::failed(ErrorKind::Transient, message));
    };
    if consignment.state != State::Noted {
        return Ok(());
    }
    let mut scheduled = Arc::unwrap_or_clone(consignment);
    scheduled.state = State::Scheduled;
    for parcel in &scheduled.parcels {
        let shipment = plan(ws, config, &scheduled, (parcel.artisan_id, order));
        ws.publish(ShipmentScheduled {
            shipment_id: shipment.shipment_id,
            order_id: shipment.order_id,
            artisan_id: shipment.artisan_id,
            carrier: shipment.carrier.clone(),
            pickup: shipment.pickup.clone(),
            estimated_delivery: shipment.estimated_delivery.clone(),
            scheduled_at: ws.now(),
        });
        ws.create(shipment);
    }
    ws.put(scheduled)
}

/// A shipment as it is planned. The customer was told when it arrives; that binds.
fn plan(
    ws: &Workspace<'_>,
    config: &Config,
    consignment: &Consignment,
    (artisan_id, order): (ArtisanId, &Confirmed),
) -> Shipment {
    let zone = consignment.zone.and_then(|name| config.zone(name));
    let collected = ws.now().plus(days(config.preparation_days));
    Shipment {
        shipment_id: consignment.shipment_id(artisan_id),
        order_id: order.order_id,
        artisan_id,
        status: Status::Scheduled,
        carrier: zone.map_or_else(|| "to be arranged".to_owned(), |zone: &Zone| zone.carrier.clone()),
        tracking_number: None,
        pickup: DateRange { from: collected, to: collected.plus(days(1)) },
        estimated_delivery: order.estimated_delivery.clone(),
        dispatched_at: None,
        delivered_at: None,
        proof: None,
    }
}

/// Who wants an order's shipments called off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOff {
    /// The order was cancelled: told where something was called off by it.
    Cancelled,
    /// Order asks and waits: always answered, with all that is called off, now or before.
    Asked,
}

/// Calls off what has not left. What arrives later for this order schedules nothing.
pub fn call_off(
    ws: &mut Workspace<'_>,
    order_id: OrderId,
    reason: &str,
    how: CallOff,
) -> Result<(), Refusal> {
    let consignment = match ws.get::<Consignment>(order_id)? {
        Some(known) => Arc::unwrap_or_clone(known),
        None => {
            let refused = Consignment::refused(order_id);
            ws.put(refused.clone())?;
            refused
        }
    };
    let (mut now_cancelled, mut cancelled) = (Vec::new(), Vec::new());
    if consignment.state == State::Scheduled {
        let ids = consignment.shipment_ids();
        ws.need(ids.iter().map(Key::document::<Shipment>))?;
        for id in ids {
            let Some(shipment) = ws.get::<Shipment>(id)? else { continue };
            if let Some(off) = shipment.cancelled() {
                ws.put(off)?;
                now_cancelled.push(id);
                cancelled.push(id);
            } else if shipment.status == Status::Cancelled {
                cancelled.push(id);
            }
        }
    } else if consignment.state == State::Noted {
        ws.put(Consignment { state: State::Cancelled, ..consignment })?;
    }
    let shipment_ids: Vec<ShipmentId> = if how == CallOff::Asked { cancelled } else { now_cancelled };
    if how == CallOff::Asked || !shipment_ids.is_empty() {
        let cancelled_at = ws.now();
        let reason = reason.to_owned();
        ws.publish(ShipmentCancelled { order_id, shipment_ids, reason, cancelled_at });
    }
    Ok(())
}

/// A shipment that this artisan (or an operator: none) may handle.
fn own(ws: &mut Workspace<'_>, id: ShipmentId, only: Option<ArtisanId>) -> Result<Arc<Shipment>, Refusal> {
    let missing = || Rejection::not_found("no-such-shipment", "there is no such shipment");
    let shipment = ws.get::<Shipment>(id)?.ok_or_else(missing)?;
    if only.is_some_and(|own| own != shipment.artisan_id) {
        let message = "this shipment is another artisan's";
        return Err(Rejection::new(RejectionKind::Forbidden, "not-your-shipment", message).into());
    }
    Ok(shipment)
}

/// A parcel leaves.
pub fn dispatch(
    ws: &mut Workspace<'_>,
    id: ShipmentId,
    only: Option<ArtisanId>,
    how: &Dispatch,
) -> Result<(), Refusal> {
    let now = ws.now();
    let Some(shipment) = own(ws, id, only)?.dispatched(how, now)? else { return Ok(()) };
    ws.publish(ShipmentDispatched {
        shipment_id: id,
        order_id: shipment.order_id,
        artisan_id: shipment.artisan_id,
        carrier: shipment.carrier.clone(),
        tracking_number: how.tracking_number.clone(),
        dispatched_at: now,
    });
    ws.put(shipment)
}

/// A parcel has arrived.
pub fn deliver(
    ws: &mut Workspace<'_>,
    id: ShipmentId,
    only: Option<ArtisanId>,
    proof: Option<&str>,
) -> Result<(), Refusal> {
    let now = ws.now();
    let Some((shipment, on_time)) = own(ws, id, only)?.delivered(proof, now)? else { return Ok(()) };
    ws.publish(ShipmentDelivered {
        shipment_id: id,
        order_id: shipment.order_id,
        artisan_id: shipment.artisan_id,
        on_time,
        delivered_at: now,
        proof: shipment.proof.clone(),
    });
    ws.put(shipment)
}
