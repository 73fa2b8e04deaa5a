use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use axum::routing::get;
use axum::{Json, Router};
use backbone::route::Role;

use super::*;
use crate::client::{InMemory, Reply};
use crate::{market, stock};

/// A market that is gone after so many calls.
struct Gone {
    market: InMemory,
    calls_left: AtomicUsize,
}

#[async_trait]
impl Api for Gone {
    async fn send(&self, call: &Call) -> Result<Reply, client::Error> {
        let left =
            self.calls_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match left {
            Ok(_) => self.market.send(call).await,
            Err(_) => Err(client::Error::Unreadable { call: call.name(), reason: "killed".to_owned() }),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn seeding_that_is_killed_anywhere_goes_on_where_it_stopped_and_writes_nothing_twice() {
    let directory = tempfile::tempdir().unwrap();
    let market = market::open(directory.path(), None).await.unwrap();
    let (api, tokens) = (InMemory::new(market.router.clone()), market.person_tokens());
    let bar = ProgressBar::hidden();
    for calls in [0, 3, 12, 40, 70, 100, 115] {
        let gone = Gone { market: api.clone(), calls_left: AtomicUsize::new(calls) };
        run(&gone, &tokens, &bar).await.unwrap_err();
    }
    assert_eq!(run(&api, &tokens, &bar).await.unwrap().outcome, Outcome::Seeded);
    assert_eq!(run(&api, &tokens, &bar).await.unwrap().outcome, Outcome::AlreadyThere);

    let artisans: Vec<serde_json::Value> = client::fetch_all(&api, "/api/artisans", None, 100).await.unwrap();
    let products: Vec<Card> = client::fetch_all(&api, "/api/products", None, 1_000).await.unwrap();
    assert_eq!((artisans.len(), products.len()), (40, 400));
    let wanted = artisans::all()
        .into_iter()
        .flat_map(|artisan| goods::of(&artisan))
        .flat_map(|product| product.offers);
    let pieces: u32 = wanted.map(|offer| offer.stock).sum();
    let there = stock::for_sale(&api).await.unwrap();
    assert_eq!(there.iter().map(|(_, pieces)| pieces).sum::<u32>(), pieces);
    let customer = customers::known(&api, &tokens, 0).await.unwrap();
    let path = format!("/api/users/{}/payment-methods", customer.id);
    let stored: contracts::calls::StoredMethods =
        client::fetch(&api, Call::get(path).by(&customer.token)).await.unwrap();
    assert_eq!(stored.methods.len(), customers::Means::ALL.len());
    market.close().await.unwrap();
}

#[tokio::test]
async fn a_market_with_somebody_elses_goods_is_left_alone() {
    let tokens: Tokens = Arc::new(|_: Role, _: Uuid| "t".to_owned());
    let own_goods = json!({"items": [{
        "productId": "019b76da-a800-7000-8000-000000000001",
        "artisanId": "019b76da-a800-7000-8000-000000000002",
    }]});
    for (categories, products) in
        [(json!([]), own_goods), (json!([{"path": "vinos", "children": []}]), json!({"items": []}))]
    {
        // There is no route that writes: whatever is written fails.
        let router = Router::new()
            .route("/api/categories", get(async move || Json(categories)))
            .route("/api/products", get(async move || Json(products)));
        let report = run(&InMemory::new(router), &tokens, &ProgressBar::hidden()).await.unwrap();
        assert_eq!(report.outcome, Outcome::NotEmpty);
    }
}

#[test]
fn examples_come_in_one_size_and_there_is_plenty_of_the_first() {
    let all: Vec<Product> = artisans::all().iter().flat_map(goods::of).collect();
    let examples = example_products();
    let first = all.iter().find(|product| product.id == examples[0]).unwrap();
    assert!(first.offers[0].size.is_none() && first.offers[0].stock > 1_000);
    assert!(examples.len() > 100);
}
