//! Retrying many: in the order of their deaths, some at a time, and no further once the first few
//! have failed again (reliability.md, rule 15). A process that ends in between leaves the rest where
//! they lie.

use std::sync::{MutexGuard, PoisonError};

use backbone::collection::{ColumnValue, Compare, LIMIT_MAX};
use backbone::journal::{self, Stored, Want};
use backbone::system::{DEAD_LETTERS, PARKED};
use backbone::work::Error;
use kernel::{Duration, Timestamp};
use serde::Serialize;

use super::{DeadLetterError, DeadLetters, Filter, Letter};
use crate::host::Host;
use crate::operators::By;

/// So many are tried at first, and no more where that many fail again.
const FIRST: usize = 3;

/// So many at a time after that.
const WAVE: usize = 20;

/// Between two waves.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a wave is waited for: longer than the retries of any service.
const WAVE_TIME_MAX: Duration = Duration::from_secs(60);

/// How often it is looked whether a wave is through.
const LOOK: Duration = Duration::from_millis(200);

/// The most that are retried at one request.
const LETTERS_MAX: usize = 10_000;

/// How a sweep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SweepEnd {
    /// All were retried.
    Done,
    /// Several failed again one after the other: the rest was left.
    FailedAgain,
    /// Those that were put back wait still: their consumer does not read at the moment. The rest was
    /// left.
    NotTried,
    /// The store was down; what is left can be swept again.
    Interrupted,
}

/// Many that are retried together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sweep {
    /// The service.
    pub service: &'static str,
    /// Since when.
    pub started_at: Timestamp,
    /// How many there were to retry.
    pub matching: usize,
    /// How many were put back so far.
    pub retried: usize,
    /// How many of them took effect.
    pub succeeded: usize,
    /// How many of them are dead letters again.
    pub failed: usize,
    /// How it ended; absent while it goes on.
    pub ended: Option<SweepEnd>,
}

impl DeadLetters {
    fn sweeping(&self) -> MutexGuard<'_, Vec<Sweep>> {
        self.sweeps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last sweep of each service in this run of the process.
    pub fn sweeps(&self) -> Vec<Sweep> {
        self.sweeping().clone()
    }

    /// Begins to retry all that are wanted; `sweeps` tells how it goes. A service that is swept
    /// already is left alone, and its sweep is given.
    pub async fn retry_all(&self, filter: &Filter, by: &By) -> Result<Vec<Sweep>, DeadLetterError> {
        let mut begun = Vec::new();
        for host in self.hosts_of(filter)? {
            let service = host.service();
            let letters = self.of_host(host, filter, None, LETTERS_MAX).await?;
            let sweep = Sweep {
                service,
                started_at: host.environment().clock.now(),
                matching: letters.len(),
                retried: 0,
                succeeded: 0,
                failed: 0,
                ended: letters.is_empty().then_some(SweepEnd::Done),
            };
            {
                let mut sweeps = self.sweeping();
                let before = sweeps.iter().find(|before| before.service == service && before.ended.is_none());
                if let Some(before) = before {
                    begun.push(before.clone());
                    continue;
                }
                sweeps.retain(|before| before.service != service);
                sweeps.push(sweep.clone());
            }
            begun.push(sweep);
            if !letters.is_empty() {
                let (all, host, by) = (self.clone(), host.clone(), by.clone());
                let spawner = host.environment().spawner.clone();
                spawner.spawn("sweep", Box::pin(async move { all.sweep(&host, letters, &by).await }));
            }
        }
        Ok(begun)
    }

    fn change(&self, service: &str, change: impl FnOnce(&mut Sweep)) {
        if let Some(sweep) = self.sweeping().iter_mut().find(|sweep| sweep.service == service) {
            change(sweep);
        }
    }

    async fn sweep(&self, host: &Host, letters: Vec<Letter>, by: &By) {
        let service = host.service();
        let ended = match self.sweep_on(host, letters, by).await {
            Ok(ended) => ended,
            Err(error) => {
                tracing::warn!(service, %error, "the retry of many was interrupted");
                SweepEnd::Interrupted
            }
        };
        self.change(service, |sweep| sweep.ended = Some(ended));
        tracing::info!(service, ?ended, "the retry of many is over");
    }

    async fn sweep_on(
        &self,
        host: &Host,
        letters: Vec<Letter>,
        by: &By,
    ) -> Result<SweepEnd, DeadLetterError> {
        let (service, clock) = (host.service(), host.environment().clock.clone());
        let mut rest = letters.as_slice();
        let mut size = FIRST;
        while !rest.is_empty() {
            let (wave, later) = rest.split_at(size.min(rest.len()));
            let mut put_back = Vec::with_capacity(wave.len());
            let mut failed = 0;
            for letter in wave {
                match self.retry_one(&letter.id, by).await {
                    Ok(()) => put_back.push(letter.stored.clone()),
                    // Somebody else dealt with it, or its projection is still what it was.
                    Err(DeadLetterError::Work(Error::Rejected(rejection))) => {
                        failed += usize::from(rejection.code != "no-such-dead-letter");
                    }
                    Err(error) => return Err(error),
                }
            }
            self.change(service, |sweep| sweep.retried += put_back.len());
            let Settled { dead, waiting } = settled(host, &put_back).await?;
            failed += dead;
            let succeeded = put_back.len().saturating_sub(dead + waiting);
            self.change(service, |sweep| {
                sweep.failed += failed;
                sweep.succeeded += succeeded;
            });
            if waiting > 0 {
                // Its consumer does not read, or reads on later: nobody knows yet how they fare.
                return Ok(SweepEnd::NotTried);
            }
            if failed >= FIRST.min(wave.len()) && !later.is_empty() {
                return Ok(SweepEnd::FailedAgain);
            }
            (rest, size) = (later, WAVE);
            if !rest.is_empty() {
                clock.sleep(PAUSE).await;
            }
        }
        Ok(SweepEnd::Done)
    }

    /// The wanted dead letters of a service after a place, in the order of their deaths.
    pub(super) async fn of_host(
        &self,
        host: &Host,
        filter: &Filter,
        mut after: Option<(ColumnValue, String)>,
        limit: usize,
    ) -> Result<Vec<Letter>, journal::Error> {
        let mut found = Vec::new();
        loop {
            let mut query = super::by_death();
            if let Some(from) = filter.from {
                query = query.with("moved_at", Compare::AtLeast, from);
            }
            if let Some(to) = filter.to {
                query = query.with("moved_at", Compare::Below, to);
            }
            query.after = after.take();
            let page = host.journal().find(query).await?;
            let is_full = page.len() == LIMIT_MAX;
            for stored in page {
                let letter = super::read(&stored)?;
                after = Some((letter.moved_at.into(), stored.id.clone()));
                if filter.wants(&letter) {
                    let id = super::id_of(host.service(), &stored.id);
                    found.push(Letter { id, service: host.service(), letter, stored: stored.id });
                }
                if found.len() == limit {
                    return Ok(found);
                }
            }
            if !is_full {
                return Ok(found);
            }
        }
    }
}

/// How letters fared that were put back.
#[derive(Clone, Copy, Default)]
struct Settled {
    /// Dead letters again.
    dead: usize,
    /// Not tried within the time that a wave may take.
    waiting: usize,
}

/// Waits until none of these is parked any more, or for as long as a wave may take.
async fn settled(host: &Host, ids: &[String]) -> Result<Settled, journal::Error> {
    if ids.is_empty() {
        return Ok(Settled::default());
    }
    let clock = host.environment().clock.clone();
    let until = clock.now().plus(WAVE_TIME_MAX);
    let there = async |collection| {
        let wants = ids.iter().map(|id| Want::Document(collection, id.clone())).collect();
        let found = host.journal().load(wants).await?;
        let is_there = |stored: &&Stored| matches!(stored, Stored::Document(Some(_)));
        Ok::<_, journal::Error>(found.iter().filter(is_there).count())
    };
    let mut waiting = there(&PARKED).await?;
    while waiting > 0 && clock.now() < until {
        clock.sleep(LOOK).await;
        waiting = there(&PARKED).await?;
    }
    Ok(Settled { dead: there(&DEAD_LETTERS).await?, waiting })
}
