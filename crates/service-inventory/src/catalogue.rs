//! What inventory remembers of the catalogue: which items a product has, and what an artisan
//! settled for all of theirs.

use backbone::Document;
use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use kernel::{ArtisanId, ProductId, SupplierId, WarehouseId};
use serde::{Deserialize, Serialize};

use crate::domain::ItemKey;
use crate::domain::stock::{Backorder, Rules, Thresholds};

/// Where products are kept.
pub const PRODUCTS: Collection = Collection {
    name: "products",
    columns: &[Column::indexed("artisan_id", ColumnKind::Uuid)],
    children: &[],
};

/// A product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// The product.
    pub product_id: ProductId,
    /// Who sells it.
    pub artisan_id: ArtisanId,
    /// Never again for sale.
    pub discontinued: bool,
    /// Its items of stock.
    pub items: Vec<ItemKey>,
}

impl Product {
    /// A product without items.
    pub fn new(product_id: ProductId, artisan_id: ArtisanId) -> Self {
        Self { product_id, artisan_id, discontinued: false, items: Vec::new() }
    }
}

impl Document for Product {
    const COLLECTION: &'static Collection = &PRODUCTS;

    fn id(&self) -> String {
        self.product_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![self.artisan_id.0.into()]
    }
}

/// Where artisans' settings are kept.
pub const ARTISAN_SETTINGS: Collection = Collection { name: "artisan_settings", columns: &[], children: &[] };

/// What an artisan settled for all items: the rules of items that are opened from now on, and, at
/// once, whether purchase orders are made where an item does not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArtisanSettings {
    /// The artisan.
    pub artisan_id: ArtisanId,
    /// The limits of new items.
    pub thresholds: Thresholds,
    /// Purchase orders are made without asking.
    pub auto_restock: bool,
    /// How new items are sold beyond stock.
    pub backorder: Option<Backorder>,
    /// Whom to buy from, where an item does not say.
    pub supplier_id: Option<SupplierId>,
    /// Where pieces of new items lie; absent for the workshop.
    pub warehouse_id: Option<WarehouseId>,
    /// The shelf or bin there.
    pub location: Option<String>,
}

/// Where pieces lie whose place nobody named.
const WORKSHOP: &str = "workshop";

impl ArtisanSettings {
    /// What holds for an artisan who settled nothing.
    pub fn new(artisan_id: ArtisanId, thresholds: Thresholds) -> Self {
        Self {
            artisan_id,
            thresholds,
            auto_restock: false,
            backorder: None,
            supplier_id: None,
            warehouse_id: None,
            location: None,
        }
    }

    /// The rules that a new item begins with.
    pub fn rules(&self) -> Rules {
        Rules { thresholds: self.thresholds, backorder: self.backorder, ..Rules::default() }
    }

    /// Where pieces lie: an artisan's workshop is a warehouse with the artisan's own id.
    pub fn place(&self) -> (WarehouseId, String) {
        let warehouse_id = self.warehouse_id.unwrap_or(WarehouseId(self.artisan_id.0));
        (warehouse_id, self.location.clone().unwrap_or_else(|| WORKSHOP.to_owned()))
    }
}

impl Document for ArtisanSettings {
    const COLLECTION: &'static Collection = &ARTISAN_SETTINGS;

    fn id(&self) -> String {
        self.artisan_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }
}
