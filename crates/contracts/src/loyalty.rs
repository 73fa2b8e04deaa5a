//! Context `loyalty`: points, told by the loyalty service.

use kernel::{OrderId, Timestamp, UserId};

use crate::event_macro::{choice, event};

choice! {
    /// Why a balance of points changed.
    pub enum ChangeReason {
        /// Earned with a delivered order.
        OrderDelivered = "order-delivered",
        /// Taken back with a refund.
        OrderRefunded = "order-refunded",
        /// Given for joining.
        Welcome = "welcome",
        /// Spent at the checkout.
        Redeemed = "redeemed",
        /// Too old.
        Expired = "expired",
    }
}

event! {
    "loyalty.points.changed.v1" by "loyalty", to ["notification", "user", "analytics"], keyed by user_id;
    /// A balance of points changed.
    pub struct PointsChanged {
        /// The account.
        user_id: UserId,
        /// Points added; negative where they were taken.
        delta: i64,
        /// Points afterwards; may be negative after a refund.
        balance: i64,
        /// Why.
        reason: ChangeReason,
        /// The order behind it, where there is one.
        order_id: Option<OrderId>,
        /// When.
        changed_at: Timestamp,
    }
}
