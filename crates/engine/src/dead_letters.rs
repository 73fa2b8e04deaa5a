//! What an operator does with dead letters: lists, reads, retries, discards. A retry goes to the
//! failed consumer alone and through the same key order (reliability.md, rule 15).

use std::collections::BTreeMap;
use std::sync::Arc;

use backbone::Document;
use backbone::bus::Bus;
use backbone::collection::{ColumnValue, Query};
use backbone::journal;
use backbone::outcome::Rejection;
use backbone::projection::Projection;
use backbone::system::{DEAD_LETTERS, DeadLetter, Parked};
use backbone::work::{Commands, Error, Origin, Work};
use backbone::workspace::Workspace;
use serde_json::Value;
use tokio::sync::Notify;

use crate::host::Host;
use crate::projections::{self, Folder, Refold};

/// The dead letters of all services that run here.
#[derive(Clone)]
pub struct DeadLetters {
    pub(crate) hosts: Arc<BTreeMap<&'static str, Arc<Host>>>,
    pub(crate) bells: Arc<BTreeMap<String, Vec<Arc<Notify>>>>,
    pub(crate) bus: Arc<dyn Bus>,
    /// By service and the name under which they stand in dead letters.
    pub(crate) projections: Arc<BTreeMap<(&'static str, String), Projection>>,
}

pub(crate) fn unknown(id: &str) -> Rejection {
    let message = format!("there is no dead letter {id}: it was retried or discarded before");
    Rejection::not_found("no-such-dead-letter", message)
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// No such service runs here.
    #[error("no service {0} runs here")]
    NoService(String),
    /// The store said no.
    #[error(transparent)]
    Work(#[from] Error),
    /// The store is down.
    #[error(transparent)]
    Journal(#[from] journal::Error),
}

impl DeadLetters {
    fn host(&self, service: &str) -> Result<&Arc<Host>, DeadLetterError> {
        self.hosts.get(service).ok_or_else(|| DeadLetterError::NoService(service.to_owned()))
    }

    /// A service's dead letters, oldest id first, after `after`, at most `limit`.
    pub async fn list(
        &self,
        service: &str,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<(String, DeadLetter)>, DeadLetterError> {
        let mut query = Query::all(&DEAD_LETTERS).limit(limit);
        query.after = after.map(|id| (ColumnValue::Null, id));
        let found = self.host(service)?.journal().find(query).await?;
        found
            .into_iter()
            .map(|stored| {
                let letter = serde_json::from_slice(&stored.body)
                    .map_err(|e| journal::Error::Unusable(format!("dead letter {}: {e}", stored.id)))?;
                Ok((stored.id, letter))
            })
            .collect()
    }

    /// Puts a dead letter back at the head of its key, with a fresh budget. A projection's is
    /// folded again at once, with all that its key missed.
    pub async fn retry(&self, service: &str, id: &str) -> Result<(), DeadLetterError> {
        if let Some(folder) = self.folder(service, id)? {
            return Ok(projections::release(&folder, &*self.bus, id, Refold::WithIt).await?);
        }
        self.act(service, id, |letter, ws| {
            let due = ws.now();
            ws.overwrite(Parked {
                consumer: letter.consumer.clone(),
                position: letter.position,
                due,
                attempts: 0,
                error: None,
                first_failed_at: None,
                event: letter.event.clone(),
            });
        })
        .await
    }

    /// Gives a dead letter up for good; what waits behind it flows.
    pub async fn discard(&self, service: &str, id: &str) -> Result<(), DeadLetterError> {
        if let Some(folder) = self.folder(service, id)? {
            return Ok(projections::release(&folder, &*self.bus, id, Refold::WithoutIt).await?);
        }
        self.act(service, id, |_, _| {}).await
    }

    /// The projection whose dead letter this is; the id begins with its name.
    fn folder(&self, service: &str, id: &str) -> Result<Option<Folder<'_>>, DeadLetterError> {
        let host = self.host(service)?;
        let Some((consumer, _)) = id.rsplit_once('/') else { return Ok(None) };
        let found = self.projections.get(&(host.service(), consumer.to_owned()));
        Ok(found.map(|projection| Folder { host, projection }))
    }

    async fn act(
        &self,
        service: &str,
        id: &str,
        then: impl Fn(&DeadLetter, &mut Workspace<'_>) + Send + Sync + 'static,
    ) -> Result<(), DeadLetterError> {
        let host = self.host(service)?;
        let wanted = id.to_owned();
        let origin = Origin {
            correlation_id: format!("dead-letter:{id}"),
            causation_id: "operator".to_owned(),
            traceparent: None,
        };
        let work = Work::new("dead-letter", origin, move |ws| {
            let Some(letter) = ws.get::<DeadLetter>(&wanted)? else {
                return Err(unknown(&wanted).into());
            };
            ws.remove::<DeadLetter>(letter.id())?;
            then(&letter, ws);
            Ok(Value::String(letter.consumer.clone()))
        });
        let done = host.execute(work).await?;
        let consumer: String = serde_json::from_slice(&done.answer).unwrap_or_default();
        for bell in self.bells.get(&consumer).into_iter().flatten() {
            bell.notify_one();
        }
        Ok(())
    }
}
