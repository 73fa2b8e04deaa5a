//! Goods that come back: announced, received, inspected, refunded (Directive 2011/83/EU).

use backbone::Rejection;
use contracts::shared::OrderState;
use kernel::{ArtisanId, Duration, Money, MoneyError, ProductId, RefundId, ReturnId, Timestamp, VariantId};

use super::change::unpayable;
use super::details::Details;
use super::event::Event;
use super::life;
use super::parts::{Return, ReturnItem, ReturnStatus};
use crate::error;

/// What can be asked of a return.
#[derive(Clone, Debug)]
pub enum SendBack {
    /// Announce it.
    Ask {
        /// The return's id.
        return_id: ReturnId,
        /// The id of its refund.
        refund_id: RefundId,
        /// What comes back.
        items: Vec<ReturnItem>,
        /// Why.
        reason: String,
        /// The withdrawal period, in days.
        days: u32,
    },
    /// The goods are back.
    Receive {
        /// Which return.
        return_id: ReturnId,
        /// Who took them in.
        by: String,
    },
    /// The goods were looked at.
    Inspect {
        /// Which return.
        return_id: ReturnId,
        /// What is taken back; lines not named are taken back whole.
        accepted: Vec<Inspected>,
        /// What was found.
        note: Option<String>,
        /// Who looked.
        by: String,
    },
    /// Refunded: close it.
    Close {
        /// Which return.
        return_id: ReturnId,
    },
    /// The goods never came.
    Drop {
        /// Which return.
        return_id: ReturnId,
        /// Why.
        reason: String,
    },
}

/// What an inspection says of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// The product.
    pub product_id: ProductId,
    /// The variant.
    pub variant_id: Option<VariantId>,
    /// Pieces taken back.
    pub quantity: u32,
}

pub(super) fn decide(order: &Details, act: SendBack, at: Timestamp) -> Result<Vec<Event>, Rejection> {
    let event = match act {
        SendBack::Ask { return_id, refund_id, items, reason, days } => {
            check_wish(order, &items, days, at)?;
            let back = Return {
                return_id,
                status: ReturnStatus::Asked,
                items,
                reason,
                note: None,
                refund_id,
                refund: Money::zero(order.total.currency),
                asked_at: at,
                closed_at: None,
            };
            Event::ReturnAsked { back: Box::new(back) }
        }
        SendBack::Receive { return_id, by } => {
            in_status(order, return_id, ReturnStatus::Asked)?;
            Event::ReturnReceived { return_id, by, at }
        }
        SendBack::Inspect { return_id, accepted, note, by } => {
            let back = in_status(order, return_id, ReturnStatus::Received)?;
            let items = inspect(back, &accepted)?;
            let refund = order.worth(&items).map_err(unpayable)?;
            Event::ReturnInspected { return_id, items, refund, note, by, at }
        }
        SendBack::Close { return_id } => {
            let back = in_status(order, return_id, ReturnStatus::Inspected)?;
            if back.items.iter().all(|item| item.accepted == 0) {
                Event::ReturnRejected { return_id, at }
            } else {
                let whole = order.is_all_back(&back.items);
                let from = if whole { life::leave(order, OrderState::Returned)? } else { order.state };
                Event::ReturnClosed { return_id, from, whole, at }
            }
        }
        SendBack::Drop { return_id, reason } => {
            in_status(order, return_id, ReturnStatus::Asked)?;
            Event::ReturnDropped { return_id, reason, at }
        }
    };
    Ok(vec![event])
}

fn in_status(order: &Details, return_id: ReturnId, status: ReturnStatus) -> Result<&Return, Rejection> {
    let back = order.sent_back(return_id).ok_or_else(error::no_such_return)?;
    if back.status == status { Ok(back) } else { Err(error::busy("another step of the return")) }
}

fn check_wish(order: &Details, items: &[ReturnItem], days: u32, at: Timestamp) -> Result<(), Rejection> {
    let delivered = order.delivered_at.filter(|_| order.state == OrderState::Delivered);
    let Some(delivered) = delivered else { return Err(error::wrong_state("returned", order.state)) };
    if at > delivered.plus(Duration::from_secs(u64::from(days) * 86_400)) {
        return Err(error::too_late_to_return(days));
    }
    for (index, item) in items.iter().enumerate() {
        let line = order.items.iter().find(|line| line.is(item.product_id, item.variant_id));
        let Some(line) = line else {
            let field = format!("items[{index}].productId");
            return Err(error::invalid("not-in-order", field, "this product is not in the order"));
        };
        let left = line.quantity.saturating_sub(line.returned + order.on_the_way(item));
        if item.quantity > left {
            let field = format!("items[{index}].quantity");
            let message = format!("at most {left} of these can still be sent back");
            return Err(error::invalid("too-many-returned", field, message));
        }
    }
    Ok(())
}

fn inspect(back: &Return, accepted: &[Inspected]) -> Result<Vec<ReturnItem>, Rejection> {
    let mut items = back.items.clone();
    for item in &mut items {
        item.accepted = item.quantity;
    }
    for (index, found) in accepted.iter().enumerate() {
        let item = items
            .iter_mut()
            .find(|item| item.product_id == found.product_id && item.variant_id == found.variant_id);
        let field = |name: &str| format!("items[{index}].{name}");
        let Some(item) = item else {
            let message = "this product is not in the return";
            return Err(error::invalid("not-in-return", field("productId"), message));
        };
        if found.quantity > item.quantity {
            let message = format!("only {} came back", item.quantity);
            return Err(error::invalid("too-many-accepted", field("quantity"), message));
        }
        item.accepted = found.quantity;
    }
    Ok(items)
}

impl Details {
    /// A return.
    pub fn sent_back(&self, return_id: ReturnId) -> Option<&Return> {
        self.returns.iter().find(|back| back.return_id == return_id)
    }

    /// Pieces of a line that other returns bring back.
    fn on_the_way(&self, item: &ReturnItem) -> u32 {
        let open = [ReturnStatus::Asked, ReturnStatus::Received, ReturnStatus::Inspected];
        let backs = self.returns.iter().filter(|back| open.contains(&back.status));
        let items = backs.flat_map(|back| &back.items);
        let same = items.filter(|i| i.product_id == item.product_id && i.variant_id == item.variant_id);
        same.map(|item| item.quantity).sum()
    }

    /// The artisans of the lines that come back.
    pub fn artisans_of(&self, items: &[ReturnItem]) -> Vec<ArtisanId> {
        let line = |item: &ReturnItem| {
            self.items
                .iter()
                .find(|line| line.is(item.product_id, item.variant_id))
                .map(|line| line.artisan_id)
        };
        items.iter().filter_map(line).collect()
    }

    /// Pieces of each line that would be back after these: line, pieces.
    fn back_with(&self, items: &[ReturnItem]) -> Vec<(&super::Line, u32)> {
        let accepted = |line: &super::Line| {
            items
                .iter()
                .find(|item| line.is(item.product_id, item.variant_id))
                .map_or(0, |item| item.accepted)
        };
        self.items.iter().map(|line| (line, line.returned + accepted(line))).collect()
    }

    /// Nothing of the order stays with the customer.
    fn is_all_back(&self, items: &[ReturnItem]) -> bool {
        self.back_with(items).iter().all(|(line, back)| *back >= line.quantity)
    }

    /// What goes back to the customer for these: the goods, and the delivery of a parcel of
    /// which nothing is left (article 13 of the directive).
    fn worth(&self, items: &[ReturnItem]) -> Result<Money, MoneyError> {
        let mut worth = Money::zero(self.total.currency);
        for item in items {
            let line = self.items.iter().find(|line| line.is(item.product_id, item.variant_id));
            if let Some(line) = line {
                worth = worth.plus(line.unit_price.times(i64::from(item.accepted))?)?;
            }
        }
        let back = self.back_with(items);
        for artisan in self.artisans() {
            let mut lines = back.iter().filter(|(line, _)| line.artisan_id == artisan);
            let now = items.iter().any(|item| {
                item.accepted > 0 && self.artisans_of(std::slice::from_ref(item)).contains(&artisan)
            });
            if now && lines.all(|(line, back)| *back >= line.quantity) {
                let deliveries = self.deliveries.iter().filter(|delivery| delivery.artisan_id == artisan);
                for delivery in deliveries {
                    worth = worth.plus(delivery.price)?;
                }
            }
        }
        Ok(worth)
    }
}
