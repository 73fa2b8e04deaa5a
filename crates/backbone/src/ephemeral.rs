//! What the replicas of a market share besides state and events: rates, claims, sessions and hints.
//! All of it is short-lived: **nothing that must last lives only here**. Whoever loses it is slower,
//! stricter or signed out, and never wrong.
//!
//! Each port says what happens while the memory is away. Keys are the asker's own; an adapter may
//! keep a digest in their place.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use kernel::{Duration, Timestamp};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::collection::Collection;

/// Why the shared memory could not answer: it is away, or full.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the memory that replicas share is unavailable while {operation}: {reason}")]
pub struct Error {
    /// What was attempted.
    pub operation: &'static str,
    /// What was found.
    pub reason: String,
}

/// How much is allowed: so many at once, and they come back evenly over a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many at once; none where it is 0.
    pub requests: u32,
    /// The time in which all of them come back.
    pub per: Duration,
}

impl Quota {
    /// So many a minute.
    pub const fn a_minute(requests: u32) -> Self {
        Self { requests, per: Duration::from_secs(60) }
    }
}

/// What a rate limiter says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go ahead.
    Allowed {
        /// How many more are allowed at this moment.
        remaining: u32,
    },
    /// Not now.
    Limited {
        /// The same request is allowed after this time, if nobody else is quicker.
        retry_after: Duration,
    },
}

/// Counts requests.
///
/// Promises, each proven by the conformance suite:
/// - Of requests under one key no more are allowed than the quota says, however many ask at once and
///   on whichever replica; keys do not disturb one another.
/// - What is refused does not count.
/// - It never fails: while the shared memory is away each replica counts for itself. A limiter that is
///   full forgets the key that was asked for longest ago, which then has its whole quota again.
#[async_trait]
pub trait RateLimits: Send + Sync + 'static {
    /// May one more request pass under `key`? The same key always comes with the same quota.
    async fn allow(&self, key: &str, quota: Quota) -> Verdict;
}

/// A key that somebody holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What is held.
    pub key: String,
    /// By whom: another one for each claim.
    pub holder: Uuid,
}

/// Keys that one may have and nobody else.
///
/// Promises, each proven by the conformance suite:
/// - Of those who ask for a key at the same time, on whichever replica, one gets it.
/// - What was seen once is remembered until its end at least; a claim ends by itself.
/// - Only the holder of a claim releases it: a release that comes too late frees nobody else's.
/// - While the memory is away, or full, it says so and remembers nothing. The asker decides: a
///   request that may be a replay is refused; work that is only to be spared goes on.
#[async_trait]
pub trait Claims: Send + Sync + 'static {
    /// True for the first who asks for `key`, and then for nobody until `until`.
    async fn once(&self, key: &str, until: Timestamp) -> Result<bool, Error>;

    /// Holds `key` for at most `lasts`; nothing where somebody holds it.
    async fn claim(&self, key: &str, lasts: Duration) -> Result<Option<Claim>, Error>;

    /// Lets go before the time; harmless where the claim has ended.
    async fn release(&self, claim: Claim) -> Result<(), Error>;
}

/// Claims where there is no memory: it is always away.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoClaims;

impl NoClaims {
    fn away<T>(operation: &'static str) -> Result<T, Error> {
        Err(Error { operation, reason: "this process was given none".to_owned() })
    }
}

#[async_trait]
impl Claims for NoClaims {
    async fn once(&self, _: &str, _: Timestamp) -> Result<bool, Error> {
        Self::away("seeing something once")
    }

    async fn claim(&self, _: &str, _: Duration) -> Result<Option<Claim>, Error> {
        Self::away("claiming a key")
    }

    async fn release(&self, _: Claim) -> Result<(), Error> {
        Self::away("releasing a key")
    }
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose it is, once somebody has signed in.
    pub person: Option<Uuid>,
    /// What its owner keeps in it: ids and choices, never personal data.
    pub data: Bytes,
}

/// The largest session.
pub const SESSION_BYTES_MAX: usize = 16 * 1024;

/// Sessions of people. Their ids are secrets, as good as a password while the session lasts: an
/// adapter outside the process keeps digests of them. The service that signs people in is to use this;
/// nothing does yet but the conformance suite.
///
/// Promises, each proven by the conformance suite:
/// - What was put is read on every replica until it ends, is replaced or is deleted.
/// - After `delete_all_of` returned, no session that this person had can be read anywhere.
/// - A session above `SESSION_BYTES_MAX` is refused.
/// - It may be lost (a restart, a full memory, which forgets what was used longest ago): then somebody
///   signs in again. While the memory is away nobody is signed in, and it says so.
#[async_trait]
pub trait Sessions: Send + Sync + 'static {
    /// The session, where there is one.
    async fn get(&self, id: &str) -> Result<Option<Session>, Error>;

    /// Keeps a session for `lasts` from now, in the place of one with this id.
    async fn put(&self, id: &str, session: Session, lasts: Duration) -> Result<(), Error>;

    /// Keeps what is there for `lasts` from now; false where nothing is.
    async fn touch(&self, id: &str, lasts: Duration) -> Result<bool, Error>;

    /// Ends a session; ending it twice is harmless.
    async fn delete(&self, id: &str) -> Result<(), Error>;

    /// Ends all sessions of a person.
    async fn delete_all_of(&self, person: Uuid) -> Result<(), Error>;
}

/// Hints that something has changed: whoever hears one looks again.
///
/// Promises, each proven by the conformance suite:
/// - While the memory is there, who listens hears soon what any replica tells; several hints may be
///   heard as one.
/// - Neither waits for anything nor fails. A hint may be lost, or come twice, or late: what is
///   true stands in the journal, and whoever listens looks there from time to time without being told.
pub trait Hints: Send + Sync + 'static {
    /// Something of this topic has changed: `order.orders/0190…`.
    fn tell(&self, topic: &str);

    /// Hears what is told of a topic from now on.
    fn listen(&self, topic: &str) -> Listener;
}

/// The topic of a document that was written.
pub fn topic_of(service: &str, collection: &Collection, id: &str) -> String {
    format!("{service}.{}/{id}", collection.name)
}

/// A topic that somebody listens to. (Not a `watch`: that one wakes its waiters in an order drawn from
/// randomness of its own, and a simulation with the same seed would not be the same twice.)
#[derive(Debug, Default)]
pub struct Topic {
    told: AtomicU64,
    news: Notify,
}

impl Topic {
    /// Wakes whoever listens.
    pub fn tell(&self) {
        self.told.fetch_add(1, Ordering::SeqCst);
        self.news.notify_waiters();
    }
}

/// Somebody who listens to a topic.
#[derive(Debug)]
pub struct Listener {
    topic: Arc<Topic>,
    seen: u64,
}

impl Listener {
    /// Hears what is told from now on.
    pub fn to(topic: Arc<Topic>) -> Self {
        Self { seen: topic.told.load(Ordering::SeqCst), topic }
    }

    /// Waits for what was told since the last time.
    pub async fn heard(&mut self) {
        loop {
            // Before looking: what is told in between wakes it.
            let news = self.topic.news.notified();
            let told = self.topic.told.load(Ordering::SeqCst);
            if told > self.seen {
                self.seen = told;
                return;
            }
            news.await;
        }
    }
}

/// Hints where nobody tells anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHints;

impl Hints for NoHints {
    fn tell(&self, _: &str) {}

    fn listen(&self, _: &str) -> Listener {
        Listener::to(Arc::default())
    }
}

/// All of them.
#[derive(Clone)]
pub struct Ephemeral {
    /// Counts requests.
    pub limits: Arc<dyn RateLimits>,
    /// What one may have and nobody else.
    pub claims: Arc<dyn Claims>,
    /// Who is signed in.
    pub sessions: Arc<dyn Sessions>,
    /// What to look at again.
    pub hints: Arc<dyn Hints>,
}
