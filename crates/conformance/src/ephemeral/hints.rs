//! Hints. One may be lost, so each is told until it is heard.

use backbone::ephemeral::{Ephemeral, Listener};
use kernel::Duration;

use super::Replicas;
use crate::expect::ensure;

/// How often a hint is told before nobody is believed to hear it.
const TRIES: usize = 100;
const PAUSE: Duration = Duration::from_millis(50);

async fn is_heard(listener: &mut Listener, within: Duration) -> bool {
    tokio::time::timeout(within, listener.heard()).await.is_ok()
}

async fn told_until_heard(teller: &Ephemeral, topic: &str, listener: &mut Listener) -> Result<(), String> {
    for _ in 0..TRIES {
        teller.hints.tell(topic);
        if is_heard(listener, PAUSE).await {
            return Ok(());
        }
    }
    Err(format!("nobody heard of {topic}"))
}

pub(super) async fn heard(replicas: Replicas) -> Result<(), String> {
    let mut listeners: Vec<Listener> =
        replicas.in_turn(4).map(|replica| replica.hints.listen("orders/1")).collect();
    let mut astray = replicas.other.hints.listen("orders/2");
    for teller in [&replicas.one, &replicas.other] {
        for listener in &mut listeners {
            told_until_heard(teller, "orders/1", listener).await?;
        }
    }
    ensure(!is_heard(&mut astray, PAUSE).await, "a hint was heard by who listens to another topic")
}

pub(super) async fn from_now_on(replicas: Replicas) -> Result<(), String> {
    let mut early = replicas.other.hints.listen("orders/1");
    told_until_heard(&replicas.one, "orders/1", &mut early).await?;
    // What was told before is through once a later word has come.
    let mut after = replicas.other.hints.listen("orders/2");
    told_until_heard(&replicas.one, "orders/2", &mut after).await?;
    let mut late = replicas.other.hints.listen("orders/1");
    ensure(!is_heard(&mut late, PAUSE).await, "it heard what was told before it listened")?;
    told_until_heard(&replicas.one, "orders/1", &mut late).await
}

pub(super) async fn many(replicas: Replicas) -> Result<(), String> {
    for number in 0..100_000 {
        replicas.one.hints.tell(&format!("orders/{number}"));
    }
    let mut listener = replicas.other.hints.listen("orders/1");
    told_until_heard(&replicas.one, "orders/1", &mut listener).await
}
