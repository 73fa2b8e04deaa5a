//! For whom pieces are held.

use kernel::{CartId, CustomerId, OrderId};
use serde::{Deserialize, Serialize};

/// Whose a reservation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Owner {
    /// An order's: the public events tell of it.
    Order {
        /// The order.
        order_id: OrderId,
        /// Who ordered, where that is known.
        customer_id: Option<CustomerId>,
    },
    /// A cart's: a courtesy that nobody else hears of, but for the stock that moves.
    Cart {
        /// The cart.
        cart_id: CartId,
        /// Whose cart, where that is known.
        customer_id: Option<CustomerId>,
    },
}

impl Owner {
    /// The order, where it is one.
    pub fn order_id(&self) -> Option<OrderId> {
        match self {
            Owner::Order { order_id, .. } => Some(*order_id),
            Owner::Cart { .. } => None,
        }
    }

    /// The person, where that is known.
    pub fn customer_id(&self) -> Option<CustomerId> {
        match self {
            Owner::Order { customer_id, .. } | Owner::Cart { customer_id, .. } => *customer_id,
        }
    }

    /// True where both are the same order, or the same cart.
    pub fn is_same(&self, other: &Owner) -> bool {
        match (self, other) {
            (Owner::Order { order_id, .. }, Owner::Order { order_id: other, .. }) => order_id == other,
            (Owner::Cart { cart_id, .. }, Owner::Cart { cart_id: other, .. }) => cart_id == other,
            _ => false,
        }
    }
}
