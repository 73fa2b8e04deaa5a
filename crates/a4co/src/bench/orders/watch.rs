//! Hears on the bus how far orders are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use backbone::bus::{Bus, Delivery, Subscription};
use contracts::inventory::StockConfirmed;
use contracts::order::{Cancelled, Confirmed, Created, StateChanged};
use kernel::{Event as _, OrderId};
use tokio::sync::oneshot;

use super::super::Error;

/// How many deliveries are taken at a time.
const DELIVERIES: usize = 1_024;

/// Moments in the life of an order that is through.
#[derive(Clone, Copy, Debug)]
pub(super) struct Through {
    pub(super) created: Instant,
    pub(super) confirmed: Instant,
    /// Confirmed, and all of its stock is sold.
    pub(super) done: Instant,
}

/// What is known of an order that is not through. It may be heard of before its request is
/// answered.
#[derive(Default)]
struct Pending {
    created: Option<Instant>,
    confirmed: Option<Instant>,
    sold: usize,
    /// Why it was called off.
    cancelled: Option<String>,
    /// How many lines it has and who waits, once somebody does.
    waiting: Option<(usize, oneshot::Sender<Result<Through, String>>)>,
}

#[derive(Default)]
struct State {
    orders: HashMap<String, Pending>,
    /// The highest position that was seen.
    position: u64,
}

/// Follows orders.
#[derive(Clone)]
pub(super) struct Watch {
    state: Arc<Mutex<State>>,
    numbered: bool,
}

impl Watch {
    /// Listens to the contexts that tell how far an order is, in tasks of the current runtime.
    pub(super) async fn open(bus: &dyn Bus) -> Result<Self, Error> {
        let watch = Self { state: Arc::default(), numbered: bus.capabilities().reads_by_position };
        for context in ["order", "inventory"] {
            let subscription = Subscription {
                consumer: format!("bench-{context}"),
                service: "bench",
                context,
                partition: 0,
                after: watch.numbered.then_some(0),
            };
            let mut consumer = bus.open(subscription).await?;
            let watch = watch.clone();
            tokio::spawn(async move {
                loop {
                    match consumer.fetch(DELIVERIES).await {
                        Ok(deliveries) => {
                            watch.take(&deliveries);
                            let positions: Vec<u64> = deliveries.iter().map(|d| d.position).collect();
                            // Where positions are checkpoints there is nothing to acknowledge;
                            // elsewhere a repeated delivery changes nothing.
                            let _ = consumer.acknowledge(&positions).await;
                        }
                        Err(error) => {
                            tracing::warn!(%error, context, "the bench does not hear the bus");
                            tokio::time::sleep(Duration::from_millis(100)).await;
                        }
                    }
                }
            });
        }
        Ok(watch)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many events were published so far, where the bus numbers them.
    pub(super) fn events(&self) -> Option<u64> {
        self.numbered.then(|| self.lock().position)
    }

    /// Waits until an order with so many lines is through, or says why it never will be, or is not
    /// within `limit`.
    pub(super) async fn through(
        &self,
        id: OrderId,
        lines: usize,
        limit: Duration,
    ) -> Result<Through, String> {
        let key = id.to_string();
        let (sender, receiver) = oneshot::channel();
        {
            let mut state = self.lock();
            state.orders.entry(key.clone()).or_default().waiting = Some((lines, sender));
            settle(&mut state, &key);
        }
        let through = tokio::time::timeout(limit, receiver).await;
        match through {
            Ok(through) => through.unwrap_or_else(|_| Err("nobody listens any more".to_owned())),
            Err(_) => {
                self.lock().orders.remove(&key);
                Err(format!("it is not through after {} s", limit.as_secs()))
            }
        }
    }

    /// Forgets what nobody waits for: orders of before, and of the demonstration.
    pub(super) fn forget(&self) {
        self.lock().orders.retain(|_, order| order.waiting.is_some());
    }

    fn take(&self, deliveries: &[Delivery]) {
        let now = Instant::now();
        let mut state = self.lock();
        for delivery in deliveries {
            state.position = state.position.max(delivery.position);
            let (kind, key) = (delivery.envelope.kind.as_str(), delivery.envelope.subject.as_str());
            if !is_followed(kind) {
                continue;
            }
            let order = state.orders.entry(key.to_owned()).or_default();
            match kind {
                kind if kind == Created::TYPE.name => order.created = Some(now),
                kind if kind == Confirmed::TYPE.name => order.confirmed = Some(now),
                kind if kind == Cancelled::TYPE.name => order.cancelled = Some(reason(delivery)),
                _ => order.sold += 1,
            }
            settle(&mut state, key);
        }
    }
}

/// Why an order was called off.
fn reason(delivery: &Delivery) -> String {
    match serde_json::from_slice::<Cancelled>(&delivery.envelope.data) {
        Ok(cancelled) => format!("it was called off: {}", cancelled.reason),
        Err(error) => format!("it was called off, and cannot be read: {error}"),
    }
}

/// One event of each item of an order says that it is sold; all of these are keyed by the order.
fn is_followed(kind: &str) -> bool {
    debug_assert_eq!(StateChanged::TYPE.subject, StockConfirmed::TYPE.subject);
    [Created::TYPE.name, Confirmed::TYPE.name, Cancelled::TYPE.name, StockConfirmed::TYPE.name]
        .contains(&kind)
}

/// Tells whoever waits, where there is something to tell.
fn settle(state: &mut State, key: &str) {
    let Some(order) = state.orders.get(key) else { return };
    let Some((lines, _)) = &order.waiting else { return };
    let through = match (order.created, order.confirmed) {
        _ if order.cancelled.is_some() => Err(order.cancelled.clone().unwrap_or_default()),
        (Some(created), Some(confirmed)) if order.sold >= *lines => {
            Ok(Through { created, confirmed, done: Instant::now() })
        }
        _ => return,
    };
    if let Some(Pending { waiting: Some((_, sender)), .. }) = state.orders.remove(key) {
        // Whoever waited may have given up.
        let _ = sender.send(through);
    }
}
