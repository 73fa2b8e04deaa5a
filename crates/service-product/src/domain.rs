//! What the catalogue holds, and its rules: pure values.

use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use backbone::{Document, Rejection};
use contracts::artisan::{ProductListed, Tier};
use contracts::product::Status;
use contracts::shared::ListedVariant;
use kernel::{ArtisanId, Currency, Money, ProductId, Timestamp, VariantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

mod availability;
mod category;
mod edit;
mod quote;
mod seller;

pub use availability::{AVAILABILITY, Availability, VariantAvailability};
pub use category::{CATEGORIES, Category, CategoryAttribute, CategoryNode, tree};
pub use edit::{Edited, Offer, OfferedVariant};
pub use quote::quote;
pub use seller::{RANKINGS, Ranking, SELLERS, Seller, may_sell};

/// The most variants of one product.
pub const VARIANTS_MAX: usize = 100;
/// The highest price of one piece: a million euros, so that no basket can overflow.
pub const PRICE_MAX: i64 = 100_000_000;

/// Where products are kept.
pub const PRODUCTS: Collection = Collection {
    name: "products",
    columns: &[
        Column::indexed("artisan", ColumnKind::Uuid),
        Column::indexed("category", ColumnKind::Text),
        Column::indexed("visible", ColumnKind::Bool),
        Column::indexed("listed_at", ColumnKind::Timestamp),
        Column::plain("status", ColumnKind::Text),
        Column::plain("name", ColumnKind::Text),
        Column::plain("price", ColumnKind::Money),
    ],
    children: &["variants", "images", "attributes"],
};

/// A product with all that belongs to it: deleting it deletes its variants, images and attributes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Its id.
    pub product_id: ProductId,
    /// Who sells it.
    pub artisan_id: ArtisanId,
    /// What it is called.
    pub name: String,
    /// What it is, in the artisan's words; plain text.
    pub description: String,
    /// Its category's path: `alimentacion/miel`.
    pub category: String,
    /// The price of one piece, VAT included, where a variant has none of its own.
    pub price: Money,
    /// VAT in basis points where it differs from its category's.
    pub vat_rate: Option<u32>,
    /// Whether it is for sale.
    pub status: Status,
    /// False while its artisan may not sell.
    pub shown: bool,
    /// Its artisan's tier.
    pub tier: Option<Tier>,
    /// Sizes, colours …; empty where there is but one kind.
    pub variants: Vec<Variant>,
    /// Pictures, the first one for lists.
    pub images: Vec<Image>,
    /// What else is to be said of it.
    pub attributes: Vec<Attribute>,
    /// When it came into the catalogue.
    pub listed_at: Timestamp,
    /// When it was last changed by a person.
    pub updated_at: Timestamp,
}

/// A variant of a product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Variant {
    /// Its id.
    pub variant_id: VariantId,
    /// The artisan's stock-keeping unit.
    pub sku: String,
    /// The price of one piece, VAT included.
    pub price: Money,
    /// What sets it apart: `{"size": "500 ml"}`.
    pub attributes: Map<String, Value>,
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Image {
    /// Where it is.
    #[garde(length(min = 1, max = 500))]
    pub url: String,
    /// What it shows, for those who cannot see it.
    #[garde(length(chars, max = 300))]
    pub alt: String,
}

/// A property: `origin` is `Sierra de Cazorla`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attribute {
    /// Which.
    #[garde(length(chars, min = 1, max = 60))]
    pub name: String,
    /// What it is.
    #[garde(length(chars, min = 1, max = 300))]
    pub value: String,
}

impl Document for Product {
    const COLLECTION: &'static Collection = &PRODUCTS;

    fn id(&self) -> String {
        self.product_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![
            self.artisan_id.0.into(),
            self.category.as_str().into(),
            self.is_visible().into(),
            self.listed_at.into(),
            self.status.as_str().into(),
            self.name.as_str().into(),
            self.price.into(),
        ]
    }
}

impl Product {
    /// The catalogue shows it and sells it.
    pub fn is_visible(&self) -> bool {
        self.shown && self.status == Status::Active
    }

    /// The product that an artisan's listing opens; what a draft already said of it is kept.
    pub fn listed(event: &ProductListed, draft: Option<&Product>, seller: &Seller) -> Self {
        Self {
            product_id: event.product_id,
            artisan_id: event.artisan_id,
            name: event.product_name.clone(),
            description: draft.map(|draft| draft.description.clone()).unwrap_or_default(),
            category: event.category.clone(),
            price: event.price,
            vat_rate: draft.and_then(|draft| draft.vat_rate),
            status: Status::Active,
            shown: !seller.hidden,
            tier: seller.tier,
            variants: event.variants.iter().map(Variant::from).collect(),
            images: draft.map(|draft| draft.images.clone()).unwrap_or_default(),
            attributes: draft.map(|draft| draft.attributes.clone()).unwrap_or_default(),
            listed_at: event.listed_at,
            updated_at: event.listed_at,
        }
    }

    /// The variant that a line means: the one named, or the only one. `Ok(None)` is the product
    /// itself, where it has no variants.
    pub fn variant(&self, wanted: Option<VariantId>) -> Result<Option<&Variant>, &'static str> {
        match (wanted, self.variants.as_slice()) {
            (None, []) => Ok(None),
            (None, [only]) => Ok(Some(only)),
            (None, _) => Err("the product comes in several variants: choose one"),
            (Some(id), variants) => match variants.iter().find(|variant| variant.variant_id == id) {
                Some(variant) => Ok(Some(variant)),
                None => Err("the product has no such variant"),
            },
        }
    }
}

impl From<&ListedVariant> for Variant {
    fn from(listed: &ListedVariant) -> Self {
        Self {
            variant_id: listed.variant_id,
            sku: listed.sku.clone(),
            price: listed.price,
            attributes: listed.attributes.clone(),
        }
    }
}

/// A price that can be asked for one piece.
pub fn check_price(price: Money, field: &str) -> Result<(), Rejection> {
    let no = |message: &str| Rejection::invalid("price-invalid", message).at(field);
    if price.currency != Currency::EUR {
        return Err(no("prices are in EUR"));
    }
    if !(1..=PRICE_MAX).contains(&price.amount) {
        return Err(no("a price is between 0.01 and 1,000,000.00 EUR"));
    }
    Ok(())
}
