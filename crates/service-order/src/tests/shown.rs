//! What customers see, over HTTP, of what other services told.

use contracts::inventory::{StockDepleted, StockUpdated};
use contracts::payment::{Initiated, MethodType, MethodValidated, ProcessingStarted};
use contracts::product::PriceChanged;
use http::StatusCode;
use kernel::{Money, ProductId, ValidationId};
use serde_json::{Value, json};

use super::offers::check_out;
use super::routes::{Shop, changed, wish};
use super::world::{BOWL, CUSTOMER, Failure, ORDER, PAYMENT, POTTER, RUG, TOTAL, WEAVER, World};

/// A shop with an order that waits for its stock.
fn pending() -> Shop {
    let world = World::with(|neighbours| neighbours.standing = Err(Failure::Down));
    world.place();
    Shop::around(world)
}

/// The indexes of an order's lines that are marked.
fn marked(shop: &Shop) -> Vec<usize> {
    let order = shop.get(&format!("/api/orders/{ORDER}"));
    let lines = order.body["items"].as_array().unwrap().iter().enumerate();
    lines.filter(|(_, line)| line["unavailable"] == true).map(|(index, _)| index).collect()
}

fn counted(shop: &Shop, product_id: ProductId, available: u32) {
    shop.world.pass(1).hear(&StockUpdated {
        product_id,
        variant_id: None,
        previous_quantity: 9,
        quantity: available,
        reserved: 0,
        available,
        cause: "count".into(),
        updated_at: shop.world.stage.now(),
    });
}

/// A new quote for two bowls and a rug: its path.
fn quoted(shop: &Shop) -> String {
    let body = json!({
        "items": wish()["items"], "deliveryAddress": {"postalCode": "23400", "country": "ES"}
    });
    let quote = shop.post("/api/orders/quote", &body);
    assert_eq!(quote.status, StatusCode::CREATED, "{}", quote.body);
    quote.headers["location"].to_str().unwrap().to_owned()
}

#[test]
fn updated_stock_marks_lines_and_quotes_that_it_cannot_serve_and_clears_them_when_it_is_back() {
    let shop = pending();
    let quote = quoted(&shop);
    counted(&shop, BOWL, 1);
    assert_eq!(marked(&shop), [0]);
    assert_eq!(shop.get(&quote).body["unavailable"], json!([0]));
    assert_eq!(check_out(&shop.world).unavailable(&shop.world.stage.all()), [0], "a new quote uses it");
    counted(&shop, BOWL, 2);
    assert_eq!(marked(&shop), [0usize; 0]);
    assert_eq!(shop.get(&quote).body["unavailable"], json!([]));
}

#[test]
fn depleted_stock_marks_lines_of_pending_orders_and_quotes() {
    let shop = pending();
    let quote = quoted(&shop);
    shop.world.hear(&StockDepleted {
        product_id: RUG,
        variant_id: None,
        artisan_id: WEAVER,
        last_order_id: None,
        user_id: None,
        last_quantity: 1,
        depleted_at: shop.world.stage.now(),
    });
    assert_eq!(marked(&shop), [1]);
    assert_eq!(shop.get(&quote).body["unavailable"], json!([1]));
    assert_eq!(check_out(&shop.world).unavailable(&shop.world.stage.all()), [1], "a new quote uses it");
}

#[test]
fn a_changed_price_makes_an_open_quote_stale_and_no_order_dearer() {
    let shop = pending();
    let quote = quoted(&shop);
    assert_eq!(shop.get(&quote).body["stale"], false);
    shop.world.pass(1).hear(&PriceChanged {
        product_id: BOWL,
        variant_id: None,
        previous_price: Money::eur(1_250),
        price: Money::eur(1_300),
        changed_by: POTTER.to_string(),
        changed_at: shop.world.stage.now(),
    });
    let stale = shop.get(&quote);
    assert_eq!(stale.body["stale"], true);
    let refused = shop.place(&changed(|wish| wish["quoteId"] = stale.body["quoteId"].clone()));
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "quote-stale"));
    let order = shop.get(&format!("/api/orders/{ORDER}")).body;
    assert_eq!(
        (&order["items"][0]["unitPrice"]["amount"], &order["total"]["amount"]),
        (&json!(1_250), &json!(TOTAL.amount))
    );
}

#[test]
fn the_timeline_tells_how_the_payment_goes() {
    let world = World::new();
    world.place().reserve();
    world.hear(&MethodValidated {
        validation_id: ValidationId::default(),
        order_id: ORDER,
        payment_method_id: "tok".into(),
        method_type: MethodType::Card,
        is_valid: true,
        available_credit: None,
        requires_3ds: Some(false),
        risk_score: None,
        validated_at: world.stage.now(),
    });
    world.hear(&Initiated {
        payment_id: PAYMENT,
        order_id: ORDER,
        customer_id: CUSTOMER,
        amount: TOTAL,
        payment_method: MethodType::Card,
    });
    world.hear(&ProcessingStarted {
        payment_id: PAYMENT,
        order_id: ORDER,
        customer_id: CUSTOMER,
        amount: TOTAL,
        payment_method: MethodType::Card,
        processor_id: "sandbox".into(),
        started_at: world.stage.now(),
    });
    let events = Shop::around(world).get(&format!("/api/orders/{ORDER}/events")).body;
    let payment: Vec<&Value> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["what"])
        .filter(|what| what.as_str().is_some_and(|what| what.starts_with("payment-")))
        .collect();
    let expected = ["payment-asked", "payment-validated", "payment-initiated", "payment-processing"];
    assert_eq!(payment, expected);
}
