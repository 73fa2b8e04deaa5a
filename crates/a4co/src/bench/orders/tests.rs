use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;
use tokio::net::TcpListener;

use super::{CLIENTS, Market, Options, run};
use crate::client::{InMemory, Socket};
use crate::{market, seed};

#[tokio::test(flavor = "multi_thread")]
async fn every_order_of_the_load_is_through_and_every_figure_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let market = market::open(&directory.path().join("market"), None).await.unwrap();
    let tokens = market.person_tokens();
    let bar = ProgressBar::hidden();
    seed::run(&InMemory::new(market.router.clone()), &tokens, &bar).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(axum::serve(listener, market.router.clone()).into_future());

    let json = directory.path().join("figures.json");
    let options = Options {
        each: Duration::from_secs(2),
        directory: directory.path().to_owned(),
        json: Some(json.clone()),
    };
    let measured = Market { api: Arc::new(Socket::new(&address).unwrap()), bus: market.bus.clone(), tokens };
    let report = run(&options, measured, &bar).await.unwrap();
    assert_eq!(report.runs.len(), CLIENTS.len() + 1);
    assert!(report.runs.iter().all(|run| run.errors == 0), "{report}");
    let alone = &report.runs[0];
    assert!(alone.orders > 0, "{report}");
    // At least created, requested, reserved, paid, confirmed and sold.
    let per_order = alone.events_per_second.unwrap() / alone.orders_per_second;
    assert!(per_order > 6.0, "{per_order} events for each order\n{report}");
    assert!(alone.through.p50_ms >= alone.created_to_confirmed.p50_ms, "{report}");
    let figures: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(figures["runs"][2]["clients"], 64);
    server.abort();
    market.close().await.unwrap();
}
