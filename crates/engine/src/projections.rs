//! Asynchronous projections: follow their checkpoint, fold a batch in memory, write each document
//! once, in one commit with the checkpoint. A rebuild goes into the shadow, is compared and swapped in;
//! it can only write documents. What it took the place of is kept up beside it. A poisonous fact puts
//! its key in quarantine (reliability.md, rules 20–22).

use std::sync::Arc;

use backbone::bus::Bus;
use std::sync::atomic::{AtomicBool, Ordering};

use backbone::commit::{Commit, Fence, Source};
use backbone::projection::Projection;
use backbone::workspace::Draft;
use kernel::Duration;

use crate::cache::Cache;
use crate::host::Host;
use crate::shutdown::Shutdown;

mod aside;
mod compare;
mod feed;
mod fold;
mod gate;
mod previous;
mod quarantine;
mod rebuild;
mod records;
mod release;
mod side;
mod swap;
mod upto;

pub(crate) use feed::consumer_name;
use feed::{Feed, Owned};
use fold::Folded;
pub(crate) use fold::Folder;
pub(crate) use gate::{Gate, Gates};
use quarantine::Quarantine;
pub(crate) use records::{ask, find as rebuilding};
pub(crate) use release::{Refold, Release, release};
use side::Side;

/// How many facts are folded into one commit.
const BATCH: usize = 512;

/// How long to wait for facts before looking again: wake-ups are hints, polling is the truth.
const POLL: Duration = Duration::from_millis(500);

/// How long a projection with too many quarantined keys waits before it looks again.
const FULL: Duration = Duration::from_secs(60);

/// How long a projection that failed beside its own rebuild pauses.
const OUTAGE: Duration = Duration::from_millis(500);

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
        let is_busy = AtomicBool::new(false);
        let run = Run { host: &host, bus: &*bus, projection: &projection, fence, is_busy };
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
    /// Whether it is being rebuilt.
    is_busy: AtomicBool,
}

impl Run<'_> {
    /// Follows, and does beside it what operators ask for.
    async fn on(self, shutdown: Shutdown) -> Result<(), String> {
        tokio::select! {
            biased;
            ended = self.live(shutdown) => ended,
            never = self.attend() => match never {},
        }
    }

    async fn live(&self, mut shutdown: Shutdown) -> Result<(), String> {
        loop {
            let wait = match follow(self, &mut shutdown).await {
                Ok(Ended::Stopped) => return Ok(()),
                Ok(Ended::Changed) => continue,
                Ok(Ended::Full) => {
                    let (service, most) = (self.host.service(), quarantine::KEYS_MAX);
                    tracing::error!(
                        service,
                        projection = self.projection.name,
                        "the projection stands still: {most} keys are in quarantine; mend it and rebuild it"
                    );
                    FULL
                }
                // A read model that nobody can go on with is a reason to rebuild it.
                Err(reason) if self.is_busy.load(Ordering::SeqCst) => {
                    let (service, projection) = (self.host.service(), self.projection.name);
                    tracing::warn!(service, projection, reason, "it pauses while it is being rebuilt");
                    OUTAGE
                }
                Err(reason) => return Err(reason),
            };
            tokio::select! {
                biased;
                () = shutdown.wait() => return Ok(()),
                () = self.host.environment().clock.sleep(wait) => {}
            }
        }
    }
}

async fn follow(run: &Run<'_>, shutdown: &mut Shutdown) -> Result<Ended, String> {
    let Run { host, bus, projection, fence, .. } = run;
    let name = checkpoint_name(projection);
    let gate = host.gate(projection.name);
    let (began, mut position, mut quarantine) = {
        let turn = gate.lock().await;
        let position = host.journal().checkpoint(&name).await.map_err(|e| e.to_string())?;
        let quarantine = Quarantine::load(&**host.journal(), Side::Live, &name).await;
        (*turn, position, quarantine.map_err(|e| e.to_string())?)
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
        let folded = fold_loading(&folder, Side::Live, (&mut cache, &quarantine), &facts).await?;
        let Folded { mut draft, letters } = folded;
        draft.changes.extend(quarantine::draft(host, Side::Live, [], letters.values()).changes);
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

/// Folds over the documents of a side, which are loaded as they are needed.
async fn fold_loading(
    folder: &Folder<'_>,
    side: Side,
    (cache, quarantine): (&mut Cache, &Quarantine),
    facts: &[Owned],
) -> Result<Folded, String> {
    loop {
        match folder.fold(cache, quarantine, facts) {
            Ok(folded) => return Ok(folded),
            Err(missing) => {
                let loaded = side.load(folder.host, missing).await.map_err(|e| e.to_string())?;
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
