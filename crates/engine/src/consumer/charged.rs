//! Deliveries that are given up at once: what killed the process as often as it may, and what stands in
//! the way of every commit that it is part of.

use backbone::bus::Delivery;
use backbone::system::KeptEvent;
use backbone::work::Priority;
use backbone::workspace::Workspace;
use kernel::ErrorKind;

use super::Consumer;
use crate::decider::{Job, JobError, PartOutcome};
use crate::failures::{Failure, bury, dead_letter};
use crate::lanes::Lanes;

impl Consumer {
    /// Gives a delivery up that killed the process as often as it may. Nothing where it took effect
    /// all the same: the last attempt was committed, and the process died before it could note that.
    pub(crate) async fn give_up(
        &self,
        delivery: &Delivery,
        from: u64,
        attempts: u32,
    ) -> Result<Option<u64>, String> {
        let error = "the process died each time while it handled this delivery".to_owned();
        self.settle_at_once(delivery, from, (ErrorKind::Transient, error, attempts)).await
    }

    /// Takes a batch apart in which something stops the commit of all: a state that this program cannot
    /// read, a commit that no store takes. Whose delivery that is becomes a dead letter and holds its
    /// key alone (reliability.md, rule 13).
    pub(super) async fn take_apart(
        &self,
        deliveries: &[Delivery],
        from: u64,
        lanes: &mut Lanes,
    ) -> Result<u64, JobError> {
        let mut position = from;
        for delivery in deliveries {
            let alone = std::slice::from_ref(delivery);
            position = match self.take_once(alone, position, lanes).await {
                Ok(to) => to,
                Err(JobError::Taken(_)) => delivery.position,
                Err(JobError::Failed(reason)) => {
                    tracing::error!(consumer = self.name, reason, "a delivery cannot be committed");
                    let numbered = self.numbered(alone, lanes);
                    let why = (ErrorKind::Permanent, reason, 1);
                    self.settle_at_once(&numbered[0], position, why).await.map_err(JobError::Unavailable)?;
                    lanes.bury(&delivery.envelope.subject);
                    delivery.position
                }
                Err(error) => return Err(error),
            };
        }
        Ok(position)
    }

    async fn settle_at_once(
        &self,
        delivery: &Delivery,
        from: u64,
        (kind, error, attempts): (ErrorKind, String, u32),
    ) -> Result<Option<u64>, String> {
        let (name, letter_of) = (self.name.clone(), delivery.clone());
        let kinds = self.settling().kinds;
        let finish = move |_: &[PartOutcome], ws: &mut Workspace<'_>| {
            let now = ws.now();
            let failure = Failure { kind, error: error.clone(), attempts, first_failed_at: now };
            let event = KeptEvent::from(letter_of.envelope.as_ref());
            bury(dead_letter(&name, letter_of.position, event, &failure, now), &kinds, ws);
            Ok(())
        };
        let to = delivery.position;
        let source = self.source(std::slice::from_ref(delivery), from, to);
        let job = Job {
            source: Some(source),
            finish: Some(Box::new(finish)),
            priority: Priority::High,
            fence: self.tenure.fence(),
            ..Job::default()
        };
        match self.host.perform(job).await {
            Ok(_) => {}
            Err(JobError::Taken(_)) => return Ok(None),
            Err(error) => return Err(error.to_string()),
        }
        self.signs.metrics.given_up(&delivery.envelope.kind);
        Ok(Some(to))
    }
}
