//! A service's journal in one process.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use backbone::collection::{Collection, Query};
use backbone::commit::{Answer, Commit, Fence, Outcome, StoredEvent};
use backbone::journal::{
    Error, Journal, LeaseRequest, Prune, Pruned, Recorded, Sent, ShadowStep, Sought, Stored, StoredDocument,
    Submission, Want,
};
use kernel::Timestamp;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::apply::{self, Refused, declared};
use crate::disk::{Lease, Service, Table};
use crate::faults::CommitFault;
use crate::plight::Side;
use crate::process::{Pending, Process};
use crate::query;
use crate::shadow;
use crate::shared::{Inside, Shared};

pub(crate) struct SimJournal {
    pub(crate) shared: Arc<Shared>,
    pub(crate) process: Arc<Process>,
    pub(crate) service: &'static str,
}

pub(crate) fn reading(operation: &'static str, reason: &str) -> Error {
    Error::Unavailable { operation, reason: reason.to_owned() }
}

/// What happens to the commit with this number: what was said of it, or chance.
fn fate(inside: &mut Inside, number: u64) -> Option<CommitFault> {
    if let Some(fault) = inside.faults.at.remove(&number) {
        return Some(fault);
    }
    let Inside { faults, dice, .. } = inside;
    let mut by_chance = |permille: u32| permille > 0 && dice.faults.chance(permille);
    if by_chance(faults.not_written_permille) {
        return Some(CommitFault::NotWritten);
    }
    by_chance(faults.answer_lost_permille).then_some(CommitFault::AnswerLost)
}

fn stored(service: &Service, want: Want) -> Result<Stored, Error> {
    match want {
        Want::Stream(name) => {
            let Some(stream) = service.streams.get(&name) else {
                return Ok(Stored::Stream { snapshot: None, events: Vec::new() });
            };
            let after = stream.snapshot.as_ref().map_or(0, |snapshot| snapshot.version);
            let events = stream.events.iter().filter(|event| event.version > after).cloned().collect();
            Ok(Stored::Stream { snapshot: stream.snapshot.clone(), events })
        }
        Want::Document(collection, id) => {
            known(service, collection)?;
            let row = service.table(collection, false).and_then(|table| table.get(&id));
            Ok(Stored::Document(row.map(|row| row.document(&id))))
        }
        Want::Shadow(collection, id) => {
            known(service, collection)?;
            let row = service.table(collection, true).and_then(|table| table.get(&id));
            Ok(Stored::Document(row.map(|row| row.document(&id))))
        }
    }
}

fn known(service: &Service, collection: &'static Collection) -> Result<(), Error> {
    match declared(service, collection) {
        Err(Refused::Malformed(what) | Refused::Conflict(what)) => Err(Error::Malformed(what)),
        Err(Refused::Duplicate(_) | Refused::Taken(_) | Refused::Fenced(_)) | Ok(()) => Ok(()),
    }
}

/// What is older than `before`, the oldest first, at most `limit`.
fn oldest<K: Ord>(
    dated: impl Iterator<Item = (Timestamp, K)>,
    before: Timestamp,
    limit: usize,
) -> BTreeSet<K> {
    let mut old: Vec<(Timestamp, K)> = dated.filter(|(at, _)| *at < before).collect();
    old.sort();
    old.truncate(limit);
    old.into_iter().map(|(_, key)| key).collect()
}

impl SimJournal {
    /// Lets a small change of its own take its time, then makes it.
    async fn change<T>(
        &self,
        operation: &'static str,
        side: Side,
        change: impl FnOnce(&mut Service) -> T,
    ) -> Result<T, Error> {
        let latency = &self.shared.settings.sync_time_ms;
        let (process, unavailable) = (&self.process, |reason| reading(operation, reason));
        self.shared.request(process, side, latency).await.map_err(unavailable)?;
        let changed = {
            let mut inside = self.shared.lock();
            change(inside.disk.services.entry(self.service).or_default())
        };
        self.shared.answer(process, side).await.map_err(unavailable)?;
        Ok(changed)
    }

    /// Lets a read take its time and fail as it may, then looks at what is durable.
    async fn read<T>(
        &self,
        operation: &'static str,
        look: impl FnOnce(&Service) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let latency = &self.shared.settings.read_time_ms;
        let (process, unavailable) = (&self.process, |reason| reading(operation, reason));
        self.shared.request(process, Side::Store, latency).await.map_err(unavailable)?;
        let fails = !process.is_observer() && self.shared.fails(operation, |f| f.read_fails_permille);
        if fails {
            return Err(unavailable("injected"));
        }
        let found = {
            let mut inside = self.shared.lock();
            look(inside.disk.services.entry(self.service).or_default())
        };
        self.shared.answer(process, Side::Store).await.map_err(unavailable)?;
        found
    }
}

#[async_trait]
impl Journal for SimJournal {
    fn submit(&self, commit: Commit) -> Submission {
        let (reply, submission) = oneshot::channel();
        let pending = {
            let mut inside = self.shared.lock();
            inside.commits += 1;
            let number = inside.commits;
            let fate = fate(&mut inside, number);
            Pending { number, fate, service: self.service, commit, reply }
        };
        self.process.submit(pending);
        submission
    }

    async fn rehearse(&self, commit: Commit) -> Result<Outcome, Error> {
        self.read("rehearsing a commit", |service| match apply::check(service, &commit, None) {
            Ok(()) => Ok(Outcome::Committed { position: 0 }),
            Err(refused) => refused.answer(),
        })
        .await
    }

    async fn load(&self, wants: Vec<Want>) -> Result<Vec<Stored>, Error> {
        self.read("loading", |service| wants.into_iter().map(|want| stored(service, want)).collect()).await
    }

    async fn find(&self, query: Query) -> Result<Vec<StoredDocument>, Error> {
        self.read("finding", |service| {
            known(service, query.collection)?;
            let nothing = Table::new();
            query::select(&query, service.table(query.collection, query.shadow).unwrap_or(&nothing))
        })
        .await
    }

    async fn answer(&self, key: &str) -> Result<Option<Answer>, Error> {
        self.read("looking up an answer", |service| Ok(service.answers.get(key).cloned())).await
    }

    async fn history(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<StoredEvent>, Error> {
        self.read("reading a history", |service| {
            let events = service.streams.get(stream).map_or(&[][..], |stream| &stream.events);
            Ok(events.iter().filter(|event| event.version > after).take(limit).cloned().collect())
        })
        .await
    }

    async fn feed(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, Error> {
        self.read("reading the feed", |service| {
            let start = service.feed.partition_point(|recorded| recorded.position <= after);
            Ok(service.feed[start..].iter().take(limit).cloned().collect())
        })
        .await
    }

    async fn outgoing(&self, after: u64, limit: usize) -> Result<Vec<Sent>, Error> {
        self.read("reading what was published", |service| {
            let start = service.outgoing.partition_point(|sent| sent.position <= after);
            Ok(service.outgoing[start..].iter().take(limit).cloned().collect())
        })
        .await
    }

    async fn published(&self, sought: Sought) -> Result<Vec<Sent>, Error> {
        self.read("looking for what was published", |service| {
            let start = service.outgoing.partition_point(|sent| sent.position <= sought.after);
            let end = service.outgoing.partition_point(|sent| sent.position <= sought.upto);
            let between = service.outgoing.get(start..end).unwrap_or_default();
            let found = between.iter().filter(|sent| sought.wants(&sent.envelope));
            Ok(found.take(sought.limit).cloned().collect())
        })
        .await
    }

    async fn lease(&self, request: LeaseRequest) -> Result<Option<u64>, Error> {
        // By the store's clock, when the request is there.
        let clock = self.shared.clone();
        self.change("taking a lease", Side::Leases, |service| {
            let now = clock.now();
            let LeaseRequest { name, owner, lasts } = request;
            let until = now.plus(lasts);
            let token = match service.leases.get(&name) {
                Some(held) if held.until <= now => held.token + 1,
                Some(held) if held.owner == owner => held.token,
                Some(_) => return None,
                None => 1,
            };
            service.leases.insert(name, Lease { owner, token, until });
            Some(token)
        })
        .await
    }

    async fn release(&self, fence: Fence) -> Result<(), Error> {
        let clock = self.shared.clone();
        self.change("giving a lease back", Side::Leases, |service| {
            if let Some(held) = service.leases.get_mut(&fence.lease)
                && held.token == fence.token
            {
                held.until = clock.now();
            }
        })
        .await
    }

    async fn claimed(&self, consumer: &str, events: &[Uuid]) -> Result<Vec<Uuid>, Error> {
        self.read("looking into an inbox", |service| Ok(service.taken(consumer, events))).await
    }

    async fn checkpoint(&self, consumer: &str) -> Result<u64, Error> {
        self.read("reading a checkpoint", |service| Ok(service.checkpoint(consumer))).await
    }

    async fn prune(&self, prune: Prune) -> Result<Pruned, Error> {
        self.change("forgetting what is old", Side::Store, |service| {
            let answers = service.answers.iter().map(|(key, answer)| (answer.at, key.clone()));
            let answers = oldest(answers, prune.answers_before, prune.limit);
            let claims = service.inbox.iter().map(|(claim, at)| (*at, claim.clone()));
            let claims = oldest(claims, prune.inbox_before, prune.limit);
            service.answers.retain(|key, _| !answers.contains(key));
            service.inbox.retain(|claim, _| !claims.contains(claim));
            Pruned { answers: answers.len(), claims: claims.len() }
        })
        .await
    }

    async fn shadow(
        &self,
        collections: &'static [&'static Collection],
        step: ShadowStep,
    ) -> Result<(), Error> {
        let reached = self.shared.request(&self.process, Side::Store, &self.shared.settings.sync_time_ms);
        reached.await.map_err(|reason| reading("rebuilding", reason))?;
        let names: Vec<_> = collections.iter().map(|collection| collection.name).collect();
        self.shared.note(&format!("shadows of {}/{}: {step:?}", self.service, names.join(", ")));
        let mut inside = self.shared.lock();
        let service = inside.disk.services.entry(self.service).or_default();
        collections.iter().try_for_each(|collection| known(service, collection))?;
        shadow::take(service, &names, step)
    }
}
