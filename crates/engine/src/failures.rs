//! What becomes of a delivery that failed: parked for its retry, or a dead letter with a reason
//! (reliability.md, rules 12, 14 and 15).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backbone::bus::Delivery;
use backbone::collection::{Direction, Query};
use backbone::journal::{self, Journal};
use backbone::outcome::Refusal;
use backbone::system::{DeadLetter, FAILURE_KINDS, FailureKind, KeptEvent, Parked};
use backbone::workspace::Workspace;
use kernel::{Duration, ErrorKind, Timestamp};

use crate::consumer::PROBED_EVERY;

/// A failure on its way into the parked deliveries or the dead letters.
#[derive(Clone)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) error: String,
    pub(crate) attempts: u32,
    pub(crate) first_failed_at: Timestamp,
}

impl Failure {
    pub(crate) fn first(refusal: &Refusal, now: Timestamp) -> Self {
        Self::of(refusal, 0, now)
    }

    /// Of a delivery that had waited.
    pub(crate) fn again(refusal: &Refusal, row: &Parked, now: Timestamp) -> Self {
        Self::of(refusal, row.attempts, row.first_failed_at.unwrap_or(now))
    }

    /// What is down uses up no attempt: nothing is wrong with the message.
    fn of(refusal: &Refusal, before: u32, first_failed_at: Timestamp) -> Self {
        let kind = refusal.kind();
        let attempts = before + u32::from(kind != ErrorKind::Infrastructure);
        Self { kind, error: refusal.to_string(), attempts, first_failed_at }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    Retry(Timestamp),
    Dead,
}

/// N retries after the first delivery; what can never succeed is given up at once, and what is only
/// down never.
pub(crate) fn fate(failure: &Failure, retries: &[Duration], now: Timestamp) -> Fate {
    if failure.kind == ErrorKind::Infrastructure {
        return Fate::Retry(now.plus(PROBED_EVERY));
    }
    let wait = retries.get(failure.attempts.saturating_sub(1) as usize);
    match (failure.kind.is_retryable(), wait) {
        (true, Some(wait)) => Fate::Retry(now.plus(*wait)),
        _ => Fate::Dead,
    }
}

pub(crate) fn park_behind(consumer: &str, delivery: &Delivery, ws: &mut Workspace<'_>) {
    let due = ws.now();
    ws.overwrite(Parked {
        consumer: consumer.to_owned(),
        position: delivery.position,
        due,
        attempts: 0,
        error: None,
        first_failed_at: None,
        event: KeptEvent::from(delivery.envelope.as_ref()),
    });
}

/// Whose deliveries are settled, and how.
#[derive(Clone)]
pub(crate) struct Settling {
    pub(crate) consumer: String,
    pub(crate) retries: &'static [Duration],
    pub(crate) kinds: KnownKinds,
}

/// The kinds of failure that the operators were told of; clones are the same ones. A decision may
/// not wait for them: they are at hand before.
#[derive(Clone, Default)]
pub(crate) struct KnownKinds(Arc<Mutex<Option<BTreeSet<String>>>>);

impl KnownKinds {
    fn lock(&self) -> MutexGuard<'_, Option<BTreeSet<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads them, where that was not done before.
    pub(crate) async fn load(&self, journal: &dyn Journal) -> Result<(), journal::Error> {
        if self.lock().is_none() {
            let query = Query::all(&FAILURE_KINDS).sorted("first_at", Direction::Descending);
            let found = journal.find(query).await?.into_iter().map(|stored| stored.id);
            self.lock().get_or_insert_default().extend(found);
        }
        Ok(())
    }

    /// One was told; whether it is new.
    pub(crate) fn tell(&self, id: &str) -> bool {
        self.lock().get_or_insert_default().insert(id.to_owned())
    }

    fn knows(&self, id: &str) -> bool {
        self.lock().as_ref().is_some_and(|known| known.contains(id))
    }
}

pub(crate) fn settle_failure(
    Settling { consumer, retries, kinds }: &Settling,
    delivery: &Delivery,
    failure: &Failure,
    ws: &mut Workspace<'_>,
) {
    let event = KeptEvent::from(delivery.envelope.as_ref());
    let now = ws.now();
    match fate(failure, retries, now) {
        Fate::Dead => bury(dead_letter(consumer, delivery.position, event, failure, now), kinds, ws),
        Fate::Retry(due) => ws.overwrite(Parked {
            consumer: consumer.clone(),
            position: delivery.position,
            due,
            attempts: failure.attempts,
            error: Some(failure.error.clone()),
            first_failed_at: Some(failure.first_failed_at),
            event,
        }),
    }
}

pub(crate) fn settle_parked(
    Settling { consumer, retries, kinds }: &Settling,
    row: &Parked,
    failure: &Failure,
    ws: &mut Workspace<'_>,
) -> Result<(), Refusal> {
    let now = ws.now();
    match fate(failure, retries, now) {
        Fate::Retry(due) => ws.put(Parked {
            due,
            attempts: failure.attempts,
            error: Some(failure.error.clone()),
            first_failed_at: Some(failure.first_failed_at),
            ..row.clone()
        }),
        Fate::Dead => {
            ws.remove::<Parked>(backbone::Document::id(row))?;
            bury(dead_letter(consumer, row.position, row.event.clone(), failure, now), kinds, ws);
            Ok(())
        }
    }
}

/// Writes a dead letter, and its kind of failure where it is the first of it.
pub(crate) fn bury(letter: DeadLetter, kinds: &KnownKinds, ws: &mut Workspace<'_>) {
    let kind = FailureKind::of(&letter);
    if !kinds.knows(&backbone::Document::id(&kind)) {
        ws.overwrite(kind);
    }
    ws.overwrite(letter);
}

pub(crate) fn dead_letter(
    consumer: &str,
    position: u64,
    event: KeptEvent,
    failure: &Failure,
    now: Timestamp,
) -> DeadLetter {
    DeadLetter {
        consumer: consumer.to_owned(),
        position,
        error_kind: failure.kind,
        error: failure.error.clone(),
        attempts: failure.attempts,
        first_failed_at: failure.first_failed_at,
        last_failed_at: now,
        moved_at: now,
        behind: 0,
        event,
        raw: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_down_uses_up_no_attempt_and_is_never_given_up() {
        let now = Timestamp::from_micros(1_000_000_000);
        let retries = &[Duration::from_secs(1), Duration::from_secs(2)];
        for (kind, before, attempts, wait_s) in [
            (ErrorKind::Transient, 0, 1, Some(1)),
            (ErrorKind::Transient, 1, 2, Some(2)),
            (ErrorKind::Transient, 2, 3, None),
            (ErrorKind::Permanent, 0, 1, None),
            (ErrorKind::Undecodable, 0, 1, None),
            (ErrorKind::Infrastructure, 0, 0, Some(5)),
            (ErrorKind::Infrastructure, 2, 2, Some(5)),
        ] {
            let failure = Failure::of(&Refusal::failed(kind, "so it is"), before, now);
            let wait = match fate(&failure, retries, now) {
                Fate::Retry(due) => Some(due.since(now).as_secs()),
                Fate::Dead => None,
            };
            assert_eq!((failure.attempts, wait), (attempts, wait_s), "{kind:?} after {before}");
        }
    }
}
