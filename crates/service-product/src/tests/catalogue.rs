//! The catalogue over HTTP.

use axum::Router;
use backbone::route::Role;
use backbone::testing::Stage;
use contracts::artisan::{PerformanceEvaluated, Tier};
use contracts::inventory::{RestockScheduled, StockUpdated};
use contracts::product::{PriceChanged, Updated};
use contracts::shared::{ArtisanMetrics, DateRange, Locale, UserPreferences};
use contracts::user::{PreferencesChanged, SegmentChanged};
use futures::executor::block_on;
use http::{Method, StatusCode, header};
use http_kit::testing::{Reply, person, request, send, service};
use kernel::{Duration, Money, PurchaseOrderId, UserId};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{BOWL, MILL, NOON, OIL, POTTER, SMALL, bowl_listed, oil_listed, stage};
use crate::domain::Product;

fn ask(router: &Router, method: Method, path: &str, by: Option<&str>, body: Option<&Value>) -> Reply {
    block_on(send(router, request(method, path, by, body)))
}

fn get(router: &Router, path: &str) -> Reply {
    ask(router, Method::GET, path, None, None)
}

fn with_version(router: &Router, method: Method, by: &str, version: &str, body: Option<&Value>) -> Reply {
    let mut request = request(method, &format!("/api/products/{OIL}"), Some(by), body);
    request.headers_mut().insert(header::IF_MATCH, version.parse().unwrap());
    block_on(send(router, request))
}

fn shop() -> (Stage, Router) {
    let (stage, router) = stage();
    stage.receive(&oil_listed()).unwrap();
    stage.receive(&bowl_listed()).unwrap();
    (stage, router)
}

fn said(cents: i64, name: &str) -> Value {
    let price = |amount: i64| json!({"amount": amount, "currency": "EUR"});
    json!({
        "name": name, "category": "alimentacion/aceite", "price": price(900), "status": "active",
        "variants": [
            {"sku": "500ml", "price": price(cents), "attributes": {"size": "500ml"}},
            {"sku": "5l", "price": price(6_500), "attributes": {"size": "5l"}},
        ],
    })
}

#[test]
fn order_gets_prices_in_the_baskets_order_and_nobody_else_does() {
    let (_, router) = shop();
    let basket = json!({"lines": [
        {"productId": BOWL, "quantity": 1},
        {"productId": OIL, "variantId": SMALL, "quantity": 2},
        {"productId": OIL, "quantity": 1},
    ]});
    let order = service("order", "product");
    let reply = ask(&router, Method::POST, "/api/products/quote", Some(&order), Some(&basket));
    assert_eq!(reply.status, StatusCode::OK, "{:?}", reply.body);
    let names: Vec<&str> =
        reply.body["items"].as_array().unwrap().iter().map(|i| i["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Cuenco de Úbeda", "Aceite picual"]);
    assert_eq!(reply.body["refused"].as_array().unwrap().len(), 1);
    let customer = person(Uuid::from_u128(0xC1), Role::Customer);
    let reply = ask(&router, Method::POST, "/api/products/quote", Some(&customer), Some(&basket));
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    let empty = json!({"lines": []});
    let reply = ask(&router, Method::POST, "/api/products/quote", Some(&order), Some(&empty));
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[test]
fn anybody_reads_products_and_pages_of_them() {
    let (_, router) = shop();
    let reply = get(&router, &format!("/api/products/{OIL}"));
    assert_eq!((reply.status, &reply.body["vatRateCharged"]), (StatusCode::OK, &json!(400)));
    let first = get(&router, "/api/products?limit=1");
    let next = first.body["next"].as_str().unwrap().to_owned();
    let second = get(&router, &format!("/api/products?limit=1&cursor={next}"));
    let name = |page: &Reply| page.body["items"][0]["name"].as_str().unwrap().to_owned();
    assert_ne!(name(&first), name(&second));
    assert_eq!(second.body.get("next"), None);
    let mills = get(&router, &format!("/api/products?artisan={MILL}"));
    assert_eq!(
        (mills.body["items"].as_array().unwrap().len(), name(&mills)),
        (1, "Aceite picual".to_owned())
    );
    let pots = get(&router, "/api/products?category=ceramica");
    assert_eq!(name(&pots), "Cuenco de Úbeda");
}

#[test]
fn what_somebody_likes_comes_first_on_their_page() {
    let (stage, router) = shop();
    let user = Uuid::from_u128(0xC1);
    for liked in ["ceramica", "alimentacion"] {
        let preferences = UserPreferences {
            notifications: true,
            newsletter: false,
            product_categories: vec![liked.to_owned()],
            delivery_radius_km: 50.0,
            locale: Locale::Es,
            quiet_hours: None,
        };
        stage.receive(&PreferencesChanged { user_id: UserId(user), preferences, updated_at: NOON }).unwrap();
        let by = person(user, Role::Customer);
        let reply = ask(&router, Method::GET, "/api/products", Some(&by), None);
        assert!(reply.body["items"][0]["category"].as_str().unwrap().starts_with(liked));
    }
}

/// The categories of a page, from the top.
fn page_of(router: &Router, by: Option<&str>) -> Vec<String> {
    let page = ask(router, Method::GET, "/api/products", by, None).body;
    let cards = page["items"].as_array().unwrap().iter();
    cards.map(|card| card["category"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_segment_named_after_a_category_puts_it_first_on_that_persons_page_alone() {
    let (stage, router) = shop();
    let user = Uuid::from_u128(0xC1);
    let (own, other) = (person(user, Role::Customer), person(Uuid::from_u128(0xC2), Role::Customer));
    for liked in ["ceramica", "alimentacion"] {
        let before = page_of(&router, Some(&other));
        let changed = SegmentChanged {
            user_id: UserId(user),
            previous_segments: Vec::new(),
            current_segments: vec!["frequent".to_owned(), liked.to_owned()],
            triggers: Vec::new(),
            changed_at: NOON,
        };
        stage.receive(&changed).unwrap();
        assert!(page_of(&router, Some(&own))[0].starts_with(liked), "{liked}");
        assert_eq!(page_of(&router, Some(&other)), before);
    }
}

#[test]
fn an_artisan_of_a_better_tier_is_shown_with_it_and_comes_first() {
    for (artisan_id, first) in [(MILL, "alimentacion/aceite"), (POTTER, "ceramica")] {
        let (stage, router) = shop();
        let evaluated = PerformanceEvaluated {
            artisan_id,
            period: DateRange { from: NOON, to: NOON },
            metrics: ArtisanMetrics {
                orders_fulfilled: 12,
                average_rating: 4.5,
                on_time_delivery_rate: 1.0,
                customer_satisfaction_score: 4.5,
                revenue: Money::eur(100_000),
            },
            tier: Tier::Gold,
            recommendations: Vec::new(),
            evaluated_at: NOON,
        };
        stage.receive(&evaluated).unwrap();
        let page = get(&router, "/api/products").body;
        assert_eq!(
            (&page["items"][0]["category"], &page["items"][0]["tier"]),
            (&json!(first), &json!("gold"))
        );
        assert_eq!(page["items"][1]["tier"], json!(null));
    }
}

#[test]
fn what_inventory_tells_is_shown_in_lists_and_on_the_products_page() {
    let (stage, router) = shop();
    let updated = |available| StockUpdated {
        product_id: BOWL,
        variant_id: None,
        previous_quantity: 3,
        quantity: available,
        reserved: 0,
        available,
        cause: "count".to_owned(),
        updated_at: NOON,
    };
    let card = || get(&router, "/api/products?category=ceramica").body["items"][0]["inStock"].clone();
    let sheet = || get(&router, &format!("/api/products/{BOWL}")).body["availability"].clone();
    assert_eq!((card(), sheet()), (json!(null), json!([])), "nothing was told yet");
    stage.receive(&updated(2)).unwrap();
    assert_eq!((card(), sheet()[0]["available"].clone()), (json!(true), json!(2)));
    stage.advance(Duration::from_secs(1));
    stage.receive(&updated(0)).unwrap();
    let back = NOON.plus(Duration::from_secs(86_400));
    let scheduled = RestockScheduled {
        purchase_order_id: PurchaseOrderId::default(),
        product_id: BOWL,
        variant_id: None,
        quantity: 50,
        scheduled_for: back,
    };
    stage.receive(&scheduled).unwrap();
    assert_eq!((card(), sheet()[0]["backOn"].clone()), (json!(false), json!(back)));
}

#[test]
fn an_artisan_changes_an_own_product_and_others_hear_of_it() {
    let (stage, router) = shop();
    let mill = person(MILL.0, Role::Artisan);
    let reply = with_version(&router, Method::PUT, &mill, "\"1\"", Some(&said(950, "Aceite temprano")));
    assert_eq!(reply.status, StatusCode::NO_CONTENT, "{:?}", reply.body);
    let price = &stage.take::<PriceChanged>()[0];
    assert_eq!(
        (price.variant_id, price.previous_price, price.price),
        (Some(SMALL), Money::eur(900), Money::eur(950))
    );
    assert_eq!(stage.take::<Updated>()[0].changed_fields, ["name"]);
    assert_eq!(stage.get::<Product>(OIL).unwrap().variants[0].variant_id, SMALL);
}

#[test]
fn a_change_needs_the_version_that_was_read_and_the_right_artisan() {
    let (stage, router) = shop();
    let (mill, potter) = (person(MILL.0, Role::Artisan), person(POTTER.0, Role::Artisan));
    let body = said(950, "Aceite picual");
    let blind = ask(&router, Method::PUT, &format!("/api/products/{OIL}"), Some(&mill), Some(&body));
    assert_eq!(blind.status, StatusCode::PRECONDITION_REQUIRED);
    let late = with_version(&router, Method::PUT, &mill, "\"7\"", Some(&body));
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED);
    let foreign = with_version(&router, Method::PUT, &potter, "\"1\"", Some(&body));
    assert_eq!(foreign.code(), "not-your-product");
    let free = with_version(&router, Method::PUT, &mill, "\"1\"", Some(&said(0, "Aceite picual")));
    assert_eq!((free.status, free.code()), (StatusCode::UNPROCESSABLE_ENTITY, "price-invalid"));
    assert!(stage.published().is_empty());
}

#[test]
fn a_removed_product_is_gone_with_its_variants_and_told_as_discontinued() {
    let (stage, router) = shop();
    let mill = person(MILL.0, Role::Artisan);
    let reply = with_version(&router, Method::DELETE, &mill, "\"1\"", None);
    assert_eq!(reply.status, StatusCode::NO_CONTENT);
    assert_eq!(stage.get::<Product>(OIL), None);
    assert_eq!(stage.take::<Updated>()[0].status, contracts::product::Status::Discontinued);
}

#[test]
fn a_draft_is_seen_by_its_artisan_alone() {
    let (stage, router) = stage();
    let mill = person(MILL.0, Role::Artisan);
    let mut product = said(900, "Aceite nuevo");
    product["status"] = json!("draft");
    let body = json!({"product": product});
    let made = ask(&router, Method::POST, "/api/products", Some(&mill), Some(&body));
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    let path = format!("/api/products/{}", made.body["productId"].as_str().unwrap());
    assert_eq!(get(&router, &path).status, StatusCode::NOT_FOUND);
    assert_eq!(ask(&router, Method::GET, &path, Some(&mill), None).status, StatusCode::OK);
    assert_eq!(stage.take::<Updated>().len(), 1);
}

#[test]
fn categories_make_a_tree_below_those_that_exist() {
    let (_, router) = stage();
    let admin = person(Uuid::from_u128(0xAD), Role::Admin);
    let add = |path: &str| {
        let body = json!({"path": path, "nameEs": path, "nameEn": path});
        ask(&router, Method::POST, "/api/categories", Some(&admin), Some(&body)).status
    };
    assert_eq!(add("alimentacion/miel"), StatusCode::UNPROCESSABLE_ENTITY);
    for path in ["alimentacion", "alimentacion/miel", "alimentacion/miel/romero", "ceramica"] {
        assert_eq!(add(path), StatusCode::CREATED, "{path}");
    }
    assert_eq!(add("ceramica"), StatusCode::CONFLICT);
    let tree = get(&router, "/api/categories").body;
    assert_eq!(tree.as_array().unwrap().len(), 2);
    assert_eq!(tree[0]["children"][0]["children"][0]["path"], "alimentacion/miel/romero");
}
