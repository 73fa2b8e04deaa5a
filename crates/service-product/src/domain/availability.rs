//! What can be bought of a product, as inventory tells it. A document of its own, so that a sale
//! does not disturb an artisan who edits the product.

use backbone::Document;
use backbone::collection::{Collection, ColumnValue};
use kernel::{ProductId, Timestamp, VariantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where availability is kept.
pub const AVAILABILITY: Collection = Collection { name: "availability", columns: &[], children: &["stock"] };

/// The availability of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Availability {
    /// Which product.
    pub product_id: ProductId,
    /// By variant.
    pub stock: Vec<VariantAvailability>,
}

/// The availability of one variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VariantAvailability {
    /// Which; absent where the product has none.
    pub variant_id: Option<VariantId>,
    /// Pieces that can be bought.
    pub available: u32,
    /// When ordered stock will be there, while there is none.
    pub back_on: Option<Timestamp>,
    /// When inventory said so: events of different keys may overtake each other, and the later
    /// word counts.
    pub as_of: Timestamp,
}

impl Document for Availability {
    const COLLECTION: &'static Collection = &AVAILABILITY;

    fn id(&self) -> String {
        self.product_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }
}

impl Availability {
    /// Nothing known yet.
    pub fn unknown(product_id: ProductId) -> Self {
        Self { product_id, stock: Vec::new() }
    }

    fn of(&mut self, variant_id: Option<VariantId>) -> &mut VariantAvailability {
        let found = self.stock.iter().position(|stock| stock.variant_id == variant_id);
        let index = found.unwrap_or_else(|| {
            let as_of = Timestamp::default();
            self.stock.push(VariantAvailability { variant_id, available: 0, back_on: None, as_of });
            self.stock.len() - 1
        });
        &mut self.stock[index]
    }

    /// Inventory said at `as_of` how many there are; false where it has said something later.
    pub fn tell(&mut self, variant_id: Option<VariantId>, available: u32, as_of: Timestamp) -> bool {
        let stock = self.of(variant_id);
        if as_of < stock.as_of {
            return false;
        }
        stock.available = available;
        stock.as_of = as_of;
        if available > 0 {
            stock.back_on = None;
        }
        true
    }

    /// New stock is on its way.
    pub fn expect(&mut self, variant_id: Option<VariantId>, back_on: Timestamp) {
        let stock = self.of(variant_id);
        if stock.available == 0 {
            stock.back_on = Some(back_on);
        }
    }
}
