//! A lane that waits: its first deliveries are tried again when they are due, and given up when
//! their attempts are used (reliability.md, rules 11 to 14).

use std::sync::Arc;

use backbone::system::Parked;
use backbone::workspace::{Key, Workspace};
use kernel::{Envelope, ErrorKind};
use serde_json::Value;

use super::Consumer;
use crate::decider::{Finish, Job, Part, PartOutcome};
use crate::failures::{Failure, bury, dead_letter, settle_parked};
use crate::lanes::{self, Lanes};

/// How many parked deliveries of a lane are tried in one commit.
const LANE_BATCH: usize = 64;

impl Consumer {
    /// Tries the first deliveries of a lane again. The attempt is written first, so that one
    /// that kills the process is charged.
    pub(super) async fn retry(&self, subject: &str, lanes: &mut Lanes) -> Result<(), String> {
        let journal = self.host.journal().clone();
        let parked =
            lanes::head(&*journal, &self.name, subject, LANE_BATCH).await.map_err(|e| e.to_string())?;
        let Some(first) = parked.first() else {
            lanes.blocked.remove(subject);
            return Ok(());
        };
        let attempts_max = self.retries.len() as u32 + 1;
        if first.attempts >= attempts_max {
            self.bury(first.clone()).await?;
            self.signs.metrics.given_up(&first.event.kind);
        } else {
            // What is down uses up no attempt: all is at hand before one is charged.
            let envelopes = self.envelopes(&parked).await?;
            self.charge(first).await?;
            self.try_lane(parked, envelopes).await?;
        }
        self.reload_lane(subject, lanes).await
    }

    async fn reload_lane(&self, subject: &str, lanes: &mut Lanes) -> Result<(), String> {
        let fresh = self.lanes().await?;
        match fresh.blocked.get(subject) {
            Some(lane) => lanes.blocked.insert(subject.to_owned(), lane.clone()),
            None => lanes.blocked.remove(subject),
        };
        Ok(())
    }

    /// Writes the attempt before it is made.
    async fn charge(&self, parked: &Parked) -> Result<(), String> {
        let parked = parked.clone();
        self.decide("charge", move |ws| {
            if let Some(row) = ws.get::<Parked>(backbone::Document::id(&parked))? {
                let mut row = Arc::unwrap_or_clone(row);
                row.attempts = parked.attempts + 1;
                ws.put(row)?;
            }
            Ok(())
        })
        .await
    }

    /// Moves a delivery whose attempts are used up to the dead letters.
    async fn bury(&self, parked: Parked) -> Result<(), String> {
        let (name, kinds) = (self.name.clone(), self.settling().kinds);
        self.decide("bury", move |ws| {
            let id = backbone::Document::id(&parked);
            if ws.get::<Parked>(&id)?.is_some() {
                ws.remove::<Parked>(&id)?;
                let now = ws.now();
                let default = "the process died each time while it handled this delivery";
                let failure = Failure {
                    kind: ErrorKind::Transient,
                    error: parked.error.clone().unwrap_or_else(|| default.to_owned()),
                    attempts: parked.attempts,
                    first_failed_at: parked.first_failed_at.unwrap_or(now),
                };
                bury(dead_letter(&name, parked.position, parked.event.clone(), &failure, now), &kinds, ws);
            }
            Ok(())
        })
        .await
    }

    /// The events of parked deliveries, personal fields readable.
    async fn envelopes(&self, parked: &[Parked]) -> Result<Vec<Arc<Envelope>>, String> {
        let mut envelopes = Vec::with_capacity(parked.len());
        for row in parked {
            envelopes.push(self.readable(&Arc::new(Envelope::from(row.event.clone()))).await?);
        }
        Ok(envelopes)
    }

    async fn try_lane(&self, parked: Vec<Parked>, envelopes: Vec<Arc<Envelope>>) -> Result<(), String> {
        let mut parts = Vec::with_capacity(parked.len());
        let rows: Arc<[Key]> =
            parked.iter().map(|row| Key::document::<Parked>(backbone::Document::id(row))).collect();
        for (row, envelope) in parked.iter().zip(&envelopes) {
            let part = self.part(envelope, &envelope.subject);
            let (id, decision) = (backbone::Document::id(row), part.decision.clone());
            // The row itself is the claim: it goes in the commit of the effect.
            let rows = rows.clone();
            let once = move |ws: &mut Workspace<'_>| {
                ws.need(rows.iter().cloned())?;
                if ws.get::<Parked>(&id)?.is_none() {
                    return Ok(Value::Null);
                }
                ws.remove::<Parked>(&id)?;
                decision(ws)
            };
            parts.push(Part { decision: Arc::new(once), ..part });
        }
        let attempts = |(index, row): (usize, &Parked)| if index == 0 { row.attempts + 1 } else { 1 };
        let tried: Vec<(String, u32)> =
            parked.iter().enumerate().map(|(i, row)| (row.event.kind.clone(), attempts((i, row)))).collect();
        let settling = self.settling();
        let finish = move |outcomes: &[PartOutcome], ws: &mut Workspace<'_>| {
            for (index, (row, outcome)) in parked.iter().zip(outcomes).enumerate() {
                let PartOutcome::Failed(refusal) = outcome else { continue };
                let now = ws.now();
                let attempts = if index == 0 { row.attempts + 1 } else { 1 };
                let first_failed_at = row.first_failed_at.unwrap_or(now);
                let failure = Failure { attempts, first_failed_at, ..Failure::first(refusal, now) };
                settle_parked(&settling, row, &failure, ws)?;
            }
            Ok(())
        };
        let finish: Finish = Box::new(finish);
        let job = Job { parts, finish: Some(finish), fence: self.tenure.fence(), ..Job::default() };
        let begun = self.host.environment().clock.now();
        let done = self.host.perform(job).await.map_err(|e| e.to_string())?;
        let took = self.host.environment().clock.now().since(begun);
        self.count(tried.iter().map(|(kind, attempts)| (kind.as_str(), *attempts)), &done, took);
        Ok(())
    }
}
