//! What inventory does on the events of the catalogue.

use contracts::inventory::{StockDepleted, StockUpdated};
use contracts::product::Status;
use kernel::ArtisanId;
use uuid::Uuid;

use super::scene::{ARTISAN, Scene, item, product, variant};
use crate::commands;
use crate::domain::ItemKey;
use crate::domain::stock::{Rules, Thresholds};
use crate::error;
use crate::views::StockView;

#[test]
fn a_listed_product_opens_stock_with_its_pieces_limits_and_artisan() {
    let scene = Scene::new();
    scene.list(1, 12);
    let view = scene.0.get::<StockView>(item(1)).unwrap();
    assert_eq!((view.quantity, view.reserved, view.available, view.artisan_id), (12, 0, 12, ARTISAN));
    assert_eq!(view.rules.thresholds, crate::Config::default().thresholds);
    let told = scene.0.take::<StockUpdated>();
    assert_eq!((told[0].previous_quantity, told[0].quantity, told[0].cause.as_str()), (0, 12, "opening"));
}

#[test]
fn each_variant_has_stock_of_its_own() {
    let scene = Scene::new();
    scene.list_variants(1, &[(1, 3), (2, 5)]);
    let quantity = |n| scene.stock(ItemKey::new(product(1), Some(variant(n)))).quantity();
    assert_eq!((quantity(1), quantity(2)), (3, 5));
    assert!(scene.stock(item(1)).description.is_none());
}

#[test]
fn a_product_that_is_listed_again_keeps_its_stock_and_gains_new_variants() {
    let scene = Scene::new();
    scene.list_variants(1, &[(1, 3)]);
    scene.list_variants(1, &[(1, 99), (2, 5)]);
    let quantity = |n| scene.stock(ItemKey::new(product(1), Some(variant(n)))).quantity();
    assert_eq!((quantity(1), quantity(2)), (3, 5));
}

#[test]
fn a_discontinued_product_refuses_reservations_and_keeps_those_it_has() {
    let scene = Scene::with(&[30]);
    scene.request(1, 1, &[(1, 2)]);
    scene.update_product(1, Status::Discontinued);
    scene.request(2, 2, &[(1, 1)]);
    assert_eq!(scene.failed()[0].reason, error::DISCONTINUED);
    scene.confirm(1).unwrap();
    assert_eq!(scene.pieces(1), (28, 0, 28));
    scene.update_product(1, Status::Active);
    scene.request(3, 3, &[(1, 1)]);
    assert_eq!(scene.pieces(1), (28, 1, 27));
}

#[test]
fn an_updated_product_keeps_its_pieces_and_limits_and_follows_its_artisan() {
    let scene = Scene::with(&[30]);
    let rules = Rules { thresholds: Thresholds { reorder: 9, low: 6, critical: 3 }, ..Rules::default() };
    scene.0.run(|ws| commands::set_rules(ws, item(1), rules, None).map(drop)).unwrap();
    let heir = ArtisanId(Uuid::from_u128(0xA9));
    let updated_at = scene.0.now();
    let update = |artisan_id| contracts::product::Updated {
        product_id: product(1),
        artisan_id,
        changed_fields: vec!["name".to_owned()],
        status: Status::Active,
        updated_at,
    };
    for artisan_id in [ARTISAN, heir] {
        scene.0.receive(&update(artisan_id)).unwrap();
        let view = scene.0.get::<StockView>(item(1)).unwrap();
        assert_eq!((view.artisan_id, view.quantity, &view.rules), (artisan_id, 30, &rules));
    }
    // What is told from now on is told to the new artisan.
    scene.request(1, 1, &[(1, 30)]);
    let told = scene.0.take::<StockDepleted>();
    assert_eq!(told[0].artisan_id, heir);
}

#[test]
fn a_product_discontinued_before_it_was_heard_of_is_discontinued_when_it_is() {
    let scene = Scene::new();
    scene.update_product(1, Status::Discontinued);
    scene.list(1, 5);
    scene.request(1, 1, &[(1, 1)]);
    assert_eq!(scene.failed()[0].reason, error::DISCONTINUED);
}
