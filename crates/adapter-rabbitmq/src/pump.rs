//! Carries messages from a subscription into the book.
//!
//! The broker gives each message once, in the order of its queue. What it takes back (its reader
//! went away) it gives again in the order in which it came back: a reader that went away in the
//! middle of that leaves the rest in front of what it had. So what comes first is gathered and put in
//! the order of its producers, before anything is handed out.

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

use crate::book::Held;
use crate::bus::{Inner, now};
use crate::dead_letter::{self, Dead};
use crate::headers;
use crate::link::{Shelf, tell};
use crate::topology::Place;

/// Between two looks whether all that comes again has come.
const LOOK: Duration = Duration::from_millis(20);
/// At least, and at most, so long is gathered what comes first.
const GATHERED_MIN: Duration = Duration::from_millis(200);
const GATHERED_MAX: Duration = Duration::from_secs(1);
/// Between two attempts to store dead letters.
const BURIAL_PAUSE: Duration = Duration::from_secs(5);

/// Carries for one subscription.
pub(crate) struct Pump {
    inner: Arc<Inner>,
    place: Place,
    channel: Channel,
    shelf: Arc<Shelf>,
    /// What cannot be handed out and is not in the dead letters yet.
    dead: Vec<Dead>,
    next_burial: Instant,
}

impl Pump {
    pub(crate) fn new(inner: &Arc<Inner>, place: &Place, channel: Channel, shelf: Arc<Shelf>) -> Self {
        let (inner, place, next_burial) = (inner.clone(), place.clone(), Instant::now());
        Self { inner, place, channel, shelf, dead: Vec::new(), next_burial }
    }

    /// Carries until the subscription ends.
    pub(crate) async fn run(mut self, mut messages: Consumer) {
        let reason = match self.gather(&mut messages).await {
            Err(reason) => reason,
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
                    Err(reason) => break reason,
                }
            },
        };
        self.shelf.end(reason);
    }

    /// Takes in what comes first, in order. What the reader before gave back may come a moment later
    /// than what is new: its subscription ends before its messages are free.
    async fn gather(&mut self, messages: &mut Consumer) -> Result<(), String> {
        let mut gathered = vec![received(messages.next().await)?];
        self.note_gathered(&gathered);
        let begun = Instant::now();
        while gathered.len() < usize::from(self.inner.options.in_flight_max) && begun.elapsed() < GATHERED_MAX
        {
            match timeout(LOOK, messages.next()).await {
                Ok(next) => {
                    gathered.push(received(next)?);
                    self.note_gathered(&gathered);
                    continue;
                }
                Err(_) if begun.elapsed() < GATHERED_MIN => continue,
                Err(_) => {}
            }
            let comes_again = gathered.iter().any(|message| message.redelivered);
            if comes_again && !self.has_all().await {
                continue;
            }
            match messages.next().now_or_never() {
                Some(next) => gathered.push(received(next)?),
                None => break,
            }
        }
        // The queue's own order is the best there is until something comes again. Stable: what says
        // nothing of its order stays where it is among its like.
        if gathered.iter().any(|message| message.redelivered) {
            gathered.sort_by_key(|message| headers::order(&message.properties));
        }
        for message in gathered {
            self.take(message);
        }
        self.shelf.book().gathered = 0;
        Ok(())
    }

    fn note_gathered(&self, gathered: &[Delivery]) {
        self.shelf.book().gathered = gathered.len();
    }

    /// Whether the queue holds nothing back: then all that it gave is here when a question that is
    /// asked afterwards is answered.
    async fn has_all(&self) -> bool {
        let limit = self.inner.options.answer_time_max;
        let left = self.inner.looker.waiting(&self.place.queue).await;
        let qos = self.channel.basic_qos(self.inner.options.in_flight_max, BasicQosOptions::default());
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
            let _ = tell(&self.channel, settled).await;
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
