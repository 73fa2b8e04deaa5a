//! The demonstration market: artisans in Jaén's towns, their goods, and some customers, all written
//! through the public API and always the same.
//!
//! Every write is idempotent, and one category is added last, when everything else stands: whoever
//! finds it knows that the market was complete, whatever became of it since, and a start after a
//! kill simply goes through all of it again.

use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use indicatif::ProgressBar;
use kernel::{ArtisanId, ProductId};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::client::{self, Api, Call, Tokens};
use backbone::route::Role;

mod artisans;
mod crafts;
pub mod customers;
mod goods;
mod towns;

use artisans::{Artisan, ROOT};
use crafts::{CRAFTS, TRUNKS};
use goods::Product;

/// How many writes are under way at a time.
const PARALLEL: usize = 4;
/// How long listings may take to show in the catalogue with their stock.
const SHOWN_LIMIT: Duration = Duration::from_secs(60);
/// How often a file is sent again where some of its rows could not be listed.
const FILES_AGAIN: u32 = 5;

/// What seeding did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The market is the demonstration's, complete now.
    Seeded,
    /// It was complete before: nothing was written.
    AlreadyThere,
    /// Somebody else's goods are in it: nothing was written.
    NotEmpty,
}

/// What seeding did, and with how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeedReport {
    /// What it did.
    pub outcome: Outcome,
    /// Artisans of the demonstration.
    pub artisans: usize,
    /// Products of the demonstration.
    pub products: usize,
    /// Customers of the demonstration.
    pub customers: usize,
}

/// Why the market could not be seeded. The next attempt goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] client::Error),
    /// The catalogue does not take rows of a file.
    #[error("{business}: {rows} rows were not taken, the first because: {reason}")]
    Rows {
        /// Whose file.
        business: String,
        /// How many.
        rows: usize,
        /// Why.
        reason: String,
    },
    /// What was listed does not show.
    #[error("{missing} products do not show in the catalogue with their stock after {} s", SHOWN_LIMIT.as_secs())]
    NotShown {
        /// How many.
        missing: usize,
    },
}

/// The operator in whose name the demonstration is written.
pub fn operator() -> Uuid {
    kernel::derived_id(ROOT, "operator")
}

/// The products that are sold without sizes, for examples; first those of which there is most.
pub fn example_products() -> Vec<ProductId> {
    let products = artisans::all().into_iter().flat_map(|artisan| goods::of(&artisan));
    let pieces = |product: &Product| product.offers.iter().map(|offer| offer.stock).sum::<u32>();
    let mut single: Vec<Product> = products.filter(|product| product.offers.len() == 1).collect();
    single.sort_by_key(|product| std::cmp::Reverse(pieces(product)));
    single.into_iter().map(|product| product.id).collect()
}

/// Seeds the market unless somebody else's goods are in it. `progress` gets its length here.
pub async fn run(api: &dyn Api, tokens: &Tokens, progress: &ProgressBar) -> Result<SeedReport, Error> {
    let shelves: Vec<Shelf> = artisans::all().into_iter().map(Shelf::of).collect();
    let report = |outcome| SeedReport {
        outcome,
        artisans: shelves.len(),
        products: shelves.iter().map(|shelf| shelf.products.len()).sum(),
        customers: customers::COUNT,
    };
    if let Some(found) = look(api, &shelves).await? {
        return Ok(report(found));
    }
    let token = tokens(Role::Admin, operator());
    let market = Market { api, token: &token, progress };
    let categories = categories();
    progress.set_length((categories.len() + customers::COUNT + 2 * shelves.len()) as u64);
    let (mark, others) = categories.split_last().expect("there are crafts");
    market.add_categories(others).await?;
    market.customers(tokens).await?;
    market.admit(&shelves).await?;
    market.import(&shelves).await?;
    market.shown(&shelves).await?;
    market.add_categories(std::slice::from_ref(mark)).await?;
    Ok(report(Outcome::Seeded))
}

/// Path, Spanish and English name of each category, trunks before branches. The last one is the
/// mark of a market that is complete.
fn categories() -> Vec<[&'static str; 3]> {
    let branches = CRAFTS.iter().map(|craft| [craft.category, craft.names[0], craft.names[1]]);
    TRUNKS.iter().copied().chain(branches).collect()
}

/// An artisan with what they sell.
struct Shelf {
    artisan: Artisan,
    products: Vec<Product>,
}

impl Shelf {
    fn of(artisan: Artisan) -> Self {
        Self { products: goods::of(&artisan), artisan }
    }
}

/// A product as the catalogue lists it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Card {
    product_id: ProductId,
    artisan_id: ArtisanId,
    in_stock: Option<bool>,
}

/// A category as the catalogue shows it.
#[derive(Deserialize)]
struct Node {
    path: String,
    children: Vec<Node>,
}

impl Node {
    fn paths(&self) -> Vec<&str> {
        let below = self.children.iter().flat_map(Node::paths);
        std::iter::once(self.path.as_str()).chain(below).collect()
    }
}

/// What was found, where nothing is to be written.
async fn look(api: &dyn Api, shelves: &[Shelf]) -> Result<Option<Outcome>, Error> {
    let ours = categories();
    let tree: Vec<Node> = client::fetch(api, Call::get("/api/categories")).await?;
    let known: Vec<&str> = tree.iter().flat_map(Node::paths).collect();
    if ours.last().is_some_and(|[mark, ..]| known.contains(mark)) {
        return Ok(Some(Outcome::AlreadyThere));
    }
    if !known.iter().all(|path| ours.iter().any(|[own, ..]| own == path)) {
        return Ok(Some(Outcome::NotEmpty));
    }
    let cards: Vec<Card> = client::fetch_all(api, "/api/products", None, 1_000).await?;
    let is_ours = |card: &Card| shelves.iter().any(|shelf| shelf.artisan.id == card.artisan_id);
    Ok((!cards.iter().all(is_ours)).then_some(Outcome::NotEmpty))
}

#[derive(Deserialize)]
struct Report {
    rejected: Vec<Rejected>,
}

#[derive(Deserialize)]
struct Rejected {
    reason: String,
}

/// The market that is being filled.
struct Market<'a> {
    api: &'a dyn Api,
    token: &'a str,
    progress: &'a ProgressBar,
}

impl Market<'_> {
    /// Makes a call that may have been made before.
    async fn once(&self, call: Call, said_before: &str) -> Result<(), Error> {
        match client::ask(self.api, call.by(self.token)).await {
            Err(error) if error.code() != Some(said_before) => return Err(error.into()),
            _ => {}
        }
        self.progress.inc(1);
        Ok(())
    }

    async fn add_categories(&self, categories: &[[&str; 3]]) -> Result<(), Error> {
        for [path, name_es, name_en] in categories {
            let body = json!({"path": path, "nameEs": name_es, "nameEn": name_en});
            let call = Call::post("/api/categories").key(&format!("demo/category/{path}")).json(&body);
            self.once(call, "category-exists").await?;
        }
        Ok(())
    }

    async fn customers(&self, tokens: &Tokens) -> Result<(), Error> {
        for number in 0..customers::COUNT {
            customers::known(self.api, tokens, number).await?;
            self.progress.inc(1);
        }
        Ok(())
    }

    async fn admit(&self, shelves: &[Shelf]) -> Result<(), Error> {
        let calls = shelves.iter().map(|Shelf { artisan, .. }| {
            let key = format!("demo/artisan/{}", artisan.number);
            let call = Call::post("/api/artisans").key(&key).json(&admission(artisan));
            Ok(self.once(call, "artisan-exists"))
        });
        futures::stream::iter(calls).try_buffer_unordered(PARALLEL).try_collect().await
    }

    async fn import(&self, shelves: &[Shelf]) -> Result<(), Error> {
        let files = shelves.iter().map(|shelf| Ok(self.send_file(shelf)));
        futures::stream::iter(files).try_buffer_unordered(PARALLEL).try_collect().await
    }

    async fn send_file(&self, shelf: &Shelf) -> Result<(), Error> {
        let file = goods::file(&shelf.artisan, &shelf.products);
        let mut again = 0;
        loop {
            let call = Call::post("/api/products/import").by(self.token).body("text/csv", file.clone());
            let report: Report = client::fetch(self.api, call).await?;
            let Some(first) = report.rejected.first() else { break };
            if again == FILES_AGAIN {
                return Err(Error::Rows {
                    business: shelf.artisan.business_name.clone(),
                    rows: report.rejected.len(),
                    reason: first.reason.clone(),
                });
            }
            again += 1;
            tokio::time::sleep(Duration::from_millis(200) * again).await;
        }
        self.progress.inc(1);
        Ok(())
    }

    /// Waits until everything shows with its stock.
    async fn shown(&self, shelves: &[Shelf]) -> Result<(), Error> {
        let started = Instant::now();
        let mut missing: Vec<ProductId> =
            shelves.iter().flat_map(|shelf| shelf.products.iter().map(|product| product.id)).collect();
        loop {
            let cards: Vec<Card> = client::fetch_all(self.api, "/api/products", None, 1_000).await?;
            let stands = |id: &ProductId| cards.iter().any(|c| c.product_id == *id && c.in_stock.is_some());
            missing.retain(|id| !stands(id));
            if missing.is_empty() {
                return Ok(());
            }
            if started.elapsed() > SHOWN_LIMIT {
                return Err(Error::NotShown { missing: missing.len() });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn admission(artisan: &Artisan) -> serde_json::Value {
    let town = artisan.town;
    json!({
        "artisanId": artisan.id,
        "businessInfo": {
            "businessName": artisan.business_name,
            "legalName": format!("{} S. L.", artisan.business_name),
            // No province has the number 00, so that it is nobody's.
            "taxId": format!("B00{:06}", artisan.number + 1),
            "email": artisan.email,
            "phone": artisan.phone,
            "address": {
                "recipient": artisan.business_name,
                "line1": artisan.street,
                "city": town.name,
                "province": "Jaén",
                "postalCode": town.postal_code,
                "country": "ES",
                "latitude": town.latitude,
                "longitude": town.longitude,
                "phone": artisan.phone,
            },
        },
        "specialties": [artisan.craft.names[0]],
    })
}

#[cfg(test)]
mod tests;
