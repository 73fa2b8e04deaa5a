//! What an operator does with dead letters: lists, reads, retries, discards. A retry goes to the
//! failed consumer alone and through the same key order (reliability.md, rule 15). Each act is
//! written down in the commit that does it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use backbone::bus::Bus;
use backbone::collection::{ColumnValue, Direction, Query};
use backbone::journal::{self, StoredDocument};
use backbone::outcome::Rejection;
use backbone::projection::Projection;
use backbone::system::{DEAD_LETTERS, DeadLetter, FAILURE_KINDS, FailureKind, OperatorAct, PARKED, lane};
use backbone::work::{Commands, Decision, Error, Origin, Work};
use backbone::workspace::Workspace;
use backbone::{Document, Refusal};
use kernel::Timestamp;
use serde_json::Value;

use crate::consumer::{Consumer, put_back};
use crate::host::Host;
use crate::operators::{self, By};
use crate::projections::{self, Folder, Refold, Release};
use crate::rehearsal::{self, Rehearsal};

mod place;
mod sweep;

pub use place::{Filter, Letter, Place, id_of, service_of};
pub use sweep::{Sweep, SweepEnd};

/// The projections that run, by service and the name under which they stand in dead letters.
type Folded = BTreeMap<(&'static str, String), Projection>;

/// The dead letters of all services that run here; clones are handles on the same ones.
#[derive(Clone)]
pub struct DeadLetters {
    hosts: Arc<BTreeMap<&'static str, Arc<Host>>>,
    consumers: Arc<[Arc<Consumer>]>,
    bus: Arc<dyn Bus>,
    projections: Arc<Folded>,
    sweeps: Arc<Mutex<Vec<Sweep>>>,
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
    /// That is no dead letter's name.
    #[error("{0:?} is no dead letter's id: take it as it is listed")]
    NoId(String),
    /// The store said no.
    #[error(transparent)]
    Work(#[from] Error),
    /// The store is down.
    #[error(transparent)]
    Journal(#[from] journal::Error),
}

/// Dead letters as they come by the time of their death.
fn by_death() -> Query {
    Query::all(&DEAD_LETTERS).sorted("moved_at", Direction::Ascending)
}

fn read(stored: &StoredDocument) -> Result<DeadLetter, journal::Error> {
    serde_json::from_slice(&stored.body)
        .map_err(|e| journal::Error::Unusable(format!("dead letter {}: {e}", stored.id)))
}

impl DeadLetters {
    pub(crate) fn new(
        hosts: Arc<BTreeMap<&'static str, Arc<Host>>>,
        consumers: Vec<Arc<Consumer>>,
        bus: Arc<dyn Bus>,
        projections: Folded,
    ) -> Self {
        let (consumers, projections) = (consumers.into(), Arc::new(projections));
        Self { hosts, consumers, bus, projections, sweeps: Arc::default() }
    }

    fn host(&self, service: &str) -> Result<&Arc<Host>, DeadLetterError> {
        self.hosts.get(service).ok_or_else(|| DeadLetterError::NoService(service.to_owned()))
    }

    fn hosts_of(&self, filter: &Filter) -> Result<Vec<&Arc<Host>>, DeadLetterError> {
        match &filter.service {
            Some(service) => Ok(vec![self.host(service)?]),
            None => Ok(self.hosts.values().collect()),
        }
    }

    /// A dead letter's service and its key there.
    fn find_host(&self, id: &str) -> Result<(&Arc<Host>, String), DeadLetterError> {
        let (service, stored) = place::stored_of(id).ok_or_else(|| DeadLetterError::NoId(id.to_owned()))?;
        Ok((self.host(service)?, stored))
    }

    /// The services that run here.
    pub fn services(&self) -> impl Iterator<Item = &'static str> {
        self.hosts.keys().copied()
    }

    // ── reading ─────────────────────────────────────────────────────────────────────────────

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
        let read = |stored: &StoredDocument| Ok((stored.id.clone(), read(stored)?));
        Ok(found.iter().map(read).collect::<Result<_, journal::Error>>()?)
    }

    /// The dead letters that are wanted, of all services, in the order of their deaths, after a
    /// place in that order.
    pub async fn find(
        &self,
        filter: &Filter,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Vec<Letter>, DeadLetterError> {
        let mut found = Vec::new();
        for host in self.hosts_of(filter)? {
            let after = after.map(|place| (place.moved_at, place_in(host.service(), &place.id)));
            let after = after.map(|(at, id)| (ColumnValue::Timestamp(at), id));
            found.extend(self.of_host(host, filter, after, limit).await?);
        }
        found.sort_by_key(|letter| (letter.letter.moved_at, letter.service, letter.stored.clone()));
        found.truncate(limit);
        Ok(found)
    }

    /// A dead letter, and how many deliveries of its key wait behind it.
    pub async fn show(&self, id: &str) -> Result<(Letter, u64), DeadLetterError> {
        let (host, stored) = self.find_host(id)?;
        let letter = self.load(host, &stored).await?;
        let mut behind = letter.behind;
        let of_lane = lane(&letter.consumer, &letter.event.subject);
        let mut query = Query::all(&PARKED).equal("lane", of_lane);
        loop {
            let page = host.journal().find(query.clone()).await?;
            behind += page.len() as u64;
            match page.last() {
                Some(last) if page.len() == query.limit => {
                    query.after = Some((ColumnValue::Null, last.id.clone()))
                }
                _ => break,
            }
        }
        Ok((Letter { id: id.to_owned(), service: host.service(), letter, stored }, behind))
    }

    async fn load(&self, host: &Host, stored: &str) -> Result<DeadLetter, DeadLetterError> {
        let want = journal::Want::Document(&DEAD_LETTERS, stored.to_owned());
        match host.journal().load(vec![want]).await?.pop() {
            Some(journal::Stored::Document(Some(found))) => Ok(read(&found)?),
            _ => Err(DeadLetterError::Work(unknown(stored).into())),
        }
    }

    /// The kinds of failure that a service has ever seen, the latest first.
    pub async fn kinds(&self, service: &str, limit: usize) -> Result<Vec<FailureKind>, DeadLetterError> {
        let query = Query::all(&FAILURE_KINDS).sorted("first_at", Direction::Descending).limit(limit);
        let found = self.host(service)?.journal().find(query).await?;
        let kinds = found.iter().map(|stored| {
            serde_json::from_slice(&stored.body)
                .map_err(|e| journal::Error::Unusable(format!("kind of failure {}: {e}", stored.id)))
        });
        Ok(kinds.collect::<Result<_, _>>()?)
    }

    /// What operators did to a service, the latest first, before a place.
    pub async fn acts(
        &self,
        service: &str,
        before: Option<(Timestamp, String)>,
        limit: usize,
    ) -> Result<Vec<OperatorAct>, DeadLetterError> {
        Ok(operators::acts(&**self.host(service)?.journal(), before, limit).await?)
    }

    // ── acting ──────────────────────────────────────────────────────────────────────────────

    /// Puts a dead letter back at the head of its key, with a fresh budget. A projection's is
    /// folded again at once, with all that its key missed.
    pub async fn retry(&self, service: &str, stored: &str) -> Result<(), DeadLetterError> {
        self.retry_one(&id_of(service, stored), &By::new("operator")).await
    }

    /// Gives a dead letter up for good; what waits behind it flows.
    pub async fn discard(&self, service: &str, stored: &str) -> Result<(), DeadLetterError> {
        self.discard_one(&id_of(service, stored), &By::new("operator")).await
    }

    /// [`DeadLetters::retry`], by its name outside.
    pub async fn retry_one(&self, id: &str, by: &By) -> Result<(), DeadLetterError> {
        let (host, stored) = self.find_host(id)?;
        if let Some(folder) = self.folder(host, &stored) {
            let release = Release { id: &stored, refold: Refold::WithIt, by };
            return Ok(projections::release(&folder, &*self.bus, release).await?);
        }
        let (wanted, by) = (stored.clone(), by.clone());
        let act = move |ws: &mut Workspace<'_>| {
            let letter = ws.get::<DeadLetter>(&wanted)?.ok_or_else(|| unknown(&wanted))?;
            if letter.raw.is_some() {
                return Err(unreadable().into());
            }
            put_back(&wanted, &by, ws)?;
            Ok(letter.consumer.clone())
        };
        self.act(host, &stored, act).await
    }

    /// [`DeadLetters::discard`], by its name outside.
    pub async fn discard_one(&self, id: &str, by: &By) -> Result<(), DeadLetterError> {
        let (host, stored) = self.find_host(id)?;
        if let Some(folder) = self.folder(host, &stored) {
            let release = Release { id: &stored, refold: Refold::WithoutIt, by };
            return Ok(projections::release(&folder, &*self.bus, release).await?);
        }
        let (wanted, by) = (stored.clone(), by.clone());
        let act = move |ws: &mut Workspace<'_>| {
            let letter = ws.get::<DeadLetter>(&wanted)?.ok_or_else(|| unknown(&wanted))?;
            ws.remove::<DeadLetter>(letter.id())?;
            let (kind, event) = (&letter.event.kind, letter.event.id);
            by.note("discard", &wanted, &format!("{kind} {event} never takes effect"), ws);
            Ok(letter.consumer.clone())
        };
        self.act(host, &stored, act).await
    }

    /// Tries what a retry would do, and leaves no trace of it.
    pub async fn rehearse(&self, id: &str) -> Result<Rehearsal, DeadLetterError> {
        let (host, stored) = self.find_host(id)?;
        let letter = self.load(host, &stored).await?;
        if letter.raw.is_some() {
            return Err(DeadLetterError::Work(unreadable().into()));
        }
        let Some(consumer) = self.consumers.iter().find(|consumer| consumer.name == letter.consumer) else {
            let message =
                format!("{} is no consumer of this program: a retry cannot be rehearsed", letter.consumer);
            return Err(DeadLetterError::Work(Rejection::conflict("not-rehearsed", message).into()));
        };
        let decision = consumer.decision_on(letter.event.clone()).await.map_err(Error::Unavailable)?;
        let origin = Origin {
            correlation_id: letter.event.correlation_id.clone(),
            causation_id: letter.event.id.to_string(),
            traceparent: None,
        };
        let retry: Decision = Arc::new(move |ws| {
            ws.remove::<DeadLetter>(letter.id())?;
            decision(ws)
        });
        Ok(rehearsal::rehearse(host, origin, &retry).await?)
    }

    /// The projection whose dead letter this is; the key begins with its name.
    fn folder<'f>(&'f self, host: &'f Host, stored: &str) -> Option<Folder<'f>> {
        let (consumer, _) = stored.rsplit_once('/')?;
        let projection = self.projections.get(&(host.service(), consumer.to_owned()))?;
        Some(Folder { host, projection })
    }

    async fn act(
        &self,
        host: &Host,
        stored: &str,
        act: impl Fn(&mut Workspace<'_>) -> Result<String, Refusal> + Send + Sync + 'static,
    ) -> Result<(), DeadLetterError> {
        let origin = Origin {
            correlation_id: format!("dead-letter:{stored}"),
            causation_id: "operator".to_owned(),
            traceparent: None,
        };
        let work = Work::new("dead-letter", origin, move |ws| act(ws).map(Value::String));
        let done = host.execute(work).await?;
        let consumer: String = serde_json::from_slice(&done.answer).unwrap_or_default();
        for known in self.consumers.iter().filter(|known| known.name == consumer) {
            known.bell.notify_one();
        }
        Ok(())
    }
}

fn unreadable() -> Rejection {
    let message = "nobody can read this message: have its producer publish it again, and discard it";
    Rejection::conflict("unreadable", message.to_owned())
}

/// Where the list goes on in a service, after the place `id` of some service at the same moment.
fn place_in(service: &str, id: &str) -> String {
    match place::stored_of(id) {
        Some((of, stored)) if of == service => stored,
        // Its own of that moment come before, or after.
        Some((of, _)) if service < of => char::MAX.to_string(),
        _ => String::new(),
    }
}
