//! An outage: what handlers need is down, and nothing is wrong with the messages. It uses up no attempt.
//! After several failures of that kind in a row the consumer takes nothing new and tries one delivery now
//! and then, until one fares otherwise (reliability.md, rule 14).

use std::sync::{Mutex, MutexGuard, PoisonError};

use kernel::{Duration, ErrorKind, Timestamp};

use crate::decider::PartOutcome;

/// So many failures in a row are an outage.
const IN_A_ROW: u32 = 3;

/// How often one delivery is tried during an outage, and how long a single one rests that failed of it.
pub(crate) const PROBED_EVERY: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Inside {
    in_a_row: u32,
    probe_at: Timestamp,
}

/// What a consumer knows of it.
#[derive(Default)]
pub(crate) struct Outage(Mutex<Inside>);

impl Outage {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is on.
    pub(super) fn is_on(&self) -> bool {
        self.lock().in_a_row >= IN_A_ROW
    }

    /// When the next delivery may be tried; `None` where there is no outage.
    pub(super) fn probe_at(&self) -> Option<Timestamp> {
        let inside = self.lock();
        (inside.in_a_row >= IN_A_ROW).then_some(inside.probe_at)
    }

    /// Takes note of how deliveries of a commit fared; says so where it begins or ends.
    pub(super) fn note(&self, consumer: &str, outcomes: &[PartOutcome], now: Timestamp) {
        let mut inside = self.lock();
        let was_on = inside.in_a_row >= IN_A_ROW;
        for outcome in outcomes {
            match outcome {
                PartOutcome::Behind => {}
                PartOutcome::Failed(refusal) if refusal.kind() == ErrorKind::Infrastructure => {
                    inside.in_a_row = inside.in_a_row.saturating_add(1);
                    inside.probe_at = now.plus(PROBED_EVERY);
                }
                PartOutcome::Done(_) | PartOutcome::Failed(_) => inside.in_a_row = 0,
            }
        }
        match (was_on, inside.in_a_row >= IN_A_ROW) {
            (false, true) => {
                tracing::error!(consumer, "what its handlers need is down: it pauses and probes")
            }
            (true, false) => tracing::info!(consumer, "what its handlers need is back: it goes on"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use backbone::Refusal;
    use serde_json::Value;

    use super::*;

    #[test]
    fn an_outage_begins_with_several_failures_in_a_row_and_ends_with_the_first_that_fares_otherwise() {
        let (outage, now) = (Outage::default(), Timestamp::from_micros(1_000_000));
        let down = || PartOutcome::Failed(Refusal::failed(ErrorKind::Infrastructure, "down"));
        let wrong = || PartOutcome::Failed(Refusal::failed(ErrorKind::Transient, "wrong"));
        let done = || PartOutcome::Done(Value::Null);
        for (what, outcomes, is_on) in [
            ("two", vec![down(), PartOutcome::Behind, down()], false),
            ("one that works", vec![done()], false),
            ("two, and one that is wrong itself", vec![down(), down(), wrong()], false),
            ("two again", vec![down(), down()], false),
            ("the third", vec![down()], true),
            ("what waits behind says nothing", vec![PartOutcome::Behind], true),
            ("one that is wrong itself", vec![wrong()], false),
        ] {
            outage.note("a-b", &outcomes, now);
            assert_eq!(outage.is_on(), is_on, "{what}");
            assert_eq!(outage.probe_at().is_some(), is_on, "{what}");
        }
    }
}
