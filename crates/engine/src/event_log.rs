//! What services published, as operators read it: in commit order, page by page, personal fields as
//! they are stored. A business flow is looked up by its id; anything else is found by reading on from
//! a place, and a request reads a bounded part of the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use backbone::journal::{self, Sent, Sought};
use kernel::Timestamp;

use crate::host::Host;
use crate::since::position_before;

/// So many positions are searched at a time for what no index finds.
const SEARCHED_AT_ONCE: u64 = 10_000;

/// So often, at most, for a page of a service.
const SEARCHES_MAX: usize = 5;

/// Which events are wanted; all conditions hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Of this type.
    pub kind: Option<String>,
    /// About this aggregate: their key.
    pub subject: Option<String>,
    /// Of this business flow.
    pub correlation: Option<String>,
    /// Published at this time or later.
    pub from: Option<Timestamp>,
}

/// What one service published of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPart {
    /// The service.
    pub service: &'static str,
    /// The events, in commit order.
    pub events: Vec<Sent>,
    /// Up to which position it was searched.
    pub position: u64,
    /// Where there may be more: nothing that follows is older than this, as far as clocks agree.
    pub until: Option<Timestamp>,
}

/// Why it was not read.
#[derive(Debug, thiserror::Error)]
pub enum EventLogError {
    /// No such service runs here.
    #[error("no service {0} runs here")]
    NoService(String),
    /// The store is down.
    #[error(transparent)]
    Journal(#[from] journal::Error),
}

/// The public events of all services that run here; clones are handles on the same ones.
#[derive(Clone)]
pub struct EventLog(Arc<BTreeMap<&'static str, Arc<Host>>>);

impl EventLog {
    pub(crate) fn new(hosts: Arc<BTreeMap<&'static str, Arc<Host>>>) -> Self {
        Self(hosts)
    }

    /// The services that run here.
    pub fn services(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    /// At most `limit` events of a service that are wanted, after a position of its own log; from the
    /// filter's time on where none is given.
    pub async fn part(
        &self,
        service: &str,
        filter: &EventFilter,
        after: Option<u64>,
        limit: usize,
    ) -> Result<EventPart, EventLogError> {
        let host = self.0.get(service).ok_or_else(|| EventLogError::NoService(service.to_owned()))?;
        let next = |after| async move { host.journal().outgoing(after, 1).await };
        let position = match (after, filter.from) {
            (Some(after), _) => after,
            (None, Some(from)) => position_before(from, next).await?,
            (None, None) => 0,
        };
        let mut part = EventPart { service: host.service(), events: Vec::new(), position, until: None };
        for _ in 0..SEARCHES_MAX {
            let upto = match filter.correlation {
                Some(_) => u64::MAX,
                None => part.position.saturating_add(SEARCHED_AT_ONCE),
            };
            let limit = limit - part.events.len();
            let sought = Sought {
                after: part.position,
                upto,
                kind: filter.kind.clone(),
                subject: filter.subject.clone(),
                correlation: filter.correlation.clone(),
                from: filter.from,
                limit,
            };
            let found = host.journal().published(sought).await?;
            let is_full = found.len() == limit;
            part.events.extend(found);
            if let Some(last) = part.events.last() {
                part.position = part.position.max(last.position);
                part.until = is_full.then_some(last.envelope.time);
            }
            if is_full {
                return Ok(part);
            }
            let following = match filter.correlation {
                Some(_) => None,
                None => next(upto).await?.pop(),
            };
            let Some(following) = following else {
                part.until = None;
                return Ok(part);
            };
            // Positions have gaps: on the embedded log those of all other services.
            (part.position, part.until) = (following.position - 1, Some(following.envelope.time));
        }
        Ok(part)
    }
}
