//! `a4co orders show`: an order's sagas as a timeline, and its history, read from the store beside
//! a running market or without one.

use anyhow::bail;
use backbone::collection::Query;
use backbone::journal::{Journal, Schema};
use backbone::saga::{AnyInstance, SAGAS};
use backbone::system::SYSTEM_COLLECTIONS;
use uuid::Uuid;

use crate::config::Settings;
use crate::engines;

/// Prints an order's sagas and history.
pub async fn show(settings: &Settings, id: Uuid) -> anyhow::Result<()> {
    let schema = Schema { service: "order", collections: SYSTEM_COLLECTIONS.to_vec() };
    let storage = engines::open_to_read(settings).await?;
    let journal = storage.open(schema).await?;
    let history = journal.history(&format!("order-{id}"), 0, 1_000).await?;
    if history.is_empty() {
        bail!("there is no order {id} in this market");
    }
    for saga in sagas_of(&*journal, id).await? {
        println!("\n{} · {} · attempt {}", saga.saga, saga.phase.name(), saga.attempt);
        let begun = saga.started_at;
        for entry in &saga.timeline {
            let after = entry.at.since(begun).as_secs_f64();
            let detail = entry.detail.as_deref().unwrap_or_default();
            println!("  {after:>10.3} s  {:<24} {:<14} {detail}", entry.step, entry.what);
        }
    }
    println!("\nhistory");
    for event in history {
        println!("  {}  {:>3}  {}", event.at, event.version, event.name);
    }
    Ok(())
}

/// The sagas of one business flow: those named after the order, and those that began in its flow.
async fn sagas_of(journal: &dyn Journal, id: Uuid) -> anyhow::Result<Vec<AnyInstance>> {
    let mut found = Vec::new();
    for saga in ["order-fulfilment", "order-cancellation", "order-item-change", "order-return"] {
        let wants = vec![backbone::journal::Want::Document(&SAGAS, AnyInstance::key(saga, id))];
        for stored in journal.load(wants).await? {
            if let backbone::journal::Stored::Document(Some(document)) = stored {
                found.push(serde_json::from_slice(&document.body)?);
            }
        }
    }
    // Returns and item changes have ids of their own; their data names the order.
    for saga in ["order-item-change", "order-return"] {
        for stored in journal.find(Query::all(&SAGAS).equal("saga", saga)).await? {
            let instance: AnyInstance = serde_json::from_slice(&stored.body)?;
            let names = instance.data.get("orderId").and_then(|value| value.as_str());
            if names == Some(id.to_string().as_str()) && instance.id != id {
                found.push(instance);
            }
        }
    }
    Ok(found)
}
