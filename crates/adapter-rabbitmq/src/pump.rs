//! Carries messages from a subscription into the book.
//!
//! The broker gives each message once, in the order of its queue. What it takes back (its reader
//! went away) it gives again before anything new, in the order in which it came back: a reader that
//! went away in the middle of that leaves the rest in front of what it had. So all that comes again is
//! gathered and put in the order of its producers, before anything is handed out. It ends with the
//! first message that never was delivered, or with the queue. Where it is more than the subscription
//! may hold, a wider one is wanted.

use std::collections::BTreeSet;
use std::sync::Arc;

use backbone::bus::partition_of;
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use kernel::{Duration, Envelope};
use lapin::message::Delivery;
use lapin::options::BasicQosOptions;
use lapin::{Channel, Consumer};
use tokio::time::{Instant, sleep_until, timeout};

use crate::book::{End, Held};
use crate::bus::{Inner, now};
use crate::dead_letter::{self, Dead};
use crate::headers;
use crate::link::{Shelf, tell};
use crate::order::{put_in_order, rank};
use crate::topology::Place;

/// Between two looks whether all that comes again has come.
const LOOK: Duration = Duration::from_millis(20);
/// At least so long is gathered what comes first.
const GATHERED_MIN: Duration = Duration::from_millis(200);
/// What comes again comes within this time: without that, no order is sure.
const GATHERED_MAX: Duration = Duration::from_secs(30);
/// Between two attempts to store dead letters.
const BURIAL_PAUSE: Duration = Duration::from_secs(5);

/// Where a subscription is at the broker.
pub(crate) struct Subscribed {
    pub(crate) channel: Channel,
    /// How many messages it may hold.
    pub(crate) width: u16,
}

/// Carries for one subscription.
pub(crate) struct Pump {
    inner: Arc<Inner>,
    place: Place,
    subscribed: Subscribed,
    shelf: Arc<Shelf>,
    /// What cannot be handed out and is not in the dead letters yet.
    dead: Vec<Dead>,
    next_burial: Instant,
}

impl Pump {
    pub(crate) fn new(inner: &Arc<Inner>, place: &Place, subscribed: Subscribed, shelf: Arc<Shelf>) -> Self {
        let (inner, place, next_burial) = (inner.clone(), place.clone(), Instant::now());
        Self { inner, place, subscribed, shelf, dead: Vec::new(), next_burial }
    }

    /// Carries until the subscription ends.
    pub(crate) async fn run(mut self, mut messages: Consumer) {
        let end = match self.gather(&mut messages).await {
            Err(end) => end,
            Ok(()) => loop {
                let wait = self.next_burial;
                let next = tokio::select! {
                    biased;
                    next = messages.next() => next,
                    () = sleep_until(wait), if !self.dead.is_empty() => {
                        self.bury().await;
                        continue;
                    }
                };
                match received(next) {
                    Ok(message) => self.take(message),
                    Err(reason) => break reason.into(),
                }
            },
        };
        self.shelf.end(end);
        // The subscription lasts as long as its channel, which gives everything back at once.
        while let Some(Ok(_)) = messages.next().await {}
    }

    /// Takes in what comes first, in order.
    async fn gather(&mut self, messages: &mut Consumer) -> Result<(), End> {
        let mut gathered = vec![received(messages.next().await)?];
        let (begun, mut is_all_again) = (Instant::now(), true);
        loop {
            is_all_again &= gathered.last().is_some_and(|message| message.redelivered);
            self.shelf.book().gathered = gathered.len();
            if gathered.len() >= usize::from(self.subscribed.width) {
                if is_all_again && self.subscribed.width < u16::MAX && !self.has_all().await {
                    return Err(End::TooNarrow);
                }
                break;
            }
            let is_quiet = match timeout(LOOK, messages.next()).await {
                Ok(next) => {
                    gathered.push(received(next)?);
                    false
                }
                Err(_) => true,
            };
            if begun.elapsed() < GATHERED_MIN {
                continue;
            }
            if !is_all_again {
                break;
            }
            if is_quiet && self.has_all().await {
                match messages.next().now_or_never() {
                    Some(next) => gathered.push(received(next)?),
                    None => break,
                }
            } else if is_quiet && begun.elapsed() > GATHERED_MAX {
                return Err(End::Over("not all that comes again has come".to_owned()));
            }
        }
        // The queue's own order is the best there is until something comes again.
        if gathered.iter().any(|message| message.redelivered) {
            gathered = put_in_order(gathered, |message| rank(&message.properties));
        }
        // All are open before the first is handed out: in this order a later one may have a lower number
        // at the broker, and would be settled with what is settled up to an earlier one's.
        self.shelf.book().open_all(gathered.iter().map(|message| message.delivery_tag));
        for message in gathered {
            self.take(message);
        }
        self.shelf.book().gathered = 0;
        Ok(())
    }

    /// Whether the queue holds nothing back: then all that it gave is here when a question that is
    /// asked afterwards is answered.
    async fn has_all(&self) -> bool {
        let limit = self.inner.options.answer_time_max;
        let left = self.inner.looker.waiting(&self.place.queue).await;
        let qos = self.subscribed.channel.basic_qos(self.subscribed.width, BasicQosOptions::default());
        matches!(left, Ok(Some(0))) && matches!(timeout(limit, qos).await, Ok(Ok(())))
    }

    /// Holds a message, or notes what else is to be done with it.
    fn take(&mut self, message: Delivery) {
        let tag = message.delivery_tag;
        let body = Bytes::from(message.data);
        let decoded = headers::decode(&message.properties, &body, now()).and_then(|event| self.own(event));
        let mut book = self.shelf.book();
        book.opens(tag);
        match decoded {
            Ok(envelope) => book.hold(self.inner.next_position(), Held { envelope: Arc::new(envelope), tag }),
            Err(reason) => {
                let (key, properties) = (message.routing_key.to_string(), message.properties);
                self.dead.push(Dead { tag, key, properties, body, reason, failed_at: now() });
            }
        }
        drop(book);
        self.shelf.news.notify_one();
    }

    /// An event whose subject belongs to another partition was not routed by its hash: two readers
    /// would have the same key.
    fn own(&self, event: Envelope) -> Result<Envelope, String> {
        let partition = partition_of(&event.subject, self.place.partitions);
        match partition == self.place.partition {
            true => Ok(event),
            false => Err(format!("its subject is of partition {partition}, not of {}", self.place.partition)),
        }
    }

    /// Moves to the dead letters what cannot be handed out. Whatever cannot be stored there stays
    /// unacknowledged and is tried again; it holds up nothing else.
    async fn bury(&mut self) {
        while let Some(dead) = self.dead.first() {
            let (queue, key, reason) = (&self.place.queue, &dead.key, &dead.reason);
            if let Err(error) = dead_letter::bury(&self.inner, &self.place, dead).await {
                tracing::error!(queue, key, reason, %error, "a dead letter is not stored");
                self.next_burial = Instant::now() + BURIAL_PAUSE;
                return;
            }
            tracing::error!(queue, key, reason, "a message went to the dead letters");
            let settled = self.shelf.book().settle_tags(BTreeSet::from([dead.tag]));
            self.dead.remove(0);
            // Where this fails it comes again, to the same end.
            let _ = tell(&self.subscribed.channel, settled).await;
        }
    }
}

fn received(next: Option<lapin::Result<Delivery>>) -> Result<Delivery, String> {
    match next {
        Some(Ok(message)) => Ok(message),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("the broker ended the subscription".to_owned()),
    }
}
