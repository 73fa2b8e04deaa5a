//! The consumer loop: one reader of one context for one service. A batch of deliveries is one
//! commit; one that fails is taken out and parked, and the rest goes on. Acknowledged after the
//! commit, never before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use backbone::bus::{self, Bus, Capabilities, Consumer as Reader, Delivery, Subscription};
use backbone::commit::{Fence, Source};
use backbone::journal::Storage;
use backbone::keyring::PersonKey;
use backbone::module::Beginning;
use backbone::outcome::Refusal;
use backbone::reaction::Reaction;
use backbone::trace::id_of;
use backbone::work::{Origin, Priority};
use backbone::workspace::Workspace;
use kernel::{Duration, Envelope, ErrorKind, Timestamp};
use serde_json::Value;
use tokio::sync::Notify;
use tracing::Span;
use uuid::Uuid;

use crate::decider::{Job, JobError, Part, PartOutcome};
use crate::failures::{Failure, Fate, Settling, fate, park_behind, settle_failure};
use crate::host::Host;
use crate::lanes::Lanes;
use crate::sealing;
use crate::shutdown::Shutdown;
use crate::signs::ConsumerSigns;
use crate::spans::{self, Opened};
use crate::tenure::Tenure;

mod beginning;
mod catching_up;
mod charged;
mod forgotten;
mod given_up;
mod outage;
mod rehearsing;
mod retrying;
mod standing;

pub(crate) use given_up::put_back;
pub(crate) use outage::{Outage, PROBED_EVERY};
use retrying::Pace;
pub(crate) use standing::Standings;

/// How many deliveries are fetched, and committed, at a time: the window in flight.
pub(crate) const WINDOW: usize = 256;

/// How many deliveries may be parked before the consumer stops taking new ones.
const PARKED_MAX: usize = 10_000;

/// How often the blocked lanes are read again on a shared store.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How often it looks for what the broker gave up on, and for what died of an outage alone.
const ROUNDS_EVERY: Duration = Duration::from_secs(30);

/// Why a reader is closed and opened again (reliability.md, rule 16).
const DEAF: &str = "its reader gets nothing while events wait";

/// What a consumer is made of.
pub(crate) struct Consumer {
    pub(crate) host: Arc<Host>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) name: String,
    pub(crate) context: &'static str,
    /// Which part of the context's subjects it reads.
    pub(crate) partition: u32,
    pub(crate) reactions: BTreeMap<&'static str, Reaction>,
    pub(crate) retries: &'static [Duration],
    pub(crate) beginning: Beginning,
    /// Rung when an operator changed the dead letters.
    pub(crate) bell: Arc<Notify>,
    pub(crate) signs: Arc<ConsumerSigns>,
    pub(crate) tenure: Tenure,
    /// Where the producers' journals are, for what the broker lost.
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) standings: Standings,
    pub(crate) outage: Outage,
}

/// Why it no longer reads.
enum Stopped {
    /// Something is down or in the way.
    Failed(String),
    /// The broker lost what comes next.
    Gap(u64, u64),
}

impl From<String> for Stopped {
    fn from(reason: String) -> Self {
        Stopped::Failed(reason)
    }
}

impl From<bus::Error> for Stopped {
    fn from(error: bus::Error) -> Self {
        match error {
            bus::Error::Gap { from, to, .. } => Stopped::Gap(from, to),
            other => Stopped::Failed(other.to_string()),
        }
    }
}

impl Consumer {
    fn capabilities(&self) -> Capabilities {
        self.bus.capabilities()
    }

    /// What it reads from.
    pub(crate) fn subscription(&self, after: u64) -> Subscription {
        Subscription {
            consumer: self.name.clone(),
            service: self.host.service(),
            context: self.context,
            partition: self.partition,
            after: self.capabilities().reads_by_position.then_some(after),
        }
    }

    /// Opens it at `after`, or where the broker says that it stands.
    pub(crate) async fn open(&self, after: u64) -> Result<Box<dyn Reader>, bus::Error> {
        self.open_at(self.subscription(after)).await
    }

    /// Runs until shutdown; whatever is down is waited for. One replica reads at a time.
    pub(crate) async fn run(self: Arc<Self>, shutdown: Shutdown) {
        let lease = self.place();
        let read = |fence| self.read_under(fence, shutdown.clone());
        self.host.leases().hold(&self.host, &lease, &shutdown, read).await;
    }

    async fn read_under(&self, fence: Option<Fence>, mut shutdown: Shutdown) -> Result<(), String> {
        let read = async {
            self.tenure.begin(self, fence).await?;
            let mut caught_up = None;
            while let Err(stopped) = self.read_on(&mut shutdown, caught_up).await {
                match stopped {
                    Stopped::Failed(reason) => return Err(reason),
                    Stopped::Gap(from, to) => {
                        self.close_gap(from, to, Some(&shutdown)).await?;
                        caught_up = Some(to);
                    }
                }
            }
            self.tenure.end(self).await
        };
        let read = read.await;
        if let Err(reason) = &read {
            self.signs.fails(reason, self.host.environment().clock.now());
        }
        read
    }

    /// Its name among all readers of the service.
    pub(crate) fn place(&self) -> String {
        match self.partition {
            0 => self.name.clone(),
            partition => format!("{}/{partition}", self.name),
        }
    }

    /// Whether events of this type are handled here, or are newer than one that is: those are held
    /// and not dropped (reliability.md, rule 23).
    pub(crate) fn handles(&self, kind: &str) -> bool {
        self.reactions.contains_key(kind) || self.reactions.keys().any(|known| is_newer(kind, known))
    }

    fn settling(&self) -> Settling {
        let kinds = self.host.signs().failure_kinds.clone();
        Settling { consumer: self.name.clone(), retries: self.retries, kinds }
    }

    /// Whether deliveries about `subject` come here.
    fn is_mine(&self, subject: &str) -> bool {
        bus::partition_of(subject, self.capabilities().partitions) == self.partition
    }

    pub(crate) async fn lanes(&self) -> Result<Lanes, String> {
        let journal = &**self.host.journal();
        self.host.signs().failure_kinds.load(journal).await.map_err(|e| e.to_string())?;
        let mut lanes = Lanes::load(journal, &self.name).await.map_err(|e| e.to_string())?;
        lanes.blocked.retain(|subject, _| self.is_mine(subject));
        Ok(lanes)
    }

    /// Reads until shutdown, or until it must stop; `caught_up` is what it need not read.
    async fn read_on(&self, shutdown: &mut Shutdown, caught_up: Option<u64>) -> Result<(), Stopped> {
        let journal = self.host.journal().clone();
        let clock = self.host.environment().clock.clone();
        let mut position = journal.checkpoint(&self.name).await.map_err(|e| e.to_string())?;
        let mut lanes = self.lanes().await?;
        let subscription = self.subscription(position);
        let after = caught_up.or(subscription.after);
        let mut reader = self.open_at(Subscription { after, ..subscription }).await?;
        self.standings.begin(self).await?;
        self.signs.reads(position, clock.now());
        let mut pace = Pace::begin(clock.now());
        loop {
            let takes_new = self.takes_new(&lanes);
            self.signs.parks(&lanes, !takes_new);
            tokio::select! {
                biased;
                () = shutdown.wait() => {
                    let _ = reader.give_back().await;
                    return Ok(());
                }
                () = self.bell.notified() => {
                    lanes = self.lanes().await?;
                }
                () = clock.sleep(self.until_turn(&lanes, &pace)), if !lanes.blocked.is_empty() => {
                    self.take_turn(&mut lanes, &mut pace).await?;
                }
                () = clock.sleep(pace.next_round.since(clock.now())) => {
                    self.make_round(&mut lanes, &mut pace).await?;
                }
                () = self.signs.deaf.notified() => return Err(DEAF.to_owned().into()),
                fetched = reader.fetch(WINDOW), if takes_new => {
                    let deliveries = fetched?;
                    self.signs.takes(deliveries.len(), clock.now());
                    position = self.take(&deliveries, position, &mut lanes).await?;
                    self.signs.progresses(position, clock.now());
                    let taken: Vec<u64> = deliveries.iter().map(|delivery| delivery.position).collect();
                    // A failed acknowledgement is normal life: the inbox or the position knows.
                    if let Err(error) = reader.acknowledge(&taken).await {
                        tracing::debug!(consumer = self.name, %error, "an acknowledgement failed");
                    }
                }
            }
        }
    }

    /// Takes in a batch as one commit; gives where the consumer stands now. What a broker
    /// delivers again, be it in the same batch, or what took effect before, is left out.
    pub(crate) async fn take(
        &self,
        deliveries: &[Delivery],
        from: u64,
        lanes: &mut Lanes,
    ) -> Result<u64, String> {
        let deliveries = first_of_each(deliveries);
        match self.take_once(&deliveries, from, lanes).await {
            Err(JobError::Taken(before)) => {
                let fresh = deliveries.iter().filter(|delivery| !before.contains(&delivery.envelope.id.0));
                let fresh: Vec<Delivery> = fresh.cloned().collect();
                // One reader at a time: what is left cannot be taken meanwhile.
                self.take_once(&fresh, from, lanes).await
            }
            Err(JobError::Failed(_)) => self.take_apart(&deliveries, from, lanes).await,
            other => other,
        }
        .map_err(|error| error.to_string())
    }

    async fn take_once(
        &self,
        deliveries: &[Delivery],
        from: u64,
        lanes: &mut Lanes,
    ) -> Result<u64, JobError> {
        let Some(to) = deliveries.last().map(|delivery| delivery.position) else { return Ok(from) };
        let known: Vec<&Delivery> =
            deliveries.iter().filter(|delivery| self.handles(&delivery.envelope.kind)).collect();
        if known.is_empty() && !self.capabilities().reads_by_position {
            return Ok(to);
        }
        let known = self.numbered(known, lanes);
        let (behind, free): (Vec<&Delivery>, Vec<&Delivery>) =
            known.iter().partition(|delivery| lanes.is_blocked(&delivery.envelope.subject));
        let ordered = self.by_rank(free);
        let mut parts = Vec::with_capacity(ordered.len());
        for delivery in &ordered {
            let envelope = self.readable(&delivery.envelope).await.map_err(JobError::Unavailable)?;
            parts.push(self.part(&envelope, &delivery.envelope.subject));
        }
        let ordered: Vec<Delivery> = ordered.into_iter().cloned().collect();
        let behind: Vec<Delivery> = behind.into_iter().cloned().collect();
        let source = self.source(deliveries, from, to);
        let (name, settling) = (self.name.clone(), self.settling());
        let (tried, waiting) = (ordered.clone(), behind.clone());
        let standing = self.standings.take(self, deliveries);
        let finish = move |outcomes: &[PartOutcome], ws: &mut Workspace<'_>| {
            standing.iter().for_each(|standing| ws.overwrite(standing.clone()));
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
                        settle_failure(&settling, delivery, &failure, ws);
                    }
                }
            }
            Ok(())
        };
        let begun = self.host.environment().clock.now();
        let job = Job {
            parts,
            source: Some(source),
            finish: Some(Box::new(finish)),
            fence: self.tenure.fence(),
            ..Job::default()
        };
        let done = self.host.perform(job).await?;
        let now = self.host.environment().clock.now();
        let tried = ordered.iter().map(|delivery| (delivery.envelope.kind.as_str(), 1));
        self.count(tried, &done, now.since(begun));
        self.outage.note(&self.name, &done.outcomes, now);
        for delivery in &behind {
            lanes.park(&delivery.envelope.subject, None, now);
        }
        for (delivery, outcome) in ordered.iter().zip(&done.outcomes) {
            self.note(delivery, outcome, now, lanes);
        }
        Ok(to)
    }

    /// Deliveries with their places in the order of their keys.
    pub(crate) fn numbered<'d>(
        &self,
        deliveries: impl IntoIterator<Item = &'d Delivery>,
        lanes: &mut Lanes,
    ) -> Vec<Delivery> {
        let (now, by_position) = (self.host.environment().clock.now(), self.capabilities().reads_by_position);
        let mut place = |delivery: &Delivery| match by_position {
            true => delivery.position,
            false => lanes.next_place(self.partition, now),
        };
        let numbered = |delivery: &Delivery| Delivery { position: place(delivery), ..delivery.clone() };
        deliveries.into_iter().map(numbered).collect()
    }

    fn note(&self, delivery: &Delivery, outcome: &PartOutcome, now: Timestamp, lanes: &mut Lanes) {
        let subject = &delivery.envelope.subject;
        match outcome {
            PartOutcome::Done(_) => {}
            PartOutcome::Behind => lanes.park(subject, None, now),
            PartOutcome::Failed(refusal) => {
                let failure = Failure::first(refusal, now);
                let fate = fate(&failure, self.retries, now);
                let (kind, id, error) = (&delivery.envelope.kind, delivery.envelope.id, &failure.error);
                let trace = delivery.envelope.traceparent.as_deref().and_then(id_of);
                tracing::warn!(
                    consumer = self.name,
                    kind,
                    %id,
                    error,
                    ?fate,
                    correlation.id = delivery.envelope.correlation_id,
                    trace.id = trace,
                    "a delivery failed"
                );
                match fate {
                    Fate::Retry(due) => lanes.park(subject, Some(due), now),
                    Fate::Dead => lanes.bury(subject),
                }
            }
        }
    }

    fn source(&self, deliveries: &[Delivery], from: u64, to: u64) -> Source {
        let consumer = self.name.clone();
        if self.capabilities().reads_by_position {
            return Source::Checkpoint { consumer, from, to };
        }
        let known = deliveries.iter().filter(|d| self.handles(&d.envelope.kind));
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
            let reaction = self.reactions.get(delivery.envelope.kind.as_str());
            let rank = reaction.and_then(|reaction| reaction.rank.as_ref());
            let own = rank.map_or(Priority::Normal, |rank| rank(&delivery.envelope));
            let floor = floor.entry(&delivery.envelope.subject).or_insert(own);
            *floor = own.max(*floor);
            keyed.push((*floor, delivery));
        }
        keyed.sort_by_key(|(rank, _)| *rank);
        keyed.into_iter().map(|(_, delivery)| delivery).collect()
    }

    fn part(&self, envelope: &Arc<Envelope>, subject: &str) -> Part {
        let reaction = self.reactions.get(envelope.kind.as_str()).map(|reaction| reaction.run.clone());
        let Opened { span, traceparent } = spans::reaction(&self.host, &self.name, envelope);
        let origin = Origin {
            correlation_id: envelope.correlation_id.clone(),
            causation_id: envelope.id.to_string(),
            traceparent,
        };
        let envelope = envelope.clone();
        let decision = move |ws: &mut Workspace<'_>| match &reaction {
            Some(reaction) => reaction(&envelope, ws).map(|()| Value::Null),
            None => Err(held(&envelope.kind)),
        };
        Part { name: "reaction", origin, span, lane: Some(subject.into()), decision: Arc::new(decision) }
    }

    /// The envelope with its personal fields readable.
    async fn readable(&self, envelope: &Arc<Envelope>) -> Result<Arc<Envelope>, String> {
        let Some(reaction) = self.reactions.get(envelope.kind.as_str()) else { return Ok(envelope.clone()) };
        let event = reaction.event;
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

    pub(crate) async fn decide(
        &self,
        name: &'static str,
        decide: impl Fn(&mut Workspace<'_>) -> Result<(), Refusal> + Send + Sync + 'static,
    ) -> Result<(), String> {
        let decision = move |ws: &mut Workspace<'_>| decide(ws).map(|()| Value::Null);
        let (origin, span) = (Origin::default(), Span::none());
        let part = Part { name, origin, span, lane: None, decision: Arc::new(decision) };
        let priority = Priority::High;
        let job = Job { parts: vec![part], priority, fence: self.tenure.fence(), ..Job::default() };
        let done = self.host.perform(job).await.map_err(|e| e.to_string())?;
        match done.outcomes.into_iter().next() {
            Some(PartOutcome::Failed(refusal)) => Err(refusal.to_string()),
            _ => Ok(()),
        }
    }
}

/// What was published again because its confirmation was lost may lie beside the first in one batch.
fn first_of_each(deliveries: &[Delivery]) -> Vec<Delivery> {
    let mut seen = BTreeSet::new();
    deliveries.iter().filter(|delivery| seen.insert(delivery.envelope.id.0)).cloned().collect()
}

/// `order.created.v2` is newer than `order.created.v1`.
fn is_newer(kind: &str, known: &str) -> bool {
    // Asked of every event that is not handled: most differ in their names.
    let (Some((name, new)), Some((known, old))) = (kind.rsplit_once(".v"), known.rsplit_once(".v")) else {
        return false;
    };
    let number = |version: &str| version.parse::<u32>().ok();
    name == known && number(new).is_some() && number(new) > number(old)
}

fn held(kind: &str) -> Refusal {
    let message = format!("{kind} is newer than this program: run one that knows it, then retry");
    Refusal::failed(ErrorKind::Undecodable, message)
}
