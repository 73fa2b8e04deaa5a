//! What of a journal does not fail.

use async_trait::async_trait;
use backbone::collection::{Collection, Query};
use backbone::commit::{Answer, Commit, Fence, Outcome, StoredEvent};
use backbone::journal::{
    Error, Journal, LeaseRequest, Prune, Pruned, Recorded, Sent, ShadowStep, Sought, Stored, StoredDocument,
    Submission, Want,
};
use uuid::Uuid;

use super::FaultyJournal;

#[async_trait]
impl Journal for FaultyJournal {
    fn submit(&self, commit: Commit) -> Submission {
        self.submit_or_fail(commit)
    }

    async fn rehearse(&self, commit: Commit) -> Result<Outcome, Error> {
        self.inner.rehearse(commit).await
    }

    async fn load(&self, wants: Vec<Want>) -> Result<Vec<Stored>, Error> {
        self.inner.load(wants).await
    }

    async fn find(&self, query: Query) -> Result<Vec<StoredDocument>, Error> {
        self.inner.find(query).await
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
        self.inner.outgoing(after, limit).await
    }

    async fn published(&self, sought: Sought) -> Result<Vec<Sent>, Error> {
        self.inner.published(sought).await
    }

    async fn lease(&self, request: LeaseRequest) -> Result<Option<u64>, Error> {
        self.inner.lease(request).await
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
