//! What can be bought in a market, and how much of it there is: as customers see it, and as an
//! operator counts it.

use std::collections::BTreeSet;

use contracts::calls::Availability;
use http::StatusCode;
use kernel::{ProductId, VariantId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::client::{self, Api, Call, Error};

/// How many products are asked for at a time.
const PRODUCTS_AT_A_TIME: usize = 100;
/// How often a count is made again where somebody bought in between.
const COUNTS_AGAIN: u32 = 20;
/// More products than this are not looked at: a demonstration needs no more.
const PRODUCTS_MAX: usize = 2_000;

/// Something that can be bought: a product, or a variant of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// The product.
    pub product_id: ProductId,
    /// The variant, where it has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant_id: Option<VariantId>,
}

impl Item {
    /// What its stock is called.
    pub fn stock_id(&self) -> Uuid {
        self.variant_id.map_or(self.product_id.0, |variant| variant.0)
    }
}

/// An item as its stock is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Kept {
    /// Pieces that are there.
    pub quantity: u32,
    /// Of these, held for somebody.
    pub reserved: u32,
    /// Pieces that can be bought.
    pub available: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Card {
    product_id: ProductId,
}

/// Everything in the catalogue with the pieces that can be bought, always in the same order.
pub async fn for_sale(api: &dyn Api) -> Result<Vec<(Item, u32)>, Error> {
    let cards: Vec<Card> = client::fetch_all(api, "/api/products", None, PRODUCTS_MAX).await?;
    let products: BTreeSet<ProductId> = cards.into_iter().map(|card| card.product_id).collect();
    let products: Vec<String> = products.iter().map(ProductId::to_string).collect();
    let mut items = Vec::new();
    for some in products.chunks(PRODUCTS_AT_A_TIME) {
        let path = format!("/api/inventory/availability?products={}", some.join(","));
        let found: Availability = client::fetch(api, Call::get(path)).await?;
        items.extend(found.stock.into_iter().map(|stock| {
            (Item { product_id: stock.product_id, variant_id: stock.variant_id }, stock.available)
        }));
    }
    items.sort_unstable();
    Ok(items)
}

/// An item's stock, and the entity tag of a count.
pub async fn kept(api: &dyn Api, operator: &str, item: &Item) -> Result<(Kept, String), Error> {
    let call = Call::get(format!("/api/inventory/stock/{}", item.stock_id())).by(operator);
    let reply = client::ask(api, call).await?;
    let tag = reply.entity_tag().unwrap_or_default().to_owned();
    Ok((reply.read()?, tag))
}

/// Counts an item so that `available` pieces can be bought.
pub async fn count(api: &dyn Api, operator: &str, item: &Item, available: u32) -> Result<(), Error> {
    let mut again = 0;
    loop {
        let (kept, tag) = kept(api, operator, item).await?;
        let body = json!({"quantity": kept.reserved.saturating_add(available)});
        let call = Call::put(format!("/api/inventory/stock/{}", item.stock_id()));
        let counted = client::ask(api, call.by(operator).if_match(&tag).json(&body)).await;
        match counted {
            Ok(_) => return Ok(()),
            Err(error) if error.status() == Some(StatusCode::PRECONDITION_FAILED) && again < COUNTS_AGAIN => {
                again += 1;
            }
            Err(error) => return Err(error),
        }
    }
}
