//! Health is judged per consumer, not by an open connection (reliability.md, rule 16).

use backbone::bus::Backlog;
use kernel::{Duration, Timestamp};
use serde::Serialize;

/// A consumer with nothing to do and nothing done for this long is idle.
const IDLE_AFTER: Duration = Duration::from_secs(60);

/// A consumer that has failed without a pause for this long is dead.
const DEAD_AFTER: Duration = Duration::from_secs(10);

/// A consumer whose reader was deaf so often, one after the other, is dead.
const DEAF_READERS_MAX: u32 = 3;

/// How a consumer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Nothing waits, and nothing has come for a while.
    Idle,
    /// Nothing waits.
    CaughtUp,
    /// Events wait.
    Behind,
    /// It takes nothing new: as many deliveries are parked as may be.
    Blocked,
    /// It cannot read, or cannot commit, and not just for a moment.
    Dead,
}

/// What a consumer's health is judged by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulse {
    /// Where it stands.
    pub(crate) position: u64,
    /// How many deliveries are being handled just now.
    pub(crate) in_flight: usize,
    /// How many are parked.
    pub(crate) parked: usize,
    /// So many are parked that it takes no more.
    pub(crate) is_full: bool,
    /// Since when the first parked delivery waits that waits for no scheduled retry; in the
    /// future where all do.
    pub(crate) parked_since: Option<Timestamp>,
    /// The last delivery.
    pub(crate) delivered_at: Option<Timestamp>,
    /// The last commit.
    pub(crate) progressed_at: Option<Timestamp>,
    /// Since when its reader is open.
    pub(crate) reading_since: Option<Timestamp>,
    /// Since when it fails, without having read steadily in between.
    pub(crate) failing_since: Option<Timestamp>,
    /// How many of its readers in a row got nothing while events waited.
    pub(crate) deaf_readers: u32,
    /// What waited when the bus was last asked.
    pub(crate) backlog: Backlog,
    /// Since when something waits and nothing was done.
    pub(crate) waiting_since: Option<Timestamp>,
}

impl Pulse {
    /// How old the oldest unprocessed event is; time parked for a scheduled retry is not counted.
    pub(crate) fn oldest_age(&self, now: Timestamp) -> Duration {
        let waits = self.backlog.waiting > 0;
        let published = self.backlog.oldest.or(self.waiting_since).filter(|_| waits);
        let ages = [published, self.parked_since].into_iter().flatten().map(|since| now.since(since));
        ages.max().unwrap_or_default()
    }

    /// True where the reader has been open for so long that what failed before is over.
    fn reads_steadily(&self, now: Timestamp) -> bool {
        self.reading_since.is_some_and(|since| now.since(since) >= DEAD_AFTER)
    }

    /// How the consumer is.
    pub(crate) fn judge(&self, now: Timestamp) -> Health {
        let fails = self.failing_since.filter(|_| !self.reads_steadily(now));
        let recently = |at: Option<Timestamp>| at.is_some_and(|at| now.since(at) < IDLE_AFTER);
        if fails.is_some_and(|since| now.since(since) >= DEAD_AFTER) || self.deaf_readers >= DEAF_READERS_MAX
        {
            Health::Dead
        } else if self.is_full {
            Health::Blocked
        } else if self.backlog.waiting > 0 || self.parked_since.is_some_and(|since| since < now) {
            Health::Behind
        } else if recently(self.delivered_at) {
            Health::CaughtUp
        } else {
            Health::Idle
        }
    }
}

/// A consumer, for whoever looks.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerHealth {
    /// `order-inventory`.
    pub consumer: String,
    /// How it is.
    pub health: Health,
    /// Where it stands.
    pub position: u64,
    /// How many events wait, counted as far as the bus counts.
    pub backlog: u64,
    /// How old the oldest unprocessed event is, in seconds, without scheduled waits.
    pub oldest_seconds: f64,
    /// How many deliveries are being handled.
    pub in_flight: usize,
    /// How many are parked: for their retry, or behind one that failed.
    pub parked: usize,
    /// How many dead letters it has.
    pub dead_letters: u64,
    /// The last delivery.
    pub last_delivery: Option<Timestamp>,
    /// The last commit.
    pub last_progress: Option<Timestamp>,
    /// It takes out of the producers' journals what the broker lost.
    pub is_catching_up: bool,
    /// Why it last paused.
    pub last_failure: Option<String>,
}

/// An asynchronous projection, for whoever looks.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectionHealth {
    /// Its name.
    pub projection: &'static str,
    /// Its checkpoint.
    pub position: u64,
    /// How many events wait, where it follows a context; `None` where it follows its own service.
    pub backlog: Option<u64>,
    /// For how long there have been facts that it has not folded, in seconds.
    pub lag_seconds: f64,
    /// How many facts it could not fold.
    pub quarantined: u64,
}

/// How many sagas of a name are under way.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SagaCount {
    /// The saga's name.
    pub saga: String,
    /// Those that run or are being undone.
    pub active: u64,
    /// Those that wait for an operator.
    pub blocked: u64,
}

/// A service, for whoever looks.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceHealth {
    /// Its name.
    pub service: &'static str,
    /// Its consumers.
    pub consumers: Vec<ConsumerHealth>,
    /// Its asynchronous projections.
    pub projections: Vec<ProjectionHealth>,
    /// Its sagas.
    pub sagas: Vec<SagaCount>,
    /// How many timers should have fired a while ago.
    pub timers_late: usize,
    /// Which part of its requests and deliveries of the last minutes failed.
    pub error_ratio: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_767_607_200_000_000);

    fn ago(seconds: u64) -> Option<Timestamp> {
        Some(NOW.minus(Duration::from_secs(seconds)))
    }

    fn waiting(count: u64) -> Backlog {
        Backlog { waiting: count, oldest: ago(7).filter(|_| count > 0) }
    }

    #[test]
    fn health_is_judged_by_what_was_done_and_what_waits() {
        let reads = Pulse { reading_since: ago(100), ..Pulse::default() };
        let worked = Pulse { delivered_at: ago(5), ..reads.clone() };
        let later = Some(NOW.plus(Duration::from_secs(3)));
        let failing = Pulse { reading_since: ago(1), failing_since: ago(11), ..worked.clone() };
        for (what, pulse, health) in [
            ("nothing ever came", reads.clone(), Health::Idle),
            ("nothing came for long", Pulse { delivered_at: ago(61), ..reads.clone() }, Health::Idle),
            ("worked a moment ago", worked.clone(), Health::CaughtUp),
            (
                "waits for a scheduled retry",
                Pulse { parked_since: later, ..worked.clone() },
                Health::CaughtUp,
            ),
            ("events wait", Pulse { backlog: waiting(1), ..worked.clone() }, Health::Behind),
            ("a key is stuck", Pulse { parked_since: ago(1), ..worked.clone() }, Health::Behind),
            (
                "takes no more",
                Pulse { is_full: true, backlog: waiting(9), ..worked.clone() },
                Health::Blocked,
            ),
            ("fails since a moment", Pulse { failing_since: ago(9), ..failing.clone() }, Health::CaughtUp),
            ("fails for long", failing.clone(), Health::Dead),
            ("read steadily since", Pulse { reading_since: ago(10), ..failing }, Health::CaughtUp),
            ("is deaf again and again", Pulse { deaf_readers: 3, ..worked }, Health::Dead),
        ] {
            assert_eq!(pulse.judge(NOW), health, "{what}");
        }
    }

    #[test]
    fn the_oldest_event_is_the_one_that_waits_without_being_told_to() {
        let seconds = |pulse: &Pulse| pulse.oldest_age(NOW).as_secs();
        let pulse = Pulse { backlog: waiting(2), ..Pulse::default() };
        assert_eq!(seconds(&pulse), 7);
        assert_eq!(seconds(&Pulse { parked_since: ago(40), ..pulse.clone() }), 40);
        let later = Some(NOW.plus(Duration::from_secs(16)));
        assert_eq!(seconds(&Pulse { parked_since: later, ..Pulse::default() }), 0, "a scheduled retry");
        let silent = Backlog { waiting: 1, oldest: None };
        assert_eq!(seconds(&Pulse { backlog: silent, waiting_since: ago(12), ..pulse }), 12);
        assert_eq!(seconds(&Pulse { waiting_since: ago(12), ..Pulse::default() }), 0, "nothing waits");
    }
}
