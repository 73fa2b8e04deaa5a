//! Asking the broker for messages: an inbox and a request that it fills.

use async_nats::{Client, Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use kernel::Duration;
use serde_json::json;

use crate::durable::Place;

/// How long a request waits at the broker.
const EXPIRES: Duration = Duration::from_secs(30);
/// How often the broker says that a request still waits.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// After such a silence a request is lost.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(12);

/// What came out of the inbox.
pub(crate) enum Arrived {
    /// A message of the stream.
    Message(Message),
    /// The request still waits.
    Waiting,
    /// The request is over: it expired, or the broker gave it up for this reason.
    Over(String),
    /// The consumer is not there any more.
    Gone(String),
}

/// An inbox, and how much of its last request is unanswered.
pub(crate) struct Pull {
    client: Client,
    inbox: String,
    subscriber: Subscriber,
    open: usize,
}

impl Pull {
    pub(crate) async fn open(client: &Client) -> Result<Self, String> {
        let inbox = client.new_inbox();
        let subscriber = client.subscribe(inbox.clone()).await.map_err(|error| error.to_string())?;
        Ok(Self { client: client.clone(), inbox, subscriber, open: 0 })
    }

    /// Sends a request for at most `limit` messages, where none waits.
    pub(crate) async fn ask(&mut self, place: &Place, limit: usize) -> Result<(), String> {
        if self.open > 0 {
            return Ok(());
        }
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", place.stream, place.durable);
        let nanos = |time: Duration| time.as_nanos() as u64;
        let request = json!({
            "batch": limit, "expires": nanos(EXPIRES), "idle_heartbeat": nanos(HEARTBEAT),
        });
        let request = Bytes::from(request.to_string());
        let sent = self.client.publish_with_reply(subject, self.inbox.clone(), request).await;
        sent.map_err(|error| error.to_string())?;
        self.open = limit;
        Ok(())
    }

    /// The next answer; dropping the wait loses none. `None` where the connection is closed.
    pub(crate) async fn next(&mut self) -> Option<Arrived> {
        let message = self.subscriber.next().await?;
        Some(self.read(message))
    }

    /// The next answer, if it is there.
    pub(crate) fn at_hand(&mut self) -> Option<Arrived> {
        match self.subscriber.next().now_or_never() {
            Some(Some(message)) => Some(self.read(message)),
            _ => None,
        }
    }

    fn read(&mut self, message: Message) -> Arrived {
        let Some(status) = message.status else {
            self.open = self.open.saturating_sub(1);
            return Arrived::Message(message);
        };
        let said = message.description.unwrap_or_default();
        match status {
            StatusCode::IDLE_HEARTBEAT => Arrived::Waiting,
            StatusCode::NO_RESPONDERS => Arrived::Gone("nobody answers for it".to_owned()),
            StatusCode::REQUEST_TERMINATED if said.to_lowercase().contains("consumer deleted") => {
                Arrived::Gone(said)
            }
            _ => {
                self.open = 0;
                Arrived::Over(said)
            }
        }
    }

    /// Withdraws the request: the broker drops one that nobody listens for.
    pub(crate) async fn close(mut self) {
        // Where this fails the connection is gone, and the request with it.
        let _ = self.subscriber.unsubscribe().await;
    }
}
