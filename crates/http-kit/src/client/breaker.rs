//! The circuit breaker of a target: a target that fails is left alone for a while, then asked by
//! exactly one call whether it is back.
//!
//! Our own, because tower-resilience 0.13's reads `std::time::Instant` itself: a simulation could
//! not own its time. It counts outcomes, not seconds, so that it behaves alike at one call a
//! minute and at a thousand a second.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kernel::{Duration, Timestamp};

/// When a target is left alone, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// How many of the last outcomes are looked at (64 at most).
    pub window: u32,
    /// Open when so many of them are failures.
    pub failures: u32,
    /// How long nobody asks.
    pub open_for: Duration,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self { window: 20, failures: 10, open_for: Duration::from_secs(5) }
    }
}

/// What a breaker does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BreakerState {
    Closed,
    HalfOpen,
    Open,
}

enum State {
    /// Calls pass; a bit an outcome, 1 a failure, the youngest lowest.
    Closed { outcomes: u64 },
    /// No call passes before this.
    Open { until: Timestamp },
    /// One call is under way and decides.
    Probing,
}

/// A breaker.
pub(super) struct Breaker {
    to: &'static str,
    policy: BreakerPolicy,
    state: Mutex<State>,
}

/// Nobody asks this target now.
#[derive(Debug, thiserror::Error)]
#[error("it failed too often and is left alone for a while (circuit breaker open)")]
pub(super) struct LeftAlone;

/// The right to make one attempt. Settled with its outcome, or given back unused when dropped.
pub(super) struct Permit {
    breaker: Arc<Breaker>,
    probe: bool,
    settled: bool,
}

impl Breaker {
    pub(super) fn new(to: &'static str, policy: BreakerPolicy) -> Arc<Self> {
        Arc::new(Self { to, policy, state: Mutex::new(State::Closed { outcomes: 0 }) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets an attempt through, or not. After the pause exactly one gets through as the probe.
    pub(super) fn admit(self: &Arc<Self>, now: Timestamp) -> Result<Permit, LeftAlone> {
        let mut state = self.lock();
        let probe = match &*state {
            State::Closed { .. } => false,
            State::Open { until } if now >= *until => true,
            State::Open { .. } | State::Probing => return Err(LeftAlone),
        };
        if probe {
            *state = State::Probing;
        }
        Ok(Permit { breaker: Arc::clone(self), probe, settled: false })
    }

    fn settle(&self, probe: bool, healthy: bool, now: Timestamp) -> BreakerState {
        let BreakerPolicy { window, failures, open_for } = self.policy;
        let mut state = self.lock();
        let next = match &*state {
            State::Probing if probe && healthy => {
                tracing::info!(event.action = "breaker-closed", to = self.to, "the target answers again");
                State::Closed { outcomes: 0 }
            }
            State::Probing if probe => State::Open { until: now.plus(open_for) },
            State::Closed { outcomes } => {
                let seen = u64::MAX >> (64 - window.clamp(1, 64));
                let outcomes = (outcomes << 1 | u64::from(!healthy)) & seen;
                if outcomes.count_ones() >= failures {
                    tracing::warn!(event.action = "breaker-opened", to = self.to, "the target is left alone");
                    State::Open { until: now.plus(open_for) }
                } else {
                    State::Closed { outcomes }
                }
            }
            // The outcome of an attempt from before the breaker opened decides nothing any more.
            State::Open { until } => State::Open { until: *until },
            State::Probing => State::Probing,
        };
        *state = next;
        match &*state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::Probing => BreakerState::HalfOpen,
        }
    }
}

impl Permit {
    /// Says how the attempt went.
    pub(super) fn settle(mut self, healthy: bool, now: Timestamp) -> BreakerState {
        self.settled = true;
        self.breaker.settle(self.probe, healthy, now)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.probe && !self.settled {
            // The probe was given up before it had an outcome: the next call is the probe.
            *self.breaker.lock() = State::Open { until: Timestamp::from_micros(0) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: BreakerPolicy = BreakerPolicy { window: 4, failures: 2, open_for: Duration::from_secs(5) };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn opened() -> Arc<Breaker> {
        let breaker = Breaker::new("user", POLICY);
        for _ in 0..2 {
            breaker.admit(at(0)).unwrap().settle(false, at(0));
        }
        breaker
    }

    #[test]
    fn failures_older_than_the_window_are_forgotten() {
        let breaker = Breaker::new("user", POLICY);
        for healthy in [false, true, true, true, false] {
            assert_eq!(breaker.admit(at(0)).unwrap().settle(healthy, at(0)), BreakerState::Closed);
        }
        assert_eq!(breaker.admit(at(0)).unwrap().settle(false, at(0)), BreakerState::Open);
    }

    #[test]
    fn after_the_pause_exactly_one_call_probes() {
        let breaker = opened();
        assert!(breaker.admit(at(4)).is_err());
        let probe = breaker.admit(at(5)).unwrap();
        assert!(breaker.admit(at(5)).is_err(), "a second call is under way while the first one probes");
        assert_eq!(probe.settle(true, at(6)), BreakerState::Closed);
        assert!(breaker.admit(at(6)).is_ok());
    }

    #[test]
    fn a_failed_probe_opens_it_for_another_pause() {
        let breaker = opened();
        assert_eq!(breaker.admit(at(5)).unwrap().settle(false, at(6)), BreakerState::Open);
        assert!(breaker.admit(at(10)).is_err());
        assert!(breaker.admit(at(11)).is_ok());
    }

    #[test]
    fn a_probe_given_up_leaves_the_place_to_the_next() {
        let breaker = opened();
        drop(breaker.admit(at(5)).unwrap());
        assert!(breaker.admit(at(5)).is_ok());
    }

    #[test]
    fn a_late_outcome_does_not_decide_for_the_probe() {
        let breaker = Breaker::new("user", POLICY);
        let late = breaker.admit(at(0)).unwrap();
        for _ in 0..2 {
            breaker.admit(at(0)).unwrap().settle(false, at(0));
        }
        let probe = breaker.admit(at(5)).unwrap();
        assert_eq!(late.settle(true, at(5)), BreakerState::HalfOpen);
        assert!(breaker.admit(at(5)).is_err());
        assert_eq!(probe.settle(true, at(5)), BreakerState::Closed);
    }
}
