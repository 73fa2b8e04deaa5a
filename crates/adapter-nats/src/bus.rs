//! The bus.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use async_nats::Client;
use async_nats::connection::State;
use async_nats::jetstream::{self, Context, context::ContextBuilder};
use async_trait::async_trait;
use backbone::bus::{
    BACKLOG_COUNTED_MAX, Backlog, Bus, Capabilities, Consumer, Error, GivenUp, Lost, Subscription,
};
use backbone::relaying;
use kernel::{Envelope, Timestamp};
use tokio::sync::watch;
use uuid::Uuid;

use crate::connection::{self, Connection};
use crate::durable::{self, Place};
use crate::error::{StartError, unavailable};
use crate::given_up;
use crate::headers;
use crate::losses::{self, Losses};
use crate::options::Options;
use crate::publishing;
use crate::reader::{Reader, timestamp};

const LOOKING: &str = "looking at what waits";

/// What bus and readers share.
pub(crate) struct Inner {
    pub(crate) client: Client,
    pub(crate) server: Context,
    pub(crate) options: Options,
    pub(crate) connection: watch::Receiver<Connection>,
    /// Numbers repeated publications.
    again: AtomicU64,
    pub(crate) losses: Losses,
}

/// The bus on NATS JetStream.
#[derive(Clone)]
pub struct NatsBus(Arc<Inner>);

impl NatsBus {
    /// Connects, and makes sure of every stream of the table.
    pub async fn connect(options: Options) -> Result<Self, StartError> {
        options.check()?;
        let (client, connection) = connection::connect(&options).await?;
        let server = ContextBuilder::new()
            .timeout(options.answer_time_max)
            .ack_timeout(options.answer_time_max)
            .max_ack_inflight(relaying::ON_THEIR_WAY_MAX * 16)
            .backpressure_on_inflight(true)
            .build(client.clone());
        let losses = Losses::begin(&server, &options).await?;
        // Repetitions of an earlier process must not be taken for ours, nor ours for theirs.
        let again = AtomicU64::new(u64::try_from(now().as_micros()).unwrap_or(0));
        let inner = Arc::new(Inner { client, server, options, connection, again, losses });
        tokio::spawn(losses::watch(Arc::downgrade(&inner), inner.connection.clone()));
        Ok(Self(inner))
    }

    /// The state of the connection, now and whenever it changes.
    pub fn connection(&self) -> watch::Receiver<Connection> {
        self.0.connection.clone()
    }

    /// Publishes; where a stream is gone (a broker that lost its storage), makes it anew and tries
    /// once more.
    async fn send(
        &self,
        events: &[Envelope],
        id_of: impl Fn(&Envelope) -> String + Sync,
    ) -> Result<(), Error> {
        let Inner { server, options, losses, .. } = &*self.0;
        match publishing::publish(server, options, events, &id_of).await {
            Err(Error::Unroutable(kind)) if options.carries(&kind) => {
                losses.mend(server, options).await?;
                publishing::publish(server, options, events, &id_of).await
            }
            other => other,
        }
    }

    /// Says at once what would be found out by waiting for an answer.
    fn connected(&self, operation: &'static str) -> Result<&Inner, Error> {
        match self.0.client.connection_state() {
            State::Connected => Ok(&self.0),
            State::Pending | State::Disconnected => Err(unavailable(operation, "not connected")),
        }
    }

    /// Writes out what is on its way and closes the connection.
    pub async fn close(&self) {
        // Where this fails there is no connection to close.
        let _ = self.0.client.drain().await;
    }
}

/// The time of the machine.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    timestamp(i128::try_from(since.as_nanos()).unwrap_or(i128::MAX))
}

#[async_trait]
impl Bus for NatsBus {
    fn capabilities(&self) -> Capabilities {
        let partitions = self.0.options.partitions;
        Capabilities { publishes_in_commit: false, reads_by_position: false, partitions }
    }

    async fn publish(&self, events: Vec<Envelope>) -> Result<(), Error> {
        self.send(&events, |event| event.id.to_string()).await
    }

    async fn republish(&self, events: Vec<Envelope>) -> Result<(), Error> {
        let number = self.0.again.fetch_add(1, Ordering::Relaxed);
        self.send(&events, |event| format!("{}:again-{number}", event.id)).await
    }

    fn lost(&self) -> Vec<Lost> {
        self.0.losses.lost()
    }

    async fn declare(&self, subscriptions: &[Subscription]) -> Result<(), Error> {
        let Inner { server, options, losses, .. } = self.connected(durable::OPENING)?;
        let places = subscriptions.iter().map(|subscription| Place::of(options, subscription));
        let places = places.collect::<Result<Vec<_>, _>>()?;
        losses.declare(places.clone());
        let declared = places.iter().map(async |place| durable::make_sure(server, options, place).await);
        futures::future::try_join_all(declared).await.map(drop)
    }

    async fn open(&self, subscription: Subscription) -> Result<Box<dyn Consumer>, Error> {
        let inner = self.connected(durable::OPENING)?;
        let place = Place::of(&inner.options, &subscription)?;
        let name = format!("read by {} {}", inner.options.name, Uuid::now_v7());
        if durable::is_homeless(&inner.server, &place).await {
            inner.losses.mend(&inner.server, &inner.options).await?;
        }
        durable::take_over(&inner.server, &inner.options, &place, &name).await?;
        let accepted = subscription.after.unwrap_or(0);
        Ok(Box::new(Reader::open(self.0.clone(), place, name, accepted).await?))
    }

    async fn knows(&self, subscription: &Subscription) -> Result<bool, Error> {
        let Inner { server, options, .. } = self.connected(durable::OPENING)?;
        let place = Place::of(options, subscription)?;
        // A broker that lost its storage has made its streams anew before anybody is given one.
        if durable::is_homeless(server, &place).await {
            self.0.losses.mend(server, options).await?;
        }
        let found = durable::look(server, &place).await;
        let found = found.map_err(|reason| unavailable(durable::OPENING, reason))?;
        Ok(found.is_some_and(|info| durable::was_opened(&info)))
    }

    async fn position_before(&self, subscription: &Subscription, at: Timestamp) -> Result<u64, Error> {
        let Inner { server, options, .. } = self.connected(LOOKING)?;
        let place = Place::of(options, subscription)?;
        let found = durable::position_before(server, &place, at).await;
        found.map_err(|reason| unavailable(LOOKING, reason))
    }

    async fn backlog(&self, subscription: &Subscription) -> Result<Backlog, Error> {
        let failed = |reason: String| unavailable(LOOKING, reason);
        let Inner { server, options, .. } = self.connected(LOOKING)?;
        let place = Place::of(options, subscription)?;
        let info = durable::look(server, &place).await.map_err(failed)?;
        let (waiting, after) = match info {
            Some(info) => (info.num_pending + info.num_ack_pending as u64, durable::floor(&info)),
            None => {
                let stream = server.get_stream(place.stream).await;
                let state = stream.map_err(|error| failed(error.to_string()))?.cached_info().state.clone();
                (if place.is_from_now { 0 } else { state.messages }, 0)
            }
        };
        let oldest = match waiting {
            0 => None,
            _ => oldest(server, &place, after).await,
        };
        Ok(Backlog { waiting: waiting.min(BACKLOG_COUNTED_MAX), oldest })
    }

    async fn given_up(&self, subscription: &Subscription, limit: usize) -> Result<Vec<GivenUp>, Error> {
        let Inner { server, options, .. } = self.connected(given_up::LOOKING)?;
        let place = Place::of(options, subscription)?;
        given_up::oldest(server, options, &place, limit).await
    }

    async fn forget(&self, subscription: &Subscription, handles: &[u64]) -> Result<(), Error> {
        let Inner { server, options, .. } = self.connected(given_up::LOOKING)?;
        let place = Place::of(options, subscription)?;
        given_up::forget(server, options, &place, handles).await
    }
}

/// When the first event after a position was published; `None` where the broker does not say.
async fn oldest(server: &Context, place: &Place, after: u64) -> Option<Timestamp> {
    let stream: jetstream::stream::Stream<()> = server.get_stream_no_info(place.stream).await.ok()?;
    let read = stream.raw_message_builder().sequence(after + 1).next_by_subject(&place.filter);
    let message = read.send().await.ok()?;
    let stored_at = timestamp(message.time.unix_timestamp_nanos());
    let envelope = headers::decode(&message.headers, &message.payload, stored_at);
    Some(envelope.map_or(stored_at, |envelope| envelope.time))
}
