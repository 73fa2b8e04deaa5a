//! Documents beside the orders: what others told of prices and stock, quotes, and who asked for
//! them.

use backbone::Document;
use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use contracts::shared::OrderItem;
use kernel::{CartId, CustomerId, Money, ProductId, QuoteId, Timestamp, VariantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{Delivery, Details};

/// Where quotes are kept, until a day after they end.
pub const QUOTES: Collection = Collection {
    name: "quotes",
    columns: &[Column::indexed("expires_at", ColumnKind::Timestamp)],
    children: &["items"],
};

/// What is known of a variant's price and stock.
pub const OFFERS: Collection =
    Collection { name: "offers", columns: &[Column::plain("product_id", ColumnKind::Uuid)], children: &[] };

/// Who asked for which quotes.
pub const SHOPPERS: Collection = Collection { name: "shoppers", columns: &[], children: &[] };

/// A binding price for a basket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quote {
    /// Its key: the cart's id where it was prepared at a checkout, its own otherwise.
    pub key: Uuid,
    /// Names the quote.
    pub quote_id: QuoteId,
    /// The cart it was prepared for.
    pub cart_id: Option<CartId>,
    /// Who asked, where they said.
    pub customer_id: Option<CustomerId>,
    /// The lines with the prices that bind.
    pub items: Vec<OrderItem>,
    /// One an artisan; none before the address is known.
    pub deliveries: Vec<Delivery>,
    /// What it comes to, deliveries included.
    pub total: Money,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it binds.
    pub expires_at: Timestamp,
}

/// What others told of a variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// The product.
    pub product_id: ProductId,
    /// The variant; absent for what holds for the whole product.
    pub variant_id: Option<VariantId>,
    /// Pieces that can be bought.
    pub available: Option<u32>,
    /// When that was said.
    pub stock_at: Option<Timestamp>,
    /// The price of a piece.
    pub price: Option<Money>,
    /// When that was said.
    pub price_at: Option<Timestamp>,
}

/// The quotes of a person, so that they can be dropped with the person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shopper {
    /// Who.
    pub customer_id: CustomerId,
    /// Keys of quotes, the newest last.
    pub quotes: Vec<Uuid>,
}

/// How many quotes of a person are remembered; older ones end by themselves.
const QUOTES_REMEMBERED_MAX: usize = 20;

impl Document for Quote {
    const COLLECTION: &'static Collection = &QUOTES;

    fn id(&self) -> String {
        self.key.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![self.expires_at.into()]
    }
}

impl Document for Offer {
    const COLLECTION: &'static Collection = &OFFERS;

    fn id(&self) -> String {
        offer_id(self.product_id, self.variant_id)
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![self.product_id.0.into()]
    }
}

impl Document for Shopper {
    const COLLECTION: &'static Collection = &SHOPPERS;

    fn id(&self) -> String {
        self.customer_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }
}

impl Shopper {
    /// Adds a quote.
    pub fn remember(&mut self, key: Uuid) {
        self.quotes.retain(|known| *known != key);
        self.quotes.push(key);
        let surplus = self.quotes.len().saturating_sub(QUOTES_REMEMBERED_MAX);
        self.quotes.drain(..surplus);
    }
}

/// The key of what is known of a variant.
pub fn offer_id(product: ProductId, variant: Option<VariantId>) -> String {
    match variant {
        Some(variant) => format!("{product}/{variant}"),
        None => format!("{product}/-"),
    }
}

impl Offer {
    /// Nothing is known yet.
    pub fn unknown(product_id: ProductId, variant_id: Option<VariantId>) -> Self {
        Self { product_id, variant_id, available: None, stock_at: None, price: None, price_at: None }
    }

    fn is_of(&self, product: ProductId, variant: Option<VariantId>) -> bool {
        self.product_id == product && (self.variant_id == variant || self.variant_id.is_none())
    }
}

impl Quote {
    /// A price changed since it was made: it binds nobody any more. Said by the offers of its
    /// lines.
    pub fn is_stale(&self, offers: &[Offer]) -> bool {
        self.items.iter().any(|item| {
            offers.iter().filter(|offer| offer.is_of(item.product_id, item.variant_id)).any(|offer| {
                offer.price_at.is_some_and(|at| at > self.created_at)
                    && offer.price.is_some_and(|price| price != item.unit_price)
            })
        })
    }

    /// The indexes of lines that can no longer be served.
    pub fn unavailable(&self, offers: &[Offer]) -> Vec<usize> {
        let lacks = |item: &OrderItem| lacks(offers, item.product_id, item.variant_id, item.quantity);
        self.items.iter().enumerate().filter(|(_, item)| lacks(item)).map(|(index, _)| index).collect()
    }

    /// The keys of what is known of its lines.
    pub fn offer_ids(&self) -> Vec<String> {
        offer_ids(self.items.iter().map(|item| (item.product_id, item.variant_id)))
    }
}

/// The keys of what is known of these variants.
pub fn offer_ids(variants: impl Iterator<Item = (ProductId, Option<VariantId>)>) -> Vec<String> {
    let mut ids: Vec<String> = variants.flat_map(|(p, v)| [offer_id(p, v), offer_id(p, None)]).collect();
    ids.sort();
    ids.dedup();
    ids
}

/// Fewer are there than are wanted, as far as inventory has told.
fn lacks(offers: &[Offer], product: ProductId, variant: Option<VariantId>, wanted: u32) -> bool {
    let exact = offers.iter().find(|offer| offer.product_id == product && offer.variant_id == variant);
    exact.and_then(|offer| offer.available).is_some_and(|available| available < wanted)
}

/// Marks the lines of an order that still waits for its stock and can no longer be served.
pub fn mark(order: &mut Details, offers: &[Offer]) {
    if !order.is_pending() {
        return;
    }
    for line in &mut order.items {
        let missing = line.quantity.saturating_sub(line.reserved);
        line.unavailable = missing > 0 && lacks(offers, line.product_id, line.variant_id, missing);
    }
}

/// What a quote says to whoever asked for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuoteAnswer {
    /// Names the quote; give it with the order to have these prices.
    pub quote_id: QuoteId,
    /// The lines with their prices, VAT included.
    pub items: Vec<OrderItem>,
    /// One an artisan.
    pub deliveries: Vec<Delivery>,
    /// What the goods cost.
    pub goods: Money,
    /// What delivery costs.
    pub delivery: Money,
    /// The VAT contained in the total.
    pub vat: Money,
    /// What it comes to.
    pub total: Money,
    /// Until when the prices bind.
    pub expires_at: Timestamp,
    /// A price changed since: ask again.
    pub stale: bool,
    /// Indexes of lines that can no longer be served.
    pub unavailable: Vec<usize>,
}
