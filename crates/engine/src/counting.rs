//! Counts what became of deliveries.

use kernel::Duration;

use crate::consumer::Consumer;
use crate::decider::{JobDone, PartOutcome};
use crate::failures::{Failure, Fate, fate};
use crate::metrics::Attempted;

impl Consumer {
    /// Counts what was tried together (the type, and how often by now), and the errors among it.
    pub(crate) fn count<'a>(
        &self,
        tried: impl Iterator<Item = (&'a str, u32)>,
        done: &JobDone,
        took: Duration,
    ) {
        let now = self.host.environment().clock.now();
        let (mut operations, mut errors) = (0, 0);
        for ((kind, attempts), outcome) in tried.zip(&done.outcomes) {
            let became = match outcome {
                PartOutcome::Behind => continue,
                PartOutcome::Done(_) => Attempted::Done,
                PartOutcome::Failed(refusal) => {
                    errors += 1;
                    let failure = Failure { attempts, ..Failure::first(refusal, now) };
                    match fate(&failure, self.retries, now) {
                        Fate::Retry(_) => Attempted::Retried,
                        Fate::Dead => Attempted::Dead,
                    }
                }
            };
            operations += 1;
            self.signs.metrics.tried(kind, became, took);
        }
        self.host.signs().operated(operations, errors);
    }
}
