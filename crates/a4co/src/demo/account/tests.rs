//! The account must see what is wrong: a small market that answers from one JSON document, right
//! at first, then spoilt in one place at a time.

use axum::extract::{Path, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::*;
use crate::client::InMemory;

const ORDER: &str = "019b76da-a800-7000-8000-000000000001";
const PAYMENT: &str = "019b76da-a800-7000-8000-000000000002";
const PRODUCT: &str = "019b76da-a800-7000-8000-000000000003";
const ARTISAN: &str = "019b76da-a800-7000-8000-000000000004";
const PLATFORM: &str = "019b76da-a800-7000-8000-000000000005";

/// Three pieces at 10 euros were sold, and one euro was given back.
fn market() -> Value {
    let eur = |cents: i64| json!({"amount": cents, "currency": "EUR"});
    let split = |recipient: &str, kind: &str, cents: i64| json!({"recipientId": recipient, "recipientType": kind, "amount": eur(cents), "percentage": 1.0});
    let posting = |debit: i64, credit: i64| json!({"paymentId": PAYMENT, "debit": debit, "credit": credit, "at": "2026-01-02T00:00:01Z"});
    let moved = |quantity: i64, reserved: i64| json!({"productId": PRODUCT, "variantId": null, "quantity": quantity, "reserved": reserved});
    json!({
        "order": {
            "state": "preparing", "total": eur(3_000), "createdAt": "2026-01-02T00:00:00Z",
            "items": [{"productId": PRODUCT, "variantId": null, "quantity": 3, "returned": 0}],
            "shipments": [], "returns": [],
        },
        "payments": [{
            "paymentId": PAYMENT, "status": "partly-refunded", "amount": eur(3_000),
            "splits": [split(ARTISAN, "artisan", 2_700), split(PLATFORM, "platform", 300)],
            "left": [split(ARTISAN, "artisan", 2_600), split(PLATFORM, "platform", 300)],
            "refunds": {"r": {"amount": eur(100), "status": "processed"}},
        }],
        "ofOrder": [moved(0, 3), moved(-3, -3)],
        "ofItem": [moved(20, 0), moved(0, 3), moved(-3, -3)],
        "stock": {"quantity": 17, "reserved": 0, "available": 17},
        "ledgers": {
            ARTISAN: [posting(100, 0), posting(0, 2_700)],
            PLATFORM: [posting(0, 300)],
        },
    })
}

type Told = State<std::sync::Arc<Value>>;

fn serving(told: Value) -> InMemory {
    let page = |items: &Value| Json(json!({"items": items}));
    let movements = move |State(told): Told, Query(query): Query<BTreeMap<String, String>>| async move {
        page(&told[if query.contains_key("orderId") { "ofOrder" } else { "ofItem" }])
    };
    let ledger = async |State(told): Told, Path(recipient): Path<String>| {
        Json(json!({"balances": [], "entries": told["ledgers"][recipient]}))
    };
    let router = Router::new()
        .route("/api/orders/{id}", get(async |State(told): Told| Json(told["order"].clone())))
        .route("/api/payments", get(async |State(told): Told| Json(told["payments"].clone())))
        .route("/api/payments/ledger/{recipient}", get(ledger))
        .route("/api/inventory/movements", get(movements))
        .route("/api/inventory/stock/{id}", get(async |State(told): Told| Json(told["stock"].clone())))
        .with_state(std::sync::Arc::new(told));
    InMemory::new(router)
}

async fn account(told: Value) -> Account {
    let (api, orders) = (serving(told), [ORDER.parse().unwrap()]);
    let books = Books { api: &api, operator: "t", parallel: 2, orders: &orders };
    books.take().await.unwrap()
}

/// The findings after `path` was set to `value`.
async fn spoilt(path: &str, value: Value) -> Vec<String> {
    let mut told = market();
    *told.pointer_mut(path).expect("there is such a place") = value;
    account(told).await.findings
}

#[tokio::test]
async fn a_market_in_order_has_no_findings_and_its_sums() {
    let account = account(market()).await;
    assert_eq!(account.findings, Vec::<String>::new());
    let Account { charged, refunded, divided, owed, sold, .. } = account;
    assert_eq!((charged, refunded, divided, owed, sold), (3_000, 100, 2_900, 2_900, 3));
    assert_eq!((account.postings, account.items, account.movements), (3, 1, 3));
    assert!(account.to_string().contains("30.00"), "{account}");
}

#[tokio::test]
async fn each_thing_that_does_not_balance_is_found() {
    for (path, value, told) in [
        ("/payments/0/splits/0/amount/amount", json!(2_699), "29.99 EUR divided"),
        ("/payments/0/left/0/amount/amount", json!(2_599), "28.99 EUR left divided"),
        ("/payments/0/refunds/r/amount/amount", json!(101), "1.01 EUR given back"),
        ("/payments/0/refunds/r/status", json!("running"), "0.00 EUR given back"),
        ("/payments/0/status", json!("failed"), "0.00 EUR of 30.00 EUR was taken"),
        ("/order/total/amount", json!(3_001), "30.00 EUR of 30.01 EUR was taken"),
        ("/order/state", json!("cancelled"), "was taken"),
        ("/order/state", json!("awaiting-customer"), "it has not ended"),
        ("/order/items/0/quantity", json!(2), "3 pieces left the stock for it, not 2"),
        ("/ofOrder/1/reserved", json!(-2), "1 pieces are still held for it"),
        ("/ofItem/0/quantity", json!(21), "movements sum to 18 pieces"),
        ("/stock/reserved", json!(1), "1 are held"),
        ("/stock/available", json!(16), "16 can be bought"),
        ("/ledgers/019b76da-a800-7000-8000-000000000004/1/credit", json!(0), "the ledger owes 2.00 EUR"),
    ] {
        let findings = spoilt(path, value.clone()).await;
        assert!(!findings.is_empty(), "{path} = {value} is not found");
        assert!(findings.iter().any(|finding| finding.contains(told)), "{path} = {value}: {findings:#?}");
    }
}

#[tokio::test]
async fn postings_of_other_payments_are_left_out() {
    let mut told = market();
    told["ledgers"][PLATFORM] = json!([
        {"paymentId": PAYMENT, "debit": 0, "credit": 300, "at": "2026-01-02T00:00:01Z"},
        {"paymentId": ORDER, "debit": 0, "credit": 999, "at": "2026-01-02T00:00:02Z"},
        {"paymentId": PAYMENT, "debit": 0, "credit": 777, "at": "2025-01-01T00:00:00Z"},
    ]);
    assert_eq!(account(told).await.findings, Vec::<String>::new());
}
