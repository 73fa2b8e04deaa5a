//! What the service offers over HTTP, behind the real gate.

use axum::Router;
use backbone::route::Role;
use contracts::shared::OrderState;
use http::{Method, Request, StatusCode};
use http_kit::testing::{Reply, person, request, send, stand};
use kernel::Money;
use serde_json::{Value, json};
use uuid::Uuid;

use super::offers::check_out;
use super::world::{BOWL, CUSTOMER, Failure, JUG, ORDER, POTTER, RUG, TOTAL, UNKNOWN, WEAVER, World};
use crate::domain::Details;
use crate::{Config, module};

pub(super) struct Shop {
    pub(super) world: World,
    router: Router,
    customer: String,
}

impl Shop {
    fn new() -> Self {
        Self::around(World::new())
    }

    pub(super) fn around(world: World) -> Self {
        let context = world.stage.context();
        let routes = module(&context, Config::default()).routes;
        let router = stand("order", routes, context.environment);
        Self { world, router, customer: person(CUSTOMER.0, Role::Customer) }
    }

    fn ask(&self, request: Request<axum::body::Body>) -> Reply {
        futures::executor::block_on(send(&self.router, request))
    }

    pub(super) fn get(&self, path: &str) -> Reply {
        self.ask(request(Method::GET, path, Some(&self.customer), None))
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Reply {
        self.ask(keyed(request(Method::POST, path, Some(&self.customer), Some(body))))
    }

    pub(super) fn place(&self, body: &Value) -> Reply {
        let reply = self.post("/api/orders", body);
        self.world.stage.perform_calls();
        reply
    }
}

/// With a fresh idempotency key, and others' headers.
fn keyed(request: Request<axum::body::Body>) -> Request<axum::body::Body> {
    with(request, "idempotency-key", "k-1")
}

fn with(
    mut request: Request<axum::body::Body>,
    name: &'static str,
    value: &str,
) -> Request<axum::body::Body> {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

pub(super) fn wish() -> Value {
    json!({
        "items": [{"productId": BOWL, "quantity": 2}, {"productId": RUG, "quantity": 1}],
        "deliveryAddress": {
            "recipient": "Ana Ruiz", "line1": "Calle Real 1", "city": "Úbeda", "province": "Jaén",
            "postalCode": "23400", "country": "ES"
        },
        "paymentMethodId": "tok_visa",
        "metadata": {"deviceInfo": "phone", "sessionId": "s-1"}
    })
}

pub(super) fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut wish = wish();
    change(&mut wish);
    wish
}

#[test]
fn an_order_is_accepted_with_its_place_and_its_binding_total() {
    let shop = Shop::new();
    let reply = shop.place(&wish());
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.body);
    let id = reply.body["orderId"].as_str().unwrap();
    assert_eq!(reply.headers["location"], format!("/api/orders/{id}"));
    assert_eq!(reply.body["total"], json!({"amount": TOTAL.amount, "currency": "EUR"}));
    assert_eq!(reply.body["vat"]["amount"], 434 + 1_388 + 86 + 104);
    assert!(reply.body.get("accessKey").is_none());
    let shown = shop.get(&format!("/api/orders/{id}"));
    assert_eq!(shown.status, StatusCode::OK);
    assert_eq!(shown.body["deliveryAddress"]["recipient"], "Ana Ruiz");
    assert!(shown.headers.contains_key("etag"));
    for hidden in ["paymentMethodId", "accessKeyHash"] {
        assert!(shown.body.get(hidden).is_none(), "{hidden}");
    }
}

#[test]
fn the_same_request_again_gives_the_same_answer_and_makes_nothing_twice() {
    let shop = Shop::new();
    let first = shop.place(&wish());
    let asked = shop.world.neighbours.lock().unwrap().asked.len();
    let second = shop.place(&wish());
    assert_eq!((first.status, &first.body), (second.status, &second.body));
    assert_eq!(shop.world.stage.all::<Details>().len(), 1);
    assert_eq!(shop.world.neighbours.lock().unwrap().asked.len(), asked);
    let other = shop.place(&changed(|wish| wish["items"][0]["quantity"] = json!(3)));
    assert_eq!(other.code(), "idempotency-key-reused");
}

#[test]
fn a_bad_request_names_its_field_and_stores_nothing() {
    let line = |quantity: u32| json!([{"productId": BOWL, "quantity": quantity}]);
    let many: Vec<Value> =
        (0..101).map(|n| json!({"productId": Uuid::from_u128(n), "quantity": 1})).collect();
    let cases: Vec<(Value, &str)> = vec![
        (changed(|w| w["items"] = json!([])), "items"),
        (changed(|w| w["items"] = json!(many)), "items"),
        (changed(|w| w["items"] = line(0)), "items[0].quantity"),
        (changed(|w| w["items"][1]["productId"] = json!(BOWL)), "items"),
        (
            changed(|w| {
                w["items"].as_array_mut().unwrap().push(json!({"productId": UNKNOWN, "quantity": 1}))
            }),
            "items[2].productId",
        ),
        (changed(|w| w["currency"] = json!("USD")), "currency"),
        (changed(|w| w["coupon"] = json!("TEN")), "coupon"),
        (changed(|w| w["points"] = json!(5)), "points"),
        (changed(|w| w["paymentMethodId"] = json!("")), "paymentMethodId"),
        (changed(|w| w["deliveryAddress"]["postalCode"] = json!("2340")), "deliveryAddress.postalCode"),
        (changed(|w| w["deliveryAddress"]["country"] = json!("Spain")), "deliveryAddress.country"),
        (changed(|w| w["deliveryAddress"]["recipient"] = json!(" ")), "deliveryAddress.recipient"),
        (changed(|w| w["deliveryAddress"]["phone"] = json!("953")), "deliveryAddress.phone"),
        (changed(|w| w["gift"] = json!(true)), "gift"),
        (changed(|w| w["guest"] = json!({"email": "a@b.es", "name": "Ana"})), "guest"),
        (changed(|w| w["quoteId"] = json!(Uuid::nil())), "quoteId"),
    ];
    for (body, field) in cases {
        let shop = Shop::new();
        let reply = shop.place(&body);
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}: {}", reply.body);
        let named = reply.body["errors"][0]["field"].as_str().unwrap_or("none");
        assert!(named.starts_with(field), "{field}: {}", reply.body);
        assert!(shop.world.stage.all::<Details>().is_empty() && shop.world.told().is_empty(), "{field}");
    }
}

#[test]
fn what_is_not_in_stock_is_refused_by_its_line() {
    let shop = Shop::around(World::with(|neighbours| neighbours.stock = 1));
    let reply = shop.place(&wish());
    assert_eq!((reply.status, reply.code()), (StatusCode::CONFLICT, "out-of-stock"));
    assert_eq!(reply.body["errors"][0]["field"], "items[0].quantity");
    assert!(shop.world.stage.all::<Details>().is_empty());
}

#[test]
fn an_order_needs_an_idempotency_key() {
    let shop = Shop::new();
    let reply = shop.ask(request(Method::POST, "/api/orders", Some(&shop.customer), Some(&wish())));
    assert_eq!(reply.code(), "idempotency-key-missing");
}

#[test]
fn whoever_is_signed_in_orders_for_themselves_only() {
    let shop = Shop::new();
    let other = changed(|wish| wish["customerId"] = json!(Uuid::from_u128(7)));
    assert_eq!(shop.place(&other).status, StatusCode::FORBIDDEN);
    let own = changed(|wish| wish["customerId"] = json!(CUSTOMER));
    assert_eq!(shop.place(&own).status, StatusCode::ACCEPTED);
    let nobody = shop.ask(keyed(request(Method::POST, "/api/orders", None, Some(&own))));
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
}

#[test]
fn a_guest_gets_a_key_to_the_order_and_others_do_not_see_it() {
    let shop = Shop::new();
    let guest = changed(|wish| wish["guest"] = json!({"email": "ana@example.es", "name": "Ana"}));
    let placed = shop.ask(keyed(request(Method::POST, "/api/orders", None, Some(&guest))));
    assert_eq!(placed.status, StatusCode::ACCEPTED, "{}", placed.body);
    let path = format!("/api/orders/{}", placed.body["orderId"].as_str().unwrap());
    let key = placed.body["accessKey"].as_str().unwrap();
    let ask = |key: Option<&str>| {
        let plain = request(Method::GET, &path, None, None);
        shop.ask(match key {
            Some(key) => with(plain, "x-order-key", key),
            None => plain,
        })
    };
    let shown = ask(Some(key));
    assert_eq!((shown.status, &shown.body["guestEmail"]), (StatusCode::OK, &json!("ana@example.es")));
    assert_eq!(ask(None).status, StatusCode::NOT_FOUND);
    assert_eq!(ask(Some("0")).status, StatusCode::NOT_FOUND);
    assert_eq!(shop.get(&path).status, StatusCode::NOT_FOUND, "another customer");
    let order = &shop.world.stage.all::<Details>()[0];
    assert_ne!(order.access_key_hash.as_deref(), Some(key), "only its hash is kept");
}

#[test]
fn two_guests_who_happen_on_the_same_idempotency_key_learn_nothing_of_each_other() {
    let shop = Shop::new();
    let guest = |name: &str| changed(|wish| wish["guest"] = json!({"email": "a@example.es", "name": name}));
    let place = |body: &Value| shop.ask(keyed(request(Method::POST, "/api/orders", None, Some(body))));
    let ana = place(&guest("Ana"));
    let again = place(&guest("Ana"));
    assert_eq!((ana.status, &ana.body), (again.status, &again.body), "whoever sent it all gets it again");
    let eva = place(&guest("Eva"));
    assert_eq!(eva.code(), "idempotency-key-reused");
    for known in [&ana.body["orderId"], &ana.body["accessKey"], &json!("Ana")] {
        assert!(!eva.body.to_string().contains(known.as_str().unwrap()), "{}", eva.body);
    }
    assert_eq!(shop.world.stage.all::<Details>().len(), 1);
}

#[test]
fn each_guest_gets_another_key_that_follows_from_no_id() {
    let shop = Shop::new();
    let guest = changed(|wish| wish["guest"] = json!({"email": "ana@example.es", "name": "Ana"}));
    let place = |idempotency: &str| {
        let asked = request(Method::POST, "/api/orders", None, Some(&guest));
        shop.ask(with(asked, "idempotency-key", idempotency)).body["accessKey"].as_str().unwrap().to_owned()
    };
    let (first, second) = (place("k-1"), place("k-2"));
    assert_ne!(first, second);
    // The stage's secrets say so themselves; a key made of ids would begin like none of them.
    assert!(first.starts_with("a4a4") && first.len() == 64, "{first}");
}

#[test]
fn a_quote_has_the_same_total_and_makes_no_order() {
    let shop = Shop::new();
    let body = json!({
        "items": wish()["items"], "deliveryAddress": {"postalCode": "23400", "country": "ES"}
    });
    let quote = shop.post("/api/orders/quote", &body);
    assert_eq!(quote.status, StatusCode::CREATED, "{}", quote.body);
    assert_eq!(quote.body["total"]["amount"], TOTAL.amount);
    assert!(shop.world.stage.all::<Details>().is_empty());
    let again = shop.get(quote.headers["location"].to_str().unwrap());
    assert_eq!(again.body, quote.body);
    shop.world.neighbours.lock().unwrap().asked.clear();
    let placed = shop.place(&changed(|wish| wish["quoteId"] = quote.body["quoteId"].clone()));
    assert_eq!(placed.body["quoteId"], quote.body["quoteId"]);
    let asked = shop.world.neighbours.lock().unwrap().asked.clone();
    assert!(!asked.iter().any(|path| path.contains("/api/products")), "the quote binds: {asked:?}");
}

#[test]
fn a_quote_whose_time_is_over_no_longer_binds() {
    let shop = Shop::new();
    let body = json!({
        "items": wish()["items"], "deliveryAddress": {"postalCode": "23400", "country": "ES"}
    });
    let quote = shop.post("/api/orders/quote", &body);
    shop.world.pass(16 * 60);
    let placed = shop.place(&changed(|wish| wish["quoteId"] = quote.body["quoteId"].clone()));
    assert_eq!((placed.status, placed.code()), (StatusCode::CONFLICT, "quote-stale"));
}

#[test]
fn an_order_from_a_cart_has_the_prices_of_its_checkout_without_asking_again() {
    let shop = Shop::new();
    let quote = check_out(&shop.world);
    let placed = shop.place(&changed(|wish| wish["cartId"] = json!(quote.key)));
    assert_eq!(placed.body["quoteId"], json!(quote.quote_id));
    let asked = shop.world.neighbours.lock().unwrap().asked.clone();
    assert!(!asked.iter().any(|path| path.contains("/api/products")), "{asked:?}");
}

#[test]
fn a_service_that_is_down_is_our_problem_and_not_the_customers() {
    let shop = Shop::new();
    shop.world.stage.answer_calls(|request| {
        Err(backbone::calls::CallError::Unreachable { to: request.spec.to, reason: "down".into() })
    });
    assert_eq!(shop.place(&wish()).status, StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn orders_are_listed_by_page_and_by_state_and_only_ones_own() {
    let shop = Shop::new();
    for (key, seconds) in [("a", 1), ("b", 1), ("c", 1)] {
        let post = request(Method::POST, "/api/orders", Some(&shop.customer), Some(&wish()));
        assert_eq!(shop.ask(with(post, "idempotency-key", key)).status, StatusCode::ACCEPTED);
        shop.world.pass(seconds);
    }
    let first = shop.get("/api/orders?limit=2");
    assert_eq!(first.body["items"].as_array().unwrap().len(), 2);
    let next = first.body["next"].as_str().unwrap();
    let second = shop.get(&format!("/api/orders?limit=2&cursor={next}"));
    assert_eq!(second.body["items"].as_array().unwrap().len(), 1);
    assert!(second.body.get("next").is_none());
    assert_eq!(shop.get("/api/orders?state=delivered").body["items"], json!([]));
    let other = shop.get(&format!("/api/orders?customerId={}", Uuid::from_u128(7)));
    assert_eq!(other.status, StatusCode::FORBIDDEN);
    let admin = person(Uuid::from_u128(1), Role::Admin);
    let all = shop.ask(request(Method::GET, "/api/orders", Some(&admin), None));
    assert_eq!(all.body["items"].as_array().unwrap().len(), 3);
}

#[test]
fn an_order_is_shown_with_or_without_its_items_and_its_history() {
    let shop = Shop::around(World::prepared());
    let path = format!("/api/orders/{ORDER}");
    let bare = shop.get(&format!("{path}?includeItems=false"));
    assert_eq!(bare.body["items"], json!([]));
    let full = shop.get(&format!("{path}?includeItems&includeHistory"));
    assert_eq!(full.body["items"].as_array().unwrap().len(), 2);
    let history = full.body["history"].as_array().unwrap();
    assert_eq!(history[0]["what"], "placed");
    let text = history.iter().map(Value::to_string).collect::<String>();
    for personal in ["Ana", "Calle", "tok_visa"] {
        assert!(!text.contains(personal), "{personal}");
    }
}

#[test]
fn the_history_gives_the_order_as_it_stood_at_a_moment() {
    let world = World::new();
    world.place();
    let then = world.stage.now();
    world.pass(2).reserve().pay();
    let shop = Shop::around(world);
    let at = |time: &str| shop.get(&format!("/api/orders/{ORDER}/events?at={time}"));
    let past = at(&then.to_string());
    assert_eq!((past.status, &past.body["state"]), (StatusCode::OK, &json!("pending")));
    assert_eq!(past.body["hold"]["status"], "requested");
    assert_eq!(at("2020-01-01T00:00:00Z").status, StatusCode::NOT_FOUND);
    let events = shop.get(&format!("/api/orders/{ORDER}/events"));
    let what: Vec<_> = events.body["items"].as_array().unwrap().iter().map(|e| e["what"].clone()).collect();
    assert_eq!(what.last(), Some(&json!("confirmed")));
}

#[test]
fn the_saga_is_shown_step_by_step() {
    let shop = Shop::around(World::prepared());
    let sagas = shop.get(&format!("/api/orders/{ORDER}/saga"));
    assert_eq!(sagas.body[0]["phase"], "completed");
    let timeline = sagas.body[0]["timeline"].as_array().unwrap();
    let done = timeline.iter().filter(|entry| entry["what"] == "succeeded").count();
    assert_eq!(done, 8);
}

#[test]
fn a_customer_cancels_over_http() {
    let world = World::new();
    world.place().reserve();
    let shop = Shop::around(world);
    let reply = shop.post(&format!("/api/orders/{ORDER}/cancel"), &json!({"reason": "too late"}));
    assert_eq!((reply.status, &reply.body["state"]), (StatusCode::ACCEPTED, &json!("cancelled")));
    assert_eq!(reply.body["calledOff"]["by"], "customer");
    let stranger = person(Uuid::from_u128(7), Role::Customer);
    let path = format!("/api/orders/{ORDER}/cancel");
    let other = shop.ask(request(Method::POST, &path, Some(&stranger), Some(&json!({}))));
    assert_eq!(other.status, StatusCode::NOT_FOUND);
}

#[test]
fn items_change_only_on_the_version_that_was_seen() {
    let shop = Shop::around(World::prepared());
    let path = format!("/api/orders/{ORDER}/items");
    let body = json!({"items": [{"productId": JUG, "quantity": 1}, {"productId": BOWL, "quantity": 1}]});
    let patch = |tag: Option<&str>| {
        let plain = request(Method::PATCH, &path, Some(&shop.customer), Some(&body));
        shop.ask(match tag {
            Some(tag) => with(plain, "if-match", tag),
            None => plain,
        })
    };
    assert_eq!(patch(None).status, StatusCode::PRECONDITION_REQUIRED);
    assert_eq!(patch(Some("\"1\"")).status, StatusCode::PRECONDITION_FAILED);
    let tag = shop.get(&format!("/api/orders/{ORDER}")).headers["etag"].to_str().unwrap().to_owned();
    let reply = patch(Some(&tag));
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.body);
    assert_eq!(reply.body["changes"][0]["payment"]["amount"]["amount"], 750);
}

#[test]
fn an_unknown_product_in_a_change_is_named_by_its_place_in_the_request() {
    let shop = Shop::around(World::prepared());
    let tag = shop.get(&format!("/api/orders/{ORDER}")).headers["etag"].to_str().unwrap().to_owned();
    let body = json!({"items": [{"productId": BOWL, "quantity": 1}, {"productId": UNKNOWN, "quantity": 1}]});
    let path = format!("/api/orders/{ORDER}/items");
    let plain = request(Method::PATCH, &path, Some(&shop.customer), Some(&body));
    let reply = shop.ask(with(plain, "if-match", &tag));
    assert_eq!(reply.body["errors"][0]["field"], "items[1].productId", "{}", reply.body);
}

#[test]
fn more_than_is_in_stock_is_refused_by_its_place_in_the_request() {
    let shop = Shop::around(World::prepared());
    let tag = shop.get(&format!("/api/orders/{ORDER}")).headers["etag"].to_str().unwrap().to_owned();
    let body = json!({"items": [{"productId": BOWL, "quantity": 1}, {"productId": RUG, "quantity": 20}]});
    let path = format!("/api/orders/{ORDER}/items");
    let plain = request(Method::PATCH, &path, Some(&shop.customer), Some(&body));
    let reply = shop.ask(with(plain, "if-match", &tag));
    assert_eq!(reply.body["errors"][0]["field"], "items[1].quantity", "{}", reply.body);
}

#[test]
fn a_return_is_announced_by_the_customer_and_handled_by_the_artisan() {
    let shop = Shop::around(World::arrived());
    let path = format!("/api/orders/{ORDER}/returns");
    let body = json!({"items": [{"productId": RUG, "quantity": 1}], "reason": "too red"});
    let asked = shop.post(&path, &body);
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.body);
    let id = asked.body["returns"][0]["returnId"].as_str().unwrap();
    let handle = |who: Uuid, what: &str, body: Option<&Value>| {
        let token = person(who, Role::Artisan);
        let path = format!("{path}/{id}/{what}");
        shop.ask(request(Method::POST, &path, Some(&token), body))
    };
    assert_eq!(handle(POTTER.0, "receive", None).status, StatusCode::FORBIDDEN);
    assert_eq!(handle(WEAVER.0, "inspect", Some(&json!({}))).status, StatusCode::CONFLICT);
    assert_eq!(handle(WEAVER.0, "receive", None).status, StatusCode::ACCEPTED);
    let inspected = handle(WEAVER.0, "inspect", Some(&json!({"note": "as new"})));
    assert_eq!(inspected.body["returns"][0]["refund"]["amount"], 8_600, "{}", inspected.body);
    let refund = shop.world.refund_asked();
    shop.world.refund(refund.refund_id, Money::eur(8_600));
    assert_eq!(shop.world.order().returns[0].status, crate::domain::ReturnStatus::Closed);
}

#[test]
fn an_order_is_followed_until_it_ends() {
    let world = World::new();
    world.place().reserve().decline(1, false);
    assert_eq!(world.state(), OrderState::Cancelled);
    let shop = Shop::around(world);
    let stream = shop.get(&format!("/api/orders/{ORDER}/stream"));
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    let text = stream.body.as_str().unwrap();
    assert!(text.contains("event: order") && text.contains("\"state\":\"cancelled\""), "{text}");
}

#[test]
fn a_stream_ends_after_its_time_and_says_that_it_lives() {
    let shop = Shop::around(World::prepared());
    let version = shop.world.order().version;
    let get = request(Method::GET, &format!("/api/orders/{ORDER}/stream"), Some(&shop.customer), None);
    let stream = shop.ask(with(get, "last-event-id", &version.to_string()));
    let text = stream.body.as_str().unwrap();
    assert!(!text.contains("event: order"), "nothing new: {text}");
    assert_eq!(text.matches(": nothing new").count(), 40);
}

#[test]
fn a_pending_line_that_can_no_longer_be_served_is_marked() {
    let world = World::with(|neighbours| neighbours.standing = Err(Failure::Down));
    world.place();
    world.hear(&contracts::inventory::StockDepleted {
        product_id: RUG,
        variant_id: None,
        artisan_id: WEAVER,
        last_order_id: None,
        user_id: None,
        last_quantity: 1,
        depleted_at: world.stage.now(),
    });
    let shop = Shop::around(world);
    let items = shop.get(&format!("/api/orders/{ORDER}")).body["items"].clone();
    assert_eq!((&items[0]["unavailable"], &items[1]["unavailable"]), (&Value::Null, &json!(true)));
}
