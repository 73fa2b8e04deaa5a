//! `verify` finds nothing in a market that is well, and finds each error that is planted in its
//! facts: a check that cannot fail proves nothing.

use a4co::verify::{Facts, check};
use contracts::shared::OrderState;
use serde_json::json;
use testkit::{Shelf, TestMarket, Wish};

/// A market with a paid, a declined and a waiting order.
async fn lived_in() -> TestMarket {
    let market = TestMarket::on_disk().await;
    let goods = market.sell(Shelf::USUAL).await;
    let item = goods.item(Shelf::USUAL[0].sku);
    for (key, method, state) in [
        ("paid", "sandbox-card-ok", OrderState::Preparing),
        ("declined", "sandbox-card-declined", OrderState::Cancelled),
    ] {
        let placed = market.place(&Wish::guest(key, &[(item, 1)], method)).await.unwrap();
        market.until_state(placed.order_id, &[state]).await;
    }
    market
}

/// Plants an error in the facts and gives what is found.
async fn found(market: &TestMarket, plant: impl FnOnce(&mut Facts)) -> String {
    let mut facts = market.facts().await.unwrap();
    assert_eq!(check(&facts).violations, [], "well before the error is planted");
    plant(&mut facts);
    check(&facts).violations.iter().map(|violation| format!("{violation}\n")).collect()
}

fn first_in<'f>(
    documents: &'f mut a4co::verify::Documents,
    path: &str,
    value: &str,
) -> &'f mut serde_json::Value {
    let found = documents.values_mut().find(|document| document.pointer(path).is_some_and(|v| v == value));
    found.unwrap_or_else(|| panic!("no document has {path} = {value}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_planted_error_is_named() {
    let market = lived_in().await;
    market.rest().await;

    let text = found(&market, |facts| {
        let view = facts.stock.values_mut().next().unwrap();
        view["quantity"] = json!(view["quantity"].as_i64().unwrap() + 1);
    });
    assert!(text.await.contains("rule 32"));

    let text = found(&market, |facts| {
        first_in(&mut facts.orders, "/state", "preparing")["state"] = json!("cancelled");
    });
    assert!(text.await.contains("of the customer's money was kept"));

    let text = found(&market, |facts| {
        first_in(&mut facts.orders, "/state", "cancelled")["state"] = json!("confirmed");
    });
    assert!(text.await.contains("and 0 was paid"));

    let text = found(&market, |facts| {
        first_in(&mut facts.reservations, "/status", "released")["status"] = json!("reserved");
    });
    assert!(text.await.contains("outlived its order"));

    let text = found(&market, |facts| {
        let posting = facts.postings.keys().next().unwrap().clone();
        facts.postings.remove(&posting);
    });
    assert!(text.await.contains("not to zero"));

    let text = found(&market, |facts| {
        let payment = first_in(&mut facts.payments, "/status", "succeeded");
        let share = &mut payment["splits"][0]["amount"]["amount"];
        *share = json!(share.as_i64().unwrap() - 1);
    });
    assert!(text.await.contains("is split into"));

    let text = found(&market, |facts| {
        first_in(&mut facts.payments, "/status", "succeeded")["transaction"] = json!(null);
    });
    assert!(text.await.contains("the gateway took"));

    let text = found(&market, |facts| {
        let doubled = facts.log.iter().find(|(_, event)| event.kind == "order.created.v1").cloned().unwrap();
        facts.log.push((doubled.0 + 1_000_000, doubled.1));
    });
    assert!(text.await.contains("stands twice in the log"));

    let text = found(&market, |facts| facts.log.retain(|(_, event)| event.kind != "order.created.v1"));
    assert!(text.await.contains("was never published"));

    let text = found(&market, |facts| facts.accounts.clear());
    assert!(text.await.contains("without effect"));
    market.finish().await;
}
