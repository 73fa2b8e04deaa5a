//! An order's parcels: one an artisan.

use backbone::Rejection;
use contracts::shared::DateRange;
use kernel::{ArtisanId, ShipmentId, Timestamp};

use super::details::Details;
use super::event::Event;
use super::life;
use super::parts::{Parcel, ShipmentStatus};

/// What can be asked, or is known, of parcels.
#[derive(Clone, Debug)]
pub enum Ship {
    /// A parcel has a carrier.
    Scheduled {
        /// Which.
        shipment_id: ShipmentId,
        /// Who sends it.
        artisan_id: ArtisanId,
        /// Who carries it.
        carrier: String,
        /// When it should arrive.
        estimated_delivery: DateRange,
    },
    /// A parcel has left.
    Dispatched {
        /// Which.
        shipment_id: ShipmentId,
        /// Who carries it.
        carrier: String,
        /// The carrier's number for following it.
        tracking_number: String,
    },
    /// A parcel has arrived.
    Delivered {
        /// Which.
        shipment_id: ShipmentId,
        /// Within the estimate.
        on_time: bool,
    },
    /// Ask for all parcels that have not left to be called off.
    CallOff {
        /// Why.
        reason: String,
    },
    /// Parcels were called off.
    Cancelled {
        /// Which.
        shipment_ids: Vec<ShipmentId>,
        /// Why.
        reason: String,
    },
}

pub(super) fn decide(order: &Details, act: Ship, at: Timestamp) -> Result<Vec<Event>, Rejection> {
    let status = |id: ShipmentId| {
        order.shipments.iter().find(|parcel| parcel.shipment_id == id).map(|parcel| parcel.status)
    };
    let event = match act {
        Ship::Scheduled { shipment_id, .. } if status(shipment_id).is_some() => return Ok(Vec::new()),
        Ship::Scheduled { shipment_id, artisan_id, carrier, estimated_delivery } => {
            let parcel = Parcel {
                shipment_id,
                artisan_id,
                status: ShipmentStatus::Scheduled,
                carrier,
                tracking_number: None,
                estimated_delivery,
                dispatched_at: None,
                delivered_at: None,
                on_time: None,
            };
            Event::ShipmentScheduled { parcel, at }
        }
        Ship::Dispatched { shipment_id, .. } if status(shipment_id) != Some(ShipmentStatus::Scheduled) => {
            return Ok(Vec::new());
        }
        Ship::Dispatched { shipment_id, carrier, tracking_number } => {
            Event::ShipmentDispatched { shipment_id, carrier, tracking_number, at }
        }
        Ship::Delivered { shipment_id, .. } if status(shipment_id) != Some(ShipmentStatus::Dispatched) => {
            return Ok(Vec::new());
        }
        Ship::Delivered { shipment_id, on_time } => Event::ShipmentDelivered { shipment_id, on_time, at },
        Ship::CallOff { reason } => return Ok(vec![Event::ShipmentCancellationAsked { reason, at }]),
        Ship::Cancelled { shipment_ids, reason } => Event::ShipmentsCancelled { shipment_ids, reason, at },
    };
    Ok(life::advance(order, vec![event], at))
}
