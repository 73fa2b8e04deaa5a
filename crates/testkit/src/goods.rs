//! What a test market sells: written through the public API, the same in every run.

use a4co::client::{self, Call};
use a4co::stock::{self, Item};
use kernel::{ArtisanId, Duration, ProductId, derived_id};
use serde_json::{Value, json};

use crate::TestMarket;

/// How long goods may take to show with their stock.
const SHOWN_LIMIT: Duration = Duration::from_secs(30);

/// A product to be sold.
#[derive(Clone, Copy, Debug)]
pub struct Shelf {
    /// Whose: artisans are numbered from 0.
    pub artisan: u32,
    /// Its stock-keeping unit.
    pub sku: &'static str,
    /// The price of a piece.
    pub cents: i64,
    /// Pieces at the start.
    pub pieces: u32,
}

impl Shelf {
    /// A few things of two artisans: honey and oil in plenty, a chest of which there are three.
    pub const USUAL: &'static [Shelf] = &[
        Shelf { artisan: 0, sku: "HONEY", cents: 850, pieces: 500 },
        Shelf { artisan: 0, sku: "CHEST", cents: 12_000, pieces: 3 },
        Shelf { artisan: 1, sku: "OIL", cents: 1_495, pieces: 500 },
    ];

    fn artisan_id(&self) -> ArtisanId {
        ArtisanId(TestMarket::person(0xA00 + u128::from(self.artisan)))
    }
}

/// What is sold.
#[derive(Clone, Debug)]
pub struct Goods(Vec<(&'static str, Item)>);

impl Goods {
    /// A product by its stock-keeping unit.
    pub fn item(&self, sku: &str) -> Item {
        let found = self.0.iter().find(|(name, _)| *name == sku);
        found.unwrap_or_else(|| panic!("this market sells no {sku}")).1
    }
}

impl TestMarket {
    /// Takes in artisans, lists their goods, and waits until they show with their stock.
    pub async fn sell(&self, shelves: &[Shelf]) -> Goods {
        let mut artisans: Vec<u32> = shelves.iter().map(|shelf| shelf.artisan).collect();
        artisans.sort_unstable();
        artisans.dedup();
        let category = json!({"path": "alimentacion", "nameEs": "Alimentación", "nameEn": "Food"});
        self.write(Call::post("/api/categories").key("testkit/category").json(&category)).await;
        for artisan in artisans {
            let own: Vec<Shelf> = shelves.iter().filter(|shelf| shelf.artisan == artisan).copied().collect();
            let call = Call::post("/api/artisans").key(&format!("testkit/artisan/{artisan}"));
            self.write(call.json(&admission(artisan, own[0].artisan_id()))).await;
            let report = self.write(Call::post("/api/products/import").body("text/csv", file(&own))).await;
            assert_eq!(report["rejected"], json!([]), "the catalogue takes what a test sells");
        }
        let goods = Goods(shelves.iter().map(|shelf| (shelf.sku, item(shelf))).collect());
        self.until_shown(shelves).await;
        goods
    }

    /// Counts an item so that this many pieces can be bought.
    pub async fn count(&self, item: &Item, available: u32) {
        stock::count(&self.api, &self.operator(), item, available).await.expect("the count is taken");
    }

    async fn write(&self, call: Call) -> Value {
        let reply = client::ask(&self.api, call.by(&self.operator())).await;
        let reply = reply.expect("a market without faults takes what a test sells");
        serde_json::from_slice(&reply.body).unwrap_or_default()
    }

    async fn until_shown(&self, shelves: &[Shelf]) {
        let begun = tokio::time::Instant::now();
        loop {
            let kept = stock::for_sale(&self.api).await.expect("the catalogue answers");
            let shows = |shelf: &Shelf| kept.contains(&(item(shelf), shelf.pieces));
            if shelves.iter().all(shows) {
                return;
            }
            assert!(begun.elapsed() < SHOWN_LIMIT, "goods do not show with their stock: {kept:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn item(shelf: &Shelf) -> Item {
    let product_id = ProductId(derived_id(shelf.artisan_id().0, shelf.sku));
    Item { product_id, variant_id: None }
}

fn admission(number: u32, artisan: ArtisanId) -> Value {
    json!({
        "artisanId": artisan,
        "businessInfo": {
            "businessName": format!("Taller {number}"),
            "legalName": format!("Taller {number} S. L."),
            // No province has the number 00, so that it is nobody's.
            "taxId": format!("B00{:06}", number + 1),
            "email": format!("taller{number}@artesanos.example"),
            "phone": "+34953000000",
            "address": {
                "recipient": format!("Taller {number}"),
                "line1": "Calle Real, 1",
                "city": "Úbeda",
                "province": "Jaén",
                "postalCode": "23400",
                "country": "ES",
            },
        },
        "specialties": ["Alimentación"],
    })
}

fn file(shelves: &[Shelf]) -> Vec<u8> {
    let mut text = "artisanId,sku,name,category,price,vatRate,stock\n".to_owned();
    for shelf in shelves {
        let Shelf { sku, cents, pieces, .. } = shelf;
        let (euros, rest) = (cents / 100, cents % 100);
        let artisan = shelf.artisan_id();
        text.push_str(&format!("{artisan},{sku},{sku},alimentacion,{euros}.{rest:02},1000,{pieces}\n"));
    }
    text.into_bytes()
}
