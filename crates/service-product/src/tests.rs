//! What the tests share: a stage with the catalogue on it, and things with known ids.

use axum::Router;
use backbone::testing::Stage;
use contracts::artisan::ProductListed;
use contracts::shared::ListedVariant;
use kernel::{ArtisanId, Money, ProductId, Timestamp, VariantId};
use serde_json::{Map, json};
use uuid::Uuid;

use crate::Config;

mod catalogue;
mod importing;
mod pricing;
mod reactions;

const OIL: ProductId = ProductId(Uuid::from_u128(0x10));
const SMALL: VariantId = VariantId(Uuid::from_u128(0x11));
const LARGE: VariantId = VariantId(Uuid::from_u128(0x12));
const BOWL: ProductId = ProductId(Uuid::from_u128(0x20));
const MILL: ArtisanId = ArtisanId(Uuid::from_u128(0xA1));
const POTTER: ArtisanId = ArtisanId(Uuid::from_u128(0xA2));
const NOON: Timestamp = Timestamp::from_micros(1_767_610_800_000_000);

/// A stage with the catalogue, and its routes behind the gate.
fn stage() -> (Stage, Router) {
    let stage = Stage::new("product");
    let module = crate::module(&stage.context(), Config::default());
    let routes = module.routes.clone();
    stage.mount(module);
    let router = http_kit::testing::stand("product", routes, stage.context().environment);
    (stage, router)
}

/// The mill lists oil in two sizes.
fn oil_listed() -> ProductListed {
    let variant = |variant_id, sku: &str, cents| ListedVariant {
        variant_id,
        sku: sku.to_owned(),
        attributes: Map::from_iter([("size".to_owned(), json!(sku))]),
        price: Money::eur(cents),
        initial_stock: 10,
    };
    ProductListed {
        product_id: OIL,
        artisan_id: MILL,
        product_name: "Aceite picual".to_owned(),
        category: "alimentacion/aceite".to_owned(),
        price: Money::eur(900),
        initial_stock: 20,
        variants: vec![variant(SMALL, "500ml", 900), variant(LARGE, "5l", 6_500)],
        listed_at: NOON,
    }
}

/// The potter lists a bowl, which comes in one kind.
fn bowl_listed() -> ProductListed {
    ProductListed {
        product_id: BOWL,
        artisan_id: POTTER,
        product_name: "Cuenco de Úbeda".to_owned(),
        category: "ceramica".to_owned(),
        price: Money::eur(2_400),
        initial_stock: 3,
        variants: Vec::new(),
        listed_at: NOON,
    }
}
