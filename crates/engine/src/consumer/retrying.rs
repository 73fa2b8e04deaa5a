//! Deliveries that wait are tried again: first of their key, in its order, and given up once
//! their attempts are used (reliability.md, rules 11 to 14). A turn is short, so that new events flow
//! between two of them.

use std::sync::Arc;

use backbone::system::Parked;
use backbone::workspace::{Key, Workspace};
use kernel::{Duration, Envelope, ErrorKind, Timestamp};
use serde_json::Value;

use super::{Consumer, LOOK_AGAIN};
use crate::decider::{Finish, Job, JobError, Part, PartOutcome};
use crate::failures::{Failure, bury, dead_letter, settle_parked};
use crate::lanes::{self, Lanes};

/// How many parked deliveries of a lane are tried in one commit.
const LANE_BATCH: usize = 64;

/// How many lanes are tried in one turn.
const LANES_PER_TURN: usize = 16;

/// What waits in the log is looked at for so long between two turns.
const BREATH: Duration = Duration::from_millis(10);

/// How often, and how long apart, an attempt is taken back that was none.
const TAKEN_BACK_TRIES: u32 = 25;
const TAKEN_BACK_PAUSE: Duration = Duration::from_millis(200);

/// When a consumer turns to what waits.
pub(super) struct Pace {
    /// The next turn, not before this.
    next_turn: Timestamp,
    /// When the lanes were read, where another replica may change them.
    looked: Timestamp,
    /// The next round.
    pub(super) next_round: Timestamp,
    /// Up to which dead letter a round that was not through has looked.
    pub(super) looked_to: Option<String>,
}

impl Pace {
    pub(super) fn begin(now: Timestamp) -> Self {
        Self { next_turn: now, looked: now, next_round: now, looked_to: None }
    }
}

impl Consumer {
    /// How long until there is something to try again, or to look at.
    pub(super) fn until_turn(&self, lanes: &Lanes, pace: &Pace) -> Duration {
        let now = self.host.environment().clock.now();
        // An operator may act at another replica, which rings no bell here.
        let is_shared = self.tenure.fence().is_some();
        let look_again = if is_shared { LOOK_AGAIN } else { Duration::from_secs(3_600) };
        let Some(due) = lanes.next_due() else { return look_again };
        let due = due.max(pace.next_turn).max(self.outage.probe_at().unwrap_or_default());
        due.since(now).min(look_again)
    }

    /// Whether new deliveries are taken: not during an outage, which is over once one that waits fares
    /// otherwise.
    pub(super) fn takes_new(&self, lanes: &Lanes) -> bool {
        lanes.parked() < super::PARKED_MAX && (lanes.next_due().is_none() || !self.outage.is_on())
    }

    /// Tries some of the lanes that are due: during an outage one delivery.
    pub(super) async fn take_turn(&self, lanes: &mut Lanes, pace: &mut Pace) -> Result<(), String> {
        let clock = self.host.environment().clock.clone();
        if self.tenure.fence().is_some() && clock.now().since(pace.looked) >= LOOK_AGAIN {
            *lanes = self.lanes().await?;
            pace.looked = clock.now();
        }
        let probes = |now| self.outage.probe_at().is_none_or(|at| at <= now);
        for subject in lanes.due(clock.now()).into_iter().take(LANES_PER_TURN) {
            if !probes(clock.now()) {
                break;
            }
            self.retry(&subject, lanes).await?;
        }
        pace.next_turn = clock.now().plus(BREATH);
        Ok(())
    }

    /// Tries the first deliveries of a lane again. The attempt is written first, so that one
    /// that kills the process is charged.
    pub(super) async fn retry(&self, subject: &str, lanes: &mut Lanes) -> Result<(), String> {
        let journal = self.host.journal().clone();
        let most = if self.outage.is_on() { 1 } else { LANE_BATCH };
        let parked = lanes::head(&*journal, &self.name, subject, most).await.map_err(|e| e.to_string())?;
        let Some(first) = parked.first().cloned() else {
            lanes.blocked.remove(subject);
            return Ok(());
        };
        let attempts_max = self.retries.len() as u32 + 1;
        if first.attempts >= attempts_max {
            let default = "the process died each time while it handled this delivery";
            let error = first.error.clone().unwrap_or_else(|| default.to_owned());
            self.bury(first, (ErrorKind::Transient, error)).await?;
        } else {
            // What is down uses up no attempt: all is at hand before one is charged.
            let envelopes = self.envelopes(&parked).await?;
            self.charge(&first).await?;
            self.try_charged(parked, envelopes).await?;
        }
        self.reload_lane(subject, lanes).await
    }

    /// Tries a lane whose first delivery is charged. Where something stops the commit of all, the first
    /// is tried alone, and is a dead letter where it is that one.
    async fn try_charged(&self, parked: Vec<Parked>, envelopes: Vec<Arc<Envelope>>) -> Result<(), String> {
        let first = parked[0].clone();
        let alone = (vec![first.clone()], envelopes[..1].to_vec());
        let is_alone = parked.len() == 1;
        let mut tried = self.try_lane(parked, envelopes).await;
        if matches!(tried, Err(JobError::Failed(_))) && !is_alone {
            tried = self.try_lane(alone.0, alone.1).await;
        }
        match tried {
            Ok(()) => Ok(()),
            Err(JobError::Failed(reason)) => self.bury(first, (ErrorKind::Permanent, reason)).await,
            Err(error) => {
                self.uncharge(&first, &error).await;
                Err(error.to_string())
            }
        }
    }

    async fn reload_lane(&self, subject: &str, lanes: &mut Lanes) -> Result<(), String> {
        let journal = self.host.journal();
        let lane = lanes::load_one(&**journal, &self.name, subject).await.map_err(|e| e.to_string())?;
        match lane {
            Some(lane) => lanes.blocked.insert(subject.to_owned(), lane),
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

    /// The process lives and its store was away: that is no attempt. Tried for a while, because what was
    /// away may come back; nothing where the attempt was made and only its answer was lost.
    async fn uncharge(&self, parked: &Parked, error: &JobError) {
        for _ in 0..TAKEN_BACK_TRIES {
            if matches!(error, JobError::Closed | JobError::Fenced(_)) {
                return;
            }
            let before = parked.clone();
            let charged = Parked { attempts: parked.attempts + 1, ..parked.clone() };
            let taken_back =
                self.decide("charge", move |ws| match ws.get::<Parked>(backbone::Document::id(&before))? {
                    Some(row) if *row == charged => ws.put(before.clone()),
                    _ => Ok(()),
                });
            if taken_back.await.is_ok() {
                return;
            }
            self.host.environment().clock.sleep(TAKEN_BACK_PAUSE).await;
        }
    }

    /// Moves a delivery to the dead letters.
    async fn bury(&self, parked: Parked, (kind, error): (ErrorKind, String)) -> Result<(), String> {
        let (name, kinds, event) = (self.name.clone(), self.settling().kinds, parked.event.kind.clone());
        self.decide("bury", move |ws| {
            let id = backbone::Document::id(&parked);
            if ws.get::<Parked>(&id)?.is_some() {
                ws.remove::<Parked>(&id)?;
                let now = ws.now();
                let failure = Failure {
                    kind,
                    error: error.clone(),
                    attempts: parked.attempts.max(1),
                    first_failed_at: parked.first_failed_at.unwrap_or(now),
                };
                bury(dead_letter(&name, parked.position, parked.event.clone(), &failure, now), &kinds, ws);
            }
            Ok(())
        })
        .await?;
        self.signs.metrics.given_up(&event);
        Ok(())
    }

    /// The events of parked deliveries, personal fields readable.
    async fn envelopes(&self, parked: &[Parked]) -> Result<Vec<Arc<Envelope>>, String> {
        let mut envelopes = Vec::with_capacity(parked.len());
        for row in parked {
            envelopes.push(self.readable(&Arc::new(Envelope::from(row.event.clone()))).await?);
        }
        Ok(envelopes)
    }

    async fn try_lane(&self, parked: Vec<Parked>, envelopes: Vec<Arc<Envelope>>) -> Result<(), JobError> {
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
            for (row, outcome) in parked.iter().zip(outcomes) {
                let PartOutcome::Failed(refusal) = outcome else { continue };
                let failure = Failure::again(refusal, row, ws.now());
                settle_parked(&settling, row, &failure, ws)?;
            }
            Ok(())
        };
        let finish: Finish = Box::new(finish);
        let job = Job { parts, finish: Some(finish), fence: self.tenure.fence(), ..Job::default() };
        let begun = self.host.environment().clock.now();
        let done = self.host.perform(job).await?;
        let now = self.host.environment().clock.now();
        self.outage.note(&self.name, &done.outcomes, now);
        self.count(tried.iter().map(|(kind, attempts)| (kind.as_str(), *attempts)), &done, now.since(begun));
        Ok(())
    }
}
