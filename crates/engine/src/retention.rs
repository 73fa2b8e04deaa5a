//! Housekeeping: forgets what can have no effect any more (reliability.md, rules 10 and 31).
//! Streams, documents, public events and dead letters are the record and stay for ever.

use std::sync::Arc;

use backbone::collection::{ColumnValue, Compare, Direction, Query};
use backbone::commit::{Commit, Delete, Expected, Outcome};
use backbone::journal::{self, Prune, StoredDocument};
use backbone::saga::{AnyInstance, SAGAS};
use kernel::{Duration, Timestamp};

use crate::host::Host;
use crate::shutdown::Shutdown;

const DAY_SECS: u64 = 24 * 3_600;

/// How long the answer under a caller's idempotency key is kept.
const ANSWERS: Duration = Duration::from_secs(31 * DAY_SECS);

/// How long a claimed delivery is remembered: longer than the longest possible redelivery. A stream
/// keeps its messages up to 365 days (PAYMENTS, communication.md), and a consumer that was away so
/// long is given again what it did not acknowledge; the dead letters add 30 days at most.
/// Up to how long ago an inbox is sure to know what was taken: nothing older is given to a consumer
/// a second time, by whatever way.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(399 * DAY_SECS);
const CLAIMS: Duration = Duration::from_secs(400 * DAY_SECS);

/// How long a finished saga stays: longer than the claims, so that a duplicate which nobody
/// remembers any more finds its end.
const TOMBSTONES: Duration = Duration::from_secs(431 * DAY_SECS);

/// How often; each time up to an eighth earlier or later.
const EVERY: Duration = Duration::from_secs(3_600);

/// How much at a time, so that the store is never held for long.
const BATCH: usize = 500;

/// How long others have the store to themselves between two batches.
const BREATH: Duration = Duration::from_secs(1);

/// Keeps house until shutdown.
pub(crate) async fn run(host: Arc<Host>, mut shutdown: Shutdown) {
    // The first time at any moment of the first hour: what is restarted often keeps house as well,
    // and services that started together do not do it together.
    let mut pause = part_of(EVERY, host.environment().ids.random());
    while waited(&host, &mut shutdown, pause).await {
        if let Err(error) = keep_house(&host, &mut shutdown).await {
            tracing::warn!(service = host.service(), %error, "what is old is forgotten later");
        }
        pause = EVERY - EVERY / 8 + part_of(EVERY / 4, host.environment().ids.random());
    }
}

fn part_of(whole: Duration, random: u64) -> Duration {
    Duration::from_secs(random % whole.as_secs().max(1))
}

/// False where the word was given meanwhile.
async fn waited(host: &Host, shutdown: &mut Shutdown, pause: Duration) -> bool {
    tokio::select! {
        biased;
        () = shutdown.wait() => false,
        () = host.environment().clock.sleep(pause) => true,
    }
}

async fn keep_house(host: &Host, shutdown: &mut Shutdown) -> Result<(), journal::Error> {
    let now = host.environment().clock.now();
    let prune = Prune { answers_before: now.minus(ANSWERS), inbox_before: now.minus(CLAIMS), limit: BATCH };
    let (mut answers, mut claims, mut sagas) = (0, 0, 0);
    loop {
        let pruned = host.journal().prune(prune).await?;
        answers += pruned.answers;
        claims += pruned.claims;
        let is_done = pruned.answers < BATCH && pruned.claims < BATCH;
        if is_done || !waited(host, shutdown, BREATH).await {
            break;
        }
    }
    let mut after = None;
    loop {
        let page = old_sagas(host, now.minus(TOMBSTONES), after).await?;
        after = page.last().map(place).transpose()?;
        sagas += bury(host, &page).await?;
        if page.len() < BATCH || !waited(host, shutdown, BREATH).await {
            break;
        }
    }
    if answers + claims + sagas > 0 {
        tracing::info!(service = host.service(), answers, claims, sagas, "what is old was forgotten");
    }
    Ok(())
}

/// Sagas that nothing happened to since `limit`, the oldest first. Those that an operator never
/// looked at stand among them, so what is finished is told by looking.
async fn old_sagas(
    host: &Host,
    limit: Timestamp,
    after: Option<(ColumnValue, String)>,
) -> Result<Vec<StoredDocument>, journal::Error> {
    let query = Query::all(&SAGAS).with("updated_at", Compare::Below, limit);
    let mut query = query.sorted("updated_at", Direction::Ascending).limit(BATCH);
    query.after = after;
    host.journal().find(query).await
}

fn read(stored: &StoredDocument) -> Result<AnyInstance, journal::Error> {
    serde_json::from_slice(&stored.body)
        .map_err(|e| journal::Error::Unusable(format!("saga {}: {e}", stored.id)))
}

fn place(stored: &StoredDocument) -> Result<(ColumnValue, String), journal::Error> {
    Ok((read(stored)?.updated_at.into(), stored.id.clone()))
}

/// Removes the finished ones, provided that they still are as they were read; gives how many.
async fn bury(host: &Host, sagas: &[StoredDocument]) -> Result<usize, journal::Error> {
    let mut commit = Commit::default();
    for stored in sagas {
        if read(stored)?.phase.is_final() {
            let expected = Expected::Version(stored.version);
            commit.deletes.push(Delete { collection: &SAGAS, id: stored.id.clone(), expected });
        }
    }
    let count = commit.deletes.len();
    if count == 0 {
        return Ok(0);
    }
    match host.journal().submit(commit).await {
        Ok(Ok(Outcome::Committed { .. })) => Ok(count),
        // One of them was written to after all: the next time shows what is left.
        Ok(Ok(_)) => Ok(0),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(journal::Error::Unavailable {
            operation: "forgetting sagas",
            reason: "the journal went away".to_owned(),
        }),
    }
}
