//! The demonstration where the services run in other processes: written through the entry, once all
//! of them answer.

use std::time::Duration;

use axum::Router;
use indicatif::ProgressBar;
use serde::Deserialize;

use crate::client::{Api as _, Call, InMemory, Reply, Tokens};
use crate::seed;
use crate::services::SERVICES;

/// How often the others are looked for.
const LOOK: Duration = Duration::from_millis(500);
/// How many looks pass before it is said again who is waited for.
const LOOKS_IN_SILENCE: u32 = 20;

#[derive(Deserialize)]
struct Ready {
    services: Vec<String>,
}

/// Fills an empty market with the demonstration, however late its services start.
pub(super) async fn fill(router: Router, tokens: Tokens) {
    let api = InMemory::new(router);
    for look in 0u32.. {
        let missing = missing(&api).await;
        if missing.is_empty() {
            match seed::run(&api, &tokens, &ProgressBar::hidden()).await {
                Ok(report) => return tracing::info!(?report, "the demonstration market"),
                Err(error) => tracing::warn!(%error, "the demonstration goes on in a moment"),
            }
        } else if look % LOOKS_IN_SILENCE == 0 {
            tracing::info!(?missing, "the demonstration waits for services");
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The services that do not answer yet.
async fn missing(api: &InMemory) -> Vec<&'static str> {
    let answered = api.send(&Call::get("/health/ready")).await.and_then(Reply::read::<Ready>);
    let ready = answered.map(|ready| ready.services).unwrap_or_default();
    SERVICES.iter().copied().filter(|service| !ready.iter().any(|name| name == service)).collect()
}
