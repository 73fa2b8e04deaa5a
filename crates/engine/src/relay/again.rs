//! Publishing again: for a broker that lost what it had, or a consumer that missed something. The
//! relay goes back to a place in the journal and comes forward again through everything, so nothing
//! newer is sent before what is older. The request is a document: it survives a crash, and reaches
//! whichever replica holds the relay's lease.

use std::collections::BTreeMap;
use std::sync::Arc;

use backbone::bus::Bus;
use backbone::journal::{self, Sent, Stored, Want};
use backbone::system::{REPUBLISHING, Republishing};
use backbone::work::{Commands, Error, Origin, Work};
use backbone::workspace::Workspace;
use kernel::Timestamp;
use serde_json::Value;
use tracing::Span;

use super::{BATCH, Relay};
use crate::decider::{Job, Part, PartOutcome};
use crate::host::Host;
use crate::operators::By;
use crate::retention::REMEMBERED;
use crate::shutdown::Shutdown;
use crate::since::position_before;

/// From where on everything is published again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// What was committed at this moment or later, and perhaps a minute more.
    Moment(Timestamp),
    /// What stands after this position of the service's journal.
    Position(u64),
}

/// Why nothing is published again.
#[derive(Debug, thiserror::Error)]
pub enum RepublishError {
    /// Commits write into the log themselves.
    #[error(
        "there is nothing to publish again: on the embedded bus the journal is the log, and consumers read it by \
         position"
    )]
    Embedded,
    /// No such service runs here.
    #[error("no service {0} runs here")]
    NoService(String),
    /// The request could not be written.
    #[error(transparent)]
    Work(#[from] Error),
    /// The store is down.
    #[error(transparent)]
    Journal(#[from] journal::Error),
}

/// How far a service is with publishing again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Republished {
    /// The service.
    pub service: &'static str,
    /// Its last request and how far it came.
    pub progress: Republishing,
}

/// Asks for it, and tells how far it is; clones are handles on the same services.
#[derive(Clone)]
pub struct Republisher {
    hosts: Arc<BTreeMap<&'static str, Arc<Host>>>,
    bus: Arc<dyn Bus>,
}

impl Republisher {
    pub(crate) fn new(hosts: Arc<BTreeMap<&'static str, Arc<Host>>>, bus: Arc<dyn Bus>) -> Self {
        Self { hosts, bus }
    }

    /// Asks that everything from a place on is published again, of one service or of all. Asking
    /// again for what is under way changes nothing.
    pub async fn ask(
        &self,
        service: Option<&str>,
        from: Beginning,
        by: &By,
    ) -> Result<Vec<Republished>, RepublishError> {
        if self.bus.capabilities().publishes_in_commit {
            return Err(RepublishError::Embedded);
        }
        let hosts: Vec<&Arc<Host>> = match service {
            None => self.hosts.values().collect(),
            Some(name) => {
                let host = self.hosts.get(name);
                vec![host.ok_or_else(|| RepublishError::NoService(name.to_owned()))?]
            }
        };
        let mut asked = Vec::with_capacity(hosts.len());
        for host in hosts {
            let position = match from {
                Beginning::Position(position) => position,
                Beginning::Moment(at) => {
                    let next = |after| async move { host.journal().outgoing(after, 1).await };
                    position_before(at, next).await?
                }
            };
            // What inboxes have forgotten would take effect again.
            let remembered = host.environment().clock.now().minus(REMEMBERED);
            let next = |after| async move { host.journal().outgoing(after, 1).await };
            let position = position.max(position_before(remembered, next).await?);
            ask_one(host, position, by).await?;
            let progress = find(host).await?;
            asked.extend(progress.map(|progress| Republished { service: host.service(), progress }));
        }
        Ok(asked)
    }

    /// How far those services are that were ever asked.
    pub async fn progress(&self) -> Result<Vec<Republished>, journal::Error> {
        let mut all = Vec::new();
        for host in self.hosts.values() {
            let found = find(host).await?;
            all.extend(found.map(|progress| Republished { service: host.service(), progress }));
        }
        Ok(all)
    }
}

async fn ask_one(host: &Arc<Host>, from: u64, by: &By) -> Result<(), Error> {
    let (service, by) = (host.service(), by.clone());
    let origin = Origin {
        correlation_id: format!("republish:{service}"),
        causation_id: by.who.clone(),
        traceparent: None,
    };
    let work = Work::new("republish", origin, move |ws| {
        let before = ws.get::<Republishing>(Republishing::ID)?;
        let next = asked_anew(before.as_deref(), from, ws.now());
        let outcome = match &next {
            None => format!("from {from}: what is under way takes it in"),
            Some(_) => format!("from {from}"),
        };
        next.map_or(Ok(()), |next| ws.put(next))?;
        by.note("republish", service, &outcome, ws);
        Ok(Value::Null)
    });
    let done = host.execute(work).await.map(drop);
    // What commits from now on is not sent before; another replica finds the request by itself.
    host.signs().ask_again();
    done
}

/// What is to be done once this is asked for; `None` where what is under way takes it in.
fn asked_anew(before: Option<&Republishing>, from: u64, now: Timestamp) -> Option<Republishing> {
    let turn = before.map_or(0, |before| before.turn) + 1;
    let fresh = Republishing {
        turn,
        from,
        position: from,
        until: None,
        published: 0,
        requested_at: now,
        finished_at: None,
    };
    match before.filter(|before| before.is_under_way()) {
        Some(under_way) if from >= under_way.position => None,
        // It had been published up to there before: that has not changed.
        Some(under_way) => {
            Some(Republishing { until: under_way.until, published: under_way.published, ..fresh })
        }
        None => Some(fresh),
    }
}

/// What a service was last asked for.
pub(crate) async fn find(host: &Host) -> Result<Option<Republishing>, journal::Error> {
    let want = Want::Document(&REPUBLISHING, Republishing::ID.to_owned());
    match host.journal().load(vec![want]).await?.pop() {
        Some(Stored::Document(Some(found))) => serde_json::from_slice(&found.body)
            .map(Some)
            .map_err(|e| journal::Error::Unusable(format!("the request to publish again: {e}"))),
        _ => Ok(None),
    }
}

impl Relay<'_> {
    /// Publishes again what was asked for, until the relay stands at `position` again; false where
    /// it was told to stop before. What is asked for in the meantime is taken in.
    pub(super) async fn come_forward(&self, position: u64, shutdown: &Shutdown) -> Result<bool, String> {
        let service = self.host.service();
        loop {
            let asked = find(self.host).await.map_err(|e| e.to_string())?;
            let Some(asked) = asked.filter(Republishing::is_under_way) else { return Ok(true) };
            if shutdown.is_on() {
                // It goes on at the next start, or at another replica, before anything newer.
                return Ok(false);
            }
            if asked.until.is_none() {
                tracing::warn!(service, from = asked.from, until = position, "publishing again");
            }
            let until = asked.until.unwrap_or(position);
            let batch =
                self.host.journal().outgoing(asked.position, BATCH).await.map_err(|e| e.to_string())?;
            let batch: Vec<Sent> = batch.into_iter().take_while(|sent| sent.position <= until).collect();
            let to = batch.last().map(|last| last.position);
            let count = batch.len() as u64;
            if to.is_some() {
                self.bus.relay(batch, true).await.map_err(|e| e.to_string())?;
            }
            self.come_to(asked.turn, until, to.map(|to| (to, count))).await?;
            if to.is_none() {
                tracing::info!(service, published = asked.published, "everything is published again");
            }
        }
    }

    /// Notes how far it has come; `None` is all the way.
    async fn come_to(&self, turn: u64, until: u64, step: Option<(u64, u64)>) -> Result<(), String> {
        let decision = move |ws: &mut Workspace<'_>| {
            let asked = ws.get::<Republishing>(Republishing::ID)?.filter(|asked| asked.turn == turn);
            // Whoever asked for more meanwhile is heard at the next step.
            let Some(asked) = asked else { return Ok(Value::Null) };
            let mut asked = Arc::unwrap_or_clone(asked);
            asked.until = Some(until);
            match step {
                Some((to, count)) => {
                    asked.position = to;
                    asked.published += count;
                }
                None => asked.finished_at = Some(ws.now()),
            }
            ws.put(asked)?;
            Ok(Value::Null)
        };
        let (origin, span) = (Origin::default(), Span::none());
        let part = Part { name: "republished", origin, span, lane: None, decision: Arc::new(decision) };
        let job = Job { parts: vec![part], fence: self.fence.clone(), ..Job::default() };
        let done = self.host.perform(job).await.map_err(|e| e.to_string())?;
        match done.outcomes.into_iter().next() {
            Some(PartOutcome::Failed(refusal)) => Err(refusal.to_string()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_while_it_comes_forward_is_taken_in_or_goes_further_back() {
        let now = Timestamp::default();
        let first = asked_anew(None, 10, now).expect("nothing is under way");
        assert_eq!((first.turn, first.position, first.until), (1, 10, None));
        let under_way = Republishing { position: 50, until: Some(90), published: 40, ..first };
        assert_eq!(asked_anew(Some(&under_way), 50, now), None, "it comes there yet");
        let back = asked_anew(Some(&under_way), 49, now).expect("it is past that");
        assert_eq!((back.turn, back.position, back.until, back.published), (2, 49, Some(90), 40));
        let done = Republishing { finished_at: Some(now), ..under_way };
        let again = asked_anew(Some(&done), 60, now).expect("nothing is under way");
        assert_eq!((again.turn, again.position, again.until, again.published), (2, 60, None, 0));
    }
}
