//! The parts of an order: lines, hold, payment, parcels, refunds, changes, returns.

use contracts::payment::MethodType;
use contracts::shared::{DateRange, OrderItem};
use kernel::{
    ArtisanId, Money, MoneyError, PaymentId, ProductId, RefundId, ReservationId, ReturnId, ShipmentId,
    Timestamp, VariantId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Declares the parts of an order: camelCase, described for the API.
macro_rules! parts {
    ($($(#[$doc:meta])* pub struct $name:ident { $($(#[$field_doc:meta])* $field:ident: $ty:ty),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct $name { $($(#[$field_doc])* pub $field: $ty),+ }
    )+};
}

/// Declares how far something is: names in kebab-case.
macro_rules! stages {
    ($($(#[$doc:meta])* pub enum $name:ident { $($(#[$value_doc:meta])* $value:ident),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$value_doc])* $value),+ }
    )+};
}

stages! {
    /// How far the hold on stock is.
    pub enum HoldStatus {
        /// Not asked for yet.
        Planned,
        /// Asked for.
        Requested,
        /// All items are held.
        Held,
        /// Refused: nothing is held.
        Refused,
        /// Given back or expired.
        Released,
        /// Sold.
        Sold,
    }

    /// How far a payment is.
    pub enum PaymentStatus {
        /// Not asked for yet.
        Planned,
        /// The method was checked.
        Validated,
        /// Asked for.
        Requested,
        /// Accepted by payment.
        Initiated,
        /// The gateway has it.
        Processing,
        /// The last attempt failed.
        Failed,
        /// The money was taken.
        Paid,
    }

    /// How far a parcel is.
    pub enum ShipmentStatus {
        /// A carrier will collect it.
        Scheduled,
        /// On its way.
        Dispatched,
        /// Arrived.
        Delivered,
        /// Called off.
        Cancelled,
    }

    /// How far a refund is.
    pub enum RefundStatus {
        /// Asked for.
        Requested,
        /// The money went back.
        Processed,
        /// It did not go through; it is retried, or an operator is needed.
        Failed,
    }

    /// How far a change of items is.
    pub enum ChangeStatus {
        /// Being reserved and paid.
        Asked,
        /// Reserved and paid: it will be made.
        Accepted,
        /// Made.
        Applied,
        /// Given up.
        Dropped,
    }

    /// How far a return is.
    pub enum ReturnStatus {
        /// Announced by the customer.
        Asked,
        /// The goods are back.
        Received,
        /// The goods were looked at.
        Inspected,
        /// Refunded and closed.
        Closed,
        /// Closed without a refund.
        Rejected,
        /// The goods never came.
        Dropped,
    }
}

/// What a refund is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RefundFor {
    /// The fulfilment saga undoes its payment.
    Fulfilment,
    /// The order was cancelled after confirmation, or paid after it was called off; the saga that
    /// sees to it has the refund's id.
    Cancellation,
    /// Items were changed.
    Change(Uuid),
    /// Goods came back.
    Return(ReturnId),
    /// Asked for elsewhere: an operator.
    Other,
}

parts! {
    /// A line of an order. A line whose quantity is 0 was removed.
    pub struct Line {
        /// The product.
        product_id: ProductId,
        /// The variant of it; absent where the product has none.
        variant_id: Option<VariantId>,
        /// Who sells it.
        artisan_id: ArtisanId,
        /// The product's name when it was ordered.
        name: String,
        /// The category, which decides the commission.
        category: String,
        /// Pieces.
        quantity: u32,
        /// The price of one piece, VAT included; it binds.
        unit_price: Money,
        /// VAT in basis points.
        vat_rate: u32,
        /// Pieces held so far.
        reserved: u32,
        /// Pieces sold so far.
        confirmed: u32,
        /// Pieces given back to stock so far.
        released: u32,
        /// Pieces that came back from the customer.
        returned: u32,
        /// Cannot be served any more; found out when the order is read.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unavailable: bool,
    }

    /// One artisan's delivery.
    pub struct Delivery {
        /// Whose parcel.
        artisan_id: ArtisanId,
        /// Who carries it.
        carrier: String,
        /// What it costs, VAT included.
        price: Money,
        /// VAT in basis points.
        vat_rate: u32,
        /// When it should arrive.
        estimated_delivery: DateRange,
    }

    /// The hold on the order's stock.
    pub struct Hold {
        /// Its id.
        id: ReservationId,
        /// How far it is.
        status: HoldStatus,
        /// Until when.
        expires_at: Option<Timestamp>,
        /// Why it was refused or released.
        reason: Option<String>,
    }

    /// The payment of the order, or of a change of items.
    pub struct Payment {
        /// Its id.
        id: PaymentId,
        /// How far it is.
        status: PaymentStatus,
        /// How much.
        amount: Money,
        /// Which attempt, from 1; 0 where none was made.
        attempt: u32,
        /// How it is paid.
        method: Option<MethodType>,
        /// The customer has to act: 3-D Secure, a transfer.
        awaits_customer: bool,
        /// Until when it may be answered.
        deadline: Option<Timestamp>,
        /// The gateway, where it has the payment.
        gateway: Option<String>,
        /// The gateway's reference.
        reference: Option<String>,
        /// Why the last attempt failed.
        error: Option<String>,
        /// When the money was taken.
        paid_at: Option<Timestamp>,
    }

    /// A parcel.
    pub struct Parcel {
        /// Its id.
        shipment_id: ShipmentId,
        /// Who sends it.
        artisan_id: ArtisanId,
        /// How far it is.
        status: ShipmentStatus,
        /// Who carries it.
        carrier: String,
        /// The carrier's number for following it.
        tracking_number: Option<String>,
        /// When it should arrive.
        estimated_delivery: DateRange,
        /// When it left.
        dispatched_at: Option<Timestamp>,
        /// When it arrived.
        delivered_at: Option<Timestamp>,
        /// Whether it arrived within the estimate.
        on_time: Option<bool>,
    }

    /// Money on its way back.
    pub struct Refund {
        /// Its id.
        refund_id: RefundId,
        /// What for.
        purpose: RefundFor,
        /// How much was asked for, or has gone back.
        amount: Money,
        /// Why.
        reason: String,
        /// How far it is.
        status: RefundStatus,
        /// What stands in its way.
        error: Option<String>,
        /// When it was asked for.
        requested_at: Timestamp,
        /// When it was answered.
        settled_at: Option<Timestamp>,
    }

    /// A change of items before dispatch.
    pub struct Change {
        /// Its id, the saga's too.
        change_id: Uuid,
        /// How far it is.
        status: ChangeStatus,
        /// All lines as they shall be.
        items: Vec<OrderItem>,
        /// The hold on the pieces that are added.
        reservation_id: ReservationId,
        /// The charge of the difference; its amount is 0 or more.
        payment: Payment,
        /// The refund of the difference.
        refund_id: RefundId,
        /// What goes back to the customer, 0 or more.
        give_back: Money,
        /// Who asked.
        asked_by: String,
        /// Why it was given up.
        reason: Option<String>,
        /// When it was asked for.
        asked_at: Timestamp,
    }

    /// Pieces of a line that come back.
    pub struct ReturnItem {
        /// The product.
        product_id: ProductId,
        /// The variant of it; absent where the product has none.
        variant_id: Option<VariantId>,
        /// Pieces sent back.
        quantity: u32,
        /// Pieces taken back after inspection.
        accepted: u32,
    }

    /// Goods on their way back.
    pub struct Return {
        /// Its id, the saga's too.
        return_id: ReturnId,
        /// How far it is.
        status: ReturnStatus,
        /// What comes back.
        items: Vec<ReturnItem>,
        /// Why.
        reason: String,
        /// What the inspection found.
        note: Option<String>,
        /// The refund, made when the goods were looked at.
        refund_id: RefundId,
        /// How much goes back.
        refund: Money,
        /// When it was announced.
        asked_at: Timestamp,
        /// When it was closed.
        closed_at: Option<Timestamp>,
    }

    /// Why and by whom an order was called off.
    pub struct CalledOff {
        /// Why.
        reason: String,
        /// By whom.
        by: contracts::order::CancelledBy,
        /// When.
        at: Timestamp,
    }

    /// A cancellation after confirmation.
    pub struct Cancelling {
        /// The refund that it makes; its saga's id too.
        refund_id: RefundId,
        /// Why.
        reason: String,
        /// By whom.
        by: contracts::order::CancelledBy,
        /// A user's id, or a service's name.
        asked_by: String,
        /// Decided, one way or the other.
        settled: bool,
        /// When.
        at: Timestamp,
    }
}

/// What the customer's device told of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// The device.
    #[garde(length(max = 500))]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device_info: Option<String>,
    /// The shop's session.
    #[garde(length(max = 200))]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session_id: Option<String>,
}

/// Where a delivery of a carrier's share of a payment goes: the same for the same carrier, for ever.
pub fn carrier_recipient(carrier: &str) -> Uuid {
    kernel::derived_id(Uuid::nil(), &format!("carrier:{carrier}"))
}

impl Line {
    /// A line of which nothing is held yet.
    pub fn of(item: &OrderItem) -> Self {
        let item = item.clone();
        Self {
            product_id: item.product_id,
            variant_id: item.variant_id,
            artisan_id: item.artisan_id,
            name: item.name,
            category: item.category,
            quantity: item.quantity,
            unit_price: item.unit_price,
            vat_rate: item.vat_rate,
            reserved: 0,
            confirmed: 0,
            released: 0,
            returned: 0,
            unavailable: false,
        }
    }

    /// The line as others see it, with `quantity` pieces.
    pub fn item(&self, quantity: u32) -> OrderItem {
        OrderItem {
            product_id: self.product_id,
            variant_id: self.variant_id,
            artisan_id: self.artisan_id,
            name: self.name.clone(),
            category: self.category.clone(),
            quantity,
            unit_price: self.unit_price,
            vat_rate: self.vat_rate,
        }
    }

    /// True for this very product and variant.
    pub fn is(&self, product: ProductId, variant: Option<VariantId>) -> bool {
        self.product_id == product && self.variant_id == variant
    }
}

impl Payment {
    /// A payment that nobody asked for yet.
    pub fn planned(id: PaymentId, amount: Money) -> Self {
        Self {
            id,
            status: PaymentStatus::Planned,
            amount,
            attempt: 0,
            method: None,
            awaits_customer: false,
            deadline: None,
            gateway: None,
            reference: None,
            error: None,
            paid_at: None,
        }
    }

    /// Its answer is awaited.
    pub fn is_open(&self) -> bool {
        matches!(self.status, PaymentStatus::Requested | PaymentStatus::Initiated | PaymentStatus::Processing)
    }
}

/// What these items cost, VAT included.
pub fn cost(items: &[OrderItem]) -> Result<Money, MoneyError> {
    items
        .iter()
        .try_fold(Money::eur(0), |sum, item| sum.plus(item.unit_price.times(i64::from(item.quantity))?))
}
