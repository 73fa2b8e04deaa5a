//! What a service's routes and calls have at hand.

use std::sync::Arc;

use async_trait::async_trait;
use kernel::Timestamp;

use crate::aggregate::Aggregate;
use crate::calls::Calls;
use crate::collection::{Collection, Query};
use crate::commit::StoredEvent;
use crate::document::Document;
use crate::environment::Environment;
use crate::ephemeral::{Hints, Listener, topic_of};
use crate::journal::{self, StoredDocument};
use crate::work::Commands;
use crate::workspace::AggregateKind;

/// Reads a service's own documents and histories; personal fields come readable or redacted.
#[async_trait]
pub trait Documents: Send + Sync + 'static {
    /// The documents with these ids, in order.
    async fn get(
        &self,
        collection: &'static Collection,
        personal: &'static [&'static str],
        ids: Vec<String>,
    ) -> Result<Vec<Option<StoredDocument>>, journal::Error>;

    /// The documents that match.
    async fn find(
        &self,
        query: Query,
        personal: &'static [&'static str],
    ) -> Result<Vec<StoredDocument>, journal::Error>;

    /// A stream's events after `version`, at most `limit`.
    async fn history(
        &self,
        stream: &str,
        personal: &'static [&'static str],
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, journal::Error>;
}

/// What a service has at hand.
#[derive(Clone)]
pub struct Context {
    /// The service.
    pub service: &'static str,
    /// Changes state.
    pub commands: Arc<dyn Commands>,
    /// Reads state.
    pub documents: Arc<dyn Documents>,
    /// Asks other services.
    pub calls: Arc<dyn Calls>,
    /// Time, ids, tasks.
    pub environment: Environment,
    /// What has changed, on any replica.
    pub hints: Arc<dyn Hints>,
}

/// A document with its version (the ETag).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<D> {
    /// How often it was written.
    pub version: u64,
    /// The document.
    pub document: D,
}

/// A past event of an aggregate.
#[derive(Clone, Debug)]
pub struct Past<E> {
    /// Its attributes.
    pub stored: StoredEvent,
    /// The event.
    pub event: E,
}

fn read<D: Document>(stored: &StoredDocument) -> Result<Versioned<D>, journal::Error> {
    let document = serde_json::from_slice(&stored.body).map_err(|e| {
        let place = format!("{}/{}", D::COLLECTION.name, stored.id);
        journal::Error::Unusable(format!("document {place} cannot be read: {e}"))
    })?;
    Ok(Versioned { version: stored.version, document })
}

impl Context {
    /// Now.
    pub fn now(&self) -> Timestamp {
        self.environment.clock.now()
    }

    /// A document.
    pub async fn get<D: Document>(&self, id: impl ToString) -> Result<Option<Versioned<D>>, journal::Error> {
        let found = self.documents.get(D::COLLECTION, D::PERSONAL, vec![id.to_string()]).await?;
        found.into_iter().flatten().next().map(|stored| read(&stored)).transpose()
    }

    /// Hears from now on that a document was written, on whichever replica, where the module says
    /// that changes of its collection are told. Hints may be lost: look from time to time as well.
    pub fn listen<D: Document>(&self, id: impl ToString) -> Listener {
        self.hints.listen(&topic_of(self.service, D::COLLECTION, &id.to_string()))
    }

    /// Several documents, in order: one round trip for all.
    pub async fn get_all<D: Document>(
        &self,
        ids: impl IntoIterator<Item = impl ToString>,
    ) -> Result<Vec<Option<Versioned<D>>>, journal::Error> {
        let ids = ids.into_iter().map(|id| id.to_string()).collect();
        let found = self.documents.get(D::COLLECTION, D::PERSONAL, ids).await?;
        found.iter().map(|stored| stored.as_ref().map(read).transpose()).collect()
    }

    /// The documents that match; the query's collection is `D`'s.
    pub async fn find<D: Document>(&self, query: Query) -> Result<Vec<Versioned<D>>, journal::Error> {
        self.documents.find(query, D::PERSONAL).await?.iter().map(read).collect()
    }

    /// An aggregate's history after `version`, at most `limit` events.
    pub async fn history<A: Aggregate>(
        &self,
        id: impl ToString,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Past<A::Event>>, journal::Error> {
        let stream = A::stream(&id.to_string());
        let stored = self.documents.history(&stream, A::PERSONAL, after, limit).await?;
        stored
            .into_iter()
            .map(|stored| {
                let event = AggregateKind::<A>::lifted(&stored).map_err(journal::Error::Unusable)?;
                Ok(Past { stored, event })
            })
            .collect()
    }

    /// An aggregate's state at a past moment, with its version then.
    pub async fn state_at<A: Aggregate>(
        &self,
        id: impl ToString,
        at: Timestamp,
    ) -> Result<(u64, A::State), journal::Error> {
        let id = id.to_string();
        let (mut version, mut state) = (0, A::State::default());
        loop {
            let page = self.history::<A>(&id, version, 500).await?;
            let full = page.len() == 500;
            for past in page {
                if past.stored.at > at {
                    return Ok((version, state));
                }
                state = A::evolve(state, &past.event);
                version = past.stored.version;
            }
            if !full {
                return Ok((version, state));
            }
        }
    }
}
