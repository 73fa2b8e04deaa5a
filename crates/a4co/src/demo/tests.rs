use std::sync::Arc;

use indicatif::ProgressBar;

use super::*;
use crate::client::InMemory;
use crate::market;
use crate::seed::{self, Outcome};

#[tokio::test(flavor = "multi_thread")]
async fn a_seeded_market_plays_a_mixed_day_that_balances() {
    let directory = tempfile::tempdir().unwrap();
    let market = market::open(directory.path(), None).await.unwrap();
    let api: Arc<dyn Api> = Arc::new(InMemory::new(market.router.clone()));
    let tokens = market.person_tokens();
    let bar = ProgressBar::hidden();

    let seeded = seed::run(&*api, &tokens, &bar).await.unwrap();
    assert_eq!((seeded.outcome, seeded.artisans, seeded.products), (Outcome::Seeded, 40, 400));
    let again = seed::run(&*api, &tokens, &bar).await.unwrap();
    assert_eq!(again.outcome, Outcome::AlreadyThere);

    for seed in [1, 2] {
        let options = DemoOptions { orders: 40, seed, ..DemoOptions::default() };
        let report = run(&options, api.clone(), &tokens, &bar).await.unwrap();
        assert!(report.is_balanced(), "{report}");
    }
    drop(api);
    market.close().await.unwrap();
}
