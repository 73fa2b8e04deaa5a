//! Asynchronous projections: follow their checkpoint, fold a batch in memory, write each document
//! once, in one commit with the checkpoint. A rebuild goes into the shadow and is swapped in; it
//! can only write documents (reliability.md, rules 20–22).

use std::collections::BTreeMap;
use std::sync::Arc;

use backbone::bus::{Bus, Consumer as Reader, Subscription};
use backbone::commit::{Commit, Expected, Outcome, Source};
use backbone::journal::ShadowStep;
use backbone::outcome::Refusal;
use backbone::projection::{Fact, Follows, Projection, View};
use backbone::system::{DeadLetter, KeptEvent};
use backbone::work::Origin;
use backbone::workspace::{Draft, Key, Slot, States, Workspace};
use kernel::{Duration, Envelope};

use crate::assemble::{Stamp, assemble};
use crate::cache::Cache;
use crate::host::Host;
use crate::sealing::KeyTable;
use crate::shutdown::Shutdown;

/// How many facts are folded into one commit.
const BATCH: usize = 512;

/// How long to wait for facts before looking again: wake-ups are hints, polling is the truth.
const POLL: Duration = Duration::from_millis(500);

/// How many documents a running projection remembers.
const DOCUMENTS_MAX: usize = 4_096;

/// A fact with its position.
enum Owned {
    Own(Box<backbone::journal::Recorded>),
    Public(u64, Arc<Envelope>),
}

impl Owned {
    fn position(&self) -> u64 {
        match self {
            Owned::Own(recorded) => recorded.position,
            Owned::Public(position, _) => *position,
        }
    }

    fn fact(&self) -> Fact<'_> {
        match self {
            Owned::Own(recorded) => Fact::Own(recorded),
            Owned::Public(_, envelope) => Fact::Public(envelope),
        }
    }
}

/// The name of a projection's checkpoint.
fn checkpoint_name(projection: &Projection) -> String {
    format!("projection:{}", projection.name)
}

/// Where facts come from.
enum Feed {
    Own { after: u64 },
    Bus(Box<dyn Reader>),
}

impl Feed {
    async fn open(host: &Host, bus: &dyn Bus, projection: &Projection, after: u64) -> Result<Self, String> {
        match projection.follows {
            Follows::Own => Ok(Feed::Own { after }),
            Follows::Context(context) => {
                let subscription = Subscription {
                    consumer: format!("{}-{}", host.service(), checkpoint_name(projection)),
                    service: host.service(),
                    context,
                    after: Some(after),
                };
                bus.open(subscription).await.map(Feed::Bus).map_err(|e| e.to_string())
            }
        }
    }

    /// The next facts, none where there are none yet.
    async fn next(&mut self, host: &Host, wait: Duration) -> Result<Vec<Owned>, String> {
        match self {
            Feed::Own { after } => {
                let seen = host.commits();
                let facts = host.journal().feed(*after, BATCH).await.map_err(|e| e.to_string())?;
                if facts.is_empty() {
                    tokio::select! {
                        biased;
                        () = host.commits_beyond(seen) => {}
                        () = host.environment().clock.sleep(wait) => {}
                    }
                }
                *after = facts.last().map_or(*after, |last| last.position);
                Ok(facts.into_iter().map(|fact| Owned::Own(Box::new(fact))).collect())
            }
            Feed::Bus(reader) => {
                let clock = host.environment().clock.clone();
                tokio::select! {
                    biased;
                    fetched = reader.fetch(BATCH) => {
                        let fetched = fetched.map_err(|e| e.to_string())?;
                        Ok(fetched.into_iter().map(|d| Owned::Public(d.position, d.envelope)).collect())
                    }
                    () = clock.sleep(wait) => Ok(Vec::new()),
                }
            }
        }
    }
}

/// Runs a projection until shutdown.
pub(crate) async fn run(host: Arc<Host>, bus: Arc<dyn Bus>, projection: Projection, mut shutdown: Shutdown) {
    let clock = host.environment().clock.clone();
    while !shutdown.is_on() {
        let Err(reason) = follow(&host, &*bus, &projection, &mut shutdown).await else { return };
        tracing::warn!(
            service = host.service(),
            projection = projection.name,
            reason,
            "the projection begins again"
        );
        tokio::select! {
            biased;
            () = shutdown.wait() => return,
            () = clock.sleep(POLL) => {}
        }
    }
}

async fn follow(
    host: &Host,
    bus: &dyn Bus,
    projection: &Projection,
    shutdown: &mut Shutdown,
) -> Result<(), String> {
    let name = checkpoint_name(projection);
    let mut position = host.journal().checkpoint(&name).await.map_err(|e| e.to_string())?;
    let mut feed = Feed::open(host, bus, projection, position).await?;
    let mut cache = Cache::new(DOCUMENTS_MAX);
    loop {
        let facts = tokio::select! {
            biased;
            () = shutdown.wait() => return Ok(()),
            facts = feed.next(host, POLL) => facts?,
        };
        let Some(to) = facts.last().map(Owned::position) else { continue };
        let draft = loop {
            match fold(host, projection, &cache, &facts) {
                Ok(draft) => break draft,
                Err(missing) => {
                    for (key, slot) in host.load(missing).await.map_err(|e| e.to_string())? {
                        cache.loaded(key, slot);
                    }
                }
            }
        };
        let source = Source::Checkpoint { consumer: name.clone(), from: position, to };
        let commit = seal(host, &draft, Some(source)).await?;
        match host.journal().submit(commit).await {
            Ok(Ok(Outcome::Committed { .. })) => {}
            Ok(Ok(other)) => return Err(format!("{other:?}")),
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err("the journal went away".to_owned()),
        }
        for (key, change) in draft.changes {
            match change.base {
                Some(_) => cache.predict(key, change.slot, 0),
                None => cache.drop_key(&key),
            }
        }
        position = to;
    }
}

/// Folds facts; or says which documents are needed first. A fact that cannot be folded is
/// recorded, the same way live and in a rebuild.
fn fold(
    host: &Host,
    projection: &Projection,
    states: &dyn States,
    facts: &[Owned],
) -> Result<Draft, Vec<Key>> {
    let environment = host.environment();
    let mut ws = Workspace::new(states, &*environment.ids, environment.clock.now(), Origin::default());
    let mut missing = Vec::new();
    for fact in facts {
        let mut nested = ws.nested(Origin::default());
        let folded = (projection.fold)(fact.fact(), &mut View(&mut nested));
        match folded {
            Ok(()) => {
                let draft = nested.into_draft();
                ws.absorb(draft);
            }
            Err(Refusal::Missing(keys)) => missing.extend(keys),
            Err(refusal) => {
                let reason = refusal.to_string();
                let (service, name) = (host.service(), projection.name);
                tracing::error!(
                    service,
                    projection = name,
                    position = fact.position(),
                    reason,
                    "a fact is quarantined"
                );
                quarantine(projection, fact, &refusal, &mut ws);
            }
        }
    }
    if !missing.is_empty() {
        missing.sort();
        missing.dedup();
        return Err(missing);
    }
    Ok(ws.into_draft())
}

fn quarantine(projection: &Projection, fact: &Owned, refusal: &Refusal, ws: &mut Workspace<'_>) {
    let now = ws.now();
    let event = match fact {
        Owned::Public(_, envelope) => KeptEvent::from(envelope.as_ref()),
        Owned::Own(recorded) => KeptEvent {
            id: uuid::Uuid::nil(),
            source: String::new(),
            kind: recorded.event.name.clone(),
            subject: recorded.stream.clone(),
            time: recorded.event.at,
            correlation_id: recorded.event.correlation_id.clone(),
            causation_id: recorded.event.causation_id.clone(),
            sequence: recorded.event.version,
            traceparent: None,
            key_id: None,
            data: String::from_utf8_lossy(&recorded.event.data).into_owned(),
        },
    };
    ws.overwrite(DeadLetter {
        consumer: checkpoint_name(projection),
        position: fact.position(),
        error_kind: refusal.kind(),
        error: refusal.to_string(),
        attempts: 1,
        first_failed_at: now,
        last_failed_at: now,
        moved_at: now,
        event,
    });
}

async fn seal(host: &Host, draft: &Draft, source: Option<Source>) -> Result<Commit, String> {
    let assembled = assemble(draft);
    let persons: Vec<_> = assembled.persons().iter().copied().collect();
    let keys = host.keys().ensure(&persons).await.map_err(|e| e.to_string())?;
    let keys: KeyTable = persons.into_iter().zip(keys).collect();
    let environment = host.environment();
    let master_key = host.keys().master_id();
    let now = environment.clock.now();
    let stamp = Stamp { service: host.service(), now, ids: &*environment.ids, master_key: &master_key };
    assembled.seal(&stamp, &keys, source, None).map_err(|e| e.to_string())
}

/// The documents of a rebuild, all in memory until they are written once.
#[derive(Default)]
struct Shadow {
    slots: BTreeMap<Key, Slot>,
}

/// States of a rebuild: what is not there yet is blank, never what the live collection holds.
struct Blank<'a>(&'a Shadow);

impl States for Blank<'_> {
    fn get(&self, key: &Key) -> Option<Slot> {
        self.0
            .slots
            .get(key)
            .cloned()
            .or_else(|| key.kind.restore(backbone::journal::Stored::Document(None)).ok())
    }
}

/// Rebuilds a projection from its facts into the shadow, catches up, and swaps it in, while the
/// live one goes on. Gives the number of facts folded.
pub async fn rebuild(host: &Host, bus: &dyn Bus, projection: &Projection) -> Result<u64, String> {
    let say = |e: backbone::journal::Error| e.to_string();
    for collection in projection.collections {
        host.journal().shadow(collection, ShadowStep::Begin).await.map_err(say)?;
    }
    let name = checkpoint_name(projection);
    let mut shadow = Shadow::default();
    let mut feed = Feed::open(host, bus, projection, 0).await?;
    let (mut position, mut folded) = (0, 0);
    loop {
        let target = host.journal().checkpoint(&name).await.map_err(say)?;
        let mut touched: BTreeMap<Key, ()> = BTreeMap::new();
        let mut held = Vec::new();
        while position < target {
            let facts = feed.next(host, Duration::from_millis(20)).await?;
            if facts.is_empty() {
                break;
            }
            // Not beyond the live projection: both must stand at the same place to be swapped.
            held = facts.into_iter().collect();
            let draft =
                fold(host, projection, &Blank(&shadow), &held).map_err(|k| format!("{k:?} is needed"))?;
            for (key, change) in draft.changes {
                touched.insert(key.clone(), ());
                shadow.slots.insert(key, change.slot);
            }
            folded += held.len() as u64;
            position = held.last().map_or(position, Owned::position);
        }
        drop(held);
        write_shadow(host, &shadow, touched.into_keys().collect()).await?;
        let step = ShadowStep::Swap { consumer: name.clone(), position };
        let mut swapped = Ok(());
        for collection in projection.collections {
            swapped = swapped.and(host.journal().shadow(collection, step.clone()).await);
        }
        match swapped {
            Ok(()) => return Ok(folded),
            Err(error) => {
                tracing::info!(projection = projection.name, %error, "the rebuild catches up once more")
            }
        }
    }
}

async fn write_shadow(host: &Host, shadow: &Shadow, keys: Vec<Key>) -> Result<(), String> {
    for chunk in keys.chunks(BATCH) {
        let mut draft = Draft::default();
        for key in chunk {
            let slot = shadow.slots[key].clone();
            draft
                .changes
                .insert(key.clone(), backbone::workspace::Change { base: None, slot, events: Vec::new() });
        }
        let mut commit = seal(host, &draft, None).await?;
        for put in &mut commit.puts {
            put.shadow = true;
            put.expected = Expected::Any;
        }
        match host.journal().submit(commit).await {
            Ok(Ok(Outcome::Committed { .. })) => {}
            other => return Err(format!("{other:?}")),
        }
    }
    Ok(())
}
