//! What is looked at of one service.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backbone::bus::{Bus, Lost, Subscription};
use backbone::collection::{Direction, Query};
use backbone::journal;
use backbone::projection::Follows;
use backbone::system::{DEAD_LETTERS, DeadLetter};
use kernel::{Duration, Timestamp};

use crate::alerts::{self, Reading};
use crate::health::{ProjectionHealth, SagaCount, ServiceHealth};
use crate::host::Host;
use crate::projections;
use crate::relay;
use crate::signs::ConsumerSigns;

/// A timer is late when it has not fired so long after it was due.
pub(crate) const LATE_AFTER: Duration = Duration::from_secs(30);

/// Errors are counted over so many looks: five minutes.
const LOOKS: usize = 60;

/// After so many looks a shared store is read again: a minute.
const LOOKS_PER_READING: u64 = 12;

/// How far it is counted what a projection has not folded of a producer's journal.
const BEHIND_COUNTED_MAX: usize = 1_000;

/// Of fewer operations than these no ratio is made: one error of two is no news.
const OPERATIONS_MIN: u64 = 20;

/// A projection, and how it is asked for.
pub(crate) struct Followed {
    pub(crate) name: &'static str,
    pub(crate) checkpoint: String,
    pub(crate) follows: Follows,
}

/// A service under watch.
pub(crate) struct ServiceWatch {
    pub(crate) host: Arc<Host>,
    pub(crate) consumers: Vec<Arc<ConsumerSigns>>,
    pub(crate) projections: Vec<Followed>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Operations and errors at the last looks.
    operations: VecDeque<(u64, u64)>,
    looks: u64,
    letters: Letters,
    /// How many contexts the broker lost that were not published again.
    lost: usize,
    stands: BTreeMap<&'static str, Stand>,
}

/// The dead letters, by consumer.
#[derive(Clone, Default)]
struct Letters {
    by_consumer: BTreeMap<String, u64>,
    oldest: Option<Timestamp>,
}

/// Where a projection stands.
#[derive(Clone, Copy, Default)]
struct Stand {
    position: u64,
    backlog: Option<u64>,
    /// When the first fact happened that is not folded.
    behind_since: Option<Timestamp>,
    /// How many commits of the service there were when it had folded everything.
    commits: Option<u64>,
}

impl ServiceWatch {
    pub(crate) fn new(
        host: Arc<Host>,
        consumers: Vec<Arc<ConsumerSigns>>,
        projections: Vec<Followed>,
    ) -> Self {
        Self { host, consumers, projections, seen: Mutex::default() }
    }

    pub(crate) fn service(&self) -> &'static str {
        self.host.service()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a look. What cannot be read now is read at the next one.
    pub(crate) async fn look(&self, bus: &dyn Bus, now: Timestamp) {
        if self.count_look().is_multiple_of(LOOKS_PER_READING) && self.host.leases().is_shared() {
            // Other replicas move sagas and dead letters too.
            self.host.signs().letters_changed();
            if let Err(error) = self.host.signs().load(&**self.host.journal()).await {
                tracing::debug!(service = self.service(), %error, "sagas cannot be counted");
            }
        }
        for followed in &self.projections {
            let before = self.lock().stands.get(followed.name).copied().unwrap_or_default();
            match self.stand(followed, before, bus, now).await {
                Ok(stand) => {
                    if stand.position != before.position {
                        // It may have put a fact aside.
                        self.host.signs().letters_changed();
                    }
                    self.lock().stands.insert(followed.name, stand);
                }
                Err(reason) => {
                    tracing::debug!(projection = followed.name, reason, "a projection cannot be looked at");
                }
            }
        }
        match self.lost(bus).await {
            Ok(lost) => self.lock().lost = lost,
            Err(error) => {
                tracing::debug!(service = self.service(), %error, "what was lost cannot be counted")
            }
        }
        if self.host.signs().take_letters_changed() {
            match self.letters().await {
                Ok(letters) => self.lock().letters = letters,
                Err(error) => {
                    self.host.signs().letters_changed();
                    tracing::debug!(service = self.service(), %error, "dead letters cannot be counted");
                }
            }
        }
    }

    /// How many contexts of the service's events the broker lost and has not been given again.
    async fn lost(&self, bus: &dyn Bus) -> Result<usize, journal::Error> {
        let of_service = |lost: &Lost| self.host.publishes(&lost.context);
        let lost: Vec<Lost> = bus.lost().into_iter().filter(of_service).collect();
        if lost.is_empty() {
            return Ok(0);
        }
        let again = relay::last_request(&self.host).await?;
        let again = again.filter(|again| again.finished_at.is_some());
        let is_mended = |lost: &&Lost| again.as_ref().is_some_and(|again| again.requested_at >= lost.at);
        Ok(lost.len() - lost.iter().filter(is_mended).count())
    }

    /// Remembers what was done so far; gives the number of the look.
    fn count_look(&self) -> u64 {
        let operations = self.host.signs().operations();
        let mut seen = self.lock();
        seen.operations.push_back(operations);
        let excess = seen.operations.len().saturating_sub(LOOKS + 1);
        seen.operations.drain(..excess);
        seen.looks += 1;
        seen.looks
    }

    /// Asks only where something happened since it had folded everything.
    async fn stand(
        &self,
        followed: &Followed,
        before: Stand,
        bus: &dyn Bus,
        now: Timestamp,
    ) -> Result<Stand, String> {
        let (commits, journal) = (self.host.commits(), self.host.journal());
        let mut position = before.position;
        let is_new = before.commits != Some(commits);
        match followed.follows {
            Follows::Own => {
                if !is_new {
                    return Ok(before);
                }
                position = journal.checkpoint(&followed.checkpoint).await.map_err(|e| e.to_string())?;
                let next = journal.feed(position, 1).await.map_err(|e| e.to_string())?;
                let behind_since = next.first().map(|fact| fact.event.at);
                let commits = behind_since.is_none().then_some(commits);
                Ok(Stand { position, backlog: None, behind_since, commits })
            }
            Follows::Context { context, producer } if !bus.capabilities().reads_by_position => {
                position = journal.checkpoint(&followed.checkpoint).await.map_err(|e| e.to_string())?;
                let sent = self.host.storage().published_by(producer, position, BEHIND_COUNTED_MAX).await;
                let sent = sent.map_err(|e| e.to_string())?;
                let mut waits = sent.iter().filter(|sent| sent.envelope.context() == context);
                let behind_since = waits.next().map(|first| first.envelope.time);
                let waiting = u64::from(behind_since.is_some()) + waits.count() as u64;
                Ok(Stand { position, backlog: Some(waiting), behind_since, commits: None })
            }
            Follows::Context { context, .. } => {
                let subscription = |after| Subscription {
                    consumer: projections::consumer_name(self.service(), followed.name),
                    service: self.service(),
                    context,
                    partition: 0,
                    after: Some(after),
                };
                let mut waits = bus.backlog(&subscription(position)).await.map_err(|e| e.to_string())?;
                if waits.waiting > 0 || before.commits.is_none() {
                    position = journal.checkpoint(&followed.checkpoint).await.map_err(|e| e.to_string())?;
                    waits = bus.backlog(&subscription(position)).await.map_err(|e| e.to_string())?;
                }
                let since = waits.oldest.or(before.behind_since).unwrap_or(now);
                let behind_since = (waits.waiting > 0).then_some(since);
                let commits = behind_since.is_none().then_some(commits);
                Ok(Stand { position, backlog: Some(waits.waiting), behind_since, commits })
            }
        }
    }

    /// The dead letters, as many as one query gives.
    async fn letters(&self) -> Result<Letters, journal::Error> {
        let query = Query::all(&DEAD_LETTERS).sorted("moved_at", Direction::Ascending);
        let mut letters = Letters::default();
        for stored in self.host.journal().find(query).await? {
            let letter: DeadLetter = serde_json::from_slice(&stored.body)
                .map_err(|e| journal::Error::Unusable(format!("dead letter {}: {e}", stored.id)))?;
            letters.oldest = letters.oldest.or(Some(letter.moved_at));
            *letters.by_consumer.entry(letter.consumer).or_default() += 1;
        }
        Ok(letters)
    }

    /// How many dead letters there are.
    pub(crate) fn dead_letters(&self) -> u64 {
        self.lock().letters.by_consumer.values().sum()
    }

    /// Sets the gauges and gives what the rules compare.
    pub(crate) fn read(&self, now: Timestamp, readings: &mut Vec<Reading>) {
        let Some(metrics) = self.host.signs().metrics() else { return };
        let seen = self.lock();
        let (ratio, letters) = (seen.error_ratio(), &seen.letters);
        let oldest = letters.oldest.map_or(0.0, |oldest| now.since(oldest).as_secs_f64());
        let (sagas_late, timers_late) = self.late(now);
        let sagas = self.host.signs().sagas();
        metrics.error_ratio.set(ratio);
        metrics.dead_letters.set(letters.by_consumer.values().sum::<u64>() as f64);
        metrics.dead_letter_oldest_seconds.set(oldest);
        metrics.sagas_late.set(sagas_late as f64);
        metrics.timers_late.set(timers_late as f64);
        let lost = seen.lost as f64;
        metrics.events_lost.set(lost);
        let mut read = |alert, value| readings.push(Reading { alert, of: self.service().to_owned(), value });
        read(alerts::SERVICE_ERRORS, ratio);
        read(alerts::DEAD_LETTER_OLD, oldest);
        read(alerts::SAGA_LATE, sagas_late as f64);
        read(alerts::TIMER_LATE, timers_late as f64);
        read(alerts::EVENTS_LOST, lost);
        if let Some(age) = self.host.signs().outbox_age(now) {
            read(alerts::OUTBOX_STUCK, age.as_secs_f64());
        }
        for (saga, count) in &sagas {
            metrics.sagas(saga, count.active, count.blocked);
            let of = format!("{}/{saga}", self.service());
            readings.push(Reading { alert: alerts::SAGA_BLOCKED, of, value: count.blocked as f64 });
        }
        for (name, stand) in &seen.stands {
            let quarantined = seen.quarantined(self.checkpoint_of(name));
            metrics.projection(name, stand.lag(now), quarantined);
            let of = format!("{}/{name}", self.service());
            readings.push(Reading { alert: alerts::PROJECTION_QUARANTINE, of, value: quarantined as f64 });
        }
    }

    fn checkpoint_of(&self, projection: &str) -> &str {
        let known = self.projections.iter().find(|followed| followed.name == projection);
        known.map_or("", |followed| followed.checkpoint.as_str())
    }

    /// How many deadlines of sagas, and how many other timers, should have fired and have not.
    fn late(&self, now: Timestamp) -> (usize, usize) {
        let late = self.host.timers().late(now.minus(LATE_AFTER));
        let sagas = late.iter().filter(|id| id.starts_with("saga:")).count();
        (sagas, late.len() - sagas)
    }

    /// For whoever looks.
    pub(crate) fn report(&self, now: Timestamp) -> ServiceHealth {
        let seen = self.lock();
        let letters = |consumer: &str| seen.letters.by_consumer.get(consumer).copied().unwrap_or(0);
        let projection = |followed: &Followed| {
            let stand = seen.stands.get(followed.name).copied().unwrap_or_default();
            ProjectionHealth {
                projection: followed.name,
                position: stand.position,
                backlog: stand.backlog,
                lag_seconds: stand.lag(now).as_secs_f64(),
                quarantined: seen.quarantined(&followed.checkpoint),
            }
        };
        let (sagas_late, timers_late) = self.late(now);
        let sagas = self.host.signs().sagas().into_iter();
        let sagas =
            sagas.map(|(saga, count)| SagaCount { saga, active: count.active, blocked: count.blocked });
        ServiceHealth {
            service: self.service(),
            consumers: self.consumers.iter().map(|c| c.report(letters(&c.reads.consumer), now)).collect(),
            projections: self.projections.iter().map(projection).collect(),
            sagas: sagas.collect(),
            timers_late: sagas_late + timers_late,
            error_ratio: seen.error_ratio(),
        }
    }
}

impl Stand {
    fn lag(&self, now: Timestamp) -> Duration {
        self.behind_since.map_or(Duration::ZERO, |since| now.since(since))
    }
}

impl Seen {
    fn quarantined(&self, checkpoint: &str) -> u64 {
        self.letters.by_consumer.get(checkpoint).copied().unwrap_or(0)
    }

    /// Which part of what was done between the first look that is remembered and the last failed.
    fn error_ratio(&self) -> f64 {
        let (Some(first), Some(last)) = (self.operations.front(), self.operations.back()) else { return 0.0 };
        let (operations, errors) = (last.0 - first.0, last.1.saturating_sub(first.1));
        if operations < OPERATIONS_MIN { 0.0 } else { errors as f64 / operations as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_of_errors_is_of_the_last_minutes_and_of_enough_operations() {
        let permille = |looks: &[(u64, u64)]| {
            let seen = Seen { operations: looks.iter().copied().collect(), ..Seen::default() };
            (seen.error_ratio() * 1_000.0).round() as u64
        };
        assert_eq!(permille(&[]), 0);
        assert_eq!(permille(&[(0, 0), (19, 19)]), 0, "too few to say");
        assert_eq!(permille(&[(0, 0), (100, 6)]), 60);
        assert_eq!(permille(&[(1_000, 900), (1_050, 900), (1_100, 901)]), 10, "what was before is over");
    }
}
