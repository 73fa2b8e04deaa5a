//! Watches a journal from the side of those who use it, all replicas together, and says which of its
//! promises was broken. It believes nothing but answers, and holds nothing against a commit whose
//! outcome nobody heard.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use backbone::commit::{Commit, Expected, Outcome, Source};
use backbone::journal::{Error, Journal, LeaseRequest, Storage, Submission};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::layer::{Layer, Layered};

/// A service with the name of something of it.
type Name = (&'static str, String);

/// What of a commit is judged once it is known to stand.
struct Judged {
    service: &'static str,
    /// A lease that another had been granted before the commit was submitted.
    fenced: Option<String>,
    claims: Vec<(String, Uuid)>,
    /// Streams and documents with the version on which they were written.
    built_on: Vec<(String, u64)>,
}

#[derive(Default)]
struct Notes {
    /// Whoever was granted a lease, by token.
    holders: BTreeMap<Name, BTreeMap<u64, Uuid>>,
    claims: BTreeSet<(&'static str, String, Uuid)>,
    built_on: BTreeSet<(&'static str, String, u64)>,
    /// Documents that anybody wanted to remove: their versions may begin again.
    removed: BTreeSet<Name>,
    breaches: Vec<String>,
}

/// A witness of what all replicas of a world are answered. Clones are the same one.
#[derive(Clone, Default)]
pub struct Witness(Arc<Mutex<Notes>>);

impl Witness {
    /// The storage of a replica, watched.
    pub fn watch(&self, inner: Arc<dyn Storage>) -> Arc<dyn Storage> {
        Arc::new(Layered { inner, layer: Arc::new(self.clone()) })
    }

    /// The promises that were broken.
    pub fn breaches(&self) -> Vec<String> {
        self.notes().breaches.clone()
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be judged, as it is when the commit is submitted.
    fn before(&self, service: &'static str, commit: &Commit) -> Judged {
        let mut notes = self.notes();
        for delete in &commit.deletes {
            notes.removed.insert((service, format!("{}/{}", delete.collection.name, delete.id)));
        }
        let is_over = |lease: &str, token: u64| {
            let holders = notes.holders.get(&(service, lease.to_owned()));
            holders.and_then(|holders| holders.last_key_value()).is_some_and(|(last, _)| *last > token)
        };
        let fence = commit.fence.as_ref().filter(|fence| is_over(&fence.lease, fence.token));
        let appends = commit.appends.iter().map(|append| (append.stream.clone(), append.expected));
        let puts = commit.puts.iter().filter(|put| !put.shadow).filter_map(|put| match put.expected {
            Expected::Version(version) => Some((format!("{}/{}", put.collection.name, put.id), version)),
            Expected::Any => None,
        });
        let claims = match &commit.source {
            Some(Source::Inbox { consumer, events }) => {
                events.iter().map(|event| (consumer.clone(), *event)).collect()
            }
            _ => Vec::new(),
        };
        Judged {
            service,
            fenced: fence.map(|fence| format!("{} under token {}", fence.lease, fence.token)),
            claims,
            built_on: appends.chain(puts).collect(),
        }
    }

    /// The commit stands.
    fn stands(&self, judged: Judged) {
        let Judged { service, fenced, claims, built_on } = judged;
        let mut notes = self.notes();
        let mut found = Vec::new();
        if let Some(fence) = fenced {
            found.push(format!("{service}: a commit of a fenced holder stands: {fence}"));
        }
        for (consumer, event) in claims {
            if !notes.claims.insert((service, consumer.clone(), event)) {
                found.push(format!("{service}: {consumer} took {event} in twice"));
            }
        }
        for (name, version) in built_on {
            let is_new = notes.built_on.insert((service, name.clone(), version));
            if !is_new && !notes.removed.contains(&(service, name.clone())) {
                found.push(format!("{service}: two commits stand on version {version} of {name}"));
            }
        }
        notes.breaches.extend(found);
    }

    fn granted(&self, service: &'static str, request: &LeaseRequest, token: u64) {
        let mut notes = self.notes();
        let lease = (service, request.name.clone());
        let holder = *notes.holders.entry(lease).or_default().entry(token).or_insert(request.owner);
        if holder != request.owner {
            let what = format!("{service}: two hold the lease {} under token {token}", request.name);
            notes.breaches.push(what);
        }
    }
}

#[async_trait]
impl Layer for Witness {
    fn submit(&self, inner: &Arc<dyn Journal>, service: &'static str, commit: Commit) -> Submission {
        let judged = self.before(service, &commit);
        let submission = inner.submit(commit);
        let (reply, answer) = oneshot::channel();
        let witness = self.clone();
        tokio::spawn(async move {
            // Where the process died nobody is left to hear it.
            let Ok(outcome) = submission.await else { return };
            if matches!(outcome, Ok(Outcome::Committed { .. })) {
                witness.stands(judged);
            }
            drop(reply.send(outcome));
        });
        answer
    }

    async fn lease(
        &self,
        inner: &Arc<dyn Journal>,
        service: &'static str,
        request: LeaseRequest,
    ) -> Result<Option<u64>, Error> {
        let granted = inner.lease(request.clone()).await?;
        if let Some(token) = granted {
            self.granted(service, &request, token);
        }
        Ok(granted)
    }
}
