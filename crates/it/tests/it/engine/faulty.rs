//! What goes wrong between the engine and its store and bus, by a seed: answers that are lost, messages
//! that come twice, acknowledgements that never arrive. It also looks whether anything is acknowledged
//! before its commit.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use backbone::bus::{self, Bus, Consumer, Delivery, Subscription};
use backbone::commit::Commit;
use backbone::journal::{self, Journal, Schema, Sent, Storage, Submission};
use kernel::{Envelope, stable_hash};
use tokio::sync::oneshot;
use uuid::Uuid;

mod journal_calls;

/// How often each fault comes, in a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rates {
    /// A commit is written, and whoever asked for it hears of an error.
    pub(super) answer_lost: u64,
    /// A commit is not written.
    pub(super) not_written: u64,
    /// A commit's answer takes its time.
    pub(super) slow_answer: u64,
    /// What is published arrives, and whoever published it hears of an error.
    pub(super) publication_unknown: u64,
    /// What is published arrives twice, each a message of its own.
    pub(super) published_twice: u64,
    /// Nothing is published.
    pub(super) not_published: u64,
    /// The bus is told of no effect.
    pub(super) acknowledgement_lost: u64,
}

/// What went wrong so far, and what goes wrong from now on.
pub(super) struct Faults {
    pub(super) seed: u64,
    rolls: AtomicU64,
    is_dead: AtomicBool,
    rates: Mutex<Rates>,
    injected: Mutex<BTreeMap<&'static str, u64>>,
    /// Nothing keeps them but the engine: a process that ended leaves its store.
    journals: Mutex<BTreeMap<&'static str, Weak<dyn Journal>>>,
    too_early: Mutex<Vec<Uuid>>,
    acknowledged: AtomicU64,
}

impl Faults {
    pub(super) fn new(seed: u64, rates: Rates) -> Arc<Self> {
        Arc::new(Self {
            seed,
            rolls: AtomicU64::new(0),
            is_dead: AtomicBool::new(false),
            rates: Mutex::new(rates),
            injected: Mutex::default(),
            journals: Mutex::default(),
            too_early: Mutex::default(),
            acknowledged: AtomicU64::new(0),
        })
    }

    /// A number below `bound`.
    pub(super) fn below(&self, bound: u64) -> u64 {
        let roll = self.rolls.fetch_add(1, Ordering::SeqCst);
        stable_hash(&[self.seed.to_le_bytes(), roll.to_le_bytes()].concat()) % bound
    }

    /// Nothing goes wrong any more.
    pub(super) fn end(&self) {
        *self.rates.lock().unwrap() = Rates::default();
    }

    /// The process is as good as dead: nothing is written for it any more.
    pub(super) fn die(&self) {
        *self.rates.lock().unwrap() = Rates { not_written: 1_000, ..Rates::default() };
        self.is_dead.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::SeqCst)
    }

    /// How often a fault came.
    pub(super) fn injected(&self, fault: &str) -> u64 {
        self.injected.lock().unwrap().get(fault).copied().unwrap_or(0)
    }

    /// How many deliveries were acknowledged, and those of them whose commit was not there yet.
    pub(super) fn acknowledged(&self) -> (u64, Vec<Uuid>) {
        (self.acknowledged.load(Ordering::SeqCst), self.too_early.lock().unwrap().clone())
    }

    fn strikes(&self, fault: &'static str, rate: impl Fn(&Rates) -> u64) -> bool {
        let permille = rate(&self.rates.lock().unwrap());
        let strikes = permille > 0 && self.below(1_000) < permille;
        if strikes {
            *self.injected.lock().unwrap().entry(fault).or_default() += 1;
        }
        strikes
    }

    /// A store whose journals fail.
    pub(super) fn before_storage(self: &Arc<Self>, inner: Arc<dyn Storage>) -> Arc<dyn Storage> {
        Arc::new(FaultyStorage { inner, faults: self.clone() })
    }

    /// A bus that fails.
    pub(super) fn before_bus(self: &Arc<Self>, inner: Arc<dyn Bus>) -> Arc<dyn Bus> {
        Arc::new(FaultyBus { inner, faults: self.clone() })
    }

    async fn look_at_acknowledged(&self, of: &Reading, acknowledged: &[(u64, Uuid)]) {
        self.acknowledged.fetch_add(acknowledged.len() as u64, Ordering::SeqCst);
        let journal = self.journals.lock().unwrap().get(of.service).and_then(Weak::upgrade);
        let journal = journal.expect("it is open");
        let early: Vec<Uuid> = if of.by_position {
            let stands = journal.checkpoint(&of.name).await.expect("the store is there");
            acknowledged.iter().filter(|(position, _)| *position > stands).map(|(_, id)| *id).collect()
        } else {
            let ids: Vec<Uuid> = acknowledged.iter().map(|(_, id)| *id).collect();
            let claimed = journal.claimed(&of.name, &ids).await.expect("the store is there");
            ids.into_iter().filter(|id| !claimed.contains(id)).collect()
        };
        self.too_early.lock().unwrap().extend(early);
    }
}

struct FaultyStorage {
    inner: Arc<dyn Storage>,
    faults: Arc<Faults>,
}

#[async_trait]
impl Storage for FaultyStorage {
    async fn open(&self, schema: Schema) -> Result<Arc<dyn Journal>, journal::Error> {
        let service = schema.service;
        let inner = self.inner.open(schema).await?;
        self.faults.journals.lock().unwrap().insert(service, Arc::downgrade(&inner));
        Ok(Arc::new(FaultyJournal { inner, faults: self.faults.clone() }))
    }

    async fn published_by(
        &self,
        service: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Sent>, journal::Error> {
        self.inner.published_by(service, after, limit).await
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }
}

struct FaultyJournal {
    inner: Arc<dyn Journal>,
    faults: Arc<Faults>,
}

fn unavailable() -> journal::Error {
    journal::Error::Unavailable { operation: "committing", reason: "told to fail".to_owned() }
}

impl FaultyJournal {
    fn submit_or_fail(&self, commit: Commit) -> Submission {
        let (told, answer) = oneshot::channel();
        if self.faults.strikes("not written", |rates| rates.not_written) {
            let _ = told.send(Err(unavailable()));
            return answer;
        }
        let is_lost = self.faults.strikes("answer lost", |rates| rates.answer_lost);
        let is_slow = self.faults.strikes("slow answer", |rates| rates.slow_answer);
        let written = self.inner.submit(commit);
        if !is_lost && !is_slow {
            return written;
        }
        tokio::spawn(async move {
            let written = written.await.unwrap_or_else(|_| Err(unavailable()));
            tokio::time::sleep(Duration::from_millis(if is_slow { 30 } else { 0 })).await;
            // Whoever asked may have gone.
            let _ = told.send(if is_lost { Err(unavailable()) } else { written });
        });
        answer
    }
}

struct FaultyBus {
    inner: Arc<dyn Bus>,
    faults: Arc<Faults>,
}

fn away(operation: &'static str) -> bus::Error {
    bus::Error::Unavailable { operation, reason: "told to fail".to_owned() }
}

#[async_trait]
impl Bus for FaultyBus {
    fn capabilities(&self) -> bus::Capabilities {
        self.inner.capabilities()
    }

    async fn publish(&self, events: Vec<Envelope>) -> Result<(), bus::Error> {
        if self.faults.strikes("not published", |rates| rates.not_published) {
            return Err(away("publishing"));
        }
        if self.faults.strikes("published twice", |rates| rates.published_twice) {
            self.inner.publish(events.clone()).await?;
            self.inner.republish(events).await?;
        } else {
            self.inner.publish(events).await?;
        }
        match self.faults.strikes("publication unknown", |rates| rates.publication_unknown) {
            true => Err(away("publishing")),
            false => Ok(()),
        }
    }

    async fn republish(&self, events: Vec<Envelope>) -> Result<(), bus::Error> {
        self.inner.republish(events).await
    }

    fn lost(&self) -> Vec<bus::Lost> {
        self.inner.lost()
    }

    async fn declare(&self, subscriptions: &[Subscription]) -> Result<(), bus::Error> {
        self.inner.declare(subscriptions).await
    }

    async fn open(&self, subscription: Subscription) -> Result<Box<dyn Consumer>, bus::Error> {
        let (name, service) = (subscription.consumer.clone(), subscription.service);
        let by_position = self.capabilities().reads_by_position;
        let of = Arc::new(Reading { name, service, by_position });
        let (inner, faults) = (self.inner.open(subscription).await?, self.faults.clone());
        Ok(Box::new(Reader { inner, faults, of, fetched: Vec::new() }))
    }

    async fn knows(&self, subscription: &Subscription) -> Result<bool, bus::Error> {
        self.inner.knows(subscription).await
    }

    async fn position_before(
        &self,
        subscription: &Subscription,
        at: kernel::Timestamp,
    ) -> Result<u64, bus::Error> {
        self.inner.position_before(subscription, at).await
    }

    async fn backlog(&self, subscription: &Subscription) -> Result<bus::Backlog, bus::Error> {
        self.inner.backlog(subscription).await
    }

    async fn given_up(
        &self,
        subscription: &Subscription,
        limit: usize,
    ) -> Result<Vec<bus::GivenUp>, bus::Error> {
        self.inner.given_up(subscription, limit).await
    }

    async fn forget(&self, subscription: &Subscription, handles: &[u64]) -> Result<(), bus::Error> {
        self.inner.forget(subscription, handles).await
    }
}

/// Who reads, and how it knows what it has had.
struct Reading {
    name: String,
    service: &'static str,
    by_position: bool,
}

struct Reader {
    inner: Box<dyn Consumer>,
    faults: Arc<Faults>,
    of: Arc<Reading>,
    fetched: Vec<(u64, Uuid)>,
}

#[async_trait]
impl Consumer for Reader {
    async fn fetch(&mut self, limit: usize) -> Result<Vec<Delivery>, bus::Error> {
        let fetched = self.inner.fetch(limit).await?;
        self.fetched.extend(fetched.iter().map(|delivery| (delivery.position, delivery.envelope.id.0)));
        Ok(fetched)
    }

    async fn acknowledge(&mut self, positions: &[u64]) -> Result<(), bus::Error> {
        let (faults, of) = (self.faults.clone(), self.of.clone());
        let is_one = |(position, _): &mut (u64, Uuid)| positions.contains(position);
        let acknowledged: Vec<(u64, Uuid)> = self.fetched.extract_if(.., is_one).collect();
        faults.look_at_acknowledged(&of, &acknowledged).await;
        if faults.strikes("acknowledgement lost", |rates| rates.acknowledgement_lost) {
            return Err(away("acknowledging"));
        }
        self.inner.acknowledge(positions).await
    }

    async fn give_back(&mut self) -> Result<(), bus::Error> {
        self.fetched.clear();
        self.inner.give_back().await
    }
}
