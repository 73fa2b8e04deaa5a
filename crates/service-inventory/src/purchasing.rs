//! Where new pieces come from: suppliers, orders with them, and which item has one open.

use backbone::Document;
use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use kernel::{ArtisanId, ProductId, PurchaseOrderId, SupplierId, Timestamp, VariantId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::ItemKey;

/// Where suppliers are kept.
pub const SUPPLIERS: Collection = Collection {
    name: "suppliers",
    columns: &[
        Column::indexed("artisan_id", ColumnKind::Uuid),
        Column::plain("name", ColumnKind::Text),
        Column::plain("active", ColumnKind::Bool),
        Column::plain("lead_days", ColumnKind::Integer),
    ],
    children: &["products"],
};

/// A business that an artisan buys from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Supplier {
    /// The supplier.
    pub supplier_id: SupplierId,
    /// Whose supplier.
    pub artisan_id: ArtisanId,
    /// The business's name.
    pub name: String,
    /// Days from an order until its pieces come in.
    pub lead_days: u32,
    /// The fewest pieces that it sells at once.
    pub quantity_min: u32,
    /// The most pieces that it sells at once; absent where there is no limit.
    pub quantity_max: Option<u32>,
    /// The products that it supplies; empty where all.
    pub products: Vec<ProductId>,
    /// Whether it sells at present.
    pub active: bool,
}

impl Supplier {
    /// True where it can supply a product at present.
    pub fn supplies(&self, product_id: ProductId) -> bool {
        self.active && (self.products.is_empty() || self.products.contains(&product_id))
    }
}

impl Document for Supplier {
    const COLLECTION: &'static Collection = &SUPPLIERS;

    fn id(&self) -> String {
        self.supplier_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![self.artisan_id.0.into(), self.name.as_str().into(), self.active.into(), self.lead_days.into()]
    }
}

/// Where purchase orders are kept.
pub const PURCHASE_ORDERS: Collection = Collection {
    name: "purchase_orders",
    columns: &[
        Column::indexed("artisan_id", ColumnKind::Uuid),
        Column::indexed("product_id", ColumnKind::Uuid),
        Column::indexed("status", ColumnKind::Text),
        Column::indexed("created_at", ColumnKind::Timestamp),
        Column::plain("quantity", ColumnKind::Integer),
    ],
    children: &[],
};

/// Where a purchase order is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PurchaseStatus {
    /// It was made.
    Created,
    /// It is known when its pieces come in.
    Scheduled,
    /// Its pieces are in stock.
    Received,
    /// It was taken back.
    Cancelled,
}

impl PurchaseStatus {
    /// Its name in columns and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            PurchaseStatus::Created => "created",
            PurchaseStatus::Scheduled => "scheduled",
            PurchaseStatus::Received => "received",
            PurchaseStatus::Cancelled => "cancelled",
        }
    }

    /// True where pieces may still come in.
    pub fn is_open(self) -> bool {
        matches!(self, PurchaseStatus::Created | PurchaseStatus::Scheduled)
    }
}

/// An order of an artisan with a supplier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PurchaseOrder {
    /// The order.
    pub purchase_order_id: PurchaseOrderId,
    /// The product.
    pub product_id: ProductId,
    /// The variant of it.
    pub variant_id: Option<VariantId>,
    /// Who sells it.
    pub artisan_id: ArtisanId,
    /// The supplier.
    pub supplier_id: SupplierId,
    /// Pieces ordered.
    pub quantity: u32,
    /// Pieces that came in.
    pub received: u32,
    /// Where it is in its life.
    pub status: PurchaseStatus,
    /// When the pieces should come in.
    pub expected_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
}

impl PurchaseOrder {
    /// Its item.
    pub fn key(&self) -> ItemKey {
        ItemKey::new(self.product_id, self.variant_id)
    }
}

impl Document for PurchaseOrder {
    const COLLECTION: &'static Collection = &PURCHASE_ORDERS;

    fn id(&self) -> String {
        self.purchase_order_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![
            self.artisan_id.0.into(),
            self.product_id.0.into(),
            self.status.as_str().into(),
            self.created_at.into(),
            self.quantity.into(),
        ]
    }
}

/// Where it is noted what replenishes an item.
pub const REPLENISHMENTS: Collection = Collection { name: "replenishments", columns: &[], children: &[] };

/// What replenishes an item: at most one saga, and at most one open purchase order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Replenishing {
    /// The item.
    pub item: ItemKey,
    /// The saga that runs.
    pub saga_id: Option<Uuid>,
    /// The purchase order whose pieces have not come in.
    pub purchase_order_id: Option<PurchaseOrderId>,
}

impl Document for Replenishing {
    const COLLECTION: &'static Collection = &REPLENISHMENTS;

    fn id(&self) -> String {
        self.item.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }
}
