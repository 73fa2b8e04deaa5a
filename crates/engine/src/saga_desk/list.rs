//! Lists of sagas over all services. What is blocked or running is found by the index of phases, and
//! is little; what is late by its timers; what has ended by the time of its last change, of which a
//! request reads a bounded part: a page may have fewer than were asked for, and says where it goes on.

use backbone::collection::{ColumnValue, Compare, Direction, Query};
use backbone::journal::{self, Stored, StoredDocument, Want};
use backbone::saga::{AnyInstance, Phase, SAGAS, timer_name};
use backbone::timer::{TIMERS, Timer};
use kernel::Timestamp;

use super::{FoundSaga, SagaDesk, SagaError, SagaFilter, SagaPlace, SagaState, late_before, read};
use crate::host::Host;

/// So many are read at a time.
const READ_AT_ONCE: usize = 200;

/// So often, at most, for a page.
const READS_MAX: usize = 10;

/// A page of sagas.
#[derive(Clone, Debug, Default)]
pub struct SagaList {
    /// What is on it.
    pub sagas: Vec<FoundSaga>,
    /// Where it goes on; absent on the last one.
    pub next: Option<SagaPlace>,
}

/// What one query of one service gave.
#[derive(Default)]
struct Part {
    found: Vec<(SagaPlace, AnyInstance)>,
    /// Up to where it was read, where there may be more.
    until: Option<SagaPlace>,
}

/// What a service is asked, and how the answer is read.
#[derive(Clone, Copy)]
enum Source {
    /// Its sagas, of a phase or of all.
    Sagas(Option<Phase>),
    /// The timers of its sagas.
    Timers,
}

impl Source {
    fn all_of(filter: &SagaFilter) -> Vec<Self> {
        match filter.state {
            Some(SagaState::Blocked) => vec![Self::Sagas(Some(Phase::Blocked))],
            Some(SagaState::Running) => {
                [Phase::Running, Phase::Compensating].map(Some).map(Self::Sagas).into()
            }
            Some(SagaState::Late) => vec![Self::Timers],
            // Nearly all have ended: the phase's index would only be in the way.
            Some(SagaState::Ended) | None => vec![Self::Sagas(None)],
        }
    }

    fn query(self, filter: &SagaFilter, now: Timestamp) -> Query {
        let mut query = match self {
            Self::Timers => {
                let late = Query::all(&TIMERS).with("due", Compare::Below, late_before(now));
                return late.sorted("due", Direction::Ascending).limit(READ_AT_ONCE);
            }
            Self::Sagas(None) => Query::all(&SAGAS),
            Self::Sagas(Some(phase)) => Query::all(&SAGAS).equal("phase", phase.name()),
        };
        if let Some(from) = filter.from {
            query = query.with("updated_at", Compare::AtLeast, from);
        }
        if let Some(to) = filter.to {
            query = query.with("updated_at", Compare::Below, to);
        }
        query.sorted("updated_at", filter.direction()).limit(READ_AT_ONCE)
    }

    /// The places that were read, each with its saga where there is one.
    async fn read(
        self,
        host: &Host,
        page: &[StoredDocument],
    ) -> Result<Vec<(SagaPlace, Option<AnyInstance>)>, journal::Error> {
        let place = |at, key: &str| SagaPlace { at, service: host.service().to_owned(), key: key.to_owned() };
        let Self::Timers = self else {
            let saga = |stored| read(stored).map(|saga| (place(saga.updated_at, &stored.id), Some(saga)));
            return page.iter().map(saga).collect();
        };
        let mut places = Vec::with_capacity(page.len());
        for stored in page {
            let timer: Timer = serde_json::from_slice(&stored.body)
                .map_err(|e| journal::Error::Unusable(format!("timer {}: {e}", stored.id)))?;
            places.push(place(timer.due, &stored.id));
        }
        // A timer that is no saga's has no key among sagas either.
        let prefix = timer_name("");
        let saga = |place: &SagaPlace| place.key.strip_prefix(&prefix).unwrap_or_default().to_owned();
        let wants = places.iter().map(|place| Want::Document(&SAGAS, saga(place))).collect();
        let sagas = host.journal().load(wants).await?.into_iter().map(|stored| match stored {
            Stored::Document(Some(stored)) => read(&stored).map(Some),
            _ => Ok(None),
        });
        let sagas: Vec<_> = sagas.collect::<Result<_, _>>()?;
        Ok(places.into_iter().zip(sagas).collect())
    }
}

impl SagaDesk {
    /// The sagas that are wanted, of all services, after a place in their order.
    pub async fn find(
        &self,
        filter: &SagaFilter,
        after: Option<&SagaPlace>,
        limit: usize,
    ) -> Result<SagaList, SagaError> {
        let hosts = match &filter.service {
            Some(service) => vec![self.host(service)?],
            None => self.hosts.values().collect(),
        };
        let mut parts = Vec::new();
        for host in hosts {
            // A service without sagas has none to read.
            if self.registered.get(host.service()).is_none_or(Vec::is_empty) {
                continue;
            }
            for source in Source::all_of(filter) {
                parts.push((host, part(host, source, (filter, after), limit).await?));
            }
        }
        let direction = filter.direction();
        let until = parts.iter().filter_map(|(_, part)| part.until.clone());
        let until = until.min_by(|one, other| one.compare(other, direction));
        let mut found: Vec<_> = parts
            .into_iter()
            .flat_map(|(host, part)| part.found.into_iter().map(move |(place, saga)| (place, host, saga)))
            // Beyond it something of another part may come in between.
            .filter(|(place, ..)| until.as_ref().is_none_or(|until| place.compare(until, direction).is_le()))
            .collect();
        found.sort_by(|(one, ..), (other, ..)| one.compare(other, direction));
        let next = if found.len() > limit {
            found.truncate(limit);
            found.last().map(|(place, ..)| place.clone())
        } else {
            until
        };
        let sagas = found.into_iter().map(|(_, host, saga)| Self::found(host, saga)).collect();
        Ok(SagaList { sagas, next })
    }
}

/// What a service has of it.
async fn part(
    host: &Host,
    source: Source,
    (filter, after): (&SagaFilter, Option<&SagaPlace>),
    limit: usize,
) -> Result<Part, journal::Error> {
    let mut query = source.query(filter, host.environment().clock.now());
    query.after = after.map(|place| (ColumnValue::Timestamp(place.at), place.key_in(host.service())));
    let mut part = Part::default();
    for _ in 0..READS_MAX {
        let page = host.journal().find(query.clone()).await?;
        let is_last = page.len() < query.limit;
        let read = source.read(host, &page).await?;
        let last = read.last().map(|(place, _)| place.clone());
        for (place, saga) in read {
            let wanted = saga.filter(|saga| filter.wants(saga));
            part.found.extend(wanted.map(|saga| (place, saga)));
        }
        let Some(last) = last.filter(|_| !is_last) else {
            part.until = None;
            return Ok(part);
        };
        query.after = page.last().map(|stored| (ColumnValue::Timestamp(last.at), stored.id.clone()));
        part.until = Some(last);
        if part.found.len() > limit {
            return Ok(part);
        }
    }
    Ok(part)
}
