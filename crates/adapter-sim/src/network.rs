//! Requests and answers on their way between a process and what it stands on: they take their time,
//! come late, or never. Whoever waits for an answer that never comes stops waiting at some time.

use kernel::Duration;

use crate::plight::Side;
use crate::process::Process;
use crate::shared::{Latency, Shared};

/// How long an answer is waited for.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(3);

pub(crate) const DEAD: &str = "the process is dead";
const REQUEST_LOST: &str = "no answer: the request was lost";
const ANSWER_LOST: &str = "no answer: it was lost";

impl Shared {
    /// A request reaches its side, or an error says why nobody will ever answer it.
    pub(crate) async fn request(
        &self,
        process: &Process,
        to: Side,
        latency: &Latency,
    ) -> Result<(), &'static str> {
        if process.is_observer() {
            return Ok(());
        }
        self.pass(latency).await;
        self.travel(process, to, REQUEST_LOST).await
    }

    /// The answer comes back.
    pub(crate) async fn answer(&self, process: &Process, from: Side) -> Result<(), &'static str> {
        if process.is_observer() { Ok(()) } else { self.travel(process, from, ANSWER_LOST).await }
    }

    async fn travel(&self, process: &Process, side: Side, lost: &'static str) -> Result<(), &'static str> {
        if self.fails("late", |faults| faults.late_permille) {
            let late = {
                let mut inside = self.lock();
                let most = inside.faults.late.as_millis() as u64;
                inside.dice.faults.below(most)
            };
            self.sleep(Duration::from_millis(late)).await;
        }
        if process.is_dead() {
            return Err(DEAD);
        }
        if process.plight.is_cut(side) || self.fails(lost, |faults| faults.lost_permille) {
            self.sleep(ANSWER_LIMIT).await;
            return Err(lost);
        }
        Ok(())
    }
}
