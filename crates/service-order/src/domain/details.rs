//! What is known of an order: the state that decisions need and, written in the same commit, the
//! document that queries read.

use backbone::Document;
use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use contracts::inventory::Priority;
use contracts::shared::{Address, DateRange, OrderState};
use kernel::{CartId, CustomerId, Money, OrderId, Personal, QuoteId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::parts::{
    CalledOff, Cancelling, Change, Delivery, Hold, Line, Metadata, Parcel, Payment, Refund, Return,
};

/// Where orders are kept for queries.
pub const ORDERS: Collection = Collection {
    name: "orders",
    columns: &[
        Column::indexed("customer_id", ColumnKind::Uuid),
        Column::indexed("state", ColumnKind::Text),
        Column::indexed("created_at", ColumnKind::Timestamp),
        Column::plain("updated_at", ColumnKind::Timestamp),
        Column::plain("total", ColumnKind::Money),
    ],
    children: &["items", "deliveries", "shipments", "refunds", "returns"],
};

/// Personal fields of private events and of the document.
pub const PERSONAL: &[&str] = &["deliveryAddress", "guestEmail", "guestName", "metadata", "paymentMethodId"];

/// An order.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// Its id.
    pub order_id: OrderId,
    /// How many events it has: the entity tag.
    pub version: u64,
    /// Where it stands.
    pub state: OrderState,
    /// Who ordered; a guest has an id of their own for each order.
    pub customer_id: CustomerId,
    /// Nobody signed in.
    pub guest: bool,
    /// SHA-256 of the key that lets a guest see the order.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub access_key_hash: Option<String>,
    /// The quote whose prices bind.
    pub quote_id: QuoteId,
    /// The cart it came from.
    pub cart_id: Option<CartId>,
    /// The lines.
    pub items: Vec<Line>,
    /// One an artisan.
    pub deliveries: Vec<Delivery>,
    /// What the customer pays now in all.
    pub total: Money,
    /// When it should arrive.
    pub estimated_delivery: DateRange,
    /// Where it goes.
    pub delivery_address: Personal<Address>,
    /// Where a guest reads mail.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub guest_email: Option<Personal<String>>,
    /// A guest's name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub guest_name: Option<Personal<String>>,
    /// What the device told of itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub metadata: Option<Personal<Metadata>>,
    /// The gateway's token, or a stored method's id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub payment_method_id: Option<Personal<String>>,
    /// Who is served first where stock is short.
    pub priority: Priority,
    /// The hold on stock.
    pub hold: Hold,
    /// The payment.
    pub payment: Payment,
    /// The parcels.
    pub shipments: Vec<Parcel>,
    /// Money that went back, or is on its way.
    pub refunds: Vec<Refund>,
    /// Changes of items.
    pub changes: Vec<Change>,
    /// Goods that came back, or are on their way.
    pub returns: Vec<Return>,
    /// The cancellation after confirmation, where one was asked for.
    pub cancelling: Option<Cancelling>,
    /// Why it was called off.
    pub called_off: Option<CalledOff>,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was confirmed.
    pub confirmed_at: Option<Timestamp>,
    /// When the last parcel arrived: the withdrawal period starts.
    pub delivered_at: Option<Timestamp>,
}

impl Document for Details {
    const COLLECTION: &'static Collection = &ORDERS;
    const PERSONAL: &'static [&'static str] = PERSONAL;

    fn id(&self) -> String {
        self.order_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![
            self.customer_id.0.into(),
            self.state.as_str().into(),
            self.created_at.into(),
            self.updated_at.into(),
            self.total.into(),
        ]
    }

    fn person(&self) -> Option<Uuid> {
        Some(self.customer_id.0)
    }
}
