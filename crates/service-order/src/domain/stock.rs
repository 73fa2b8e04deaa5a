//! The hold on an order's stock.

use backbone::Rejection;
use contracts::inventory::{Priority, ReleaseReason, ReleaseRequestReason};
use contracts::shared::Shortage;
use kernel::{ProductId, ReservationId, Timestamp, VariantId};

use super::details::Details;
use super::event::{Event, Movement};
use super::parts::HoldStatus;
use crate::error;

/// What can be asked, or is known, of stock.
#[derive(Clone, Debug)]
pub enum Keep {
    /// Ask for a hold on all items.
    Request {
        /// Until when.
        until: Timestamp,
        /// Who is served first.
        priority: Priority,
    },
    /// All items are held.
    Held {
        /// Until when.
        until: Timestamp,
    },
    /// Nothing is held.
    Refused {
        /// Why.
        reason: String,
        /// What was lacking.
        shortages: Vec<Shortage>,
    },
    /// The hold lasts longer.
    Extended {
        /// Until when.
        until: Timestamp,
    },
    /// Pieces of a line moved.
    Moved {
        /// Which way.
        movement: Movement,
        /// For which hold.
        reservation_id: ReservationId,
        /// The product.
        product_id: ProductId,
        /// The variant.
        variant_id: Option<VariantId>,
        /// Pieces.
        quantity: u32,
    },
    /// Ask to give a hold back.
    Release {
        /// Which.
        reservation_id: ReservationId,
        /// Why.
        reason: ReleaseRequestReason,
    },
    /// The order's hold ended without a sale.
    Released {
        /// Why.
        reason: ReleaseReason,
    },
}

pub(super) fn decide(order: &Details, act: Keep, at: Timestamp) -> Result<Vec<Event>, Rejection> {
    let event = match act {
        Keep::Request { .. } if !order.is_pending() => {
            return Err(error::wrong_state("reserved", order.state));
        }
        Keep::Request { until, priority } => Event::ReservationAsked { until, priority, at },
        Keep::Held { .. } if order.hold.status != HoldStatus::Requested => return Ok(Vec::new()),
        Keep::Held { until } => Event::ReservationHeld { until, at },
        Keep::Refused { reason, shortages } => Event::ReservationRefused { reason, shortages, at },
        Keep::Extended { until } => Event::ReservationExtended { until, at },
        Keep::Moved { movement, reservation_id, product_id, variant_id, quantity } => {
            Event::StockMoved { movement, reservation_id, product_id, variant_id, quantity, at }
        }
        Keep::Release { reservation_id, reason } => Event::ReleaseAsked { reservation_id, reason, at },
        Keep::Released { .. } if order.hold.status == HoldStatus::Released => return Ok(Vec::new()),
        Keep::Released { reason } => Event::ReservationReleased { reason, at },
    };
    Ok(vec![event])
}
