//! The registry and the listings, and their rules: pure values.

use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use backbone::{Document, Rejection};
use contracts::artisan::ProductListed;
use contracts::calls::OfferProduct;
use contracts::shared::{Address, BusinessInfo, ListedVariant};
use kernel::{ArtisanId, Currency, Money, Personal, ProductId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most variants of one product.
const VARIANTS_MAX: usize = 100;
/// The highest price of one piece: a million euros.
const PRICE_MAX: i64 = 100_000_000;

/// Where artisans are kept.
pub const ARTISANS: Collection = Collection {
    name: "artisans",
    columns: &[
        Column::indexed("status", ColumnKind::Text),
        Column::indexed("business_name", ColumnKind::Text),
        Column::indexed("town", ColumnKind::Text),
    ],
    children: &["specialties"],
};

/// Where listings are kept.
pub const LISTINGS: Collection = Collection {
    name: "listings",
    columns: &[
        Column::indexed("artisan", ColumnKind::Uuid),
        Column::plain("listed_at", ColumnKind::Timestamp),
    ],
    children: &[],
};

/// Whether an artisan may sell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// An operator verified them.
    Verified,
}

/// An artisan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artisan {
    /// Their id: that of the person who signs in.
    pub artisan_id: ArtisanId,
    /// The name that customers see.
    pub business_name: String,
    /// The workshop, shown to customers, with its position.
    pub location: Address,
    /// What they are good at.
    pub specialties: Vec<String>,
    /// Whether they may sell.
    pub status: Status,
    /// The business behind it: names, tax number, how to reach it.
    pub business_info: Personal<BusinessInfo>,
    /// When they were verified.
    pub verified_at: Timestamp,
}

impl Document for Artisan {
    const COLLECTION: &'static Collection = &ARTISANS;
    const PERSONAL: &'static [&'static str] = &["businessInfo"];

    fn id(&self) -> String {
        self.artisan_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        let status = match self.status {
            Status::Verified => "verified",
        };
        vec![status.into(), self.business_name.as_str().into(), self.location.city.as_str().into()]
    }

    fn person(&self) -> Option<Uuid> {
        Some(self.artisan_id.0)
    }
}

/// That an artisan listed something: once for each artisan and SKU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listing {
    /// Who sells it.
    pub artisan_id: ArtisanId,
    /// What names it for its artisan.
    pub sku: String,
    /// The product.
    pub product_id: ProductId,
    /// When.
    pub listed_at: Timestamp,
}

/// The id of an artisan's listing of a SKU.
pub fn listing_id(artisan: ArtisanId, sku: &str) -> String {
    format!("{artisan}/{sku}")
}

impl Document for Listing {
    const COLLECTION: &'static Collection = &LISTINGS;

    fn id(&self) -> String {
        listing_id(self.artisan_id, &self.sku)
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![self.artisan_id.0.into(), self.listed_at.into()]
    }
}

/// The listing that an offer makes. The ids of product and variants follow from artisan and SKU
/// unless the offer names the product.
pub fn listed(artisan: ArtisanId, offer: &OfferProduct, now: Timestamp) -> Result<ProductListed, Rejection> {
    check(offer)?;
    let product = offer.product_id.unwrap_or_else(|| kernel::derived_id(artisan.0, &offer.sku).into());
    let variants: Vec<ListedVariant> = offer
        .variants
        .iter()
        .map(|variant| ListedVariant {
            variant_id: kernel::derived_id(product.0, &variant.sku).into(),
            sku: variant.sku.clone(),
            attributes: variant.attributes.clone(),
            price: variant.price,
            initial_stock: variant.initial_stock,
        })
        .collect();
    let of_variants = variants.iter().fold(0u32, |sum, variant| sum.saturating_add(variant.initial_stock));
    Ok(ProductListed {
        product_id: product,
        artisan_id: artisan,
        product_name: offer.name.clone(),
        category: offer.category.clone(),
        price: offer.price,
        initial_stock: if variants.is_empty() { offer.initial_stock } else { of_variants },
        variants,
        listed_at: now,
    })
}

fn check(offer: &OfferProduct) -> Result<(), Rejection> {
    let no = |field: &str, message: &str| Err(Rejection::invalid("offer-invalid", message).at(field));
    let has_length = |text: &str, most: usize| (1..=most).contains(&text.chars().count());
    if !has_length(&offer.sku, 64) {
        return no("sku", "a SKU has 1 to 64 characters");
    }
    if !has_length(&offer.name, 200) {
        return no("name", "a name has 1 to 200 characters");
    }
    if !has_length(&offer.category, 120) {
        return no("category", "a category's path has 1 to 120 characters");
    }
    if !is_price(offer.price) {
        return no("price", "a price is between 0.01 and 1,000,000.00 EUR");
    }
    if offer.variants.len() > VARIANTS_MAX {
        return no("variants", "a product has at most 100 variants: make it two products");
    }
    for (index, variant) in offer.variants.iter().enumerate() {
        if !has_length(&variant.sku, 64) || offer.variants[..index].iter().any(|v| v.sku == variant.sku) {
            return no(
                &format!("variants[{index}].sku"),
                "each variant has a SKU of its own, 1 to 64 characters",
            );
        }
        if !is_price(variant.price) {
            return no(&format!("variants[{index}].price"), "a price is between 0.01 and 1,000,000.00 EUR");
        }
    }
    Ok(())
}

fn is_price(price: Money) -> bool {
    price.currency == Currency::EUR && (1..=PRICE_MAX).contains(&price.amount)
}
