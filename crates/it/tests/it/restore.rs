//! A market that was backed up while it served and is restored elsewhere.

use a4co::verify;
use adapter_sqlite::{SqliteKeyRing, Store};
use contracts::shared::OrderState;
use testkit::{Shelf, TestMarket, Wish};

#[tokio::test(flavor = "multi_thread")]
async fn a_back_up_of_a_market_that_serves_is_restored_with_every_document_and_goes_on() {
    let market = TestMarket::on_disk().await;
    let goods = market.sell(Shelf::USUAL).await;
    let item = goods.item(Shelf::USUAL[0].sku);
    let wish = |key: &str| Wish::guest(key, &[(item, 1)], "sandbox-card-ok");
    let before = market.place(&wish("before")).await.unwrap();
    market.until_state(before.order_id, &[OrderState::Preparing]).await;
    market.rest().await;
    let facts = market.facts().await.unwrap();
    let shown = market.order(before.order_id).await;

    // Under way while the copy is made: it is in the copy as far as it had come.
    let meanwhile = market.place(&wish("meanwhile")).await.unwrap();
    let place = tempfile::tempdir().unwrap();
    let [data, keys] = ["backup.db", "keys.db"].map(|name| place.path().join(name));
    Store::open_read_only(market.directory()).unwrap().backup(&data, |_, _| {}).unwrap();
    SqliteKeyRing::copy(market.directory(), &keys).unwrap();
    market.rest().await;

    let restored = tempfile::tempdir().unwrap();
    let there = restored.path();
    adapter_sqlite::restore(&data, Some(&keys), there).unwrap();
    assert!(!Store::open_read_only(there).unwrap().was_clean_shutdown());
    let report = verify::run(there).await.unwrap();
    assert_eq!(report.violations, [], "as it lies there");
    for name in ["master.key", "email.key", "sandbox-gateway.jsonl"] {
        std::fs::copy(market.directory().join(name), there.join(name)).unwrap();
    }
    let held = verify::facts(there).await.unwrap();
    let id = before.order_id.to_string();
    assert_eq!(held.orders[&id], facts.orders[&id]);
    for (posting, body) in &facts.postings {
        assert_eq!(held.postings.get(posting), Some(body), "posting {posting}");
    }
    assert_eq!(held.log[..facts.log.len()], facts.log[..], "the log goes on from there");

    let again = TestMarket::in_directory(restored).await;
    assert_eq!(again.order(before.order_id).await, shown, "personal fields included");
    again.until_state(meanwhile.order_id, &[OrderState::Preparing]).await;
    again.rest().await;
    let report = verify::run(again.directory()).await.unwrap();
    assert_eq!(report.violations, [], "after it went on");
    again.stop().await;
    market.finish().await;
}
