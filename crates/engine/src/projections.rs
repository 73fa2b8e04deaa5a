//! Asynchronous projections: follow their checkpoint, fold a batch in memory, write each document
//! once, in one commit with the checkpoint. A rebuild goes into the shadow and is swapped in; it
//! can only write documents. A poisonous fact puts its key in quarantine (reliability.md, rules
//! 20–22).

use std::sync::Arc;

use backbone::bus::Bus;
use backbone::commit::{Commit, Fence, Source};
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
pub(crate) use release::{Refold, Release, release};

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

/// Runs a projection until shutdown; of several replicas one does.
pub(crate) async fn run(host: Arc<Host>, bus: Arc<dyn Bus>, projection: Projection, shutdown: Shutdown) {
    let follow = |fence| {
        let run = Run { host: &host, bus: &*bus, projection: &projection, fence };
        run.on(shutdown.clone())
    };
    host.leases().hold(&host, &checkpoint_name(&projection), &shutdown, follow).await;
}

/// A projection that runs.
struct Run<'r> {
    host: &'r Host,
    bus: &'r dyn Bus,
    projection: &'r Projection,
    fence: Option<Fence>,
}

impl Run<'_> {
    async fn on(self, mut shutdown: Shutdown) -> Result<(), String> {
        loop {
            match follow(&self, &mut shutdown).await? {
                Ended::Stopped => return Ok(()),
                Ended::Changed => {}
                Ended::Full => {
                    let (service, most) = (self.host.service(), quarantine::KEYS_MAX);
                    tracing::error!(
                        service,
                        projection = self.projection.name,
                        "the projection stands still: {most} keys are in quarantine; mend it and rebuild it"
                    );
                    tokio::select! {
                        biased;
                        () = shutdown.wait() => return Ok(()),
                        () = self.host.environment().clock.sleep(FULL) => {}
                    }
                }
            }
        }
    }
}

async fn follow(run: &Run<'_>, shutdown: &mut Shutdown) -> Result<Ended, String> {
    let Run { host, bus, projection, fence } = run;
    let name = checkpoint_name(projection);
    let gate = host.gate(projection.name);
    let (began, mut position, mut quarantine) = {
        let turn = gate.lock().await;
        let position = host.journal().checkpoint(&name).await.map_err(|e| e.to_string())?;
        let quarantine = Quarantine::load(&**host.journal(), &name).await.map_err(|e| e.to_string())?;
        (*turn, position, quarantine)
    };
    let mut feed = Feed::open(host, *bus, projection, position).await?;
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
        let commit = fold::seal(host, &draft, Some(source)).await?;
        fold::write(host, Commit { fence: fence.clone(), ..commit }).await?;
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
