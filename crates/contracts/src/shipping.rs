//! Context `shipping`: parcels. Order asks for cancellations; the shipping service tells the rest.

use kernel::{ArtisanId, OrderId, ShipmentId, Timestamp};

use crate::event_macro::event;
use crate::shared::DateRange;

event! {
    "shipping.shipment.scheduled.v1" by "shipping", to ["order", "artisan", "notification"],
    keyed by order_id;
    /// One artisan's parcel of an order has a carrier and a time.
    pub struct ShipmentScheduled {
        /// The parcel.
        shipment_id: ShipmentId,
        /// The order.
        order_id: OrderId,
        /// Who sends it.
        artisan_id: ArtisanId,
        /// Who carries it.
        carrier: String,
        /// When the carrier collects it.
        pickup: DateRange,
        /// When it should arrive.
        estimated_delivery: DateRange,
        /// When this was settled.
        scheduled_at: Timestamp,
    }
}

event! {
    "shipping.shipment.dispatched.v1" by "shipping", to ["order", "notification", "artisan"],
    keyed by order_id;
    /// A parcel is on its way.
    pub struct ShipmentDispatched {
        /// The parcel.
        shipment_id: ShipmentId,
        /// The order.
        order_id: OrderId,
        /// Who sent it.
        artisan_id: ArtisanId,
        /// Who carries it.
        carrier: String,
        /// The carrier's number for following it.
        tracking_number: String,
        /// When it left.
        dispatched_at: Timestamp,
    }
}

event! {
    "shipping.shipment.delivered.v1" by "shipping", to ["order", "notification", "artisan"],
    keyed by order_id;
    /// A parcel has arrived.
    pub struct ShipmentDelivered {
        /// The parcel.
        shipment_id: ShipmentId,
        /// The order.
        order_id: OrderId,
        /// Who sent it.
        artisan_id: ArtisanId,
        /// True where it arrived within the estimate.
        on_time: bool,
        /// When it arrived.
        delivered_at: Timestamp,
        /// The carrier's reference of the signature or photograph.
        proof: Option<String>,
    }
}

event! {
    "shipping.cancellation.requested.v1" by "order", to ["shipping"], keyed by order_id;
    /// Order asked that an order's parcels be called off.
    pub struct CancellationRequested {
        /// The order.
        order_id: OrderId,
        /// Why, readable.
        reason: String,
        /// When it was asked for.
        requested_at: Timestamp,
    }
}

event! {
    "shipping.shipment.cancelled.v1" by "shipping", to ["order", "artisan", "notification"],
    keyed by order_id;
    /// Parcels that had not left were called off: the answer to [`CancellationRequested`].
    pub struct ShipmentCancelled {
        /// The order.
        order_id: OrderId,
        /// The parcels that were called off; empty where there was nothing to call off.
        shipment_ids: Vec<ShipmentId>,
        /// Why, readable.
        reason: String,
        /// When.
        cancelled_at: Timestamp,
    }
}
