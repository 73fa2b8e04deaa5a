//! Context `order`: an order's life, told by the order service.

use kernel::{CustomerId, Money, OrderId, Personal, QuoteId, ReturnId, Timestamp};

use crate::event_macro::{choice, event};
use crate::shared::{Address, DateRange, OrderItem, OrderState, ShipmentRef};

event! {
    "order.created.v1" by "order",
    to ["inventory", "payment", "notification", "analytics", "loyalty", "artisan", "shipping"],
    keyed by order_id, about customer_id;
    /// A customer ordered; the total binds, and the fulfilment saga starts. Nothing is reserved or charged
    /// yet.
    pub struct Created {
        /// The order.
        order_id: OrderId,
        /// Who ordered.
        customer_id: CustomerId,
        /// What was ordered, one line per variant.
        items: Vec<OrderItem>,
        /// The quote whose prices bind.
        quote_id: QuoteId,
        /// What the customer pays: items, shipping and VAT, less discounts.
        total_amount: Money,
        /// Where it goes.
        delivery_address: Personal<Address>,
        /// When it should arrive.
        estimated_delivery: DateRange,
        /// When it was ordered.
        created_at: Timestamp,
    }
}

event! {
    "order.confirmed.v1" by "order",
    to ["notification", "loyalty", "artisan", "analytics", "shipping", "cart", "inventory"],
    keyed by order_id;
    /// The order is paid and reserved: the saga's pivot, after which it only goes forward.
    pub struct Confirmed {
        /// The order.
        order_id: OrderId,
        /// Who ordered.
        customer_id: CustomerId,
        /// The gateway's reference of the charge.
        payment_reference: String,
        /// When it should arrive.
        estimated_delivery: DateRange,
        /// When it was confirmed.
        confirmed_at: Timestamp,
    }
}

choice! {
    /// Who or what called an order off.
    pub enum CancelledBy {
        /// The customer asked for it.
        Customer = "customer",
        /// A saga step failed, or an operator decided.
        System = "system",
        /// The payment failed for good.
        PaymentFailure = "payment-failure",
    }
}

event! {
    "order.cancelled.v1" by "order",
    to ["inventory", "payment", "notification", "analytics", "loyalty", "shipping", "artisan", "cart"],
    keyed by order_id;
    /// The decision to call the order off. From here on requests for it are refused; completed steps are
    /// undone afterwards.
    pub struct Cancelled {
        /// The order.
        order_id: OrderId,
        /// Who ordered.
        customer_id: CustomerId,
        /// Why, readable.
        reason: String,
        /// Who called it off.
        cancelled_by: CancelledBy,
        /// True where money was taken and goes back.
        refund_required: bool,
        /// When it was called off.
        cancelled_at: Timestamp,
    }
}

event! {
    "order.shipped.v1" by "order", to ["notification", "analytics"], keyed by order_id;
    /// Every shipment of the order is on its way.
    pub struct Shipped {
        /// The order.
        order_id: OrderId,
        /// Who ordered.
        customer_id: CustomerId,
        /// The parcels, one per artisan.
        shipments: Vec<ShipmentRef>,
        /// When the last one left.
        shipped_at: Timestamp,
    }
}

event! {
    "order.delivered.v1" by "order", to ["loyalty", "analytics", "notification", "artisan", "payment"],
    keyed by order_id;
    /// Every shipment of the order has arrived; the withdrawal period starts.
    pub struct Delivered {
        /// The order.
        order_id: OrderId,
        /// Who ordered.
        customer_id: CustomerId,
        /// When the last parcel arrived.
        delivered_at: Timestamp,
    }
}

event! {
    "order.state.changed.v1" by "order", to ["notification", "analytics", "inventory"], keyed by order_id;
    /// The order went from one state to another; published with every change.
    pub struct StateChanged {
        /// The order.
        order_id: OrderId,
        /// The state it left.
        previous_state: OrderState,
        /// The state it is in.
        current_state: OrderState,
        /// Why, readable.
        reason: String,
        /// Who did it: a service's name or a user's id.
        changed_by: String,
        /// When.
        changed_at: Timestamp,
    }
}

event! {
    "order.items.modified.v1" by "order", to ["inventory", "payment", "notification", "analytics"],
    keyed by order_id;
    /// Lines of the order changed before dispatch; the difference is reserved and paid or refunded.
    pub struct ItemsModified {
        /// The order.
        order_id: OrderId,
        /// Lines that are new.
        added_items: Vec<OrderItem>,
        /// Lines that are gone, as they were.
        removed_items: Vec<OrderItem>,
        /// Lines whose quantity changed, as they are now.
        modified_items: Vec<OrderItem>,
        /// What the customer pays now in all.
        new_total_amount: Money,
        /// Who did it: a service's name or a user's id.
        modified_by: String,
        /// When.
        modified_at: Timestamp,
    }
}

event! {
    "order.returned.v1" by "order", to ["notification", "analytics", "loyalty", "artisan", "inventory"],
    keyed by order_id;
    /// Delivered goods came back, were inspected and refunded.
    pub struct Returned {
        /// The return.
        return_id: ReturnId,
        /// The order.
        order_id: OrderId,
        /// Who ordered.
        customer_id: CustomerId,
        /// What came back, with the pieces that did.
        items: Vec<OrderItem>,
        /// Why, in the customer's words.
        reason: String,
        /// What was refunded.
        refund_amount: Money,
        /// When the return was closed.
        returned_at: Timestamp,
    }
}
