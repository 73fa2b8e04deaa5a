//! The ports that the stage stands for.

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use kernel::{Duration, Timestamp};
use serde_json::Value;

use super::{Stage, query};
use crate::calls::{CallError, CallReply, CallRequest, Calls};
use crate::collection::{Collection, Query};
use crate::commit::StoredEvent;
use crate::context::Documents;
use crate::environment::{Clock, Spawner};
use crate::journal::{self, StoredDocument};
use crate::outcome::Refusal;
use crate::work::{Commands, Done, Error, Idempotency, Work};

impl Clock for Stage {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let mut inner = self.lock();
        inner.now = inner.now.plus(duration);
        Box::pin(async {})
    }
}

impl Spawner for Stage {
    fn spawn(&self, _: &'static str, task: BoxFuture<'static, ()>) {
        futures::executor::block_on(task);
    }
}

#[async_trait]
impl Calls for Stage {
    async fn call(&self, request: CallRequest) -> Result<CallReply, CallError> {
        (self.lock().answers)(&request)
    }
}

#[async_trait]
impl Commands for Stage {
    async fn execute(&self, work: Work) -> Result<Done, Error> {
        if let Some(idempotency) = &work.idempotency
            && let Some(done) = self.answered(idempotency).await?
        {
            return Ok(done);
        }
        let value: Value = match self.run_as(work.origin.clone(), |ws| (work.decision)(ws)) {
            Ok(value) => value,
            Err(Refusal::Rejected(rejection)) => return Err(Error::Rejected(rejection)),
            Err(other) => return Err(Error::Failed(other.to_string())),
        };
        let answer: Bytes = serde_json::to_vec(&value).expect("values are JSON").into();
        if let Some(Idempotency { key, fingerprint }) = work.idempotency {
            self.lock().memory.answers.insert(key, (fingerprint, answer.clone()));
        }
        Ok(Done { answer, position: 0, repeated: false })
    }

    async fn answered(&self, idempotency: &Idempotency) -> Result<Option<Done>, Error> {
        match self.lock().memory.answers.get(&idempotency.key) {
            Some((fingerprint, _)) if *fingerprint != idempotency.fingerprint => Err(Error::KeyReused),
            Some((_, answer)) => Ok(Some(Done { answer: answer.clone(), position: 0, repeated: true })),
            None => Ok(None),
        }
    }
}

#[async_trait]
impl Documents for Stage {
    async fn get(
        &self,
        collection: &'static Collection,
        _: &'static [&'static str],
        ids: Vec<String>,
    ) -> Result<Vec<Option<StoredDocument>>, journal::Error> {
        let inner = self.lock();
        let find = |id| inner.memory.documents.get(&(collection.name, id)).map(|found| found.stored.clone());
        Ok(ids.into_iter().map(find).collect())
    }

    async fn find(
        &self,
        query: Query,
        _: &'static [&'static str],
    ) -> Result<Vec<StoredDocument>, journal::Error> {
        let inner = self.lock();
        let documents = inner.memory.documents.iter().filter(|((name, _), _)| *name == query.collection.name);
        let rows = documents.map(|(_, resting)| (resting.stored.clone(), resting.columns.clone())).collect();
        Ok(query::select(&query, rows))
    }

    async fn history(
        &self,
        stream: &str,
        _: &'static [&'static str],
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, journal::Error> {
        let inner = self.lock();
        let events = inner.memory.streams.get(stream).into_iter().flatten();
        Ok(events.filter(|event| event.version > after).take(limit).cloned().collect())
    }
}
