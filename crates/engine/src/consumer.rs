//! The consumer loop: one reader of one context for one service. A batch of deliveries is one
//! commit; one that fails is taken out and parked, and the rest goes on. Acknowledged after the
//! commit, never before.

use std::collections::BTreeMap;
use std::sync::Arc;

use backbone::bus::{Bus, Capabilities, Consumer as Reader, Delivery, Subscription};
use backbone::commit::Source;
use backbone::keyring::PersonKey;
use backbone::outcome::Refusal;
use backbone::reaction::Reaction;
use backbone::system::{KeptEvent, Parked};
use backbone::work::{Origin, Priority};
use backbone::workspace::{Key, Workspace};
use kernel::{Duration, Envelope, ErrorKind, Timestamp};
use serde_json::Value;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::decider::{Job, JobError, Part, PartOutcome};
use crate::failures::{Failure, Fate, dead_letter, fate, park_behind, settle_failure, settle_parked};
use crate::host::Host;
use crate::lanes::{self, Lanes};
use crate::sealing;
use crate::shutdown::Shutdown;

/// How many deliveries are fetched, and committed, at a time: the window in flight.
pub(crate) const WINDOW: usize = 256;

/// How many deliveries may be parked before the consumer stops taking new ones.
const PARKED_MAX: usize = 10_000;

/// How many parked deliveries of a lane are tried in one commit.
const LANE_BATCH: usize = 64;

/// Waits while the store or the bus is down.
const OUTAGE: Duration = Duration::from_millis(500);

/// What a consumer is made of.
pub(crate) struct Consumer {
    pub(crate) host: Arc<Host>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) name: String,
    pub(crate) context: &'static str,
    pub(crate) reactions: BTreeMap<&'static str, Reaction>,
    pub(crate) retries: &'static [Duration],
    /// Rung when an operator changed the dead letters.
    pub(crate) bell: Arc<Notify>,
}

impl Consumer {
    fn capabilities(&self) -> Capabilities {
        self.bus.capabilities()
    }

    pub(crate) async fn open(&self, after: u64) -> Result<Box<dyn Reader>, backbone::bus::Error> {
        let subscription = Subscription {
            consumer: self.name.clone(),
            service: self.host.service(),
            context: self.context,
            after: self.capabilities().reads_by_position.then_some(after),
        };
        self.bus.open(subscription).await
    }

    /// Runs until shutdown; whatever is down is waited for.
    pub(crate) async fn run(self, mut shutdown: Shutdown) {
        let clock = self.host.environment().clock.clone();
        while !shutdown.is_on() {
            let Err(reason) = self.read_on(&mut shutdown).await else { return };
            tracing::warn!(consumer = self.name, reason, "the consumer pauses and begins again");
            tokio::select! {
                biased;
                () = shutdown.wait() => return,
                () = clock.sleep(OUTAGE) => {}
            }
        }
    }

    async fn read_on(&self, shutdown: &mut Shutdown) -> Result<(), String> {
        let journal = self.host.journal().clone();
        let clock = self.host.environment().clock.clone();
        let mut position = journal.checkpoint(&self.name).await.map_err(|e| e.to_string())?;
        let mut lanes = Lanes::load(&*journal, &self.name).await.map_err(|e| e.to_string())?;
        let mut reader = self.open(position).await.map_err(|e| e.to_string())?;
        loop {
            let due = lanes.next_due().map_or(Duration::from_secs(3_600), |due| due.since(clock.now()));
            let room = lanes.parked() < PARKED_MAX;
            tokio::select! {
                biased;
                () = shutdown.wait() => {
                    let _ = reader.give_back().await;
                    return Ok(());
                }
                () = self.bell.notified() => {
                    lanes = Lanes::load(&*journal, &self.name).await.map_err(|e| e.to_string())?;
                }
                () = clock.sleep(due), if !lanes.blocked.is_empty() => {
                    for subject in lanes.due(clock.now()) {
                        self.retry(&subject, &mut lanes).await?;
                    }
                }
                fetched = reader.fetch(WINDOW), if room => {
                    let deliveries = fetched.map_err(|e| e.to_string())?;
                    position = self.take(&deliveries, position, &mut lanes).await?;
                    let taken: Vec<u64> = deliveries.iter().map(|delivery| delivery.position).collect();
                    // A failed acknowledgement is normal life: the inbox or the position knows.
                    if let Err(error) = reader.acknowledge(&taken).await {
                        tracing::debug!(consumer = self.name, %error, "an acknowledgement failed");
                    }
                }
            }
        }
    }

    /// Takes in a batch as one commit; gives where the consumer stands now.
    pub(crate) async fn take(
        &self,
        deliveries: &[Delivery],
        from: u64,
        lanes: &mut Lanes,
    ) -> Result<u64, String> {
        let Some(to) = deliveries.last().map(|delivery| delivery.position) else { return Ok(from) };
        let known: Vec<&Delivery> = deliveries
            .iter()
            .filter(|delivery| self.reactions.contains_key(delivery.envelope.kind.as_str()))
            .collect();
        if known.is_empty() && !self.capabilities().reads_by_position {
            return Ok(to);
        }
        let (behind, free): (Vec<&Delivery>, Vec<&Delivery>) =
            known.into_iter().partition(|delivery| lanes.is_blocked(&delivery.envelope.subject));
        let ordered = self.by_rank(free);
        let mut parts = Vec::with_capacity(ordered.len());
        for delivery in &ordered {
            parts.push(self.part(&self.readable(&delivery.envelope).await?, &delivery.envelope.subject));
        }
        let ordered: Vec<Delivery> = ordered.into_iter().cloned().collect();
        let behind: Vec<Delivery> = behind.into_iter().cloned().collect();
        let source = self.source(deliveries, from, to);
        let (name, retries) = (self.name.clone(), self.retries);
        let (tried, waiting) = (ordered.clone(), behind.clone());
        let finish = move |outcomes: &[PartOutcome], ws: &mut Workspace<'_>| {
            for delivery in &waiting {
                park_behind(&name, delivery, ws);
            }
            for (delivery, outcome) in tried.iter().zip(outcomes) {
                match outcome {
                    PartOutcome::Done(_) => {}
                    PartOutcome::Behind => park_behind(&name, delivery, ws),
                    PartOutcome::Failed(refusal) => {
                        let now = ws.now();
                        let failure = Failure::first(refusal, now);
                        settle_failure(&name, retries, delivery, &failure, ws);
                    }
                }
            }
            Ok(())
        };
        let count = parts.len();
        let job = Job {
            parts,
            source: Some(source),
            idempotency: None,
            finish: Some(Box::new(finish)),
            priority: Priority::Normal,
        };
        let done = self.host.perform(job).await.map_err(|e: JobError| e.to_string())?;
        metrics::counter!("a4co_events_consumed_total", "consumer" => self.name.clone())
            .increment(count as u64);
        let now = self.host.environment().clock.now();
        for delivery in &behind {
            lanes.park(&delivery.envelope.subject, None);
        }
        for (delivery, outcome) in ordered.iter().zip(&done.outcomes) {
            self.note(delivery, outcome, now, lanes);
        }
        Ok(to)
    }

    fn note(&self, delivery: &Delivery, outcome: &PartOutcome, now: Timestamp, lanes: &mut Lanes) {
        let subject = &delivery.envelope.subject;
        match outcome {
            PartOutcome::Done(_) => {}
            PartOutcome::Behind => lanes.park(subject, None),
            PartOutcome::Failed(refusal) => {
                let failure = Failure::first(refusal, now);
                let fate = fate(&failure, self.retries, now);
                let (kind, id, error) = (&delivery.envelope.kind, delivery.envelope.id, &failure.error);
                tracing::warn!(consumer = self.name, kind, %id, error, ?fate, "a delivery failed");
                match fate {
                    Fate::Retry(due) => {
                        metrics::counter!("a4co_events_retried_total", "consumer" => self.name.clone())
                            .increment(1);
                        lanes.park(subject, Some(due));
                    }
                    Fate::Dead => {
                        metrics::counter!("a4co_events_dead_total", "consumer" => self.name.clone())
                            .increment(1);
                        lanes.bury(subject);
                    }
                }
            }
        }
    }

    fn source(&self, deliveries: &[Delivery], from: u64, to: u64) -> Source {
        let consumer = self.name.clone();
        if self.capabilities().reads_by_position {
            return Source::Checkpoint { consumer, from, to };
        }
        let known = deliveries.iter().filter(|d| self.reactions.contains_key(d.envelope.kind.as_str()));
        Source::Inbox { consumer, events: known.map(|delivery| delivery.envelope.id.0).collect() }
    }

    /// Sorts by rank, never a delivery before an earlier one of its key.
    fn by_rank<'d>(&self, deliveries: Vec<&'d Delivery>) -> Vec<&'d Delivery> {
        let ranked = self.reactions.values().any(|reaction| reaction.rank.is_some());
        if !ranked || deliveries.len() < 2 {
            return deliveries;
        }
        let mut floor: BTreeMap<&str, Priority> = BTreeMap::new();
        let mut keyed: Vec<(Priority, &Delivery)> = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            let rank = self.reactions[delivery.envelope.kind.as_str()].rank.as_ref();
            let own = rank.map_or(Priority::Normal, |rank| rank(&delivery.envelope));
            let floor = floor.entry(&delivery.envelope.subject).or_insert(own);
            *floor = own.max(*floor);
            keyed.push((*floor, delivery));
        }
        keyed.sort_by_key(|(rank, _)| *rank);
        keyed.into_iter().map(|(_, delivery)| delivery).collect()
    }

    fn part(&self, envelope: &Arc<Envelope>, subject: &str) -> Part {
        let reaction = self.reactions[envelope.kind.as_str()].run.clone();
        let origin = Origin {
            correlation_id: envelope.correlation_id.clone(),
            causation_id: envelope.id.to_string(),
            traceparent: envelope.traceparent.clone(),
        };
        let envelope = envelope.clone();
        let decision = move |ws: &mut Workspace<'_>| reaction(&envelope, ws).map(|()| Value::Null);
        Part { name: "reaction", origin, lane: Some(subject.into()), decision: Arc::new(decision) }
    }

    /// The envelope with its personal fields readable.
    async fn readable(&self, envelope: &Arc<Envelope>) -> Result<Arc<Envelope>, String> {
        let event = self.reactions[envelope.kind.as_str()].event;
        let Some(field) = event.subject_of_data.filter(|_| !event.personal.is_empty()) else {
            return Ok(envelope.clone());
        };
        let person = serde_json::from_slice::<Value>(&envelope.data)
            .ok()
            .and_then(|data| data.get(field)?.as_str().and_then(|id| Uuid::parse_str(id).ok()));
        // Without a person it is undecodable: the reaction will say so.
        let Some(person) = person else { return Ok(envelope.clone()) };
        let key = self.host.keys().find(&[person]).await.map_err(|e| e.to_string())?.pop();
        let key = key.unwrap_or(PersonKey::Absent);
        let data = sealing::reveal(&envelope.data, event.personal, person, &envelope.id.to_string(), &key);
        Ok(Arc::new(Envelope { data, ..envelope.as_ref().clone() }))
    }

    /// Tries the first deliveries of a lane again. The attempt is written first, so that one
    /// that kills the process is charged.
    async fn retry(&self, subject: &str, lanes: &mut Lanes) -> Result<(), String> {
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
        } else {
            self.charge(first).await?;
            self.try_lane(parked).await?;
        }
        self.reload_lane(subject, lanes).await
    }

    async fn reload_lane(&self, subject: &str, lanes: &mut Lanes) -> Result<(), String> {
        let journal = self.host.journal().clone();
        let fresh = Lanes::load(&*journal, &self.name).await.map_err(|e| e.to_string())?;
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
        let name = self.name.clone();
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
                ws.overwrite(dead_letter(&name, parked.position, parked.event.clone(), &failure, now));
            }
            Ok(())
        })
        .await
    }

    async fn try_lane(&self, parked: Vec<Parked>) -> Result<(), String> {
        let mut parts = Vec::with_capacity(parked.len());
        let rows: Arc<[Key]> =
            parked.iter().map(|row| Key::document::<Parked>(backbone::Document::id(row))).collect();
        for row in &parked {
            let envelope = Arc::new(Envelope::from(row.event.clone()));
            let part = self.part(&self.readable(&envelope).await?, &envelope.subject);
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
        let (name, retries) = (self.name.clone(), self.retries);
        let finish = move |outcomes: &[PartOutcome], ws: &mut Workspace<'_>| {
            for (index, (row, outcome)) in parked.iter().zip(outcomes).enumerate() {
                let PartOutcome::Failed(refusal) = outcome else { continue };
                let now = ws.now();
                let attempts = if index == 0 { row.attempts + 1 } else { 1 };
                let first_failed_at = row.first_failed_at.unwrap_or(now);
                let failure = Failure { attempts, first_failed_at, ..Failure::first(refusal, now) };
                settle_parked(&name, retries, row, &failure, ws)?;
            }
            Ok(())
        };
        let finish: crate::decider::Finish = Box::new(finish);
        let job =
            Job { parts, source: None, idempotency: None, finish: Some(finish), priority: Priority::Normal };
        self.host.perform(job).await.map(drop).map_err(|e| e.to_string())
    }

    pub(crate) async fn decide(
        &self,
        name: &'static str,
        decide: impl Fn(&mut Workspace<'_>) -> Result<(), Refusal> + Send + Sync + 'static,
    ) -> Result<(), String> {
        let decision = move |ws: &mut Workspace<'_>| decide(ws).map(|()| Value::Null);
        let part = Part { name, origin: Origin::default(), lane: None, decision: Arc::new(decision) };
        let priority = Priority::High;
        let job = Job { parts: vec![part], source: None, idempotency: None, finish: None, priority };
        let done = self.host.perform(job).await.map_err(|e| e.to_string())?;
        match done.outcomes.into_iter().next() {
            Some(PartOutcome::Failed(refusal)) => Err(refusal.to_string()),
            _ => Ok(()),
        }
    }

    /// Gives a delivery up at once: it killed the process as often as it may.
    pub(crate) async fn give_up(&self, delivery: &Delivery, from: u64, attempts: u32) -> Result<u64, String> {
        let (name, delivery_copy) = (self.name.clone(), delivery.clone());
        let finish = move |_: &[PartOutcome], ws: &mut Workspace<'_>| {
            let now = ws.now();
            let failure = Failure {
                kind: ErrorKind::Transient,
                error: "the process died each time while it handled this delivery".to_owned(),
                attempts,
                first_failed_at: now,
            };
            let event = KeptEvent::from(delivery_copy.envelope.as_ref());
            ws.overwrite(dead_letter(&name, delivery_copy.position, event, &failure, now));
            Ok(())
        };
        let to = delivery.position;
        let source = self.source(std::slice::from_ref(delivery), from, to);
        let job = Job {
            parts: Vec::new(),
            source: Some(source),
            idempotency: None,
            finish: Some(Box::new(finish)),
            priority: Priority::High,
        };
        self.host.perform(job).await.map_err(|e| e.to_string())?;
        Ok(to)
    }
}
