//! Rates, shipments and parcels over HTTP.

use axum::Router;
use backbone::route::Role;
use backbone::testing::Stage;
use contracts::shipping::{ShipmentDelivered, ShipmentDispatched};
use futures::executor::block_on;
use http::{Method, StatusCode};
use http_kit::testing::{Reply, person, request, send, service};
use kernel::{Duration, Personal, ShipmentId};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ANA, MILL, ORDER, POTTER, confirmed, created, stage};
use crate::domain::Consignment;

fn ask(router: &Router, method: Method, path: &str, by: Option<&str>, body: Option<&Value>) -> Reply {
    block_on(send(router, request(method, path, by, body)))
}

fn scheduled() -> (Stage, Router, ShipmentId) {
    let (stage, router) = stage();
    stage.receive(&created()).unwrap();
    stage.receive(&confirmed()).unwrap();
    stage.clear_published();
    let mill = stage.get::<Consignment>(ORDER).unwrap().shipment_id(MILL);
    (stage, router, mill)
}

fn mill() -> String {
    person(MILL.0, Role::Artisan)
}

#[test]
fn order_asks_for_rates_by_address_and_artisans() {
    let (_, router) = stage();
    let order = service("order", "shipping");
    let path = |artisans: &str, pieces: &str| {
        format!("/api/shipping/rates?country=ES&postalCode=23001&artisans={artisans}&pieces={pieces}")
    };
    let good = ask(&router, Method::GET, &path(&format!("{MILL},{POTTER}"), "3"), Some(&order), None);
    assert_eq!(good.status, StatusCode::OK, "{:?}", good.body);
    assert_eq!(good.body["total"], json!({"amount": 830, "currency": "EUR"}));
    for (artisans, pieces) in [("", "1"), ("somebody", "1"), (&*MILL.to_string(), "0")] {
        let bad = ask(&router, Method::GET, &path(artisans, pieces), Some(&order), None);
        assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY, "{artisans} {pieces}");
    }
}

#[test]
fn a_parcel_leaves_once_and_is_followed_by_its_number() {
    let (stage, router, shipment) = scheduled();
    let path = format!("/api/shipments/{shipment}/dispatch");
    let body = json!({"trackingNumber": "PQ12345678"});
    for _ in 0..2 {
        let reply = ask(&router, Method::POST, &path, Some(&mill()), Some(&body));
        assert_eq!(reply.status, StatusCode::NO_CONTENT, "{:?}", reply.body);
    }
    assert_eq!(stage.take::<ShipmentDispatched>().len(), 1);
    let other = json!({"trackingNumber": "PQ99999999"});
    let reply = ask(&router, Method::POST, &path, Some(&mill()), Some(&other));
    assert_eq!(reply.code(), "shipment-dispatched");
    let followed = ask(&router, Method::GET, "/api/shipments/PQ12345678", None, None);
    assert_eq!(followed.body["status"], "dispatched");
    assert!(!followed.body.to_string().contains("Ana"), "whoever has the number learns no name");
    let unknown = ask(&router, Method::GET, "/api/shipments/PQ00000000", None, None);
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[test]
fn only_the_artisan_who_sends_it_or_an_operator_handles_a_parcel() {
    let (_, router, shipment) = scheduled();
    let path = format!("/api/shipments/{shipment}/dispatch");
    let body = json!({"trackingNumber": "PQ12345678"});
    let by = |token: String| ask(&router, Method::POST, &path, Some(&token), Some(&body));
    assert_eq!(by(person(POTTER.0, Role::Artisan)).code(), "not-your-shipment");
    assert_eq!(by(person(ANA.0, Role::Customer)).status, StatusCode::FORBIDDEN);
    assert_eq!(by(person(Uuid::from_u128(0xAD), Role::Admin)).status, StatusCode::NO_CONTENT);
}

#[test]
fn a_parcel_arrives_on_time_or_late_and_not_before_it_left() {
    for (days, on_time) in [(4, true), (9, false)] {
        let (stage, router, shipment) = scheduled();
        let path = format!("/api/shipments/{shipment}/deliver");
        let body = json!({"proof": "sig-1"});
        let early = ask(&router, Method::POST, &path, Some(&mill()), Some(&body));
        assert_eq!(early.code(), "shipment-not-dispatched");
        let sent = json!({"trackingNumber": "PQ12345678"});
        ask(
            &router,
            Method::POST,
            &format!("/api/shipments/{shipment}/dispatch"),
            Some(&mill()),
            Some(&sent),
        );
        stage.advance(Duration::from_secs(days * 86_400));
        for _ in 0..2 {
            let reply = ask(&router, Method::POST, &path, Some(&mill()), Some(&body));
            assert_eq!(reply.status, StatusCode::NO_CONTENT, "{:?}", reply.body);
        }
        let told = stage.take::<ShipmentDelivered>();
        assert_eq!((told.len(), told[0].on_time), (1, on_time));
    }
}

#[test]
fn customers_see_all_parcels_of_their_order_and_artisans_their_own() {
    let (_, router, _) = scheduled();
    let path = format!("/api/shipments?orderId={ORDER}");
    let by = |token: String| ask(&router, Method::GET, &path, Some(&token), None);
    let count = |reply: &Reply| reply.body.as_array().map_or(0, Vec::len);
    assert_eq!(count(&by(person(ANA.0, Role::Customer))), 2);
    let own = by(mill());
    assert_eq!((count(&own), own.body[0]["address"]["recipient"].as_str()), (1, Some("Ana Ruiz")));
    assert_eq!(by(person(Uuid::from_u128(0x99), Role::Customer)).status, StatusCode::NOT_FOUND);
    assert_eq!(by(person(Uuid::from_u128(0x99), Role::Artisan)).status, StatusCode::NOT_FOUND);
}

#[test]
fn an_erased_customers_address_reads_redacted_to_whoever_still_sends_the_parcel() {
    let (stage, router, _) = scheduled();
    let erased_at = stage.now();
    stage.receive(&contracts::user::Erased { user_id: ANA.into(), erased_at }).unwrap();
    // The engine reads an erased person's fields like this.
    let kept = stage.get::<Consignment>(ORDER).unwrap();
    assert!(<Consignment as backbone::Document>::PERSONAL.contains(&"address"));
    assert_eq!(backbone::Document::person(&kept), Some(ANA.0), "encrypted with the customer's own key");
    let unreadable = Consignment { address: Some(Personal::Redacted), ..kept };
    stage
        .run(|ws| {
            ws.overwrite(unreadable);
            Ok(())
        })
        .unwrap();
    let path = format!("/api/shipments?orderId={ORDER}");
    let seen = ask(&router, Method::GET, &path, Some(&mill()), None);
    assert_eq!(seen.body[0]["address"], json!({"redacted": true}));
    assert_eq!(seen.body[0]["parcel"]["contents"].as_array().map(Vec::len), Some(2), "what to send stays");
}
