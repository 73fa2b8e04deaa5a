//! Rebuilding a projection of a market that serves.

use a4co::client::{Api as _, Call};
use contracts::shared::OrderState;
use http::{Method, StatusCode};
use serde_json::Value;
use testkit::{Shelf, TestMarket, Wish};

/// A projection as operators see it.
async fn shown(market: &TestMarket, name: &str) -> Value {
    let all = market.look("/admin/projections").await;
    let items = all["items"].as_array().unwrap();
    items.iter().find(|item| item["name"] == name).unwrap_or_else(|| panic!("{name}: {all}")).clone()
}

async fn begin(market: &TestMarket, path: &str) -> StatusCode {
    let call = Call::new(Method::POST, format!("/admin/projections/{path}/rebuild"));
    market.api.send(&call.by(&market.operator())).await.unwrap().status
}

/// Rebuilds a projection and waits for it; gives from how many facts.
async fn rebuild(market: &TestMarket, service: &str, name: &str) -> u64 {
    assert_eq!(begin(market, &format!("{service}/{name}")).await, StatusCode::ACCEPTED);
    loop {
        let rebuild = shown(market, name).await["rebuild"].clone();
        match rebuild["state"].as_str() {
            Some("done") => {
                assert_eq!(rebuild["swapped"], true, "{rebuild}");
                return rebuild["facts"].as_u64().unwrap();
            }
            Some("running") => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            _ => panic!("{rebuild}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_rebuilt_while_orders_are_paid_is_the_same_ledger() {
    let market = TestMarket::on_disk().await;
    let goods = market.sell(Shelf::USUAL).await;
    let item = goods.item(Shelf::USUAL[0].sku);
    let buy = async |keys: std::ops::Range<u32>| {
        for key in keys {
            let wish = Wish::guest(format!("ledger-{key}"), &[(item, 1)], "sandbox-card-ok");
            let placed = market.place(&wish).await.unwrap();
            market.until_state(placed.order_id, &[OrderState::Preparing]).await;
        }
    };
    buy(0..5).await;
    market.rest().await;
    let before = market.facts().await.unwrap().postings;
    assert!(before.len() >= 10, "{}", before.len());

    let ((), facts) = tokio::join!(buy(5..10), rebuild(&market, "payment", "ledger"));
    assert!(facts > 0);
    market.rest().await;
    let after = market.facts().await.unwrap().postings;
    assert!(after.len() >= 2 * before.len(), "{} after {}", after.len(), before.len());
    for (id, posting) in &before {
        assert_eq!(after.get(id), Some(posting), "posting {id}");
    }
    let again = rebuild(&market, "payment", "ledger").await;
    assert!(again > facts, "all facts are folded, {again} after {facts}");
    assert_eq!(market.facts().await.unwrap().postings, after, "the same facts give the same documents");
    market.finish().await;
}

#[tokio::test(start_paused = true)]
async fn projections_are_listed_to_operators_and_only_known_ones_are_rebuilt() {
    let market = TestMarket::simulated(7).await;
    let ledger = shown(&market, "ledger").await;
    assert_eq!((&ledger["service"], &ledger["rebuild"]), (&"payment".into(), &Value::Null));
    assert_eq!(begin(&market, "payment/nothing").await, StatusCode::NOT_FOUND);
    assert_eq!(begin(&market, "order/ledger").await, StatusCode::NOT_FOUND);
    let anonymous = market.api.send(&Call::get("/admin/projections")).await.unwrap();
    assert_eq!(anonymous.status, StatusCode::UNAUTHORIZED);
    market.stop().await;
}
