//! Items of stock as artisans and operators see and count them.

use axum::extract::State;
use backbone::Work;
use backbone::collection::{ColumnValue, Query};
use backbone::route::Caller;
use garde::Validate;
use http_kit::page::Page;
use http_kit::{
    Answer, Body, CallerIs, Execute, IfMatch, Origin as RequestOrigin, PageQuery, Problem, UrlPath, UrlQuery,
};
use kernel::{ArtisanId, ProductId, VariantId, WarehouseId};
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::Counter;
use crate::catalogue::Product;
use crate::commands::{self, Counted, Listing, Stocktake};
use crate::domain::ItemKey;
use crate::domain::stock::{Count, QUANTITY_MAX};
use crate::views::{STOCK, StockView};

/// Whose stock is wanted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct StockQuery {
    /// The artisan; for artisans it is themselves.
    pub artisan_id: Option<ArtisanId>,
    /// How many at most: 1 to 100, 20 where nothing is said.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// A count; and where no stock is kept yet, what it is of.
#[derive(Clone, Debug, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[garde(allow_unvalidated)]
pub struct CountStock {
    /// Pieces that are there.
    #[garde(range(max = QUANTITY_MAX))]
    pub quantity: u32,
    /// The warehouse; absent for the item's own.
    pub warehouse_id: Option<WarehouseId>,
    /// The shelf or bin there; absent where it stays.
    #[garde(length(chars, min = 1, max = 100))]
    pub location: Option<String>,
    /// The product; needed where no stock is kept yet.
    pub product_id: Option<ProductId>,
    /// Who sells it; needed where no stock is kept yet.
    pub artisan_id: Option<ArtisanId>,
    /// What it is called; needed where no stock is kept yet.
    #[garde(length(chars, min = 1, max = 200))]
    pub name: Option<String>,
}

/// The artisan whose things are listed: their own, or for operators whosever they name.
pub(super) fn whose(caller: &Caller, named: Option<ArtisanId>) -> Result<ArtisanId, Problem> {
    let artisan = if caller.is_admin() { named } else { named.or(caller.person().map(ArtisanId)) };
    let artisan = artisan.ok_or_else(|| Problem::invalid("artisanId", "say whose"))?;
    own(caller, artisan)?;
    Ok(artisan)
}

/// Artisans touch what is theirs.
pub(super) fn own(caller: &Caller, artisan: ArtisanId) -> Result<(), Problem> {
    if caller.may_act_for(artisan.0) {
        Ok(())
    } else {
        Err(Problem::forbidden("it belongs to another artisan"))
    }
}

/// The item of a variant, or of a product without variants.
pub(super) async fn find(counter: &Counter, id: Uuid) -> Result<Option<StockView>, Problem> {
    let of_variant = Query::all(&STOCK).equal("variant_id", id).limit(1);
    let found = counter.context.find::<StockView>(of_variant).await?;
    if let Some(found) = found.into_iter().next() {
        return Ok(Some(found.document));
    }
    Ok(counter.context.get::<StockView>(id).await?.map(|found| found.document))
}

/// The item, where it is the caller's.
pub(super) async fn find_own(counter: &Counter, caller: &Caller, id: Uuid) -> Result<StockView, Problem> {
    let found = find(counter, id).await?.ok_or_else(|| Problem::not_found(format!("stock of {id}")))?;
    own(caller, found.artisan_id)?;
    Ok(found)
}

/// The key of an item as queries see it.
pub(super) fn key(item: &StockView) -> ItemKey {
    ItemKey::new(item.product_id, item.variant_id)
}

pub(super) async fn list(
    State(counter): State<Counter>,
    CallerIs(caller): CallerIs,
    UrlQuery(query): UrlQuery<StockQuery>,
) -> Result<Answer, Problem> {
    let artisan = whose(&caller, query.artisan_id)?;
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    let mut find = Query::all(&STOCK).equal("artisan_id", artisan.0).limit(page.limit() + 1);
    find.after = page.after()?;
    let found = counter.context.find::<StockView>(find).await?;
    let rows = found.into_iter().map(|found| found.document).collect();
    Ok(Answer::ok(&Page::cut(rows, page.limit(), |item: &StockView| (ColumnValue::Null, item.id.clone()))))
}

pub(super) async fn show(
    State(counter): State<Counter>,
    CallerIs(caller): CallerIs,
    UrlPath(id): UrlPath<Uuid>,
) -> Result<Answer, Problem> {
    let item = find_own(&counter, &caller, id).await?;
    Ok(Answer::ok(&item).etag(item.stock_revision))
}

/// A count of a known item says with `If-Match` which stock it corrects; a first count opens it.
pub(super) async fn count(
    State(counter): State<Counter>,
    CallerIs(caller): CallerIs,
    RequestOrigin(origin): RequestOrigin,
    UrlPath(id): UrlPath<Uuid>,
    (if_match, body): (IfMatch, Body<CountStock>),
) -> Result<Answer, Problem> {
    let CountStock { quantity, warehouse_id, location, product_id, artisan_id, name } = body.value;
    let (key, seen_revision, unknown) = match find(&counter, id).await? {
        Some(item) => {
            own(&caller, item.artisan_id)?;
            (key(&item), Some(if_match.required()?), None)
        }
        None => {
            let (Some(product_id), Some(artisan_id), Some(name)) = (product_id, artisan_id, name) else {
                return Err(Problem::not_found(format!(
                    "stock of {id}; send productId, artisanId and name to open it"
                )));
            };
            let listing = Listing { product_id, artisan_id, name, items: Vec::new() };
            may_open(&counter, &caller, &listing).await?;
            let variant = (product_id.0 != id).then_some(VariantId(id));
            (ItemKey::new(product_id, variant), None, Some(listing))
        }
    };
    let count = Count { warehouse_id, location, quantity, seen_revision };
    let stocktake = Stocktake { key, count, unknown };
    let config = counter.config.clone();
    let work = Work::new("count-stock", origin, move |ws| {
        let Counted { key, state } = commands::count(ws, &config, &stocktake)?;
        let view = StockView::of(&key.to_string(), &state);
        Ok(serde_json::to_value(view).expect("views are JSON"))
    });
    let done = counter.context.run(work).await?;
    let item: StockView = serde_json::from_slice(&done.answer).map_err(Problem::defect)?;
    Ok(Answer::ok(&item).etag(item.stock_revision))
}

async fn may_open(counter: &Counter, caller: &Caller, listing: &Listing) -> Result<(), Problem> {
    own(caller, listing.artisan_id)?;
    let known = counter.context.get::<Product>(listing.product_id).await?;
    match known {
        Some(product) if product.document.artisan_id != listing.artisan_id => {
            Err(Problem::invalid("artisanId", "the product belongs to another artisan"))
        }
        _ => Ok(()),
    }
}
