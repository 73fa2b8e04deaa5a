//! The states of an order and the ways between them.

use backbone::Rejection;
use contracts::shared::OrderState::{
    self, AwaitingCustomer, Cancelled, Confirmed, Delivered, Failed, Pending, Preparing, Returned, Shipped,
};
use kernel::Timestamp;

use super::details::Details;
use super::event::Event;
use super::evolve;
use super::parts::{HoldStatus, PaymentStatus, ShipmentStatus};
use crate::error;

/// States that nothing leads out of. Delivered ends an order too, unless goods come back.
pub const FINAL_STATES: &[OrderState] = &[Cancelled, Failed, Returned];

/// Whether an order may go from one state to another.
pub fn allows(from: OrderState, to: OrderState) -> bool {
    matches!(
        (from, to),
        (Pending, AwaitingCustomer)
            | (Pending | AwaitingCustomer, Confirmed | Cancelled | Failed)
            | (Confirmed, Preparing | Cancelled)
            | (Preparing, Shipped | Cancelled)
            | (Shipped, Delivered)
            | (Delivered, Returned)
    )
}

/// The state that an order would leave to be `to`, or why it cannot.
pub(super) fn leave(order: &Details, to: OrderState) -> Result<OrderState, Rejection> {
    if allows(order.state, to) { Ok(order.state) } else { Err(error::wrong_state(to.as_str(), order.state)) }
}

impl Details {
    /// The fulfilment saga has not passed its pivot, and nobody called the order off.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, Pending | AwaitingCustomer)
    }

    /// A cancellation after confirmation is under way.
    pub fn is_cancelling(&self) -> bool {
        self.cancelling.as_ref().is_some_and(|cancelling| !cancelling.settled)
    }

    /// Nobody wants it any more.
    pub fn is_called_off(&self) -> bool {
        matches!(self.state, Cancelled | Failed)
    }
}

/// Confirms: never without payment and stock (reliability.md, rule 33).
pub(super) fn confirm(order: &Details, at: Timestamp) -> Result<Vec<Event>, Rejection> {
    let from = leave(order, Confirmed)?;
    if order.hold.status != HoldStatus::Held {
        return Err(error::not_ready("stock"));
    }
    let reference = order.payment.reference.clone();
    match reference.filter(|_| order.payment.status == PaymentStatus::Paid) {
        Some(reference) => Ok(vec![Event::Confirmed { from, reference, at }]),
        None => Err(error::not_ready("payment")),
    }
}

/// Adds the changes of state that follow from what `events` say of the parcels.
pub(super) fn advance(order: &Details, mut events: Vec<Event>, at: Timestamp) -> Vec<Event> {
    let mut after = order.clone();
    events.iter().for_each(|event| evolve::change(&mut after, event));
    while let Some(event) = next(&after, at) {
        evolve::change(&mut after, &event);
        events.push(event);
    }
    events
}

fn next(order: &Details, at: Timestamp) -> Option<Event> {
    let from = order.state;
    let live = || order.shipments.iter().filter(|parcel| parcel.status != ShipmentStatus::Cancelled);
    let scheduled = || order.is_scheduled();
    match from {
        Confirmed if scheduled() && !order.is_cancelling() => Some(Event::Preparing { from, at }),
        Preparing if scheduled() && live().all(|p| p.status != ShipmentStatus::Scheduled) => {
            Some(Event::Shipped { from, at })
        }
        Shipped if live().all(|parcel| parcel.status == ShipmentStatus::Delivered) => {
            Some(Event::Delivered { from, at })
        }
        _ => None,
    }
}

impl Details {
    /// Every artisan of the order has a parcel.
    pub fn is_scheduled(&self) -> bool {
        let artisans = self.artisans();
        let has_parcel = |artisan| {
            self.shipments
                .iter()
                .any(|parcel| parcel.artisan_id == artisan && parcel.status != ShipmentStatus::Cancelled)
        };
        !artisans.is_empty() && artisans.into_iter().all(has_parcel)
    }

    /// A parcel is on its way or has arrived.
    pub fn is_any_dispatched(&self) -> bool {
        let left = [ShipmentStatus::Dispatched, ShipmentStatus::Delivered];
        self.shipments.iter().any(|parcel| left.contains(&parcel.status))
    }
}
