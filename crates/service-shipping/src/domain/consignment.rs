//! What is to be sent for an order, and where to.

use backbone::Document;
use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use contracts::order::Created;
use contracts::shared::Address;
use kernel::{ArtisanId, CustomerId, OrderId, Personal, ProductId, ShipmentId, VariantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ZoneName, zone_of};

/// Where consignments are kept.
pub const CONSIGNMENTS: Collection = Collection {
    name: "consignments",
    columns: &[Column::indexed("customer", ColumnKind::Uuid), Column::plain("has_address", ColumnKind::Bool)],
    children: &["parcels"],
};

/// How far a consignment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Kept for the shipment.
    Noted,
    /// Every artisan's shipment is scheduled.
    Scheduled,
    /// Called off: whatever arrives later for this order schedules nothing.
    Cancelled,
}

/// The consignment of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Consignment {
    /// The order.
    pub order_id: OrderId,
    /// Who ordered; absent where only the cancellation is known.
    pub customer_id: Option<CustomerId>,
    /// Where it goes; none once the law no longer wants it kept.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<Personal<Address>>,
    /// The zone that the address lies in: all that remains useful when the person is erased.
    pub zone: Option<ZoneName>,
    /// One for each artisan, in the order's order.
    pub parcels: Vec<Parcel>,
    /// How far it is.
    pub state: State,
}

/// What one artisan sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Parcel {
    /// Who sends it.
    pub artisan_id: ArtisanId,
    /// What is in it.
    pub contents: Vec<Content>,
}

/// A line of a parcel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// The product.
    pub product_id: ProductId,
    /// The variant.
    pub variant_id: Option<VariantId>,
    /// What it is called.
    pub name: String,
    /// Pieces.
    pub quantity: u32,
}

impl Document for Consignment {
    const COLLECTION: &'static Collection = &CONSIGNMENTS;
    const PERSONAL: &'static [&'static str] = &["address"];

    fn id(&self) -> String {
        self.order_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![self.customer_id.map(|id| id.0).into(), self.address.is_some().into()]
    }

    fn person(&self) -> Option<Uuid> {
        self.customer_id.map(|id| id.0).filter(|_| self.address.is_some())
    }
}

impl Consignment {
    /// What an order wants sent: one parcel for each artisan.
    pub fn of(order: &Created) -> Self {
        let mut parcels: Vec<Parcel> = Vec::new();
        for item in &order.items {
            let content = Content {
                product_id: item.product_id,
                variant_id: item.variant_id,
                name: item.name.clone(),
                quantity: item.quantity,
            };
            match parcels.iter_mut().find(|parcel| parcel.artisan_id == item.artisan_id) {
                Some(parcel) => parcel.contents.push(content),
                None => parcels.push(Parcel { artisan_id: item.artisan_id, contents: vec![content] }),
            }
        }
        let address = order.delivery_address.known();
        Self {
            order_id: order.order_id,
            customer_id: Some(order.customer_id),
            zone: address.and_then(|address| zone_of(&address.country, &address.postal_code)),
            address: Some(order.delivery_address.clone()),
            parcels,
            state: State::Noted,
        }
    }

    /// An order of which only the cancellation is known.
    pub fn refused(order_id: OrderId) -> Self {
        Self {
            order_id,
            customer_id: None,
            address: None,
            zone: None,
            parcels: Vec::new(),
            state: State::Cancelled,
        }
    }

    /// The id of an artisan's shipment for this order: it follows from both, so that an event
    /// that comes twice schedules once.
    pub fn shipment_id(&self, artisan: ArtisanId) -> ShipmentId {
        kernel::derived_id(self.order_id.0, &format!("shipment/{artisan}")).into()
    }

    /// The ids of all its shipments.
    pub fn shipment_ids(&self) -> Vec<ShipmentId> {
        self.parcels.iter().map(|parcel| self.shipment_id(parcel.artisan_id)).collect()
    }
}
