//! Where a message goes that can never be an event: `dlq.<subject>`, whole, with a report. It is
//! stored there before it is acknowledged, so it is in one place at least at every moment.

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use kernel::Timestamp;

use crate::durable::Place;
use crate::headers::MESSAGE_ID;
use crate::options::DEAD_LETTERS;
use crate::percent;

/// Begins the names of the report's headers.
pub(crate) const REPORT: &str = "a4co-dlq-";

/// A message of a stream, as it stands there.
pub(crate) struct Raw {
    pub(crate) subject: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// When the stream took it.
    pub(crate) stored_at: Timestamp,
    /// How often it was delivered.
    pub(crate) deliveries: u64,
    /// Where its acknowledgement goes.
    pub(crate) reply: String,
}

/// One that cannot be handed out, with the reason.
pub(crate) struct Dead {
    pub(crate) raw: Raw,
    pub(crate) reason: String,
    pub(crate) failed_at: Timestamp,
}

/// Stores a dead letter. The same one twice is one: its message id says what it is of.
pub(crate) async fn bury(
    server: &Context,
    place: &Place,
    position: u64,
    dead: &Dead,
    now: Timestamp,
) -> Result<(), String> {
    let subject = format!("{DEAD_LETTERS}.{}", dead.raw.subject);
    let headers = report(place, position, dead, now);
    let message = PublishMessage::build().headers(headers).payload(dead.raw.body.clone());
    let sent = server.send_publish(subject, message).await.map_err(|error| error.to_string())?;
    sent.await.map(drop).map_err(|error| error.to_string())
}

/// The message's own headers, and why it is here.
fn report(place: &Place, position: u64, dead: &Dead, now: Timestamp) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in dead.raw.headers.iter() {
        let name: &str = name.as_ref();
        // What tells the broker something told it of the first publication.
        let is_ours = name.starts_with("Nats-");
        let name = if is_ours { format!("{REPORT}original-{name}") } else { name.to_owned() };
        for value in values {
            headers.append(name.as_str(), value.clone());
        }
    }
    let mut set = |name: &str, value: &str| {
        headers.insert(format!("{REPORT}{name}").as_str(), percent::encode(value).as_str());
    };
    set("consumer", &place.durable);
    set("stream", place.stream);
    set("position", &position.to_string());
    set("error", &dead.reason);
    set("attempts", &dead.raw.deliveries.to_string());
    set("first-failed-at", &dead.failed_at.to_string());
    set("last-failed-at", &dead.failed_at.to_string());
    set("moved-at", &now.to_string());
    // The time tells a message from one of the same number in a stream that was made anew.
    let stored = dead.raw.stored_at.as_micros();
    let id = format!("{}:{}:{position}:{stored}", place.stream, place.durable);
    headers.insert(MESSAGE_ID, id.as_str());
    headers
}
