//! Where a projection's facts come from: the service's own history, or a context. A projection stands at
//! a position, and is rebuilt from the first fact on. A log that is read by position gives it both;
//! behind a broker, which numbers and forgets as it likes, the producer's journal does.

use std::sync::Arc;

use backbone::bus::{Bus, Consumer as Reader, Subscription};
use backbone::journal::Recorded;
use backbone::projection::{Fact, Follows, Projection};
use backbone::system::KeptEvent;
use kernel::{Duration, Envelope};

use super::BATCH;
use crate::host::Host;

/// What a projection is called as a reader of the bus.
pub(crate) fn consumer_name(service: &str, projection: &str) -> String {
    format!("{service}-projection-{projection}")
}

/// A fact with its position.
pub(super) enum Owned {
    Own(Box<Recorded>),
    Public(u64, Arc<Envelope>),
}

impl Owned {
    pub(super) fn position(&self) -> u64 {
        match self {
            Owned::Own(recorded) => recorded.position,
            Owned::Public(position, _) => *position,
        }
    }

    pub(super) fn fact(&self) -> Fact<'_> {
        match self {
            Owned::Own(recorded) => Fact::Own(recorded),
            Owned::Public(_, envelope) => Fact::Public(envelope),
        }
    }

    /// What its order is kept by: the stream, or the subject.
    pub(super) fn key(&self) -> &str {
        match self {
            Owned::Own(recorded) => &recorded.stream,
            Owned::Public(_, envelope) => &envelope.subject,
        }
    }

    /// As it is kept in a dead letter, under the same key.
    pub(super) fn kept(&self) -> KeptEvent {
        match self {
            Owned::Public(_, envelope) => KeptEvent::from(envelope.as_ref()),
            Owned::Own(recorded) => KeptEvent {
                id: uuid::Uuid::nil(),
                source: String::new(),
                kind: recorded.event.name.clone(),
                subject: recorded.stream.clone(),
                time: recorded.event.at,
                correlation_id: recorded.event.correlation_id.clone(),
                causation_id: recorded.event.causation_id.clone(),
                sequence: recorded.event.version,
                traceparent: None,
                key_id: None,
                data: String::from_utf8_lossy(&recorded.event.data).into_owned(),
            },
        }
    }
}

/// Facts in order.
pub(super) enum Feed {
    Own {
        after: u64,
    },
    Bus(Box<dyn Reader>),
    /// What a producer's journal holds of a context.
    Journal {
        producer: &'static str,
        context: &'static str,
        after: u64,
    },
}

impl Feed {
    pub(super) async fn open(
        host: &Host,
        bus: &dyn Bus,
        projection: &Projection,
        after: u64,
    ) -> Result<Self, String> {
        match projection.follows {
            Follows::Own => Ok(Feed::Own { after }),
            Follows::Context { context, producer } if !bus.capabilities().reads_by_position => {
                Ok(Feed::Journal { producer, context, after })
            }
            Follows::Context { context, .. } => {
                let subscription = Subscription {
                    consumer: consumer_name(host.service(), projection.name),
                    service: host.service(),
                    context,
                    partition: 0,
                    after: Some(after),
                };
                bus.open(subscription).await.map(Feed::Bus).map_err(|e| e.to_string())
            }
        }
    }

    /// The next facts, none where there are none yet.
    pub(super) async fn next(&mut self, host: &Host, wait: Duration) -> Result<Vec<Owned>, String> {
        match self {
            Feed::Own { after } => {
                let seen = host.commits();
                let facts = host.journal().feed(*after, BATCH).await.map_err(|e| e.to_string())?;
                if facts.is_empty() {
                    tokio::select! {
                        biased;
                        () = host.commits_beyond(seen) => {}
                        () = host.environment().clock.sleep(wait) => {}
                    }
                }
                *after = facts.last().map_or(*after, |last| last.position);
                Ok(facts.into_iter().map(|fact| Owned::Own(Box::new(fact))).collect())
            }
            Feed::Journal { producer, context, after } => loop {
                let page = host.storage().published_by(producer, *after, BATCH).await;
                let page = page.map_err(|e| e.to_string())?;
                let Some(last) = page.last() else {
                    host.environment().clock.sleep(wait).await;
                    return Ok(Vec::new());
                };
                *after = last.position;
                let of_context = page.into_iter().filter(|sent| sent.envelope.context() == *context);
                let facts: Vec<Owned> =
                    of_context.map(|sent| Owned::Public(sent.position, Arc::new(sent.envelope))).collect();
                if !facts.is_empty() {
                    return Ok(facts);
                }
            },
            Feed::Bus(reader) => {
                let clock = host.environment().clock.clone();
                tokio::select! {
                    biased;
                    fetched = reader.fetch(BATCH) => {
                        let fetched = fetched.map_err(|e| e.to_string())?;
                        Ok(fetched.into_iter().map(|d| Owned::Public(d.position, d.envelope)).collect())
                    }
                    () = clock.sleep(wait) => Ok(Vec::new()),
                }
            }
        }
    }
}
