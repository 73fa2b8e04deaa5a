//! What an operator does with sagas: lists, reads, retries, skips, marks as done, has them undone
//! (reliability.md, rule 28). Each act is written down in the commit that does it.

use std::collections::BTreeMap;
use std::sync::Arc;

use backbone::journal::{self, StoredDocument};
use backbone::outcome::Rejection;
use backbone::saga::{AnyInstance, Operator, SAGAS, SagaRegistration};
use backbone::work::{Commands, Decision, Error, Idempotency, Origin, Work};
use kernel::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::host::Host;
use crate::operators::By;
use crate::rehearsal::{self, Rehearsal};
use crate::service_watch::LATE_AFTER;

mod list;
mod place;

pub use list::SagaList;
pub use place::{SagaFilter, SagaPlace, SagaState};

/// The sagas of all services that run here; clones are handles on the same ones.
#[derive(Clone)]
pub struct SagaDesk {
    hosts: Arc<BTreeMap<&'static str, Arc<Host>>>,
    registered: Arc<BTreeMap<&'static str, Vec<SagaRegistration>>>,
}

/// A saga with its name outside.
#[derive(Clone, Debug)]
pub struct FoundSaga {
    /// Its name outside: service, saga, key. `order.order-fulfilment.<order's id>`.
    pub id: String,
    /// The service in whose journal it stands.
    pub service: &'static str,
    /// What it says.
    pub saga: AnyInstance,
    /// Its deadline passed so long ago that something is wrong.
    pub is_late: bool,
}

/// A saga with all that can be said of it.
#[derive(Clone, Debug)]
pub struct ShownSaga {
    /// The saga.
    pub found: FoundSaga,
    /// Its steps, in order.
    pub steps: Vec<&'static str>,
    /// The names of the acts that make sense just now.
    pub open_acts: Vec<&'static str>,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum SagaError {
    /// No such service runs here.
    #[error("no service {0} runs here")]
    NoService(String),
    /// That is no saga's name.
    #[error("{0:?} is no saga's id: take it as it is listed")]
    NoId(String),
    /// The store said no.
    #[error(transparent)]
    Work(#[from] Error),
    /// The store is down.
    #[error(transparent)]
    Journal(#[from] journal::Error),
}

fn read(stored: &StoredDocument) -> Result<AnyInstance, journal::Error> {
    serde_json::from_slice(&stored.body)
        .map_err(|e| journal::Error::Unusable(format!("saga {}: {e}", stored.id)))
}

fn unknown(id: &str) -> SagaError {
    let message = format!("there is no saga {id}: it never began, or was forgotten long after its end");
    SagaError::Work(Rejection::not_found("no-such-saga", message).into())
}

/// A saga as the engine knows it, and which one.
struct Named<'d> {
    host: &'d Arc<Host>,
    registration: &'d SagaRegistration,
    key: Uuid,
}

impl SagaDesk {
    pub(crate) fn new(
        hosts: Arc<BTreeMap<&'static str, Arc<Host>>>,
        registered: BTreeMap<&'static str, Vec<SagaRegistration>>,
    ) -> Self {
        Self { hosts, registered: Arc::new(registered) }
    }

    fn host(&self, service: &str) -> Result<&Arc<Host>, SagaError> {
        self.hosts.get(service).ok_or_else(|| SagaError::NoService(service.to_owned()))
    }

    fn named(&self, id: &str) -> Result<Named<'_>, SagaError> {
        let (service, saga, key) = place::parts_of(id).ok_or_else(|| SagaError::NoId(id.to_owned()))?;
        let host = self.host(service)?;
        let registered = self.registered.get(service).into_iter().flatten();
        let registration = registered.into_iter().find(|known| known.name == saga);
        Ok(Named { host, registration: registration.ok_or_else(|| unknown(id))?, key })
    }

    fn found(host: &Host, saga: AnyInstance) -> FoundSaga {
        let moment = host.environment().clock.now().minus(LATE_AFTER);
        let is_late = !saga.phase.is_final() && saga.due.is_some_and(|due| due < moment);
        let id = place::id_of(host.service(), &saga.saga, saga.id);
        FoundSaga { id, service: host.service(), saga, is_late }
    }

    /// A saga, with what an operator can do about it.
    pub async fn show(&self, id: &str) -> Result<ShownSaga, SagaError> {
        let named = self.named(id)?;
        let saga = named.load().await?.ok_or_else(|| unknown(id))?;
        let Named { host, registration, .. } = named;
        let open_acts = (registration.open_acts)(&saga);
        Ok(ShownSaga { found: Self::found(host, saga), steps: registration.steps.clone(), open_acts })
    }

    /// Acts on a saga, once for an idempotency key.
    pub async fn operate(
        &self,
        id: &str,
        act: Operator,
        by: &By,
        idempotency: Option<Idempotency>,
    ) -> Result<(), SagaError> {
        let named = self.named(id)?;
        if let Some(idempotency) = &idempotency
            && named.host.answered(idempotency).await?.is_some()
        {
            return Ok(());
        }
        let decision = named.decision(act, by);
        let work = Work::new("saga-operator", origin(id, by), move |ws| decision(ws));
        named.host.execute(work.idempotent(idempotency)).await?;
        Ok(())
    }

    /// Tries what an act would do, and leaves no trace of it.
    pub async fn rehearse(&self, id: &str, act: Operator, by: &By) -> Result<Rehearsal, SagaError> {
        let named = self.named(id)?;
        named.load().await?.ok_or_else(|| unknown(id))?;
        let decision = named.decision(act, by);
        Ok(rehearsal::rehearse(named.host, origin(id, by), &decision).await?)
    }
}

impl Named<'_> {
    async fn load(&self) -> Result<Option<AnyInstance>, journal::Error> {
        let want = journal::Want::Document(&SAGAS, AnyInstance::key(self.registration.name, self.key));
        match self.host.journal().load(vec![want]).await?.pop() {
            Some(journal::Stored::Document(Some(stored))) => read(&stored).map(Some),
            _ => Ok(None),
        }
    }

    /// The act, and what stands of it.
    fn decision(&self, act: Operator, by: &By) -> Decision {
        let (operate, key) = (self.registration.operate, self.key);
        let about = place::id_of(self.host.service(), self.registration.name, key);
        let by = By { reason: by.reason.clone().or_else(|| act.reason().map(str::to_owned)), ..by.clone() };
        Arc::new(move |ws| {
            let phase = operate(key, act.clone(), ws)?;
            by.note(&format!("saga-{}", act.name()), &about, &format!("it is {} now", phase.name()), ws);
            Ok(Value::Null)
        })
    }
}

fn origin(id: &str, by: &By) -> Origin {
    Origin { correlation_id: format!("saga:{id}"), causation_id: by.who.clone(), traceparent: None }
}

/// So late is what the alert calls late.
fn late_before(now: Timestamp) -> Timestamp {
    now.minus(LATE_AFTER)
}
