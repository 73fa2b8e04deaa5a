//! The bus.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use backbone::bus::{
    BACKLOG_COUNTED_MAX, Backlog, Bus, Capabilities, Consumer, Error, GivenUp, Lost, Subscription,
};
use backbone::journal::Sent;
use futures::FutureExt;
use kernel::{Envelope, Timestamp};
use tokio::sync::watch;

use crate::error::{StartError, unavailable};
use crate::given_up::Looks;
use crate::link::{ANOTHER, Link};
use crate::marks::{self, Losses};
use crate::options::Options;
use crate::publishing::Publisher;
use crate::reader::Reader;
use crate::topology::{self, Looker, OPENING, Place};
use crate::wire::{Connection, Keeper, Prepare, Wire};

/// What bus and readers share.
pub(crate) struct Inner {
    pub(crate) options: Options,
    /// A broker that is short of memory stops reading from those who publish: acknowledgements go
    /// another way.
    pub(crate) reads: Keeper,
    writes: Keeper,
    pub(crate) publisher: Publisher,
    /// Who reads which queue here, or did and gives back what it had.
    readers: Mutex<BTreeMap<String, Arc<Link>>>,
    pub(crate) looker: Looker,
    looks: Looks,
    losses: Arc<Losses>,
    /// The last position that was given.
    position: AtomicU64,
}

impl Inner {
    /// The time of arrival, and more than any before. The next reader of a consumer comes seconds
    /// later (its lease ran out), so clocks that differ by less keep what is parked in order.
    pub(crate) fn next_position(&self) -> u64 {
        let time = u64::try_from(now().as_micros()).unwrap_or(0);
        let last = self.position.fetch_max(time, Ordering::SeqCst);
        if last < time { time } else { self.position.fetch_add(1, Ordering::SeqCst) + 1 }
    }

    fn readers(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Link>>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The subscription to a queue that is open here.
    fn reader_of(&self, queue: &str) -> Option<Arc<Link>> {
        self.readers().get(queue).cloned()
    }

    /// A reader goes on by another subscription; false where it is not the one that reads any more.
    pub(crate) fn replace_reader(&self, queue: &str, before: &Arc<Link>, after: &Arc<Link>) -> bool {
        match self.readers().get_mut(queue) {
            Some(known) if Arc::ptr_eq(known, before) => {
                *known = after.clone();
                true
            }
            _ => false,
        }
    }

    /// A reader has gone.
    pub(crate) fn forget_reader(&self, queue: &str, link: &Arc<Link>) {
        let mut readers = self.readers();
        if readers.get(queue).is_some_and(|known| Arc::ptr_eq(known, link)) {
            readers.remove(queue);
        }
    }
}

/// The bus on RabbitMQ.
#[derive(Clone)]
pub struct RabbitBus(Arc<Inner>);

impl RabbitBus {
    /// Connects, and makes sure of every queue of the deployment.
    pub async fn connect(options: Options) -> Result<Self, StartError> {
        options.check()?;
        let nothing: Prepare = Arc::new(|_| async { Ok(()) }.boxed());
        let losses = Arc::new(Losses::default());
        let (wanted, seen) = (options.clone(), losses.clone());
        let everything: Prepare = Arc::new(move |wire| {
            let (wanted, seen) = (wanted.clone(), seen.clone());
            async move { make_ready(&wire, &wanted, &seen).await }.boxed()
        });
        let writes = Keeper::open(&options, "publishes", everything).await?;
        let reads = Keeper::open(&options, "reads", nothing).await?;
        let looker = Looker::new(reads.wire.clone(), options.answer_time_max);
        let publisher = Publisher::new(writes.wire.clone(), options.clone());
        Ok(Self(Arc::new(Inner {
            options,
            reads,
            writes,
            publisher,
            readers: Mutex::default(),
            looker,
            looks: Looks::default(),
            losses,
            position: AtomicU64::new(0),
        })))
    }

    /// The state of the connection that publishes, now and whenever it changes.
    pub fn connection(&self) -> watch::Receiver<Connection> {
        self.0.writes.state.clone()
    }

    /// Makes a queue where it is missing; gives whether its consumer may read it without a gap.
    async fn admits(&self, place: &Place, caught_up: bool) -> Result<bool, Error> {
        let Inner { options, reads, losses, .. } = &*self.0;
        let admitted = async {
            topology::make(&reads.wire, options, place, true).await?;
            marks::admits(&reads.wire, options, place, caught_up).await
        };
        let is_known = admitted.await.map_err(|error| unavailable(OPENING, error))?;
        if is_known {
            losses.knows(place);
        }
        Ok(is_known)
    }

    /// Writes out what is on its way and closes the connections.
    pub async fn close(&self) {
        self.0.writes.wire.close().await;
        self.0.reads.wire.close().await;
    }
}

/// Makes every queue of the deployment: a broker that lost its storage is ready before anything is
/// published again.
async fn make_ready(wire: &Wire, options: &Options, losses: &Losses) -> Result<(), StartError> {
    let found = marks::look(wire, options).await?;
    losses.compare(&found, now());
    for (place, _) in &found {
        topology::make(wire, options, place, false).await?;
    }
    losses.made(&found);
    Ok(())
}

/// The time of the machine.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[async_trait]
impl Bus for RabbitBus {
    fn capabilities(&self) -> Capabilities {
        let partitions = self.0.options.partitions;
        Capabilities { publishes_in_commit: false, reads_by_position: false, partitions }
    }

    /// `republish` is the same: the broker knows no duplicates.
    async fn publish(&self, events: Vec<Envelope>) -> Result<(), Error> {
        self.0.publisher.publish(&events, &[]).await
    }

    async fn relay(&self, sent: Vec<Sent>, _: bool) -> Result<(), Error> {
        let (positions, events): (Vec<u64>, Vec<Envelope>) =
            sent.into_iter().map(|sent| (sent.position, sent.envelope)).unzip();
        self.0.publisher.publish(&events, &positions).await
    }

    async fn declare(&self, subscriptions: &[Subscription]) -> Result<(), Error> {
        let Inner { options, reads, .. } = &*self.0;
        for subscription in subscriptions {
            let place = Place::of(options, subscription)?;
            // Those of other processes among them, which this account may only look at.
            let made = topology::make(&reads.wire, options, &place, false).await;
            made.map_err(|error| unavailable(OPENING, error))?;
        }
        Ok(())
    }

    async fn open(&self, subscription: Subscription) -> Result<Box<dyn Consumer>, Error> {
        let inner = &self.0;
        let place = Place::of(&inner.options, &subscription)?;
        let before = inner.reader_of(&place.queue);
        if let Some(before) = before {
            before.give_up(inner, ANOTHER).await;
        }
        if !self.admits(&place, subscription.after.is_some()).await? {
            return Err(Error::Gap { consumer: subscription.consumer, from: 0, to: 0 });
        }
        let link = Arc::new(Link::open(inner, &place, inner.options.in_flight_max).await?);
        inner.readers().insert(place.queue.clone(), link.clone());
        Ok(Box::new(Reader::new(inner.clone(), place, link)))
    }

    async fn knows(&self, subscription: &Subscription) -> Result<bool, Error> {
        let place = Place::of(&self.0.options, subscription)?;
        self.admits(&place, false).await
    }

    fn lost(&self) -> Vec<Lost> {
        self.0.losses.lost()
    }

    async fn backlog(&self, subscription: &Subscription) -> Result<Backlog, Error> {
        let place = Place::of(&self.0.options, subscription)?;
        let left = self.0.looker.waiting(&place.queue).await?;
        // What is on its way to a reader is no more in the queue, and not given to anybody yet. The
        // broker tells it to nobody else: from another process less is seen.
        let reader = self.0.reader_of(&place.queue);
        let (here, oldest) = reader.map_or((0, None), |link| {
            let book = link.shelf.book();
            (book.waiting(), book.oldest())
        });
        Ok(Backlog { waiting: (left.unwrap_or(0) + here).min(BACKLOG_COUNTED_MAX), oldest })
    }

    async fn given_up(&self, subscription: &Subscription, limit: usize) -> Result<Vec<GivenUp>, Error> {
        let place = Place::of(&self.0.options, subscription)?;
        self.0.looks.oldest(&self.0, &place, limit).await
    }

    async fn forget(&self, subscription: &Subscription, handles: &[u64]) -> Result<(), Error> {
        let place = Place::of(&self.0.options, subscription)?;
        self.0.looks.forget(&self.0, &place, handles).await
    }
}
