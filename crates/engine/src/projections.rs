//! Asynchronous projections: follow their checkpoint, fold a batch in memory, write each document
//! once, in one commit with the checkpoint. A rebuild goes into the shadow and is swapped in; it
//! can only write documents. A poisonous fact puts its key in quarantine (reliability.md, rules
//! 20–22).

use std::sync::Arc;

use backbone::bus::Bus;
use backbone::commit::Source;
use backbone::projection::Projection;
use backbone::workspace::{Draft, Key};
use kernel::Duration;

use crate::cache::Cache;
use crate::host::Host;
use crate::shutdown::Shutdown;

mod feed;
mod fold;
mod gate;
mod quarantine;
mod rebuild;
mod release;

use feed::{Feed, Owned};
use fold::Folded;
pub(crate) use fold::Folder;
pub(crate) use gate::{Gate, Gates};
use quarantine::Quarantine;
pub use rebuild::rebuild;
pub(crate) use release::{Refold, release};

/// How many facts are folded into one commit.
const BATCH: usize = 512;

/// How long to wait for facts before looking again: wake-ups are hints, polling is the truth.
const POLL: Duration = Duration::from_millis(500);

/// How long a projection with too many quarantined keys waits before it looks again.
const FULL: Duration = Duration::from_secs(60);

/// How many documents a running projection remembers.
const DOCUMENTS_MAX: usize = 4_096;

/// The name of a projection's checkpoint, and of the consumer in its dead letters.
pub(crate) fn checkpoint_name(projection: &Projection) -> String {
    format!("projection:{}", projection.name)
}

/// Why a projection no longer follows.
enum Ended {
    /// The word was given.
    Stopped,
    /// Its read model was changed under it: what it remembers is no longer true.
    Changed,
    /// Too many keys are in quarantine.
    Full,
}

/// Runs a projection until shutdown.
pub(crate) async fn run(host: Arc<Host>, bus: Arc<dyn Bus>, projection: Projection, mut shutdown: Shutdown) {
    let clock = host.environment().clock.clone();
    let (service, name) = (host.service(), projection.name);
    while !shutdown.is_on() {
        let pause = match follow(&host, &*bus, &projection, &mut shutdown).await {
            Ok(Ended::Stopped) => return,
            Ok(Ended::Changed) => continue,
            Ok(Ended::Full) => {
                let most = quarantine::KEYS_MAX;
                tracing::error!(
                    service,
                    projection = name,
                    "the projection stands still: {most} keys are in quarantine; mend it and rebuild it"
                );
                FULL
            }
            Err(reason) => {
                tracing::warn!(service, projection = name, reason, "the projection begins again");
                POLL
            }
        };
        tokio::select! {
            biased;
            () = shutdown.wait() => return,
            () = clock.sleep(pause) => {}
        }
    }
}

async fn follow(
    host: &Host,
    bus: &dyn Bus,
    projection: &Projection,
    shutdown: &mut Shutdown,
) -> Result<Ended, String> {
    let name = checkpoint_name(projection);
    let gate = host.gate(projection.name);
    let (began, mut position, mut quarantine) = {
        let turn = gate.lock().await;
        let position = host.journal().checkpoint(&name).await.map_err(|e| e.to_string())?;
        let quarantine = Quarantine::load(&**host.journal(), &name).await.map_err(|e| e.to_string())?;
        (*turn, position, quarantine)
    };
    let mut feed = Feed::open(host, bus, projection, position).await?;
    let mut cache = Cache::new(DOCUMENTS_MAX);
    let folder = Folder { host, projection };
    while !quarantine.is_full() {
        let facts = tokio::select! {
            biased;
            () = shutdown.wait() => return Ok(Ended::Stopped),
            facts = feed.next(host, POLL) => facts?,
        };
        let turn = gate.lock().await;
        if *turn != began {
            return Ok(Ended::Changed);
        }
        let Some(to) = facts.last().map(Owned::position) else { continue };
        let Folded { mut draft, letters } = fold_loading(&folder, &mut cache, &quarantine, &facts).await?;
        draft.changes.extend(quarantine::draft(host, [], letters.values()).changes);
        let source = Source::Checkpoint { consumer: name.clone(), from: position, to };
        fold::write(host, fold::seal(host, &draft, Some(source)).await?).await?;
        remember(&mut cache, draft);
        for letter in letters.values().filter(|letter| quarantine.of(&letter.event.subject).is_none()) {
            quarantine::alert(host, letter);
        }
        quarantine.take(letters);
        position = to;
    }
    Ok(Ended::Full)
}

/// Folds over the live documents, which are loaded as they are needed.
async fn fold_loading(
    folder: &Folder<'_>,
    cache: &mut Cache,
    quarantine: &Quarantine,
    facts: &[Owned],
) -> Result<Folded, String> {
    loop {
        match folder.fold(cache, quarantine, facts) {
            Ok(folded) => return Ok(folded),
            Err(missing) => {
                let loaded: Vec<(Key, _)> = folder.host.load(missing).await.map_err(|e| e.to_string())?;
                for (key, slot) in loaded {
                    cache.loaded(key, slot);
                }
            }
        }
    }
}

fn remember(cache: &mut Cache, draft: Draft) {
    for (key, change) in draft.changes {
        match change.base {
            Some(_) => cache.predict(key, change.slot, 0),
            None => cache.drop_key(&key),
        }
    }
}
