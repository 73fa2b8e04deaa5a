//! A layer around a journal: passes everything on but what it changes.

use std::sync::Arc;

use async_trait::async_trait;
use backbone::collection::{Collection, Query};
use backbone::commit::{Answer, Commit, Fence, Outcome, StoredEvent};
use backbone::journal::{
    Error, Journal, LeaseRequest, Prune, Pruned, Recorded, Schema, Sent, ShadowStep, Sought, Storage, Stored,
    StoredDocument, Submission, Want,
};
use uuid::Uuid;

/// What a layer does otherwise. `service` is whose journal it is.
#[async_trait]
pub(crate) trait Layer: Send + Sync + 'static {
    fn submit(&self, inner: &Arc<dyn Journal>, service: &'static str, commit: Commit) -> Submission;

    async fn lease(
        &self,
        inner: &Arc<dyn Journal>,
        service: &'static str,
        request: LeaseRequest,
    ) -> Result<Option<u64>, Error>;

    fn outgoing(&self, page: Vec<Sent>) -> Vec<Sent> {
        page
    }

    fn found(&self, _: &Query, found: Vec<StoredDocument>) -> Vec<StoredDocument> {
        found
    }
}

/// A storage whose journals have a layer around them.
pub(crate) struct Layered<L> {
    pub(crate) inner: Arc<dyn Storage>,
    pub(crate) layer: Arc<L>,
}

#[async_trait]
impl<L: Layer> Storage for Layered<L> {
    async fn open(&self, schema: Schema) -> Result<Arc<dyn Journal>, Error> {
        let service = schema.service;
        let inner = self.inner.open(schema).await?;
        Ok(Arc::new(LayeredJournal { inner, service, layer: self.layer.clone() }))
    }

    async fn published_by(&self, service: &str, after: u64, limit: usize) -> Result<Vec<Sent>, Error> {
        self.inner.published_by(service, after, limit).await
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }
}

struct LayeredJournal<L> {
    inner: Arc<dyn Journal>,
    service: &'static str,
    layer: Arc<L>,
}

#[async_trait]
impl<L: Layer> Journal for LayeredJournal<L> {
    fn submit(&self, commit: Commit) -> Submission {
        self.layer.submit(&self.inner, self.service, commit)
    }

    async fn rehearse(&self, commit: Commit) -> Result<Outcome, Error> {
        self.inner.rehearse(commit).await
    }

    async fn load(&self, wants: Vec<Want>) -> Result<Vec<Stored>, Error> {
        self.inner.load(wants).await
    }

    async fn find(&self, query: Query) -> Result<Vec<StoredDocument>, Error> {
        let found = self.inner.find(query.clone()).await?;
        Ok(self.layer.found(&query, found))
    }

    async fn answer(&self, key: &str) -> Result<Option<Answer>, Error> {
        self.inner.answer(key).await
    }

    async fn history(&self, stream: &str, after: u64, limit: usize) -> Result<Vec<StoredEvent>, Error> {
        self.inner.history(stream, after, limit).await
    }

    async fn feed(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, Error> {
        self.inner.feed(after, limit).await
    }

    async fn outgoing(&self, after: u64, limit: usize) -> Result<Vec<Sent>, Error> {
        let page = self.inner.outgoing(after, limit).await?;
        Ok(self.layer.outgoing(page))
    }

    async fn published(&self, sought: Sought) -> Result<Vec<Sent>, Error> {
        self.inner.published(sought).await
    }

    async fn lease(&self, request: LeaseRequest) -> Result<Option<u64>, Error> {
        self.layer.lease(&self.inner, self.service, request).await
    }

    async fn release(&self, fence: Fence) -> Result<(), Error> {
        self.inner.release(fence).await
    }

    async fn claimed(&self, consumer: &str, events: &[Uuid]) -> Result<Vec<Uuid>, Error> {
        self.inner.claimed(consumer, events).await
    }

    async fn checkpoint(&self, consumer: &str) -> Result<u64, Error> {
        self.inner.checkpoint(consumer).await
    }

    async fn prune(&self, prune: Prune) -> Result<Pruned, Error> {
        self.inner.prune(prune).await
    }

    async fn shadow(
        &self,
        collections: &'static [&'static Collection],
        step: ShadowStep,
    ) -> Result<(), Error> {
        self.inner.shadow(collections, step).await
    }
}
