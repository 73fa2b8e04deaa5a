//! Changing an order's items between confirmation and dispatch.

use backbone::Rejection;
use contracts::shared::OrderItem;
use kernel::{Money, MoneyError, PaymentId, ProductId, RefundId, ReservationId, Timestamp, VariantId};
use uuid::Uuid;

use super::cancel::free_to_change;
use super::details::Details;
use super::event::Event;
use super::parts::{Change, ChangeStatus, Payment, cost};
use crate::error;

/// What can be asked of a change.
#[derive(Clone, Debug)]
pub enum ChangeItems {
    /// Change to these lines, decided on that version of the order.
    Ask {
        /// The version that the customer saw.
        seen: u64,
        /// The ids of the change's hold, charge and refund.
        ids: ChangeIds,
        /// The lines as they shall be.
        items: Vec<OrderItem>,
        /// Who asks.
        asked_by: String,
    },
    /// Ask for a hold on the pieces that are added.
    Reserve {
        /// Which change.
        change_id: Uuid,
        /// Until when.
        until: Timestamp,
    },
    /// Reserved and paid.
    Accept {
        /// Which change.
        change_id: Uuid,
    },
    /// Give it up.
    Drop {
        /// Which change.
        change_id: Uuid,
        /// Why.
        reason: String,
    },
    /// Make it.
    Apply {
        /// Which change.
        change_id: Uuid,
    },
}

/// The ids that a change needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeIds {
    /// The change's, and its saga's.
    pub change: Uuid,
    /// Of the hold on added pieces.
    pub reservation: ReservationId,
    /// Of the charge of the difference.
    pub payment: PaymentId,
    /// Of the refund of the difference.
    pub refund: RefundId,
}

/// A line as it shall be: 0 pieces remove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reshaped {
    /// The product.
    pub product_id: ProductId,
    /// The variant.
    pub variant_id: Option<VariantId>,
    /// Pieces.
    pub quantity: u32,
}

/// What differs between an order and the lines it shall have.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Difference {
    /// Lines that are new.
    pub(super) added: Vec<OrderItem>,
    /// Lines that are gone, as they were.
    pub(super) removed: Vec<OrderItem>,
    /// Lines whose quantity changed, as they shall be.
    pub(super) modified: Vec<OrderItem>,
    /// Pieces that come on top, by line.
    pub(super) more: Vec<OrderItem>,
}

pub(super) fn difference(order: &Details, items: &[OrderItem]) -> Difference {
    let mut diff = Difference::default();
    for item in items {
        let line = order.items.iter().find(|line| line.is(item.product_id, item.variant_id));
        let before = line.map_or(0, |line| line.quantity);
        if before == 0 {
            diff.added.push(item.clone());
        } else if before != item.quantity {
            diff.modified.push(item.clone());
        }
        if item.quantity > before {
            diff.more.push(OrderItem { quantity: item.quantity - before, ..item.clone() });
        }
    }
    for line in order.items.iter().filter(|line| line.quantity > 0) {
        if !items.iter().any(|item| line.is(item.product_id, item.variant_id)) {
            diff.removed.push(line.item(line.quantity));
        }
    }
    diff
}

/// The lines of `order` after `wishes`; `quoted` has the lines that are new to it. Lines that it
/// has keep their price.
pub fn reshape(
    order: &Details,
    wishes: &[Reshaped],
    quoted: &[OrderItem],
) -> Result<Vec<OrderItem>, Rejection> {
    let wish = |product, variant| wishes.iter().find(|w| w.product_id == product && w.variant_id == variant);
    let mut items = Vec::new();
    for line in &order.items {
        let quantity = wish(line.product_id, line.variant_id).map_or(line.quantity, |wish| wish.quantity);
        if quantity > 0 {
            items.push(line.item(quantity));
        }
    }
    for item in quoted {
        if let Some(wish) = wish(item.product_id, item.variant_id)
            && !items.iter().any(|i| i.product_id == item.product_id && i.variant_id == item.variant_id)
        {
            items.push(OrderItem { quantity: wish.quantity, ..item.clone() });
        }
    }
    Ok(items)
}

pub(super) fn decide(order: &Details, act: ChangeItems, at: Timestamp) -> Result<Vec<Event>, Rejection> {
    match act {
        ChangeItems::Ask { seen, ids, items, asked_by } => {
            if seen != order.version {
                return Err(error::stale(order.version));
            }
            free_to_change(order)?;
            check_parcels(order, &items)?;
            ask(order, ids, items, asked_by, at)
        }
        ChangeItems::Reserve { change_id, until } => {
            in_status(order, change_id, ChangeStatus::Asked)?;
            Ok(vec![Event::ChangeReservationAsked { change_id, until, at }])
        }
        ChangeItems::Accept { change_id } => {
            in_status(order, change_id, ChangeStatus::Asked)?;
            Ok(vec![Event::ChangeAccepted { change_id, at }])
        }
        ChangeItems::Drop { change_id, reason } => {
            in_status(order, change_id, ChangeStatus::Asked)?;
            Ok(vec![Event::ChangeDropped { change_id, reason, at }])
        }
        ChangeItems::Apply { change_id } => {
            let change = in_status(order, change_id, ChangeStatus::Accepted)?;
            let diff = difference(order, &change.items);
            let total = total_with(order, &change.items).map_err(unpayable)?;
            Ok(vec![Event::ItemsModified {
                change_id: Some(change_id),
                items: change.items.clone(),
                added: diff.added,
                removed: diff.removed,
                modified: diff.modified,
                without_delivery: Vec::new(),
                total,
                by: change.asked_by.clone(),
                at,
            }])
        }
    }
}

/// A change moves no parcel: shipping has scheduled one for each artisan, and none is added or
/// dropped by changing what is in them.
fn check_parcels(order: &Details, items: &[OrderItem]) -> Result<(), Rejection> {
    let artisans = order.artisans();
    let new = items.iter().position(|item| !artisans.contains(&item.artisan_id));
    if let Some(index) = new {
        let message = "this artisan has no parcel in the order yet: order it separately";
        return Err(error::invalid("artisan-not-in-order", format!("items[{index}].productId"), message));
    }
    if artisans.iter().any(|artisan| !items.iter().any(|item| item.artisan_id == *artisan)) {
        let message = "each artisan keeps at least one piece: cancel the order to drop a parcel";
        return Err(error::invalid("parcel-empty", "items", message));
    }
    Ok(())
}

fn ask(
    order: &Details,
    ids: ChangeIds,
    items: Vec<OrderItem>,
    asked_by: String,
    at: Timestamp,
) -> Result<Vec<Event>, Rejection> {
    let diff = difference(order, &items);
    if diff == Difference::default() {
        return Err(error::invalid("nothing-changes", "items", "these are the items of the order already"));
    }
    let total = total_with(order, &items).map_err(unpayable)?;
    let more = total.minus(order.total).map_err(unpayable)?;
    let charge = Money::new(more.amount.max(0), more.currency);
    let give_back = Money::new((-more.amount).max(0), more.currency);
    let change = Change {
        change_id: ids.change,
        status: ChangeStatus::Asked,
        items,
        reservation_id: ids.reservation,
        payment: Payment::planned(ids.payment, charge),
        refund_id: ids.refund,
        give_back,
        asked_by,
        reason: None,
        asked_at: at,
    };
    Ok(vec![Event::ChangeAsked { change: Box::new(change) }])
}

fn total_with(order: &Details, items: &[OrderItem]) -> Result<Money, MoneyError> {
    let deliveries = order.deliveries.iter().map(|delivery| delivery.price);
    cost(items)?.plus(Money::sum(order.total.currency, deliveries)?)
}

pub(super) fn unpayable(error: MoneyError) -> Rejection {
    Rejection::invalid("amount-impossible", error.to_string()).at("items")
}

fn in_status(order: &Details, change_id: Uuid, status: ChangeStatus) -> Result<&Change, Rejection> {
    let change = order.change(change_id).ok_or_else(error::no_such_change)?;
    if change.status == status { Ok(change) } else { Err(error::busy("another step")) }
}

impl Details {
    /// A change of items.
    pub fn change(&self, change_id: Uuid) -> Option<&Change> {
        self.changes.iter().find(|change| change.change_id == change_id)
    }

    /// The pieces that a change adds.
    pub fn pieces_added(&self, change: &Change) -> Vec<OrderItem> {
        difference(self, &change.items).more
    }
}
