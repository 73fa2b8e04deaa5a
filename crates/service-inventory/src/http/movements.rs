//! The ledger of movements, page by page.

use axum::extract::State;
use backbone::collection::{Direction, Query};
use http_kit::page::Page;
use http_kit::{Answer, CallerIs, PageQuery, Problem, UrlQuery};
use kernel::{OrderId, ProductId, VariantId};
use schemars::JsonSchema;
use serde::Deserialize;

use super::Counter;
use super::stock::own;
use crate::catalogue::Product;
use crate::movements::{MOVEMENTS, Movement};

/// Which movements are wanted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MovementsQuery {
    /// Of this product; artisans must name one of theirs.
    pub product_id: Option<ProductId>,
    /// Of this variant of it.
    pub variant_id: Option<VariantId>,
    /// For this order.
    pub order_id: Option<OrderId>,
    /// How many at most: 1 to 100, 20 where nothing is said.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

pub(super) async fn list(
    State(counter): State<Counter>,
    CallerIs(caller): CallerIs,
    UrlQuery(query): UrlQuery<MovementsQuery>,
) -> Result<Answer, Problem> {
    if !caller.is_admin() {
        let id =
            query.product_id.ok_or_else(|| Problem::invalid("productId", "name one of your products"))?;
        let product = counter.context.get::<Product>(id).await?;
        let product = product.ok_or_else(|| Problem::not_found(format!("stock of {id}")))?;
        own(&caller, product.document.artisan_id)?;
    }
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    let mut find = Query::all(&MOVEMENTS).sorted("at", Direction::Descending).limit(page.limit() + 1);
    if let Some(id) = query.product_id {
        find = find.equal("product_id", id.0);
    }
    if let Some(id) = query.variant_id {
        find = find.equal("variant_id", id.0);
    }
    if let Some(id) = query.order_id {
        find = find.equal("order_id", id.0);
    }
    find.after = page.after()?;
    let found = counter.context.find::<Movement>(find).await?;
    let rows = found.into_iter().map(|found| found.document).collect();
    Ok(Answer::ok(&Page::cut(rows, page.limit(), |row: &Movement| (row.at.into(), row.id.clone()))))
}
