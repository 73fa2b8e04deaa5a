//! What inventory remembers of an order: its reservations, what it was sold, and whether it is over.

use std::collections::BTreeMap;

use backbone::Document;
use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use kernel::{CustomerId, OrderId, ReservationId, ReturnId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::{ItemKey, Owner};

/// Where the books are kept, by order.
pub const ORDER_BOOKS: Collection = Collection {
    name: "order_books",
    columns: &[
        Column::plain("confirmed", ColumnKind::Bool),
        Column::plain("closed_at", ColumnKind::Timestamp),
    ],
    children: &[],
};

/// An order's book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderBook {
    /// The order.
    pub order_id: OrderId,
    /// Who ordered, where that is known.
    pub customer_id: Option<CustomerId>,
    /// Its reservations, in the order in which they were granted.
    pub reservations: Vec<ReservationId>,
    /// Its reservations are sold.
    pub confirmed: bool,
    /// When it was called off: later requests are refused.
    pub closed_at: Option<Timestamp>,
    /// Pieces sold to it and not given back.
    pub sold: BTreeMap<ItemKey, u32>,
    /// Changes that came before it was confirmed: pieces that it is to have in the end.
    pub changes: BTreeMap<ItemKey, u32>,
    /// Returns that are back on stock.
    pub returns: Vec<ReturnId>,
}

impl OrderBook {
    /// An empty book.
    pub fn new(order_id: OrderId) -> Self {
        Self {
            order_id,
            customer_id: None,
            reservations: Vec::new(),
            confirmed: false,
            closed_at: None,
            sold: BTreeMap::new(),
            changes: BTreeMap::new(),
            returns: Vec::new(),
        }
    }

    /// The order as an owner.
    pub fn owner(&self) -> Owner {
        Owner::Order { order_id: self.order_id, customer_id: self.customer_id }
    }

    /// Pieces of `item` sold to it and not given back.
    pub fn sold(&self, item: ItemKey) -> u32 {
        self.sold.get(&item).copied().unwrap_or(0)
    }

    /// Notes that pieces were sold to it.
    pub fn add(&mut self, item: ItemKey, pieces: u32) {
        *self.sold.entry(item).or_insert(0) += pieces;
    }

    /// Notes that pieces were given back.
    pub fn subtract(&mut self, item: ItemKey, pieces: u32) {
        if let Some(sold) = self.sold.get_mut(&item) {
            *sold = sold.saturating_sub(pieces);
        }
    }
}

impl Document for OrderBook {
    const COLLECTION: &'static Collection = &ORDER_BOOKS;

    fn id(&self) -> String {
        self.order_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![self.confirmed.into(), self.closed_at.into()]
    }
}
