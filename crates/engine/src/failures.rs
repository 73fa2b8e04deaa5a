//! What becomes of a delivery that failed: parked for its retry, or a dead letter with a reason
//! (reliability.md, rules 12, 14 and 15).

use backbone::bus::Delivery;
use backbone::outcome::Refusal;
use backbone::system::{DeadLetter, KeptEvent, Parked};
use backbone::workspace::Workspace;
use kernel::{Duration, ErrorKind, Timestamp};

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
        Self { kind: refusal.kind(), error: refusal.to_string(), attempts: 1, first_failed_at: now }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    Retry(Timestamp),
    Dead,
}

/// N retries after the first delivery; what can never succeed is given up at once.
pub(crate) fn fate(failure: &Failure, retries: &[Duration], now: Timestamp) -> Fate {
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

pub(crate) fn settle_failure(
    consumer: &str,
    retries: &[Duration],
    delivery: &Delivery,
    failure: &Failure,
    ws: &mut Workspace<'_>,
) {
    let event = KeptEvent::from(delivery.envelope.as_ref());
    let now = ws.now();
    match fate(failure, retries, now) {
        Fate::Retry(due) => ws.overwrite(Parked {
            consumer: consumer.to_owned(),
            position: delivery.position,
            due,
            attempts: failure.attempts,
            error: Some(failure.error.clone()),
            first_failed_at: Some(failure.first_failed_at),
            event,
        }),
        Fate::Dead => ws.overwrite(dead_letter(consumer, delivery.position, event, failure, now)),
    }
}

pub(crate) fn settle_parked(
    consumer: &str,
    retries: &[Duration],
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
            ws.overwrite(dead_letter(consumer, row.position, row.event.clone(), failure, now));
            Ok(())
        }
    }
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
    }
}
