//! Context `cart`: what people are about to buy, told by the cart service.

use kernel::{CartId, CustomerId, Money, Timestamp};

use crate::event_macro::event;
use crate::shared::OrderItem;

event! {
    "cart.checkout.initiated.v1" by "cart", to ["notification", "order", "analytics"], keyed by cart_id;
    /// Somebody went to the checkout. No order is made by it.
    pub struct CheckoutInitiated {
        /// The cart.
        cart_id: CartId,
        /// Whose it is.
        customer_id: CustomerId,
        /// What is in it.
        items: Vec<OrderItem>,
        /// What the items cost, VAT included.
        total: Money,
        /// When.
        initiated_at: Timestamp,
    }
}

event! {
    "cart.abandoned.v1" by "cart", to ["notification", "analytics"], keyed by cart_id;
    /// A cart with items lay idle for 60 minutes; told once.
    pub struct Abandoned {
        /// The cart.
        cart_id: CartId,
        /// Whose it is; absent for a guest who has not said.
        customer_id: Option<CustomerId>,
        /// What is in it.
        items: Vec<OrderItem>,
        /// What the items cost, VAT included.
        total: Money,
        /// When it was last touched.
        last_activity_at: Timestamp,
        /// When it was given up.
        abandoned_at: Timestamp,
    }
}
