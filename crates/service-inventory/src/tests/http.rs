//! The routes, behind the real gate.

use axum::Router;
use backbone::route::Role;
use futures::executor::block_on;
use http::{Method, Request, StatusCode};
use http_kit::testing::{Reply, person, request, send, service, stand};
use serde_json::{Value, json};
use uuid::Uuid;

use super::ledger::fold;
use super::scene::{ARTISAN, Scene, item, minutes, order, product, reservation, variant};
use crate::{Config, module};

struct Shop {
    scene: Scene,
    router: Router,
}

fn shop(pieces: &[u32]) -> Shop {
    let scene = Scene::with(pieces);
    let context = scene.0.context();
    let router = stand("inventory", module(&context, Config::default()).routes, context.environment);
    Shop { scene, router }
}

impl Shop {
    fn ask(&self, method: Method, path: &str, by: Option<&str>, body: Option<Value>) -> Reply {
        block_on(send(&self.router, request(method, path, by, body.as_ref())))
    }

    fn get(&self, path: &str, by: &str) -> Reply {
        self.ask(Method::GET, path, Some(by), None)
    }

    fn post(&self, path: &str, by: &str, body: Value) -> Reply {
        self.ask(Method::POST, path, Some(by), Some(body))
    }

    fn put(&self, path: &str, by: &str, tag: &str, body: Value) -> Reply {
        let mut put: Request<axum::body::Body> = request(Method::PUT, path, Some(by), Some(&body));
        put.headers_mut().insert("if-match", tag.parse().unwrap());
        block_on(send(&self.router, put))
    }
}

fn artisan() -> String {
    person(ARTISAN.0, Role::Artisan)
}

fn another_artisan() -> String {
    person(Uuid::from_u128(0xA2), Role::Artisan)
}

fn admin() -> String {
    person(Uuid::from_u128(0xAD), Role::Admin)
}

fn cart() -> String {
    service("cart", "inventory")
}

fn hold(id: u128, quantity: u32) -> Value {
    json!({
        "reservationId": reservation(id), "cartId": Uuid::from_u128(9),
        "items": [{ "productId": product(1), "quantity": quantity }],
    })
}

#[test]
fn everybody_may_ask_what_can_be_bought() {
    let shop = shop(&[9]);
    shop.scene.list_variants(2, &[(1, 3), (2, 5)]);
    shop.scene.request(1, 1, &[(1, 2)]);
    let one = shop.ask(Method::GET, &format!("/api/inventory/availability/{}", product(1)), None, None);
    let expected = json!([{
        "productId": product(1), "variantId": null, "quantity": 9, "reserved": 2, "available": 7, "backorder": false,
    }]);
    assert_eq!((one.status, &one.body["stock"]), (StatusCode::OK, &expected));
    let path = format!("/api/inventory/availability?products={},{},{}", product(1), product(2), product(7));
    let several = shop.ask(Method::GET, &path, None, None);
    assert_eq!(several.body["stock"].as_array().map(Vec::len), Some(3));
    let unknown = shop.ask(Method::GET, &format!("/api/inventory/availability/{}", product(7)), None, None);
    assert_eq!(unknown.body["stock"], json!([]));
    let wrong = shop.ask(Method::GET, "/api/inventory/availability?products=x", None, None);
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[test]
fn what_is_discontinued_cannot_be_bought() {
    let shop = shop(&[9]);
    shop.scene.update_product(1, contracts::product::Status::Discontinued);
    let one = shop.ask(Method::GET, &format!("/api/inventory/availability/{}", product(1)), None, None);
    assert_eq!(one.body["stock"], json!([]));
}

#[test]
fn a_cart_holds_and_gives_back() {
    let shop = shop(&[9]);
    let held = shop.post("/api/inventory/reservations", &cart(), hold(1, 2));
    assert_eq!(held.status, StatusCode::CREATED, "{held:?}");
    assert_eq!(held.body["expiresAt"], json!(shop.scene.0.now().plus(minutes(30))));
    let path = format!("/api/inventory/reservations/{}", reservation(1));
    assert_eq!(shop.get(&path, &cart()).body["status"], "reserved");
    assert_eq!(shop.scene.pieces(1), (9, 2, 7));
    let again = shop.post("/api/inventory/reservations", &cart(), hold(1, 2));
    assert_eq!((again.status, &again.body), (StatusCode::CREATED, &held.body));
    for _ in 0..2 {
        let released = shop.post(&format!("{path}/release"), &cart(), json!({}));
        assert_eq!((released.status, &released.body["status"]), (StatusCode::OK, &json!("released")));
        assert_eq!(shop.scene.pieces(1), (9, 0, 9));
    }
}

#[test]
fn too_few_pieces_are_a_conflict_that_leaves_no_trace() {
    let shop = shop(&[1]);
    let refused = shop.post("/api/inventory/reservations", &cart(), hold(1, 2));
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "insufficient-stock"));
    let held = shop.post("/api/inventory/reservations", &cart(), hold(1, 1));
    assert_eq!(held.status, StatusCode::CREATED);
}

#[test]
fn a_release_that_overtakes_its_hold_refuses_it() {
    let shop = shop(&[9]);
    let path = format!("/api/inventory/reservations/{}/release", reservation(1));
    let released = shop.post(&path, &cart(), json!({ "cartId": Uuid::from_u128(9) }));
    assert_eq!(released.body["status"], "released");
    let refused = shop.post("/api/inventory/reservations", &cart(), hold(1, 2));
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "reservation-refused"));
}

#[test]
fn a_hold_names_who_holds_and_at_least_one_piece() {
    let shop = shop(&[9]);
    let lines = json!([{ "productId": product(1), "quantity": 1 }]);
    for body in [
        json!({ "items": lines }),
        json!({ "items": lines, "cartId": Uuid::from_u128(9), "orderId": order(1) }),
        json!({ "items": [], "cartId": Uuid::from_u128(9) }),
        hold(1, 0),
    ] {
        let refused = shop.post("/api/inventory/reservations", &cart(), body.clone());
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    }
}

#[test]
fn order_extends_and_confirms_and_cart_keeps_its_hands_off() {
    let shop = shop(&[9]);
    shop.scene.request(1, 1, &[(1, 2)]);
    let path = format!("/api/inventory/reservations/{}", reservation(1));
    let by_order = service("order", "inventory");
    let until = shop.scene.0.now().plus(minutes(50));
    let extended = shop.post(&format!("{path}/extend"), &by_order, json!({ "expiresAt": until }));
    assert_eq!((extended.status, &extended.body["expiresAt"]), (StatusCode::OK, &json!(until)));
    let forbidden = shop.post(&format!("{path}/release"), &cart(), json!({}));
    assert_eq!(forbidden.status, StatusCode::FORBIDDEN);
    let confirmed = shop.ask(Method::POST, &format!("{path}/confirm"), Some(&by_order), None);
    assert_eq!((confirmed.status, &confirmed.body["status"]), (StatusCode::OK, &json!("confirmed")));
    assert_eq!(shop.scene.pieces(1), (7, 0, 7));
    let sold = shop.post(&format!("{path}/release"), &by_order, json!({}));
    assert_eq!((sold.status, sold.code()), (StatusCode::CONFLICT, "reservation-confirmed"));
    let unknown = format!("/api/inventory/reservations/{}/extend", reservation(7));
    let unknown = shop.post(&unknown, &by_order, json!({ "expiresAt": until }));
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    // The event that follows finds it done.
    shop.scene.confirm(1).unwrap();
    assert_eq!(shop.scene.pieces(1), (7, 0, 7));
}

#[test]
fn a_count_opens_unknown_stock_and_corrects_known_stock_under_its_etag() {
    let shop = shop(&[]);
    let path = format!("/api/inventory/stock/{}", variant(1));
    let bare = shop.ask(Method::PUT, &path, Some(&artisan()), Some(json!({ "quantity": 5 })));
    assert_eq!(bare.status, StatusCode::NOT_FOUND);
    let body = json!({ "quantity": 5, "productId": product(1), "artisanId": ARTISAN, "name": "Aceite" });
    let foreign = shop.ask(Method::PUT, &path, Some(&another_artisan()), Some(body.clone()));
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    let opened = shop.ask(Method::PUT, &path, Some(&artisan()), Some(body));
    assert_eq!((opened.status, &opened.body["available"]), (StatusCode::OK, &json!(5)), "{opened:?}");
    assert_eq!(opened.headers["etag"], "\"1\"");
    let blind = shop.ask(Method::PUT, &path, Some(&artisan()), Some(json!({ "quantity": 4 })));
    assert_eq!(blind.status, StatusCode::PRECONDITION_REQUIRED);
    let counted = shop.put(&path, &artisan(), "\"1\"", json!({ "quantity": 4 }));
    assert_eq!((counted.status, &counted.body["quantity"]), (StatusCode::OK, &json!(4)));
    let stale = shop.put(&path, &artisan(), "\"1\"", json!({ "quantity": 3 }));
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(shop.get(&path, &another_artisan()).status, StatusCode::FORBIDDEN);
    let listed = shop.get("/api/inventory/stock", &artisan());
    assert_eq!(listed.body["items"][0]["variantId"], json!(variant(1)));
    let elsewhere = json!({
        "quantity": 7, "productId": product(2), "artisanId": ARTISAN, "name": "Miel",
        "warehouseId": Uuid::from_u128(0xB1), "location": "shelf 3",
    });
    let path = format!("/api/inventory/stock/{}", product(2));
    let opened = shop.ask(Method::PUT, &path, Some(&admin()), Some(elsewhere));
    assert_eq!((opened.status, &opened.body["available"]), (StatusCode::OK, &json!(7)));
    assert_eq!(opened.body["variantId"], Value::Null);
}

#[test]
fn rules_and_settings_are_changed_under_their_etag() {
    let shop = shop(&[30]);
    let path = format!("/api/inventory/stock/{}/rules", product(1));
    let seen = shop.get(&path, &artisan());
    assert_eq!(
        (&seen.body["thresholds"]["reorder"], &seen.headers["etag"]),
        (&json!(10), &"\"1\"".parse().unwrap())
    );
    let rules = json!({
        "thresholds": { "reorder": 20, "low": 5, "critical": 1 }, "autoRestock": true,
        "backorder": { "leadDays": 4, "waitingMax": null },
    });
    let set = shop.put(&path, &artisan(), "\"1\"", rules.clone());
    assert_eq!((set.status, &set.body["backorder"]["leadDays"]), (StatusCode::OK, &json!(4)), "{set:?}");
    assert_eq!(shop.put(&path, &artisan(), "\"1\"", rules).status, StatusCode::PRECONDITION_FAILED);
    let misspelt = json!({ "thresholds": { "reorder": 1, "low": 1, "critical": 1 }, "autoRestok": true });
    assert_eq!(shop.put(&path, &artisan(), "\"2\"", misspelt).status, StatusCode::UNPROCESSABLE_ENTITY);

    let path = format!("/api/inventory/artisans/{ARTISAN}/settings");
    assert_eq!(shop.get(&path, &artisan()).headers["etag"], "\"0\"");
    let settings = json!({ "thresholds": { "reorder": 3, "low": 2, "critical": 1 }, "autoRestock": true });
    let set = shop.put(&path, &artisan(), "\"0\"", settings.clone());
    assert_eq!((set.status, set.headers["etag"].to_str().unwrap()), (StatusCode::OK, "\"1\""));
    assert_eq!(shop.put(&path, &another_artisan(), "\"1\"", settings).status, StatusCode::FORBIDDEN);
    shop.scene.list(2, 5);
    assert_eq!(shop.scene.stock(item(2)).rules.thresholds.reorder, 3);
}

#[test]
fn suppliers_are_kept_and_what_they_bring_is_received() {
    let shop = shop(&[12]);
    let terms = json!({ "name": "Vidrios Úbeda", "leadDays": 6, "quantityMin": 24 });
    let added = shop.post("/api/inventory/suppliers", &artisan(), json!({ "terms": terms }));
    assert_eq!(added.status, StatusCode::CREATED, "{added:?}");
    let location = added.headers["location"].to_str().unwrap().to_owned();
    let changed = shop.put(&location, &artisan(), "\"1\"", json!({ "name": "Vidrios Úbeda", "leadDays": 3 }));
    assert_eq!((changed.status, &changed.body["leadDays"]), (StatusCode::OK, &json!(3)));
    assert_eq!(shop.get(&location, &another_artisan()).status, StatusCode::FORBIDDEN);
    let impossible = json!({ "name": "x", "leadDays": 3, "quantityMin": 5, "quantityMax": 4 });
    assert_eq!(shop.put(&location, &artisan(), "\"2\"", impossible).status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        shop.get("/api/inventory/suppliers", &artisan()).body["items"].as_array().map(Vec::len),
        Some(1)
    );

    let path = format!("/api/inventory/artisans/{ARTISAN}/settings");
    let settings = json!({ "thresholds": { "reorder": 10, "low": 2, "critical": 1 }, "autoRestock": true });
    assert_eq!(shop.put(&path, &artisan(), "\"0\"", settings).status, StatusCode::OK);
    shop.scene.request(1, 1, &[(1, 3)]);
    for reached in shop.scene.0.take::<contracts::inventory::ThresholdReached>() {
        shop.scene.0.receive(&reached).unwrap();
    }
    shop.scene.0.perform_calls();
    let orders = shop.get("/api/inventory/purchase-orders?status=scheduled", &artisan());
    let id = orders.body["items"][0]["purchaseOrderId"].as_str().unwrap().to_owned();
    let path = format!("/api/inventory/purchase-orders/{id}");
    assert_eq!(shop.get(&path, &artisan()).body["status"], "scheduled");
    let receive = format!("{path}/receive");
    assert_eq!(shop.post(&receive, &another_artisan(), json!({})).status, StatusCode::FORBIDDEN);
    let received = shop.post(&receive, &artisan(), json!({ "quantity": 5 }));
    assert_eq!((received.status, &received.body["status"]), (StatusCode::OK, &json!("received")));
    assert_eq!(shop.scene.pieces(1), (17, 3, 14));
    assert_eq!(shop.post(&receive, &artisan(), json!({})).status, StatusCode::CONFLICT);
}

#[test]
fn movements_are_paged_newest_first_and_shown_to_their_artisan() {
    let shop = shop(&[9]);
    shop.scene.0.advance(minutes(1));
    shop.scene.request(1, 1, &[(1, 2)]);
    shop.scene.0.advance(minutes(1));
    shop.scene.confirm(1).unwrap();
    fold(&shop.scene, item(1));
    let path = format!("/api/inventory/movements?productId={}&limit=2", product(1));
    let first = shop.get(&path, &artisan());
    let causes = |reply: &Reply| {
        let items = reply.body["items"].as_array().unwrap();
        items.iter().map(|item| item["cause"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(causes(&first), ["sale", "reservation"]);
    let cursor = first.body["next"].as_str().unwrap();
    assert_eq!(causes(&shop.get(&format!("{path}&cursor={cursor}"), &artisan())), ["opening"]);
    assert_eq!(shop.get(&path, &another_artisan()).status, StatusCode::FORBIDDEN);
    let of_order = format!("/api/inventory/movements?orderId={}", order(1));
    assert_eq!(shop.get(&of_order, &artisan()).status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(causes(&shop.get(&of_order, &admin())), ["sale", "reservation"]);
}

#[test]
fn customers_and_strangers_reserve_nothing() {
    let shop = shop(&[9]);
    let customer = person(Uuid::from_u128(0xC1), Role::Customer);
    let by_customer = shop.post("/api/inventory/reservations", &customer, hold(1, 1));
    assert_eq!(by_customer.status, StatusCode::FORBIDDEN);
    let by_nobody = shop.ask(Method::POST, "/api/inventory/reservations", None, Some(hold(1, 1)));
    assert_eq!(by_nobody.status, StatusCode::UNAUTHORIZED);
}
