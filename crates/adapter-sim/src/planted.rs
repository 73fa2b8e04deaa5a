//! Bugs, planted on purpose around the ports: a simulation that does not find them proves nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use backbone::bus::{Backlog, Bus, Capabilities, Consumer, Delivery, Error as BusError, Lost, Subscription};
use backbone::collection::Query;
use backbone::commit::{Commit, Expected, Outcome, Source};
use backbone::journal::{
    Error, Journal, LeaseRequest, Sent, Storage, Stored, StoredDocument, Submission, Want,
};
use backbone::timer::TIMERS;
use kernel::{Envelope, Timestamp};
use tokio::sync::oneshot;

use crate::layer::{Layer, Layered};

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// Deliveries are acknowledged as soon as they are fetched, before their commit.
    AcknowledgesBeforeTheCommit,
    /// Commits are not checked against the lease under which they were made.
    FenceLost,
    /// The relay publishes the events of one subject in the wrong order.
    RelayOutOfOrder,
    /// A publish whose confirmation never came is taken for done.
    ConfirmAssumed,
    /// A delivery that was claimed before is not noticed: its effect is committed again.
    ClaimNotChecked,
    /// Streams and documents are written whatever their version is by then.
    VersionsIgnored,
    /// Now and then a commit is written without the events that it publishes.
    EventsTornOff,
    /// A reader passes a position that becomes visible a moment later.
    LateCommitSkipped,
    /// Timers that another process set, or the one before, are forgotten.
    TimersForgotten,
    /// Whoever asks for a lease that another holds is given it as well.
    LeaseGrantedTwice,
    /// The answer under an idempotency key is not kept.
    AnswerForgotten,
    /// A commit of which nobody knows whether it was written is taken for written.
    UnknownTakenForDone,
}

impl Bug {
    /// All of them.
    pub const ALL: [Bug; 12] = [
        Bug::AcknowledgesBeforeTheCommit,
        Bug::FenceLost,
        Bug::RelayOutOfOrder,
        Bug::ConfirmAssumed,
        Bug::ClaimNotChecked,
        Bug::VersionsIgnored,
        Bug::EventsTornOff,
        Bug::LateCommitSkipped,
        Bug::TimersForgotten,
        Bug::LeaseGrantedTwice,
        Bug::AnswerForgotten,
        Bug::UnknownTakenForDone,
    ];
}

/// Every so many-th chance a bug that would show at once is at work.
const NOW_AND_THEN: u64 = 40;

/// A bug at work in all replicas of a world.
struct Plant {
    bug: Bug,
    chances: AtomicU64,
    /// The last token of each lease.
    granted: Mutex<BTreeMap<(&'static str, String), u64>>,
}

/// A planted bug: goes around the ports of every replica. Clones are the same one.
#[derive(Clone)]
pub struct Planted(Arc<Plant>);

/// Plants a bug, once for all replicas of a world.
pub fn plant(bug: Bug) -> Planted {
    Planted(Arc::new(Plant { bug, chances: AtomicU64::new(0), granted: Mutex::default() }))
}

impl Planted {
    /// A replica's storage with the bug.
    pub fn storage(&self, inner: Arc<dyn Storage>) -> Arc<dyn Storage> {
        Arc::new(Layered { inner, layer: self.0.clone() })
    }

    /// A replica's bus with the bug.
    pub fn bus(&self, inner: Arc<dyn Bus>) -> Arc<dyn Bus> {
        Arc::new(PlantedBus { inner, bug: self.0.bug })
    }
}

impl Plant {
    fn is_time(&self) -> bool {
        self.chances.fetch_add(1, Ordering::Relaxed) % NOW_AND_THEN == NOW_AND_THEN - 1
    }

    fn spoil(&self, commit: &mut Commit) {
        match self.bug {
            Bug::FenceLost => commit.fence = None,
            Bug::VersionsIgnored => {
                commit.guards.clear();
                commit.puts.iter_mut().for_each(|put| put.expected = Expected::Any);
                commit.deletes.iter_mut().for_each(|delete| delete.expected = Expected::Any);
            }
            Bug::EventsTornOff if !commit.outgoing.is_empty() && self.is_time() => commit.outgoing.clear(),
            Bug::AnswerForgotten => commit.answer = None,
            _ => {}
        }
    }
}

/// Submits again without what was claimed before.
async fn claim_all_the_same(
    inner: Arc<dyn Journal>,
    mut commit: Commit,
    first: Submission,
) -> Option<Result<Outcome, Error>> {
    let mut outcome = first.await.ok()?;
    while let (Ok(Outcome::Taken { events: taken }), Some(Source::Inbox { events, .. })) =
        (&outcome, &mut commit.source)
    {
        events.retain(|event| !taken.contains(event));
        outcome = inner.submit(commit.clone()).await.ok()?;
    }
    Some(outcome)
}

/// Submits again behind whatever stands in the streams by now.
async fn append_all_the_same(
    inner: Arc<dyn Journal>,
    mut commit: Commit,
    first: Submission,
) -> Option<Result<Outcome, Error>> {
    let outcome = first.await.ok()?;
    if !matches!(outcome, Ok(Outcome::Conflict { .. })) {
        return Some(outcome);
    }
    commit.built_on.clear();
    let wants = commit.appends.iter().map(|append| Want::Stream(append.stream.clone())).collect();
    let Ok(stored) = inner.load(wants).await else { return Some(outcome) };
    for (append, stored) in commit.appends.iter_mut().zip(stored) {
        let Stored::Stream { snapshot, events } = stored else { continue };
        let last = events.last().map(|event| event.version);
        append.expected = last.or(snapshot.map(|snapshot| snapshot.version)).unwrap_or(0);
        append.snapshot = None;
        for (event, version) in append.events.iter_mut().zip(append.expected + 1..) {
            event.version = version;
        }
    }
    inner.submit(commit).await.ok()
}

#[async_trait]
impl Layer for Plant {
    fn submit(&self, inner: &Arc<dyn Journal>, _: &'static str, mut commit: Commit) -> Submission {
        self.spoil(&mut commit);
        let is_followed =
            matches!(self.bug, Bug::ClaimNotChecked | Bug::UnknownTakenForDone | Bug::VersionsIgnored);
        if !is_followed {
            return inner.submit(commit);
        }
        let (inner, bug) = (inner.clone(), self.bug);
        let first = inner.submit(commit.clone());
        let (reply, answer) = oneshot::channel();
        tokio::spawn(async move {
            let outcome = match bug {
                Bug::ClaimNotChecked => claim_all_the_same(inner, commit, first).await,
                Bug::VersionsIgnored => append_all_the_same(inner, commit, first).await,
                _ => {
                    first.await.ok().map(|outcome| Ok(outcome.unwrap_or(Outcome::Committed { position: 0 })))
                }
            };
            if let Some(outcome) = outcome {
                drop(reply.send(outcome));
            }
        });
        answer
    }

    async fn lease(
        &self,
        inner: &Arc<dyn Journal>,
        service: &'static str,
        request: LeaseRequest,
    ) -> Result<Option<u64>, Error> {
        let lease = (service, request.name.clone());
        let granted = inner.lease(request).await?;
        let mut all = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = granted {
            all.insert(lease, token);
            return Ok(granted);
        }
        let is_at_work = self.bug == Bug::LeaseGrantedTwice && self.is_time();
        Ok(all.get(&lease).copied().filter(|_| is_at_work))
    }

    fn outgoing(&self, mut page: Vec<Sent>) -> Vec<Sent> {
        match self.bug {
            Bug::RelayOutOfOrder => {
                for first in 1..page.len() {
                    let (before, after) = page.split_at_mut(first);
                    let (before, after) = (&mut before[first - 1].envelope, &mut after[0].envelope);
                    if before.subject == after.subject && before.kind != after.kind {
                        std::mem::swap(before, after);
                    }
                }
            }
            Bug::LateCommitSkipped if page.len() > 1 && self.is_time() => drop(page.remove(page.len() - 2)),
            _ => {}
        }
        page
    }

    fn found(&self, query: &Query, found: Vec<StoredDocument>) -> Vec<StoredDocument> {
        let is_forgotten = self.bug == Bug::TimersForgotten && query.collection.name == TIMERS.name;
        if is_forgotten { Vec::new() } else { found }
    }
}

struct PlantedBus {
    inner: Arc<dyn Bus>,
    bug: Bug,
}

#[async_trait]
impl Bus for PlantedBus {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn publish(&self, events: Vec<Envelope>) -> Result<(), BusError> {
        let published = self.inner.publish(events).await;
        if self.bug == Bug::ConfirmAssumed { Ok(()) } else { published }
    }

    async fn declare(&self, subscriptions: &[Subscription]) -> Result<(), BusError> {
        self.inner.declare(subscriptions).await
    }

    async fn open(&self, subscription: Subscription) -> Result<Box<dyn Consumer>, BusError> {
        let inner = self.inner.open(subscription).await?;
        let is_hasty = self.bug == Bug::AcknowledgesBeforeTheCommit;
        Ok(if is_hasty { Box::new(Hasty(inner)) } else { inner })
    }

    fn lost(&self) -> Vec<Lost> {
        self.inner.lost()
    }

    async fn knows(&self, subscription: &Subscription) -> Result<bool, BusError> {
        self.inner.knows(subscription).await
    }

    async fn position_before(&self, subscription: &Subscription, at: Timestamp) -> Result<u64, BusError> {
        self.inner.position_before(subscription, at).await
    }

    async fn end(&self) -> Result<u64, BusError> {
        self.inner.end().await
    }

    async fn backlog(&self, subscription: &Subscription) -> Result<Backlog, BusError> {
        self.inner.backlog(subscription).await
    }
}

/// Acknowledges what it fetches.
struct Hasty(Box<dyn Consumer>);

#[async_trait]
impl Consumer for Hasty {
    async fn fetch(&mut self, limit: usize) -> Result<Vec<Delivery>, BusError> {
        let deliveries = self.0.fetch(limit).await?;
        let all: Vec<u64> = deliveries.iter().map(|delivery| delivery.position).collect();
        self.0.acknowledge(&all).await?;
        Ok(deliveries)
    }

    async fn acknowledge(&mut self, _: &[u64]) -> Result<(), BusError> {
        Ok(())
    }

    async fn give_back(&mut self) -> Result<(), BusError> {
        self.0.give_back().await
    }
}
