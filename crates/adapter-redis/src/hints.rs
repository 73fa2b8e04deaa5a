//! `Hints`: told at once within the process, and to the other replicas over one channel.

use std::sync::Arc;

use backbone::environment::{Clock, Environment};
use backbone::ephemeral::{Hints, Listener};
use futures::{FutureExt as _, StreamExt as _};
use kernel::Duration;
use redis::{Client, RedisResult};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::connection::Link;

const CHANNEL: &str = "a4co:hints";
/// More than this waits for Redis to take it: the rest is lost, as hints may be.
const TOPICS_WAITING_MAX: usize = 4_096;
/// How many topics go in one message.
const TOPICS_TOGETHER_MAX: usize = 64;
/// How long to wait before listening again.
const PAUSE: Duration = Duration::from_secs(1);
/// A connection on which nothing comes for so long is asked whether it lives.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Hints of all replicas.
pub(crate) struct RedisHints {
    local: Arc<dyn Hints>,
    others: mpsc::Sender<String>,
    /// Dropped, it ends the listening.
    _ends: oneshot::Sender<()>,
}

impl RedisHints {
    /// Starts to tell and to listen.
    pub(crate) fn begin(
        client: Client,
        link: Link,
        environment: &Environment,
        local: Arc<dyn Hints>,
    ) -> Self {
        let me = environment.ids.uuid();
        let (others, topics) = mpsc::channel(TOPICS_WAITING_MAX);
        let (ends, ended) = oneshot::channel();
        let ear = Ear { me, client, local: local.clone(), clock: environment.clock.clone() };
        environment.spawner.spawn("redis-hints-told", Box::pin(tell(me, link, topics)));
        environment.spawner.spawn("redis-hints-heard", Box::pin(ear.listen(ended)));
        Self { local, others, _ends: ends }
    }
}

impl Hints for RedisHints {
    fn tell(&self, topic: &str) {
        self.local.tell(topic);
        if let Err(TrySendError::Full(_)) = self.others.try_send(topic.to_owned()) {
            tracing::debug!(topic, "a hint for the other replicas is lost");
        }
    }

    fn listen(&self, topic: &str) -> Listener {
        self.local.listen(topic)
    }
}

/// Publishes what is told: the teller's id, then the topics, a line each.
async fn tell(me: Uuid, link: Link, mut topics: mpsc::Receiver<String>) {
    let mut together = Vec::new();
    while topics.recv_many(&mut together, TOPICS_TOGETHER_MAX).await > 0 {
        let message = format!("{me}\n{}", together.join("\n"));
        together.clear();
        let mut publish = redis::cmd("PUBLISH");
        if let Err(error) = link.ask::<u64>("telling a hint", publish.arg(CHANNEL).arg(message)).await {
            tracing::debug!(error.message = %error, "hints for the other replicas are lost");
        }
    }
}

/// Hears what other replicas tell.
struct Ear {
    me: Uuid,
    client: Client,
    local: Arc<dyn Hints>,
    clock: Arc<dyn Clock>,
}

impl Ear {
    async fn listen(self, mut ended: oneshot::Receiver<()>) {
        loop {
            let lost = tokio::select! {
                lost = self.hear() => lost,
                _ = &mut ended => return,
            };
            let reason = lost.err().map(|error| error.to_string()).unwrap_or_default();
            tracing::warn!(error.message = reason, "hints of other replicas are not heard for a while");
            let pause = self.clock.sleep(PAUSE);
            tokio::select! {
                () = pause => {}
                _ = &mut ended => return,
            }
        }
    }

    /// Hears until the connection is lost.
    async fn hear(&self) -> RedisResult<()> {
        let (mut channel, mut messages) = self.client.get_async_pubsub().await?.split();
        channel.subscribe(CHANNEL).await?;
        loop {
            let message = tokio::select! {
                message = messages.next() => message,
                () = self.clock.sleep(SILENCE_MAX) => {
                    let answers = channel.ping::<redis::Value>().map(|answered| answered.is_ok());
                    if !self.in_time(answers).await {
                        return Ok(());
                    }
                    continue;
                }
            };
            let Some(message) = message else { return Ok(()) };
            let text: String = message.get_payload()?;
            let Some((teller, topics)) = text.split_once('\n') else { continue };
            if teller.parse() != Ok(self.me) {
                topics.lines().for_each(|topic| self.local.tell(topic));
            }
        }
    }

    async fn in_time(&self, answered: impl Future<Output = bool>) -> bool {
        tokio::select! {
            answered = answered => answered,
            () = self.clock.sleep(SILENCE_MAX) => false,
        }
    }
}
