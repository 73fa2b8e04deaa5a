//! After a crash: the window that may have been in flight is replayed one delivery at a time,
//! each attempt written first, one consumer after another, before anything else runs. So only a
//! delivery that was alone in flight when the process died is charged (reliability.md, rule 11).
//!
//! The window is not written while all is well: it is bounded by what a consumer fetches at a
//! time, so it is the first `WINDOW` deliveries after the checkpoint at most.

use std::sync::Arc;

use backbone::bus::Delivery;
use backbone::journal::{Stored, Want};
use backbone::system::{ATTEMPTS, Attempt};
use kernel::Duration;

use crate::consumer::{Consumer, WINDOW};
use crate::lanes::Lanes;

/// How long to look for a window: what is there is there at once.
const LOOK: Duration = Duration::from_millis(100);

/// Replays the windows of all consumers.
pub(crate) async fn recover(consumers: &[Consumer]) -> Result<(), String> {
    let windows = futures::future::join_all(consumers.iter().map(window)).await;
    for (consumer, found) in consumers.iter().zip(windows) {
        let (position, deliveries) = found?;
        if !deliveries.is_empty() {
            let count = deliveries.len();
            tracing::info!(consumer = consumer.name, count, "replaying what may have been in flight");
            replay(consumer, position, &deliveries).await?;
        }
    }
    Ok(())
}

async fn window(consumer: &Consumer) -> Result<(u64, Vec<Delivery>), String> {
    let position = consumer.host.journal().checkpoint(&consumer.name).await.map_err(|e| e.to_string())?;
    let mut reader = consumer.open(position).await.map_err(|e| e.to_string())?;
    let clock = consumer.host.environment().clock.clone();
    tokio::select! {
        biased;
        fetched = reader.fetch(WINDOW) => Ok((position, fetched.map_err(|e| e.to_string())?)),
        () = clock.sleep(LOOK) => Ok((position, Vec::new())),
    }
}

async fn replay(consumer: &Consumer, from: u64, deliveries: &[Delivery]) -> Result<(), String> {
    let charged = last_attempt(consumer).await?;
    let journal = consumer.host.journal().clone();
    let mut lanes = Lanes::load(&*journal, &consumer.name).await.map_err(|e| e.to_string())?;
    let attempts_max = consumer.retries.len() as u32 + 1;
    let (mut position, mut begin) = (from, 0);
    for (index, delivery) in deliveries.iter().enumerate() {
        let handled = consumer.reactions.contains_key(delivery.envelope.kind.as_str());
        if !handled && index + 1 < deliveries.len() {
            continue;
        }
        let attempts = charged
            .as_ref()
            .filter(|found| found.position == delivery.position)
            .map_or(0, |found| found.attempts);
        if attempts >= attempts_max {
            let before = &deliveries[begin..index];
            position = consumer.take(before, position, &mut lanes).await?;
            position = consumer.give_up(delivery, position, attempts).await?;
            lanes.bury(&delivery.envelope.subject);
        } else {
            if handled {
                write_attempt(consumer, delivery.position, attempts + 1).await?;
            }
            position = consumer.take(&deliveries[begin..=index], position, &mut lanes).await?;
        }
        begin = index + 1;
    }
    forget_attempt(consumer).await
}

async fn last_attempt(consumer: &Consumer) -> Result<Option<Attempt>, String> {
    let want = Want::Document(&ATTEMPTS, consumer.name.clone());
    let stored = consumer.host.journal().load(vec![want]).await.map_err(|e| e.to_string())?;
    match stored.into_iter().next() {
        Some(Stored::Document(Some(found))) => {
            serde_json::from_slice(&found.body).map(Some).map_err(|e| e.to_string())
        }
        _ => Ok(None),
    }
}

async fn write_attempt(consumer: &Consumer, position: u64, attempts: u32) -> Result<(), String> {
    let name: Arc<str> = consumer.name.as_str().into();
    consumer
        .decide("attempt", move |ws| {
            ws.overwrite(Attempt { consumer: name.to_string(), position, attempts });
            Ok(())
        })
        .await
}

async fn forget_attempt(consumer: &Consumer) -> Result<(), String> {
    let name = consumer.name.clone();
    consumer
        .decide("attempt", move |ws| {
            ws.delete::<Attempt>(&name);
            Ok(())
        })
        .await
}
