//! What the catalogue offers over HTTP: a line for each.

use std::cmp::Reverse;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::{MethodRouter, delete, get, post, put};
use backbone::Context;
use backbone::collection::{ColumnValue, Direction, Query};
use backbone::context::Versioned;
use backbone::document::Document;
use backbone::route::{Access, Caller, Role, Route};
use contracts::artisan::Tier;
use contracts::calls::{BasketQuote, QuoteBasket};
use http::Method;
use http_kit::page::Page;
use http_kit::{Answer, Body, CallerIs, PageQuery, Problem, UrlPath, UrlQuery};
use kernel::{ArtisanId, Money, ProductId, QuoteId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::domain::{
    self, Availability, CATEGORIES, Category, CategoryNode, PRODUCTS, Product, Ranking, VariantAvailability,
};
use crate::import::Report;
use crate::ports::Listings;

mod editing;
mod importing;

const SELLERS: &[Role] = &[Role::Artisan, Role::Admin];

/// What handlers have at hand.
#[derive(Clone)]
pub(crate) struct Shop {
    pub(crate) context: Context,
    pub(crate) config: Arc<Config>,
    pub(crate) listings: Arc<dyn Listings>,
}

/// The list.
pub(crate) fn routes(shop: Shop) -> Vec<Route> {
    [for_reading(&shop), for_writing(&shop)].concat()
}

/// Makes routes that have `shop` at hand.
fn at(shop: &Shop) -> impl Fn(Method, &'static str, Access, &'static str, MethodRouter<Shop>) -> Route {
    let shop = shop.clone();
    move |method, path, access, summary, handler| {
        Route::new(method, path, access, summary, handler.with_state(shop.clone()))
    }
}

fn for_reading(shop: &Shop) -> Vec<Route> {
    let route = at(shop);
    vec![
        route(
            Method::POST,
            "/api/products/quote",
            Access::Services(&["order"]),
            "Prices, VAT rates and artisans of a basket",
            post(quote),
        )
        .takes::<QuoteBasket>()
        .gives::<BasketQuote>(),
        route(Method::GET, "/api/products", Access::Public, "A page of the catalogue", get(page))
            .query::<CatalogueQuery>()
            .gives::<Page<Card>>(),
        route(Method::GET, "/api/products/{id}", Access::Public, "A product", get(one)).gives::<Sheet>(),
        route(Method::GET, "/api/categories", Access::Public, "The tree of categories", get(categories))
            .gives::<Vec<CategoryNode>>(),
    ]
}

fn for_writing(shop: &Shop) -> Vec<Route> {
    let route = at(shop);
    vec![
        route(
            Method::POST,
            "/api/products",
            Access::People(SELLERS),
            "Makes a product, a draft first",
            post(editing::create),
        )
        .takes::<editing::NewProduct>()
        .gives::<editing::Made>(),
        route(
            Method::PUT,
            "/api/products/{id}",
            Access::People(SELLERS),
            "Changes a product",
            put(editing::change),
        )
        .takes::<editing::Said>(),
        route(
            Method::DELETE,
            "/api/products/{id}",
            Access::People(SELLERS),
            "Removes a product with its variants, images and attributes",
            delete(editing::remove),
        ),
        route(
            Method::POST,
            "/api/products/import",
            Access::People(SELLERS),
            "Lists the products of a CSV file and reports on each row",
            post(importing::import),
        )
        .body_limit(importing::FILE_BYTES_MAX)
        .gives::<Report>(),
        route(
            Method::POST,
            "/api/categories",
            Access::People(&[Role::Admin]),
            "Adds a category",
            post(editing::add_category),
        )
        .takes::<editing::NewCategory>(),
        route(
            Method::PUT,
            "/api/categories",
            Access::People(&[Role::Admin]),
            "Changes a category's names and attributes",
            put(editing::change_category),
        )
        .takes::<editing::NewCategory>(),
    ]
}

/// A basket to be priced: 1 to 100 lines.
#[derive(Deserialize)]
#[serde(transparent)]
struct Basket(QuoteBasket);

impl garde::Validate for Basket {
    type Context = ();

    fn validate_into(&self, (): &(), parent: &mut dyn FnMut() -> garde::Path, report: &mut garde::Report) {
        if !(1..=100).contains(&self.0.lines.len()) {
            let message = "a basket has between 1 and 100 lines";
            report.append(parent().join("lines"), garde::Error::new(message));
        }
    }
}

async fn quote(State(shop): State<Shop>, basket: Body<Basket>) -> Result<Answer, Problem> {
    let basket = basket.value.0;
    let found = shop.context.get_all::<Product>(basket.lines.iter().map(|line| line.product_id)).await?;
    let found: Vec<Option<Product>> =
        found.into_iter().map(|found| found.map(|found| found.document)).collect();
    let id = QuoteId(shop.context.environment.ids.uuid());
    Ok(Answer::ok(&domain::quote(&shop.config.vat, id, &basket, &found)))
}

/// Which part of the catalogue.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CatalogueQuery {
    /// A category's path.
    category: Option<String>,
    /// An artisan.
    artisan: Option<ArtisanId>,
    /// How many at most: 1 to 100, 20 where nothing is said.
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// A product in a list.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Card {
    product_id: ProductId,
    artisan_id: ArtisanId,
    name: String,
    category: String,
    price: Money,
    tier: Option<Tier>,
    image: Option<String>,
    listed_at: Timestamp,
    /// Whether any of it can be bought now; absent where inventory has not said yet.
    in_stock: Option<bool>,
}

/// A product in full.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sheet {
    #[serde(flatten)]
    product: Product,
    /// VAT in basis points as it is charged.
    vat_rate_charged: u32,
    /// What can be bought, by variant, with the day when it is back.
    availability: Vec<VariantAvailability>,
}

async fn page(
    State(shop): State<Shop>,
    CallerIs(caller): CallerIs,
    UrlQuery(wanted): UrlQuery<CatalogueQuery>,
) -> Result<Answer, Problem> {
    let paging = PageQuery { limit: wanted.limit, cursor: wanted.cursor };
    let mut query = Query::all(&PRODUCTS)
        .equal("visible", true)
        .sorted("listed_at", Direction::Descending)
        .limit(paging.limit() + 1);
    if let Some(category) = &wanted.category {
        query = query.equal("category", category.as_str());
    }
    if let Some(artisan) = wanted.artisan {
        query = query.equal("artisan", artisan.0);
    }
    if let Some((value, id)) = paging.after()? {
        query = query.after(value, id);
    }
    let rows = shop.context.find::<Product>(query).await?;
    let place = |row: &Versioned<Product>| -> (ColumnValue, String) {
        (row.document.listed_at.into(), row.document.id())
    };
    let page = Page::cut(rows, paging.limit(), place);
    let stock =
        shop.context.get_all::<Availability>(page.items.iter().map(|row| row.document.product_id)).await?;
    let mut stock = stock.into_iter();
    let mut page = page.map(|row| card(row.document, stock.next().flatten().map(|found| found.document)));
    rank(&shop, &caller, &mut page.items).await?;
    Ok(Answer::ok(&page))
}

/// Puts what a known person is interested in first on the page, then the artisans of a better tier;
/// the newest comes first among equals.
async fn rank(shop: &Shop, caller: &Caller, cards: &mut [Card]) -> Result<(), Problem> {
    let ranking = match caller.person() {
        Some(person) => shop.context.get::<Ranking>(person).await?,
        None => None,
    };
    cards.sort_by_key(|card| {
        let place = ranking.as_ref().map_or(0, |ranking| ranking.document.place(&card.category));
        (place, Reverse(card.tier.unwrap_or(Tier::Bronze)))
    });
    Ok(())
}

fn card(product: Product, availability: Option<Availability>) -> Card {
    Card {
        product_id: product.product_id,
        artisan_id: product.artisan_id,
        name: product.name,
        category: product.category,
        price: product.price,
        tier: product.tier,
        image: product.images.into_iter().next().map(|image| image.url),
        listed_at: product.listed_at,
        in_stock: availability.map(|known| known.stock.iter().any(|stock| stock.available > 0)),
    }
}

async fn one(
    State(shop): State<Shop>,
    CallerIs(caller): CallerIs,
    UrlPath(id): UrlPath<ProductId>,
) -> Result<Answer, Problem> {
    let found = shop.context.get::<Product>(id).await?;
    // What is not for sale is seen by its artisan and by operators alone.
    let may_see = |product: &Product| product.is_visible() || caller.may_act_for(product.artisan_id.0);
    let found = found.filter(|found| may_see(&found.document));
    let found = found.ok_or_else(|| Problem::not_found(format!("product {id}")))?;
    let availability = shop.context.get::<Availability>(id).await?;
    let sheet = Sheet {
        vat_rate_charged: found
            .document
            .vat_rate
            .unwrap_or_else(|| shop.config.vat.rate(&found.document.category)),
        product: found.document,
        availability: availability.map(|found| found.document.stock).unwrap_or_default(),
    };
    Ok(Answer::ok(&sheet).etag(found.version))
}

async fn categories(State(shop): State<Shop>) -> Result<Answer, Problem> {
    let found = shop.context.find::<Category>(Query::all(&CATEGORIES)).await?;
    Ok(Answer::ok(&domain::tree(found.into_iter().map(|found| found.document).collect())))
}
