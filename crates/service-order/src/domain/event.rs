//! Private events: what happened to an order, in this service's own words.

use contracts::inventory::{Priority, ReleaseReason, ReleaseRequestReason};
use contracts::order::CancelledBy;
use contracts::payment::MethodType;
use contracts::shared::{Address, DateRange, OrderItem, OrderState, Shortage};
use kernel::{
    ArtisanId, CartId, CustomerId, Money, OrderId, PaymentId, Personal, ProductId, QuoteId, RefundId,
    ReservationId, ReturnId, ShipmentId, Timestamp, VariantId,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::parts::{Change, Delivery, Metadata, Parcel, RefundFor, Return, ReturnItem};

/// Everything that a new order is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "as in `Details`")]
pub struct Placed {
    pub order_id: OrderId,
    pub customer_id: CustomerId,
    pub guest: bool,
    pub access_key_hash: Option<String>,
    pub quote_id: QuoteId,
    pub cart_id: Option<CartId>,
    pub items: Vec<OrderItem>,
    pub deliveries: Vec<Delivery>,
    pub total: Money,
    pub estimated_delivery: DateRange,
    pub delivery_address: Personal<Address>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub guest_email: Option<Personal<String>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub guest_name: Option<Personal<String>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub metadata: Option<Personal<Metadata>>,
    pub payment_method_id: Personal<String>,
    pub reservation_id: ReservationId,
    pub payment_id: PaymentId,
    pub at: Timestamp,
}

/// Which way pieces of a line moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Movement {
    /// Held.
    Reserved,
    /// Sold.
    Confirmed,
    /// Free again.
    Released,
}

/// Declares the events with their names in the store.
macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident = $name:literal $({ $($field:ident: $ty:ty),* $(,)? })? $(($inner:ty))?),+ $(,)?) => {
        /// What happened to an order.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all_fields = "camelCase")]
        #[allow(missing_docs, reason = "the fields are those of `Details`")]
        pub enum Event {
            $($(#[$doc])* #[serde(rename = $name)] $variant $({ $($field: $ty),* })? $(($inner))?),+
        }

        impl Event {
            /// Its name in the store.
            pub fn name(&self) -> &'static str {
                match self { $(Event::$variant { .. } => $name),+ }
            }
        }
    };
}

events! {
    /// A customer ordered.
    Placed = "placed" (Box<Placed>),

    /// A hold on all items was asked for.
    ReservationAsked = "reservation-asked" { until: Timestamp, priority: Priority, at: Timestamp },
    /// All items are held.
    ReservationHeld = "reservation-held" { until: Timestamp, at: Timestamp },
    /// Nothing is held.
    ReservationRefused = "reservation-refused" { reason: String, shortages: Vec<Shortage>, at: Timestamp },
    /// The hold lasts longer.
    ReservationExtended = "reservation-extended" { until: Timestamp, at: Timestamp },
    /// Pieces of a line moved.
    StockMoved = "stock-moved" {
        movement: Movement, reservation_id: ReservationId, product_id: ProductId, variant_id: Option<VariantId>,
        quantity: u32, at: Timestamp,
    },
    /// A hold was to be given back.
    ReleaseAsked = "release-asked" { reservation_id: ReservationId, reason: ReleaseRequestReason, at: Timestamp },
    /// The order's hold ended without a sale.
    ReservationReleased = "reservation-released" { reason: ReleaseReason, at: Timestamp },

    /// The payment method was checked.
    PaymentValidated = "payment-validated" {
        method: MethodType, is_valid: bool, awaits_customer: bool, at: Timestamp,
    },
    /// A charge was asked for.
    PaymentAsked = "payment-asked" {
        payment_id: PaymentId, attempt: u32, amount: Money, deadline: Timestamp,
        payment_method_id: Personal<String>, at: Timestamp,
    },
    /// Payment accepted the request.
    PaymentInitiated = "payment-initiated" { payment_id: PaymentId, method: MethodType, at: Timestamp },
    /// The gateway has the charge.
    PaymentProcessing = "payment-processing" { payment_id: PaymentId, gateway: String, at: Timestamp },
    /// The customer has to act.
    AwaitingCustomer = "awaiting-customer" { from: OrderState, at: Timestamp },
    /// An attempt failed.
    PaymentFailed = "payment-failed" {
        payment_id: PaymentId, attempt: u32, code: String, message: String, retryable: bool, at: Timestamp,
    },
    /// The money was taken.
    PaymentTaken = "payment-taken" {
        payment_id: PaymentId, reference: String, gateway: String, amount: Money, at: Timestamp,
    },

    /// Paid and held: it will be fulfilled.
    Confirmed = "confirmed" { from: OrderState, reference: String, at: Timestamp },
    /// Every artisan's parcel is scheduled.
    Preparing = "preparing" { from: OrderState, at: Timestamp },
    /// Every parcel is on its way.
    Shipped = "shipped" { from: OrderState, at: Timestamp },
    /// Every parcel has arrived.
    Delivered = "delivered" { from: OrderState, at: Timestamp },
    /// Called off.
    Cancelled = "cancelled" {
        from: OrderState, reason: String, by: CancelledBy, changed_by: String, at: Timestamp,
    },
    /// Given up because infrastructure stayed down.
    Failed = "failed" { from: OrderState, reason: String, at: Timestamp },

    /// A parcel has a carrier.
    ShipmentScheduled = "shipment-scheduled" { parcel: Parcel, at: Timestamp },
    /// A parcel has left.
    ShipmentDispatched = "shipment-dispatched" {
        shipment_id: ShipmentId, carrier: String, tracking_number: String, at: Timestamp,
    },
    /// A parcel has arrived.
    ShipmentDelivered = "shipment-delivered" { shipment_id: ShipmentId, on_time: bool, at: Timestamp },
    /// Parcels were to be called off.
    ShipmentCancellationAsked = "shipment-cancellation-asked" { reason: String, at: Timestamp },
    /// Parcels were called off.
    ShipmentsCancelled = "shipments-cancelled" {
        shipment_ids: Vec<ShipmentId>, reason: String, at: Timestamp,
    },

    /// The customer or an operator wants a confirmed order called off.
    CancellationAsked = "cancellation-asked" {
        refund_id: RefundId, reason: String, by: CancelledBy, asked_by: String, at: Timestamp,
    },
    /// Too late: every parcel had left.
    CancellationRefused = "cancellation-refused" { reason: String, at: Timestamp },

    /// Money was to go back.
    RefundAsked = "refund-asked" {
        refund_id: RefundId, purpose: RefundFor, amount: Money, reason: String, at: Timestamp,
    },
    /// Money went back.
    RefundProcessed = "refund-processed" { refund_id: RefundId, amount: Money, reason: String, at: Timestamp },
    /// A refund did not go through.
    RefundFailed = "refund-failed" {
        refund_id: RefundId, error: String, retryable: bool, at: Timestamp,
    },

    /// The items shall change.
    ChangeAsked = "change-asked" { change: Box<Change> },
    /// The pieces that an item change adds were to be held.
    ChangeReservationAsked = "change-reservation-asked" {
        change_id: Uuid, until: Timestamp, at: Timestamp,
    },
    /// Reserved and paid: the change will be made.
    ChangeAccepted = "change-accepted" { change_id: Uuid, at: Timestamp },
    /// The change was given up.
    ChangeDropped = "change-dropped" { change_id: Uuid, reason: String, at: Timestamp },
    /// The items changed.
    ItemsModified = "items-modified" {
        change_id: Option<Uuid>, items: Vec<OrderItem>, added: Vec<OrderItem>, removed: Vec<OrderItem>,
        modified: Vec<OrderItem>, without_delivery: Vec<ArtisanId>, total: Money, by: String, at: Timestamp,
    },

    /// Goods shall come back.
    ReturnAsked = "return-asked" { back: Box<Return> },
    /// They are back.
    ReturnReceived = "return-received" { return_id: ReturnId, by: String, at: Timestamp },
    /// They were looked at.
    ReturnInspected = "return-inspected" {
        return_id: ReturnId, items: Vec<ReturnItem>, refund: Money, note: Option<String>, by: String,
        at: Timestamp,
    },
    /// Refunded and closed; `whole` where nothing of the order is left with the customer.
    ReturnClosed = "return-closed" {
        return_id: ReturnId, from: OrderState, whole: bool, at: Timestamp,
    },
    /// Nothing of it was taken back.
    ReturnRejected = "return-rejected" { return_id: ReturnId, at: Timestamp },
    /// The goods never came.
    ReturnDropped = "return-dropped" { return_id: ReturnId, reason: String, at: Timestamp },
}
