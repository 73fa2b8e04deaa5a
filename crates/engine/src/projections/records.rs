//! What operators want of a projection, in its record: asked for here, and done by whoever runs it.

use backbone::journal::{self, Stored, Want};
use backbone::outcome::Rejection;
use backbone::system::{Aim, AskedFor, REBUILDS, Rebuilding};
use backbone::work::{Commands, Error, Origin, Work};
use backbone::workspace::Workspace;
use serde_json::Value;
use std::sync::Arc;
use tracing::Span;

use super::Run;
use crate::decider::{Job, Part, PartOutcome};
use crate::host::Host;
use crate::operators::By;

/// The record of a projection.
pub(crate) async fn find(host: &Host, projection: &str) -> Result<Rebuilding, journal::Error> {
    let want = Want::Document(&REBUILDS, projection.to_owned());
    match host.journal().load(vec![want]).await?.pop() {
        Some(Stored::Document(Some(found))) => serde_json::from_slice(&found.body)
            .map_err(|e| journal::Error::Unusable(format!("the record of {projection}'s rebuilds: {e}"))),
        _ => Ok(Rebuilding::of(projection)),
    }
}

/// Asks for something; whoever runs the projection does it.
pub(crate) async fn ask(host: &Host, projection: &'static str, aim: Aim, by: &By) -> Result<(), Error> {
    let origin = Origin {
        correlation_id: format!("projection:{projection}"),
        causation_id: by.who.clone(),
        traceparent: None,
    };
    let by = by.clone();
    let work = Work::new("rebuild", origin, move |ws| {
        let mut record = recorded(projection, ws)?;
        if record.asked.is_some() {
            let message = format!("`{projection}` is being rebuilt already: wait until that is done");
            return Err(Rejection::conflict("rebuild-running", message).into());
        }
        if aim == Aim::RollBack && record.previous.is_none() {
            let message =
                format!("nothing is kept of `{projection}` from before: there is no rebuild to roll back");
            return Err(Rejection::conflict("nothing-to-roll-back", message).into());
        }
        record.asked = Some(AskedFor { aim, at: ws.now(), begun: 0 });
        ws.put(record)?;
        let (what, outcome) = match aim {
            Aim::Rebuild(when) => ("rebuild", format!("asked for, to be swapped in: {when:?}")),
            Aim::RollBack => ("roll-back", "asked for".to_owned()),
        };
        by.note(what, projection, &outcome, ws);
        Ok(Value::Null)
    });
    host.execute(work).await?;
    // Another replica that runs it finds the request by itself.
    host.gate(projection).bell().notify_one();
    Ok(())
}

/// The record as a decision sees it.
fn recorded(projection: &str, ws: &mut Workspace<'_>) -> Result<Rebuilding, backbone::Refusal> {
    let found = ws.get::<Rebuilding>(projection)?;
    Ok(found.map_or_else(|| Rebuilding::of(projection), Arc::unwrap_or_clone))
}

impl Run<'_> {
    /// Changes the record, and whatever else belongs into the same commit.
    pub(super) async fn record(
        &self,
        change: impl Fn(&mut Rebuilding, &mut Workspace<'_>) + Send + Sync + 'static,
    ) -> Result<(), String> {
        let name = self.projection.name;
        let decision = move |ws: &mut Workspace<'_>| {
            let mut record = recorded(name, ws)?;
            change(&mut record, ws);
            ws.put(record)?;
            Ok(Value::Null)
        };
        let (origin, span) = (Origin::default(), Span::none());
        let part = Part { name: "rebuild", origin, span, lane: None, decision: Arc::new(decision) };
        let job = Job { parts: vec![part], fence: self.fence.clone(), ..Job::default() };
        let done = self.host.perform(job).await.map_err(|e| e.to_string())?;
        match done.outcomes.into_iter().next() {
            Some(PartOutcome::Failed(refusal)) => Err(refusal.to_string()),
            _ => Ok(()),
        }
    }
}
