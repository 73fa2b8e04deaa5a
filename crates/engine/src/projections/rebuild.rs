//! Rebuilding a projection from its facts into a shadow, which is compared with what serves and
//! swapped in.

use std::collections::{BTreeMap, BTreeSet};

use backbone::commit::Source;
use backbone::journal::{ShadowStep, Stored};
use backbone::system::{Compared, Ending, SwapWhen};
use backbone::workspace::{Change, Draft, Key, Slot, States};

use super::compare::{Personal, compare};
use super::feed::Feed;
use super::fold::{Folded, Folder};
use super::quarantine::{self, Quarantine};
use super::side::Side;
use super::upto::Upto;
use super::{BATCH, Run};

/// How often a rebuild catches up while the live projection goes on, before it asks for its turn.
const ROUNDS: usize = 8;

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
    run: &'a Run<'a>,
    facts: Upto,
    shadow: Shadow,
    /// What is quarantined in the rebuild: it begins with a clean slate.
    quarantine: Quarantine,
    /// Where the shadow stands in the store.
    written: u64,
    folded: u64,
}

impl Run<'_> {
    /// Rebuilds the projection from its facts into the shadow and catches up, while the live one goes on
    /// until the last step; compares both, and swaps the new one in or drops it. Keys that were in
    /// quarantine are folded again from their beginning; those in which the rebuild finds poison are in
    /// quarantine afterwards, and no others.
    pub(super) async fn rebuild(&self, when: SwapWhen) -> Result<(), String> {
        let Run { host, bus, projection, .. } = self;
        let shadow = Side::Aside.checkpoint(projection);
        let begin = ShadowStep::Begin { shadow: shadow.clone() };
        host.journal().shadow(projection.collections, begin).await.map_err(|e| e.to_string())?;
        let mut rebuild = Rebuild {
            run: self,
            facts: Upto::new(Feed::open(host, *bus, projection, 0).await?, 0),
            shadow: Shadow::default(),
            quarantine: Quarantine::default(),
            written: 0,
            folded: 0,
        };
        for _ in 0..ROUNDS {
            let target = self.stands().await?;
            if rebuild.facts.position() == target {
                break;
            }
            rebuild.catch_up(target).await?;
        }
        // From here on the live projection stands still: both are compared, and swapped, at one fact.
        let gate = host.gate(projection.name);
        let mut turn = gate.lock().await;
        rebuild.catch_up(self.stands().await?).await?;
        let compared = compare(host, projection, &rebuild.shadow.personal()).await?;
        let facts = rebuild.folded;
        self.tell(when, facts, &compared);
        if swaps(when, &compared) {
            *turn += 1;
            self.swap().await?;
            let found = rebuild.quarantine.letters().cloned().collect();
            return self.swapped(found, Ending::Swapped { facts, compared }).await;
        }
        drop(turn);
        self.end(Ending::Kept { facts, compared }).await?;
        // Where this fails, the next rebuild replaces it.
        if let Err(error) = host.journal().shadow(projection.collections, ShadowStep::Drop { shadow }).await {
            tracing::debug!(projection = projection.name, %error, "what was rebuilt is forgotten later");
        }
        Ok(())
    }

    fn tell(&self, when: SwapWhen, facts: u64, compared: &[Compared]) {
        let (service, projection) = (self.host.service(), self.projection.name);
        for found in compared.iter().filter(|found| !found.is_equal()) {
            let collection = found.collection.as_str();
            let (gone, new) = (found.only_live.count, found.only_rebuilt.count);
            let differing = found.differing.count;
            tracing::warn!(service, projection, collection, gone, new, differing, "the rebuild differs");
        }
        let swapped = swaps(when, compared);
        tracing::info!(service, projection, facts, swapped, "it was folded again and compared");
    }
}

/// Whether what was rebuilt takes the place of what serves.
fn swaps(when: SwapWhen, compared: &[Compared]) -> bool {
    match when {
        SwapWhen::Always => true,
        SwapWhen::Never => false,
        SwapWhen::Equal => compared.iter().all(Compared::is_equal),
    }
}

impl Shadow {
    /// The personal fields of the collections of which it has documents.
    fn personal(&self) -> Personal {
        self.slots.keys().map(|key| (key.kind.name(), key.kind.personal())).collect()
    }
}

impl Rebuild<'_> {
    /// Folds all facts up to `target`, none beyond, and writes what they change.
    async fn catch_up(&mut self, target: u64) -> Result<(), String> {
        let Run { host, projection, .. } = self.run;
        let folder = Folder { host, projection };
        loop {
            let facts = self.facts.next(host, target).await?;
            if facts.is_empty() {
                return self.write_shadow().await;
            }
            let folded = folder.fold(&Blank(&self.shadow), &self.quarantine, &facts);
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
        }
    }

    async fn write_shadow(&mut self) -> Result<(), String> {
        let changed: Vec<Key> = std::mem::take(&mut self.shadow.changed).into_iter().collect();
        for chunk in changed.chunks(BATCH) {
            let mut draft = Draft::default();
            for key in chunk {
                let slot = self.shadow.slots[key].clone();
                draft.changes.insert(key.clone(), Change { base: None, slot, events: Vec::new() });
            }
            self.run.write_aside(&draft, None).await?;
        }
        let (from, to) = (self.written, self.facts.position());
        if from != to {
            let consumer = Side::Aside.checkpoint(self.run.projection);
            let source = Source::Checkpoint { consumer, from, to };
            self.run.write_aside(&Draft::default(), Some(source)).await?;
            self.written = to;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use backbone::system::Found;

    use super::*;

    #[test]
    fn by_itself_only_what_is_the_same_takes_the_place_of_what_serves() {
        let same = Compared { live: 3, rebuilt: 3, ..Compared::default() };
        let one = || Found { count: 1, first: vec!["a".to_owned()] };
        let less = Compared { only_live: one(), ..same.clone() };
        let more = Compared { only_rebuilt: one(), ..same.clone() };
        let other = Compared { differing: one(), ..same.clone() };
        for (when, found, expected) in [
            (SwapWhen::Equal, vec![], true),
            (SwapWhen::Equal, vec![same.clone(), same.clone()], true),
            (SwapWhen::Equal, vec![same.clone(), less.clone()], false),
            (SwapWhen::Equal, vec![more], false),
            (SwapWhen::Equal, vec![other], false),
            (SwapWhen::Always, vec![less.clone()], true),
            (SwapWhen::Never, vec![same], false),
        ] {
            assert_eq!(swaps(when, &found), expected, "{when:?} {found:?}");
        }
    }
}
