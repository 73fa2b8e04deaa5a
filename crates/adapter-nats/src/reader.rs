//! One reader of one consumer.
//!
//! The broker gives each message once, in order, and its mark moves with our acknowledgements. What
//! is held here is kept alive there, so the broker does not deliver it again behind our back. Its
//! deliveries carry numbers; where one is missing (another reader took it, a connection lost it),
//! nothing later is handed out before the missing ones were read from the stream by their sequence:
//! that keeps the order of a subject where the broker's own redelivery would break it.

mod synchronise;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_nats::connection::State;
use async_nats::{Client, Message, jetstream};
use async_trait::async_trait;
use backbone::bus::{Consumer, Delivery, Error, partition_of};
use bytes::Bytes;
use kernel::{Duration, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::book::{Arrival, Book, Held};
use crate::bus::{Inner, now};
use crate::connection::Connection;
use crate::dead_letter::{self, Dead, Raw};
use crate::durable::Place;
use crate::error::unavailable;
use crate::headers;
use crate::pull::{Arrived, Pull, SILENCE_MAX};

const FETCHING: &str = "fetching events";
const ACKNOWLEDGING: &str = "acknowledging events";
/// Tells the broker that a message is still in work.
const IN_WORK: Bytes = Bytes::from_static(b"+WPI");
/// How often a message is kept alive within its time.
const SIGNS_OF_LIFE: u32 = 3;
/// Between two attempts to store dead letters.
const BURIAL_PAUSE: Duration = Duration::from_secs(5);
/// After the broker has refused a request.
const REFUSAL_PAUSE: Duration = Duration::from_millis(250);

/// One reader of one consumer.
pub(crate) struct Reader {
    inner: Arc<Inner>,
    place: Place,
    /// What the broker's consumer says while this is its reader.
    name: String,
    connection: watch::Receiver<Connection>,
    book: Arc<Mutex<Book>>,
    pull: Option<Pull>,
    /// The number of the broker's next delivery.
    next_delivery: u64,
    /// The highest position that is known.
    seen: u64,
    /// What stands up to here took effect elsewhere: it is not handed out.
    accepted: u64,
    /// A delivery may have gone elsewhere: nothing is handed out before this is settled.
    is_in_doubt: bool,
    /// First and last of the positions that are to be read from the stream.
    again: Option<(u64, u64)>,
    /// Where acknowledgements go of what is not to be handed out.
    passed: Vec<String>,
    /// What cannot be handed out and is not in the dead letters yet.
    dead: BTreeMap<u64, Dead>,
    next_burial: Instant,
    alive: JoinHandle<()>,
}

impl Reader {
    /// The reader `name` of a consumer that was taken over for it.
    pub(crate) async fn open(
        inner: Arc<Inner>,
        place: Place,
        name: String,
        accepted: u64,
    ) -> Result<Self, Error> {
        let book = Arc::new(Mutex::new(Book::default()));
        let every = inner.options.ack_wait / SIGNS_OF_LIFE;
        let alive = tokio::spawn(keep_alive(inner.client.clone(), Arc::downgrade(&book), every));
        let mut reader = Self {
            connection: inner.connection.clone(),
            inner,
            place,
            name,
            book,
            pull: None,
            next_delivery: 0,
            seen: 0,
            accepted,
            is_in_doubt: true,
            again: None,
            passed: Vec::new(),
            dead: BTreeMap::new(),
            next_burial: Instant::now(),
            alive,
        };
        reader.synchronise().await?;
        Ok(reader)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_connected(&self) -> bool {
        self.inner.client.connection_state() == State::Connected
    }

    /// Waits for what the broker sends, and takes in whatever is there.
    async fn wait(&mut self, limit: usize) -> Result<(), Error> {
        let failed = |reason: String| unavailable(FETCHING, reason);
        let pull = match &mut self.pull {
            Some(pull) => pull,
            None => {
                let pull = Pull::open(&self.inner.client).await.map_err(failed)?;
                self.pull.insert(pull)
            }
        };
        pull.ask(&self.place, limit).await.map_err(failed)?;
        let arrived = tokio::select! {
            biased;
            _ = self.connection.changed() => None,
            arrived = tokio::time::timeout(SILENCE_MAX, pull.next()) => arrived.ok().flatten(),
        };
        let Some(arrived) = arrived else {
            // The request may be lost, and deliveries with it.
            self.is_in_doubt = true;
            return Ok(());
        };
        self.take_in(arrived).await?;
        for _ in 1..limit {
            match self.pull.as_mut().and_then(Pull::at_hand) {
                Some(arrived) => self.take_in(arrived).await?,
                None => break,
            }
        }
        Ok(())
    }

    async fn take_in(&mut self, arrived: Arrived) -> Result<(), Error> {
        match arrived {
            Arrived::Message(message) => self.take(message),
            Arrived::Waiting => {}
            Arrived::Gone(reason) => {
                self.is_in_doubt = true;
                return Err(unavailable(FETCHING, format!("{}: {reason}", self.place.durable)));
            }
            Arrived::Over(reason) => {
                // A quiet request expires; that is the time to look whether all is well.
                self.is_in_doubt = true;
                if !reason.to_lowercase().contains("timeout") {
                    tracing::debug!(consumer = self.place.durable, reason, "a request was given up");
                    tokio::time::sleep(REFUSAL_PAUSE).await;
                }
            }
        }
        Ok(())
    }

    /// Takes a delivery in, where it is the one that was to come.
    fn take(&mut self, message: Message) {
        let message = jetstream::Message { message, context: self.inner.server.clone() };
        let Ok(info) = message.info() else {
            self.is_in_doubt = true;
            return;
        };
        let position = info.stream_sequence;
        let is_next = info.consumer_sequence == self.next_delivery;
        // A hole in the stream: whether it is a loss is seen there.
        let is_behind_a_hole = self.place.keeps_to_limits && position > self.seen + 1;
        if !is_next || is_behind_a_hole {
            self.is_in_doubt = true;
            return;
        }
        self.next_delivery += 1;
        self.seen = self.seen.max(position);
        let deliveries = u64::try_from(info.delivered).unwrap_or(1);
        let stored_at = timestamp(info.published.unix_timestamp_nanos());
        let message = message.message;
        let raw = Raw {
            subject: message.subject.to_string(),
            headers: message.headers.unwrap_or_default(),
            body: message.payload,
            stored_at,
            deliveries,
            reply: message.reply.map(|reply| reply.to_string()).unwrap_or_default(),
        };
        self.accept(position, raw);
    }

    /// Holds a message, or notes what else is to be done with it.
    fn accept(&mut self, position: u64, raw: Raw) {
        if position <= self.accepted {
            self.passed.push(raw.reply);
            return;
        }
        let arrival = self.book().knows(position);
        match arrival {
            Arrival::New if self.dead.contains_key(&position) => return,
            Arrival::New => {}
            Arrival::Known => return,
            Arrival::Settled => {
                self.passed.push(raw.reply);
                return;
            }
        }
        match headers::decode(&raw.headers, &raw.body, raw.stored_at) {
            // It has no subject, and one dead letter is enough.
            Err(_) if self.place.partition > 0 => self.passed.push(raw.reply),
            Err(reason) => {
                self.dead.insert(position, Dead { raw, reason, failed_at: now() });
            }
            Ok(envelope) => {
                let partition = partition_of(&envelope.subject, self.place.partitions);
                if self.place.partitions > 1 && partition != self.place.partition {
                    // Another reader's: this one only moves its mark.
                    self.passed.push(raw.reply);
                } else {
                    self.book().hold(position, Held { envelope: Arc::new(envelope), reply: raw.reply });
                }
            }
        }
    }

    /// Acknowledges what is not to be handed out. What fails is delivered again, to the same end.
    async fn pass(&mut self) {
        if !self.is_connected() {
            self.passed.clear();
        }
        while let Some(reply) = self.passed.pop() {
            let _ = self.inner.client.publish(reply, Bytes::new()).await;
        }
    }

    /// Moves to the dead letters what cannot be handed out. Whatever cannot be stored there stays
    /// unacknowledged and is tried again; it holds up nothing else.
    async fn bury(&mut self) {
        if self.dead.is_empty() || Instant::now() < self.next_burial {
            return;
        }
        let positions: Vec<u64> = self.dead.keys().copied().collect();
        for position in positions {
            let Some(dead) = self.dead.get(&position) else { continue };
            let (consumer, subject, reason) = (&self.place.durable, &dead.raw.subject, &dead.reason);
            match dead_letter::bury(&self.inner.server, &self.place, position, dead, now()).await {
                Ok(()) => {
                    tracing::error!(
                        consumer,
                        subject,
                        position,
                        reason,
                        "a message went to the dead letters"
                    );
                    self.passed.push(dead.raw.reply.clone());
                    self.dead.remove(&position);
                    self.book().note_settled(position);
                }
                Err(error) => {
                    tracing::error!(
                        consumer,
                        subject,
                        position,
                        reason,
                        error,
                        "a dead letter is not stored"
                    );
                    self.next_burial = Instant::now() + BURIAL_PAUSE;
                    return;
                }
            }
        }
    }
}

#[async_trait]
impl Consumer for Reader {
    async fn fetch(&mut self, limit: usize) -> Result<Vec<Delivery>, Error> {
        let limit = limit.clamp(1, self.inner.options.in_flight_max as usize);
        loop {
            if self.is_in_doubt {
                self.synchronise().await?;
            }
            self.bury().await;
            self.pass().await;
            let deliveries = self.book().hand_out(limit);
            if !deliveries.is_empty() {
                return Ok(deliveries);
            }
            match self.again {
                Some(range) => self.read_again(range).await?,
                None => self.wait(limit).await?,
            }
        }
    }

    async fn acknowledge(&mut self, positions: &[u64]) -> Result<(), Error> {
        let mut replies: Vec<String> = {
            let mut book = self.book();
            positions.iter().filter_map(|position| book.settle(*position)).collect()
        };
        let Some(last) = replies.pop() else { return Ok(()) };
        if !self.is_connected() {
            return Err(unavailable(ACKNOWLEDGING, "not connected"));
        }
        let client = &self.inner.client;
        for reply in replies {
            let sent = client.publish(reply, Bytes::new()).await;
            sent.map_err(|error| unavailable(ACKNOWLEDGING, error))?;
        }
        // The broker takes them in order: its answer to the last is one to all. Without waiting for
        // it, whoever opens the consumer next might be given again what was settled.
        let answer = client.request(last, Bytes::new()).await;
        answer.map(drop).map_err(|error| unavailable(ACKNOWLEDGING, error))
    }

    async fn give_back(&mut self) -> Result<(), Error> {
        self.book().give_back();
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.alive.abort();
    }
}

/// Tells the broker again and again that what is held is in work, so that a slow commit brings no
/// second delivery. A process that hangs or dies stops telling.
async fn keep_alive(client: Client, book: Weak<Mutex<Book>>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(book) = book.upgrade() else { return };
        let replies = book.lock().unwrap_or_else(PoisonError::into_inner).replies();
        drop(book);
        for reply in replies {
            if client.connection_state() != State::Connected {
                break;
            }
            let _ = client.publish(reply, IN_WORK).await;
        }
    }
}

/// A time of the broker's, in our precision.
pub(crate) fn timestamp(nanos: i128) -> Timestamp {
    Timestamp::from_micros(i64::try_from(nanos / 1_000).unwrap_or(i64::MAX))
}
