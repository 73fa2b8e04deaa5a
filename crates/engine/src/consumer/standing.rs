//! Up to where a consumer of a broker has had everything of each producer. It is noted now and then,
//! in a commit that is made anyway: where the broker loses something, the producers' journals are
//! read from there.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use backbone::bus::Delivery;
use backbone::journal::{Stored, Want};
use backbone::system::{STANDINGS, Standing};
use kernel::{Duration, Envelope, Timestamp};

use super::Consumer;

/// How often it is noted: so much is looked up once more after a gap.
const NOTED_EVERY: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Inside {
    /// `None` until it reads for the first time, and on a bus that reads by position.
    since: Option<Timestamp>,
    had: BTreeMap<String, Timestamp>,
    noted_at: Timestamp,
}

/// What a consumer knows of it.
#[derive(Default)]
pub(crate) struct Standings(Mutex<Inside>);

impl Standings {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It reads; for the first time ever, this is noted with how far back it is owed anything.
    pub(super) async fn begin(&self, consumer: &Consumer) -> Result<(), String> {
        if consumer.capabilities().reads_by_position {
            return Ok(());
        }
        let now = consumer.host.environment().clock.now();
        let found = match find(consumer).await? {
            Some(found) => found,
            None => {
                let place = consumer.place();
                let since = consumer.begins_at(now);
                let new = Standing { place, since, had: BTreeMap::new(), catching_up: None };
                let written = new.clone();
                consumer
                    .decide("standing", move |ws| {
                        ws.overwrite(written.clone());
                        Ok(())
                    })
                    .await?;
                new
            }
        };
        *self.lock() = Inside { since: Some(found.since), had: found.had, noted_at: now };
        Ok(())
    }

    /// It does not read: nothing is noted here until it begins again.
    pub(super) fn pause(&self) {
        self.lock().since = None;
    }

    /// Whether it has had an event of the same producer that is later.
    pub(super) fn has_had_later(&self, event: &Envelope) -> bool {
        self.lock().had.get(&event.source).is_some_and(|had| event.time < *had)
    }

    /// Takes note of deliveries that are about to be committed; gives what is to be written with
    /// them, where it is time to.
    pub(super) fn take(&self, consumer: &Consumer, deliveries: &[Delivery]) -> Option<Standing> {
        let mut inside = self.lock();
        let since = inside.since?;
        for delivery in deliveries {
            let envelope = &delivery.envelope;
            match inside.had.get_mut(&envelope.source) {
                Some(had) => *had = envelope.time.max(*had),
                None => drop(inside.had.insert(envelope.source.clone(), envelope.time)),
            }
        }
        let now = consumer.host.environment().clock.now();
        if now.since(inside.noted_at) < NOTED_EVERY {
            return None;
        }
        inside.noted_at = now;
        Some(Standing { place: consumer.place(), since, had: inside.had.clone(), catching_up: None })
    }
}

/// What was noted of a consumer.
pub(super) async fn find(consumer: &Consumer) -> Result<Option<Standing>, String> {
    let want = Want::Document(&STANDINGS, consumer.place());
    let stored = consumer.host.journal().load(vec![want]).await.map_err(|e| e.to_string())?;
    match stored.into_iter().next() {
        Some(Stored::Document(Some(found))) => {
            serde_json::from_slice(&found.body).map(Some).map_err(|e| e.to_string())
        }
        _ => Ok(None),
    }
}
