//! After a crash: the window that may have been in flight is replayed one delivery at a time,
//! each attempt written first, one consumer after another, before anything else runs. So only a
//! delivery that was alone in flight when the process died is charged (reliability.md, rule 11).
//!
//! The window is not written while all is well: it is bounded by what a consumer fetches at a
//! time, so it is the first `WINDOW` deliveries after the checkpoint at most.

use std::sync::Arc;

use backbone::bus::{self, Consumer as Reader, Delivery};
use backbone::journal::{Stored, Want};
use backbone::system::{ATTEMPTS, Attempt};
use kernel::Duration;

use crate::consumer::{Consumer, WINDOW};

/// How long to look for a window: what is there is there at once.
const LOOK: Duration = Duration::from_millis(100);

/// The same, where it comes over a network.
const LOOK_AT_BROKER: Duration = Duration::from_secs(2);

/// How often, and how long apart, an attempt is taken back that ended without a death.
const TAKEN_BACK_TRIES: u32 = 50;
const TAKEN_BACK_PAUSE: Duration = Duration::from_millis(200);

/// Replays the windows of all consumers.
pub(crate) async fn recover(consumers: &[Arc<Consumer>]) -> Result<(), String> {
    let windows = futures::future::join_all(consumers.iter().map(|consumer| window(consumer))).await;
    for (consumer, found) in consumers.iter().zip(windows) {
        replay_found(consumer, found?).await?;
    }
    Ok(())
}

/// Replays the window of one consumer, whose reader before this one ended without a word.
pub(crate) async fn recover_one(consumer: &Consumer) -> Result<(), String> {
    replay_found(consumer, window(consumer).await?).await
}

/// What is found where a reader ended without a word.
enum Found {
    Window(Window),
    /// The broker has lost what comes next: it is in the producers' journals.
    Gap(u64, u64),
}

async fn replay_found(consumer: &Consumer, found: Found) -> Result<(), String> {
    match found {
        Found::Window(window) => replay_window(consumer, window).await,
        // What was in flight is among what is caught up with, one by one at first.
        Found::Gap(from, to) => consumer.close_gap(from, to, None).await,
    }
}

/// What may have been in flight, with the reader that gave it.
struct Window {
    position: u64,
    deliveries: Vec<Delivery>,
    reader: Box<dyn Reader>,
}

async fn replay_window(consumer: &Consumer, window: Window) -> Result<(), String> {
    let Window { position, deliveries, mut reader } = window;
    if deliveries.is_empty() {
        return Ok(());
    }
    let count = deliveries.len();
    tracing::info!(consumer = consumer.name, count, "replaying what may have been in flight");
    replay(consumer, position, &deliveries).await?;
    let taken: Vec<u64> = deliveries.iter().map(|delivery| delivery.position).collect();
    // Where this fails they come again, and the inbox knows them.
    if let Err(error) = reader.acknowledge(&taken).await {
        tracing::debug!(consumer = consumer.name, %error, "an acknowledgement failed");
    }
    Ok(())
}

async fn window(consumer: &Consumer) -> Result<Found, String> {
    match look(consumer).await {
        Ok(window) => Ok(Found::Window(window)),
        Err(bus::Error::Gap { from, to, .. }) => Ok(Found::Gap(from, to)),
        Err(error) => Err(error.to_string()),
    }
}

async fn look(consumer: &Consumer) -> Result<Window, bus::Error> {
    let stands = consumer.host.journal().checkpoint(&consumer.name).await;
    let position = stands.map_err(|error| bus::Error::Unavailable {
        operation: "looking where a consumer stands",
        reason: error.to_string(),
    })?;
    let embedded = consumer.bus.capabilities().reads_by_position;
    let look = if embedded { LOOK } else { LOOK_AT_BROKER };
    let mut reader = consumer.open(position).await?;
    let clock = consumer.host.environment().clock.clone();
    let deliveries = tokio::select! {
        biased;
        fetched = reader.fetch(WINDOW) => fetched?,
        () = clock.sleep(look) => Vec::new(),
    };
    Ok(Window { position, deliveries, reader })
}

/// Takes deliveries one at a time, each attempt written first; gives up one that was charged for as
/// many deaths of the process as it may.
pub(crate) async fn replay(consumer: &Consumer, from: u64, deliveries: &[Delivery]) -> Result<(), String> {
    let charged = last_attempt(consumer).await?;
    let mut lanes = consumer.lanes().await?;
    let attempts_max = consumer.retries.len() as u32 + 1;
    let (mut position, mut begin) = (from, 0);
    for (index, delivery) in deliveries.iter().enumerate() {
        let handled = consumer.handles(&delivery.envelope.kind);
        if !handled && index + 1 < deliveries.len() {
            continue;
        }
        let attempts = charged
            .as_ref()
            .filter(|found| found.is_of(delivery.position, delivery.envelope.id.0))
            .map_or(0, |found| found.attempts);
        if attempts >= attempts_max {
            let before = &deliveries[begin..index];
            position = consumer.take(before, position, &mut lanes).await?;
            let numbered = consumer.numbered(std::slice::from_ref(delivery), &mut lanes);
            if let Some(to) = consumer.give_up(&numbered[0], position, attempts).await? {
                position = to;
                lanes.bury(&delivery.envelope.subject);
            }
        } else {
            if handled {
                write_attempt(consumer, delivery, attempts + 1).await?;
            }
            let taken = consumer.take(&deliveries[begin..=index], position, &mut lanes).await;
            if taken.is_err() && handled {
                take_back(consumer, delivery, attempts).await;
            }
            position = taken?;
        }
        begin = index + 1;
    }
    forget_attempt(consumer).await
}

async fn last_attempt(consumer: &Consumer) -> Result<Option<Attempt>, String> {
    let want = Want::Document(&ATTEMPTS, consumer.place());
    let stored = consumer.host.journal().load(vec![want]).await.map_err(|e| e.to_string())?;
    match stored.into_iter().next() {
        Some(Stored::Document(Some(found))) => {
            serde_json::from_slice(&found.body).map(Some).map_err(|e| e.to_string())
        }
        _ => Ok(None),
    }
}

async fn write_attempt(consumer: &Consumer, delivery: &Delivery, attempts: u32) -> Result<(), String> {
    let (name, position, event) = (consumer.place(), delivery.position, delivery.envelope.id.0);
    consumer
        .decide("attempt", move |ws| {
            ws.overwrite(Attempt { consumer: name.clone(), position, event, attempts });
            Ok(())
        })
        .await
}

/// The process lives and its store or bus is away: that is no death to charge the delivery for. Tried
/// for a while, because what was away may come back.
async fn take_back(consumer: &Consumer, delivery: &Delivery, attempts: u32) {
    for _ in 0..TAKEN_BACK_TRIES {
        match write_attempt(consumer, delivery, attempts).await {
            Ok(()) => return,
            Err(error) => {
                tracing::debug!(consumer = consumer.name, error, "an attempt is not taken back yet")
            }
        }
        consumer.host.environment().clock.sleep(TAKEN_BACK_PAUSE).await;
    }
}

pub(crate) async fn forget_attempt(consumer: &Consumer) -> Result<(), String> {
    let name = consumer.place();
    consumer
        .decide("attempt", move |ws| {
            ws.delete::<Attempt>(&name);
            Ok(())
        })
        .await
}
