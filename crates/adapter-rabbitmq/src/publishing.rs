//! Publishing: what counts as published, and in which order.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use backbone::bus::Error;
use backbone::relaying;
use bytes::Bytes;
use kernel::Envelope;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};

use crate::bus::now;
use crate::error::{unavailable, within};
use crate::headers;
use crate::options::Options;
use crate::topology::{exchange_of, make_exchange, routing_key};
use crate::wire::Wire;

const PUBLISHING: &str = "publishing events";
/// Between two looks whether the broker blocks us while it does not answer.
const LOOK: kernel::Duration = kernel::Duration::from_millis(50);

/// Publishes; nobody else uses its channel meanwhile, so that a returned message is one of ours.
pub(crate) struct Publisher {
    wire: Wire,
    options: Options,
    idle: Mutex<Vec<Way>>,
    order: AtomicI64,
}

/// A channel with confirms, and the exchanges that are known to be there.
struct Way {
    channel: Channel,
    exchanges: BTreeSet<String>,
}

/// A message on its way.
struct Sent {
    /// What the error names.
    kind: String,
    confirm: PublisherConfirm,
}

/// What is sent where.
pub(crate) struct Message {
    pub(crate) exchange: String,
    pub(crate) key: String,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Bytes,
    /// A message that no queue takes comes back.
    pub(crate) is_mandatory: bool,
}

impl Publisher {
    pub(crate) fn new(wire: Wire, options: Options) -> Self {
        Self { wire, options, idle: Mutex::default(), order: AtomicI64::new(0) }
    }

    /// Publishes in order; done when the broker has said of each that it has it.
    ///
    /// Many are on their way at once, and never two of one key: of what is refused or lost in the
    /// middle, what is sent again must not come after what was sent later. `positions` are the events'
    /// places in the producer's journal, where they are known.
    pub(crate) async fn publish(&self, events: &[Envelope], positions: &[u64]) -> Result<(), Error> {
        for event in events {
            check(event)?;
        }
        let mut positions = positions.iter().copied();
        for run in relaying::runs(events) {
            let messages = run.iter().map(|event| self.message(event, positions.next())).collect();
            self.send(messages).await?;
        }
        Ok(())
    }

    fn message(&self, event: &Envelope, position: Option<u64>) -> Message {
        let time = now().as_micros();
        let last = self.order.fetch_max(time, Ordering::SeqCst);
        let order = if last < time { time } else { self.order.fetch_add(1, Ordering::SeqCst) + 1 };
        Message {
            exchange: exchange_of(event.context()),
            key: routing_key(event, self.options.partitions),
            properties: headers::encode(event, position, order),
            body: event.data.clone(),
            // Where nobody in the deployment reads the context, there is nobody to lose it.
            is_mandatory: self.options.is_read(event.context()),
        }
    }

    /// Sends messages and waits until the broker has all of them.
    pub(crate) async fn send(&self, messages: Vec<Message>) -> Result<(), Error> {
        if self.wire.is_blocked() {
            // What is sent now would wait in the client and come at an unknown time.
            return Err(unavailable(
                PUBLISHING,
                "the broker takes no messages for now: it is short of memory or disk",
            ));
        }
        let mut way = self.way().await?;
        for exchange in messages.iter().map(|message| &message.exchange) {
            if !way.exchanges.contains(exchange)
                && let Some(context) = exchange.strip_suffix(".events")
            {
                let made = make_exchange(&self.wire, self.options.answer_time_max, context).await;
                made.map_err(|error| unavailable(PUBLISHING, error))?;
                way.exchanges.insert(exchange.clone());
            }
        }
        let sent = self.send_on(&way.channel, messages);
        let done = tokio::select! {
            biased;
            done = within(self.options.answer_time_max, PUBLISHING, async { Ok(sent.await) }) => done?,
            () = self.blocked() => Err(unavailable(PUBLISHING, "the broker takes no messages for now")),
        };
        match done {
            Ok(()) => self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(way),
            // Answers may still come that belong to none of the next messages.
            Err(_) => close(way.channel),
        }
        done
    }

    async fn send_on(&self, channel: &Channel, messages: Vec<Message>) -> Result<(), Error> {
        let mut sent: Vec<Sent> = Vec::with_capacity(messages.len());
        let mut failed = None;
        for Message { exchange, key, properties, body, is_mandatory } in messages {
            let options = BasicPublishOptions { mandatory: is_mandatory, ..Default::default() };
            let kind = key.clone();
            let publish = channel.basic_publish(exchange.into(), key.into(), options, &body, properties);
            match publish.await {
                Ok(confirm) => sent.push(Sent { kind, confirm }),
                Err(error) => {
                    failed = Some(unavailable(PUBLISHING, format!("{kind}: {error}")));
                    break;
                }
            }
        }
        for Sent { kind, confirm } in sent {
            if let Err(error) = heard(&kind, confirm.await) {
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Waits until the broker blocks us.
    async fn blocked(&self) {
        while !self.wire.is_blocked() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// A channel that nobody uses.
    async fn way(&self) -> Result<Way, Error> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match idle {
                Some(way) if way.channel.status().connected() => return Ok(way),
                // It went with its connection.
                Some(_) => {}
                None => break,
            }
        }
        let channel = self.wire.channel(PUBLISHING).await?;
        let confirms = channel.confirm_select(ConfirmSelectOptions::default());
        within(self.options.answer_time_max, PUBLISHING, confirms).await?;
        Ok(Way { channel, exchanges: BTreeSet::new() })
    }
}

/// Closes a channel without waiting for it.
fn close(channel: Channel) {
    tokio::spawn(async move { channel.close(200, "done".into()).await });
}

/// What a confirm means: one that carries a message is of one that no queue took.
fn heard(kind: &str, confirm: lapin::Result<Confirmation>) -> Result<(), Error> {
    match confirm {
        Ok(Confirmation::Ack(None)) => Ok(()),
        Ok(Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned))) => {
            // Confirms of several may come in one word: only the message says which one it is.
            Err(Error::Unroutable(returned.delivery.routing_key.to_string()))
        }
        Ok(Confirmation::Nack(None)) => {
            Err(unavailable(PUBLISHING, format!("{kind}: the broker refused it")))
        }
        Ok(Confirmation::NotRequested) => {
            Err(unavailable(PUBLISHING, format!("{kind}: nothing was confirmed")))
        }
        Err(error) => Err(unavailable(PUBLISHING, format!("{kind}: {error}"))),
    }
}

fn check(event: &Envelope) -> Result<(), Error> {
    if !relaying::is_routable(&event.kind) || event.kind.len() > 200 {
        return Err(Error::Unroutable(format!("{:?}: it is no type of an event", event.kind)));
    }
    relaying::too_large(event).map_or(Ok(()), |reason| Err(unavailable(PUBLISHING, reason)))
}

#[cfg(test)]
mod tests {
    use backbone::relaying::MESSAGE_BYTES_MAX;
    use kernel::Timestamp;
    use uuid::Uuid;

    use super::*;

    fn about(subject: &str) -> Envelope {
        Envelope {
            id: Uuid::nil().into(),
            source: "order".into(),
            kind: "order.created.v1".into(),
            subject: subject.into(),
            time: Timestamp::default(),
            correlation_id: String::new(),
            causation_id: String::new(),
            sequence: 0,
            traceparent: None,
            key_id: None,
            data: Bytes::new(),
        }
    }

    #[test]
    fn the_partition_follows_from_the_subject_for_ever() {
        assert_eq!(routing_key(&about("a"), 1), "order.created.v1");
        for key in ["a", "b", "c", "d"] {
            let expected = format!("order.created.v1.p{}", kernel::stable_hash(key.as_bytes()) % 4);
            assert_eq!(routing_key(&about(key), 4), expected);
        }
    }

    #[test]
    fn only_a_confirm_that_carries_nothing_is_a_success() {
        assert!(heard("a.b.v1", Ok(Confirmation::Ack(None))).is_ok());
        for confirm in [Confirmation::Nack(None), Confirmation::NotRequested] {
            assert!(matches!(heard("a.b.v1", Ok(confirm)), Err(Error::Unavailable { .. })));
        }
        let lost = Err(lapin::ErrorKind::MissingHeartbeatError.into());
        assert!(matches!(heard("a.b.v1", lost), Err(Error::Unavailable { .. })));
    }

    #[test]
    fn what_cannot_be_sent_is_refused_before_it_is() {
        for kind in ["order.*.v1", "order..v1", "order.a b.v1", ""] {
            let event = Envelope { kind: kind.into(), ..about("a") };
            assert!(matches!(check(&event), Err(Error::Unroutable(_))), "{kind}");
        }
        let large = Envelope { data: Bytes::from(vec![b' '; MESSAGE_BYTES_MAX + 1]), ..about("a") };
        assert!(matches!(check(&large), Err(Error::Unavailable { .. })));
        assert!(check(&about("a")).is_ok());
    }
}
