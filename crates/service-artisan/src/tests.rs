//! The registry and its listings, over HTTP.

use axum::Router;
use backbone::route::Role;
use backbone::testing::Stage;
use contracts::artisan::{ProductListed, Verified};
use contracts::calls::ProductOffered;
use futures::executor::block_on;
use http::{Method, StatusCode};
use http_kit::testing::{Reply, person, request, send, service};
use kernel::{ArtisanId, Personal, ProductId};
use serde_json::{Value, json};
use uuid::Uuid;

const MILL: ArtisanId = ArtisanId(Uuid::from_u128(0xA1));

fn stage() -> (Stage, Router) {
    let stage = Stage::new("artisan");
    let module = crate::module(&stage.context());
    let routes = module.routes.clone();
    stage.mount(module);
    let router = http_kit::testing::stand("artisan", routes, stage.context().environment);
    (stage, router)
}

fn ask(router: &Router, method: Method, path: &str, by: Option<&str>, body: Option<&Value>) -> Reply {
    block_on(send(router, request(method, path, by, body)))
}

fn business(name: &str) -> Value {
    json!({
        "businessName": name, "legalName": "Molino S. L.", "taxId": "B23000001", "email": "molino@example.org",
        "address": {
            "recipient": name, "line1": "Calle Real 1", "city": "Úbeda", "province": "Jaén",
            "postalCode": "23400", "country": "ES", "latitude": 38.01, "longitude": -3.37,
        },
    })
}

fn admit(router: &Router, id: ArtisanId, name: &str) -> Reply {
    let admin = person(Uuid::from_u128(0xAD), Role::Admin);
    let body = json!({"artisanId": id, "businessInfo": business(name), "specialties": ["aceite"]});
    ask(router, Method::POST, "/api/artisans", Some(&admin), Some(&body))
}

fn offer() -> Value {
    let price = json!({"amount": 900, "currency": "EUR"});
    json!({
        "sku": "ACEITE", "name": "Aceite picual", "category": "aceite", "price": price, "initialStock": 0,
        "variants": [
            {"sku": "500ml", "attributes": {"size": "500 ml"}, "price": price, "initialStock": 30},
            {"sku": "5l", "attributes": {"size": "5 l"}, "price": price, "initialStock": 12},
        ],
    })
}

fn list(router: &Router, by: &str, offer: &Value) -> Reply {
    ask(router, Method::POST, &format!("/api/artisans/{MILL}/listings"), Some(by), Some(offer))
}

#[test]
fn an_operator_takes_in_an_artisan_who_is_then_told_as_verified() {
    let (stage, router) = stage();
    let reply = admit(&router, MILL, "Molino");
    assert_eq!(reply.status, StatusCode::CREATED, "{:?}", reply.body);
    let told = &stage.take::<Verified>()[0];
    assert_eq!((told.artisan_id, told.location.city.as_str()), (MILL, "Úbeda"));
    assert_eq!(told.contact_email, Personal::Known("molino@example.org".to_owned()));
    assert_eq!(admit(&router, MILL, "Molino").code(), "artisan-exists");
    let mill = person(MILL.0, Role::Artisan);
    let body = json!({"businessInfo": business("Otro")});
    let own = ask(&router, Method::POST, "/api/artisans", Some(&mill), Some(&body));
    assert_eq!(own.status, StatusCode::FORBIDDEN);
}

#[test]
fn anybody_reads_the_artisans_by_name_and_nothing_of_the_business_behind_them() {
    let (_, router) = stage();
    admit(&router, MILL, "Molino");
    admit(&router, ArtisanId(Uuid::from_u128(0xA2)), "Alfar");
    let first = ask(&router, Method::GET, "/api/artisans?limit=1", None, None);
    assert_eq!(first.body["items"][0]["businessName"], "Alfar");
    let path = format!("/api/artisans?limit=1&cursor={}", first.body["next"].as_str().unwrap());
    let second = ask(&router, Method::GET, &path, None, None);
    assert_eq!(second.body["items"][0]["businessName"], "Molino");
    assert!(!second.body.to_string().contains("B23000001"));
}

#[test]
fn an_offer_lists_a_product_once_however_often_it_comes() {
    let (stage, router) = stage();
    admit(&router, MILL, "Molino");
    let product = service("product", "artisan");
    let answers: Vec<ProductOffered> =
        (0..3).map(|_| serde_json::from_value(list(&router, &product, &offer()).body).unwrap()).collect();
    assert_eq!(answers.iter().map(|a| a.listed).collect::<Vec<_>>(), [true, false, false]);
    let told = stage.take::<ProductListed>();
    assert_eq!((told.len(), told[0].initial_stock), (1, 42));
    assert_eq!(told[0].product_id, answers[2].product_id);
    assert_eq!(told[0].variants[0].variant_id.0, kernel::derived_id(told[0].product_id.0, "500ml"));
}

#[test]
fn an_offer_that_names_its_product_lists_that_one() {
    let (stage, router) = stage();
    admit(&router, MILL, "Molino");
    let id = ProductId(Uuid::from_u128(0x10));
    let mut offer = offer();
    offer["productId"] = json!(id);
    list(&router, &person(MILL.0, Role::Artisan), &offer);
    assert_eq!(stage.take::<ProductListed>()[0].product_id, id);
}

#[test]
fn artisans_list_their_own_products_and_strangers_none() {
    let (_, router) = stage();
    let product = service("product", "artisan");
    assert_eq!(list(&router, &product, &offer()).code(), "no-such-artisan");
    admit(&router, MILL, "Molino");
    let other = person(Uuid::from_u128(0xA2), Role::Artisan);
    assert_eq!(list(&router, &other, &offer()).status, StatusCode::FORBIDDEN);
    assert_eq!(list(&router, &person(MILL.0, Role::Artisan), &offer()).status, StatusCode::OK);
}

#[test]
fn an_offer_that_makes_no_sense_is_refused_by_field() {
    let (stage, router) = stage();
    admit(&router, MILL, "Molino");
    stage.clear_published();
    for (pointer, value, field) in [
        ("/sku", json!(""), "sku"),
        ("/name", json!(""), "name"),
        ("/category", json!(""), "category"),
        ("/price/amount", json!(0), "price"),
        ("/price/currency", json!("USD"), "price"),
        ("/variants/1/sku", json!("500ml"), "variants[1].sku"),
        ("/variants/0/price/amount", json!(-1), "variants[0].price"),
    ] {
        let mut offer = offer();
        *offer.pointer_mut(pointer).unwrap() = value;
        let reply = list(&router, &service("product", "artisan"), &offer);
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{pointer}");
        assert_eq!(reply.body["errors"][0]["field"], field);
    }
    assert!(stage.published().is_empty());
}
