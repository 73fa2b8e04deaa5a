//! Calling an order off: before confirmation at once, after it through a saga.

use backbone::Rejection;
use contracts::order::CancelledBy;
use contracts::shared::OrderItem;
use contracts::shared::OrderState::{Cancelled, Confirmed, Failed, Preparing};
use kernel::{ArtisanId, Money, MoneyError, RefundId, Timestamp};

use super::details::Details;
use super::event::Event;
use super::parts::{ChangeStatus, ShipmentStatus};
use super::{change, life};
use crate::error;

/// The ways to call an order off.
#[derive(Clone, Debug)]
pub enum Cancel {
    /// Before confirmation, or by the cancellation saga. Calling off twice does nothing.
    Now {
        /// Why.
        reason: String,
        /// By whom.
        by: CancelledBy,
        /// A user's id, or a service's name.
        changed_by: String,
    },
    /// Infrastructure stayed down. Does nothing where it is called off already.
    GiveUp {
        /// Why.
        reason: String,
    },
    /// After confirmation: wish it called off; the saga finds out whether it is possible.
    Ask {
        /// The refund that it would make.
        refund_id: RefundId,
        /// Why.
        reason: String,
        /// By whom.
        by: CancelledBy,
        /// A user's id, or a service's name.
        asked_by: String,
    },
    /// Every parcel had left: the wish comes too late.
    Refuse {
        /// Why.
        reason: String,
    },
    /// Some parcels had left: only what was called off goes.
    DropParcels {
        /// Whose parcels were called off.
        artisans: Vec<ArtisanId>,
    },
}

pub(super) fn decide(order: &Details, act: Cancel, at: Timestamp) -> Result<Vec<Event>, Rejection> {
    match act {
        Cancel::Now { .. } | Cancel::GiveUp { .. } if order.is_called_off() => Ok(Vec::new()),
        Cancel::Now { reason, by, changed_by } => {
            if matches!(order.state, Confirmed | Preparing) && !order.is_cancelling() {
                return Err(error::busy("fulfilment"));
            }
            let from = life::leave(order, Cancelled)?;
            Ok(vec![Event::Cancelled { from, reason, by, changed_by, at }])
        }
        Cancel::GiveUp { reason } => {
            let from = life::leave(order, Failed)?;
            Ok(vec![Event::Failed { from, reason, at }])
        }
        Cancel::Ask { refund_id, reason, by, asked_by } => {
            free_to_change(order)?;
            Ok(vec![Event::CancellationAsked { refund_id, reason, by, asked_by, at }])
        }
        Cancel::Refuse { .. } if !order.is_cancelling() => Ok(Vec::new()),
        Cancel::Refuse { reason } => {
            Ok(life::advance(order, vec![Event::CancellationRefused { reason, at }], at))
        }
        Cancel::DropParcels { artisans } => drop_parcels(order, &artisans, at),
    }
}

/// Confirmed, nothing dispatched, nothing else under way.
pub(super) fn free_to_change(order: &Details) -> Result<(), Rejection> {
    let underway = |status| matches!(status, ChangeStatus::Asked | ChangeStatus::Accepted);
    if order.is_any_dispatched() {
        return Err(error::already_dispatched());
    }
    if !matches!(order.state, Confirmed | Preparing) {
        return Err(error::wrong_state("changed", order.state));
    }
    if order.is_cancelling() {
        return Err(error::busy("the cancellation"));
    }
    if order.changes.iter().any(|change| underway(change.status)) {
        return Err(error::busy("a change of items"));
    }
    Ok(())
}

fn drop_parcels(order: &Details, artisans: &[ArtisanId], at: Timestamp) -> Result<Vec<Event>, Rejection> {
    let kept: Vec<OrderItem> = order
        .items
        .iter()
        .filter(|line| line.quantity > 0 && !artisans.contains(&line.artisan_id))
        .map(|line| line.item(line.quantity))
        .collect();
    let diff = change::difference(order, &kept);
    let back = order.parcels_cost(artisans).map_err(change::unpayable)?;
    let by = order.cancelling.as_ref().map_or("order".to_owned(), |cancelling| cancelling.asked_by.clone());
    let event = Event::ItemsModified {
        change_id: None,
        items: kept,
        added: diff.added,
        removed: diff.removed,
        modified: diff.modified,
        without_delivery: artisans.to_vec(),
        total: order.total.minus(back).map_err(change::unpayable)?,
        by,
        at,
    };
    Ok(life::advance(order, vec![event], at))
}

impl Details {
    /// What the goods and deliveries of these artisans cost.
    pub fn parcels_cost(&self, artisans: &[ArtisanId]) -> Result<Money, MoneyError> {
        let lines = self.items.iter().filter(|line| artisans.contains(&line.artisan_id));
        let goods = lines.map(|line| line.unit_price.times(i64::from(line.quantity)));
        let deliveries = self.deliveries.iter().filter(|delivery| artisans.contains(&delivery.artisan_id));
        let mut sum = Money::zero(self.total.currency);
        for cost in goods.chain(deliveries.map(|delivery| Ok(delivery.price))) {
            sum = sum.plus(cost?)?;
        }
        Ok(sum)
    }

    /// The artisans all of whose parcels were called off, where others' have left.
    pub fn without_parcel(&self) -> Vec<ArtisanId> {
        let left = |artisan: &ArtisanId| {
            let mut parcels = self.shipments.iter().filter(|parcel| parcel.artisan_id == *artisan);
            parcels.any(|p| matches!(p.status, ShipmentStatus::Dispatched | ShipmentStatus::Delivered))
        };
        self.artisans().into_iter().filter(|artisan| !left(artisan)).collect()
    }
}
