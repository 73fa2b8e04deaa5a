//! Where a message goes that can never be an event: `<service>.<context>.dlq`, whole, with a report.
//! It is stored there before it is acknowledged, so it is in one place at least at every moment.

use backbone::bus::Error;
use bytes::Bytes;
use kernel::Timestamp;
use lapin::BasicProperties;

use crate::bus::{Inner, now};
use crate::headers::text;
use crate::publishing::Message;
use crate::topology::Place;

/// Begins the names of the report's headers.
pub(crate) const REPORT: &str = "a4co-dlq-";

/// One that cannot be handed out, with the reason.
pub(crate) struct Dead {
    /// The broker's number of the delivery.
    pub(crate) tag: u64,
    /// What it was published under.
    pub(crate) key: String,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Bytes,
    pub(crate) reason: String,
    pub(crate) failed_at: Timestamp,
}

/// Stores a dead letter.
pub(crate) async fn bury(inner: &Inner, place: &Place, dead: &Dead) -> Result<(), Error> {
    let message = Message {
        exchange: place.dead_exchange.clone(),
        key: place.dead_queue.clone(),
        properties: report(place, dead, now()),
        body: dead.body.clone(),
        is_mandatory: true,
    };
    inner.publisher.send(vec![message]).await
}

/// The message's own properties, and why it is here.
fn report(place: &Place, dead: &Dead, now: Timestamp) -> BasicProperties {
    let mut headers = dead.properties.headers().clone().unwrap_or_default();
    let mut set = |name: &str, value: &str| {
        headers.insert(format!("{REPORT}{name}").into(), text(value));
    };
    set("queue", &place.queue);
    set("subject", &dead.key);
    set("error", &dead.reason);
    set("first-failed-at", &dead.failed_at.to_string());
    set("last-failed-at", &dead.failed_at.to_string());
    set("moved-at", &now.to_string());
    // It is to survive a restart, whatever its sender thought of it.
    dead.properties.clone().with_headers(headers).with_delivery_mode(2)
}
