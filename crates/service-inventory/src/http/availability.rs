//! What can be bought: from the stock's view documents, never a query per item.

use axum::extract::State;
use backbone::collection::Query;
use backbone::context::Versioned;
use contracts::calls::Availability;
use http_kit::{Answer, Problem, UrlPath, UrlQuery};
use kernel::ProductId;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Counter;
use crate::catalogue::Product;
use crate::views::{STOCK, StockView};

const PRODUCTS_MAX: usize = 100;

/// Which products.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductsQuery {
    /// Their ids, separated by commas; at most 100.
    pub products: String,
}

impl ProductsQuery {
    fn ids(&self) -> Result<Vec<ProductId>, Problem> {
        let mut ids = Vec::new();
        for text in self.products.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let id = text.parse().map_err(|_| {
                Problem::invalid(
                    "products",
                    format!("{text:?} is no product's id: send UUIDs, separated by commas"),
                )
            })?;
            ids.push(id);
        }
        ids.sort_unstable();
        ids.dedup();
        if ids.len() > PRODUCTS_MAX {
            return Err(Problem::invalid(
                "products",
                format!("at most {PRODUCTS_MAX}: ask in several requests"),
            ));
        }
        Ok(ids)
    }
}

/// What is not for sale any more is as absent as what is unknown.
fn shown(found: impl IntoIterator<Item = Versioned<StockView>>) -> Answer {
    let items = found.into_iter().map(|found| found.document).filter(|item| !item.discontinued);
    Answer::ok(&Availability { stock: items.map(|item| item.availability()).collect() })
}

pub(super) async fn of_product(
    State(counter): State<Counter>,
    UrlPath(product_id): UrlPath<ProductId>,
) -> Result<Answer, Problem> {
    let query = Query::all(&STOCK).equal("product_id", product_id.0);
    Ok(shown(counter.context.find::<StockView>(query).await?))
}

/// Two look-ups by key, however many products: which items they have, and the items.
pub(super) async fn of_products(
    State(counter): State<Counter>,
    UrlQuery(query): UrlQuery<ProductsQuery>,
) -> Result<Answer, Problem> {
    let products = counter.context.get_all::<Product>(query.ids()?).await?;
    let items = products.into_iter().flatten().flat_map(|product| product.document.items);
    let found = counter.context.get_all::<StockView>(items).await?;
    Ok(shown(found.into_iter().flatten()))
}
