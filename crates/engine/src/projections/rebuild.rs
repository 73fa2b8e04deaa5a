//! Rebuilding a projection from its facts into a shadow, which is swapped in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use backbone::bus::Bus;
use backbone::commit::Expected;
use backbone::journal::{ShadowStep, Stored};
use backbone::projection::Projection;
use backbone::workspace::{Change, Draft, Key, Slot, States};

use super::feed::{Feed, Owned};
use super::fold::{Folded, Folder, seal, write};
use super::quarantine::{self, Quarantine};
use super::{BATCH, POLL, checkpoint_name};
use crate::host::Host;

/// How often a rebuild catches up while the live projection goes on, before it asks for its turn.
const ROUNDS: usize = 8;

/// How often facts that must be there are looked for.
const LOOKS: usize = 20;

/// The documents of a rebuild, all in memory until they are written once.
#[derive(Default)]
struct Shadow {
    slots: BTreeMap<Key, Slot>,
    /// Changed and not written yet.
    changed: BTreeSet<Key>,
}

/// States of a rebuild: what is not there yet is blank, never what the live collection holds.
struct Blank<'a>(&'a Shadow);

impl States for Blank<'_> {
    fn get(&self, key: &Key) -> Option<Slot> {
        let found = self.0.slots.get(key).cloned();
        found.or_else(|| key.kind.restore(Stored::Document(None)).ok())
    }
}

/// A rebuild on its way.
struct Rebuild<'a> {
    folder: Folder<'a>,
    feed: Feed,
    /// Read and not folded yet.
    held: VecDeque<Owned>,
    shadow: Shadow,
    /// What is quarantined in the rebuild: it begins with a clean slate.
    quarantine: Quarantine,
    position: u64,
    folded: u64,
}

/// Rebuilds a projection from its facts into the shadow, catches up, and swaps it in, while the
/// live one goes on until the last step. Gives the number of facts read. Keys that were in
/// quarantine are folded again from their beginning; those in which the rebuild finds poison are in
/// quarantine afterwards, and no others.
pub async fn rebuild(host: &Host, bus: &dyn Bus, projection: &Projection) -> Result<u64, String> {
    let say = |e: backbone::journal::Error| e.to_string();
    for collection in projection.collections {
        host.journal().shadow(collection, ShadowStep::Begin).await.map_err(say)?;
    }
    let name = checkpoint_name(projection);
    let mut rebuild = Rebuild {
        folder: Folder { host, projection },
        feed: Feed::open(host, bus, projection, 0).await?,
        held: VecDeque::new(),
        shadow: Shadow::default(),
        quarantine: Quarantine::default(),
        position: 0,
        folded: 0,
    };
    for _ in 0..ROUNDS {
        let target = host.journal().checkpoint(&name).await.map_err(say)?;
        if rebuild.position == target {
            break;
        }
        rebuild.catch_up(target).await?;
        rebuild.write_shadow().await?;
    }
    // From here on the live projection stands still, so that no fact falls between the two.
    let gate = host.gate(projection.name);
    let mut turn = gate.lock().await;
    let target = host.journal().checkpoint(&name).await.map_err(say)?;
    rebuild.catch_up(target).await?;
    rebuild.write_shadow().await?;
    *turn += 1;
    for collection in projection.collections {
        let step = ShadowStep::Swap { consumer: name.clone(), position: rebuild.position };
        host.journal().shadow(collection, step).await.map_err(say)?;
    }
    rebuild.replace_records(&name).await.map_err(|reason| {
        format!(
            "the new read model is in place, but old quarantine records are left ({reason}): rebuild again"
        )
    })?;
    Ok(rebuild.folded)
}

impl Rebuild<'_> {
    /// Folds all facts up to `target`, none beyond: both must stand at one place to be swapped.
    async fn catch_up(&mut self, target: u64) -> Result<(), String> {
        let host = self.folder.host;
        let mut looks = 0;
        while self.position < target {
            if self.held.is_empty() {
                self.held.extend(self.feed.next(host, POLL).await?);
                looks += 1;
                if self.held.is_empty() && looks > LOOKS {
                    return Err(format!("the facts from {} to {target} do not come", self.position));
                }
                continue;
            }
            looks = 0;
            let count = self.held.partition_point(|fact| fact.position() <= target);
            let facts: Vec<Owned> = self.held.drain(..count).collect();
            let folded = self.folder.fold(&Blank(&self.shadow), &self.quarantine, &facts);
            let Folded { draft, letters } = folded.map_err(|keys| format!("{keys:?} are needed"))?;
            for (key, change) in draft.changes {
                self.shadow.changed.insert(key.clone());
                self.shadow.slots.insert(key, change.slot);
            }
            self.quarantine.take(letters);
            if self.quarantine.is_full() {
                let most = quarantine::KEYS_MAX;
                return Err(format!("{most} keys are poisonous: mend the projection first"));
            }
            self.folded += facts.len() as u64;
            self.position = match self.held.is_empty() {
                true => facts.last().map_or(self.position, Owned::position),
                false => target,
            };
        }
        Ok(())
    }

    async fn write_shadow(&mut self) -> Result<(), String> {
        let host = self.folder.host;
        let changed: Vec<Key> = std::mem::take(&mut self.shadow.changed).into_iter().collect();
        for chunk in changed.chunks(BATCH) {
            let mut draft = Draft::default();
            for key in chunk {
                let slot = self.shadow.slots[key].clone();
                draft.changes.insert(key.clone(), Change { base: None, slot, events: Vec::new() });
            }
            let mut commit = seal(host, &draft, None).await?;
            for put in &mut commit.puts {
                put.shadow = true;
                put.expected = Expected::Any;
            }
            write(host, commit).await?;
        }
        Ok(())
    }

    /// After the swap, never before it: a key must not be let out while the documents are those
    /// that miss its facts.
    async fn replace_records(&mut self, consumer: &str) -> Result<(), String> {
        let host = self.folder.host;
        let old = quarantine::records(&**host.journal(), consumer).await.map_err(|e| e.to_string())?;
        let draft = quarantine::draft(host, &old, self.quarantine.letters());
        if !draft.changes.is_empty() {
            write(host, seal(host, &draft, None).await?).await?;
        }
        self.quarantine.letters().for_each(|letter| quarantine::alert(host, letter));
        Ok(())
    }
}
