//! Folding facts into documents, the same way live, in a rebuild and after a quarantine.

use std::collections::BTreeMap;

use backbone::commit::{Commit, Outcome, Source};
use backbone::outcome::Refusal;
use backbone::projection::{Projection, View};
use backbone::system::DeadLetter;
use backbone::work::Origin;
use backbone::workspace::{Draft, Key, States, Workspace};
use kernel::Timestamp;

use super::checkpoint_name;
use super::feed::Owned;
use super::quarantine::Quarantine;
use crate::assemble::{Stamp, assemble};
use crate::decider::guarded;
use crate::host::Host;
use crate::sealing::KeyTable;

/// What folds.
pub(crate) struct Folder<'a> {
    pub(crate) host: &'a Host,
    pub(crate) projection: &'a Projection,
}

/// What facts came to.
pub(super) struct Folded {
    /// The documents.
    pub(super) draft: Draft,
    /// Records of quarantined keys, by key: new ones, and those with more facts behind them.
    pub(super) letters: BTreeMap<String, DeadLetter>,
}

impl Folder<'_> {
    /// Folds facts; or says which documents are needed first. A fact that cannot be folded puts
    /// its key in quarantine: later ones of the key are counted behind it, all others go on.
    pub(super) fn fold(
        &self,
        states: &dyn States,
        quarantine: &Quarantine,
        facts: &[Owned],
    ) -> Result<Folded, Vec<Key>> {
        let environment = self.host.environment();
        let now = environment.clock.now();
        let mut ws = Workspace::new(states, &*environment.ids, now, Origin::default());
        let mut missing = Vec::new();
        let mut letters: BTreeMap<String, DeadLetter> = BTreeMap::new();
        for fact in facts {
            if let Some(letter) = letters.get(fact.key()).or_else(|| quarantine.of(fact.key())) {
                let behind = letter.behind + 1;
                letters.insert(fact.key().to_owned(), DeadLetter { behind, ..letter.clone() });
                continue;
            }
            let mut nested = ws.nested(Origin::default());
            let fold = &self.projection.fold;
            let folded = guarded(self.projection.name, || fold(fact.fact(), &mut View(&mut nested)));
            match folded {
                Ok(()) => {
                    let draft = nested.into_draft();
                    ws.absorb(draft);
                }
                Err(Refusal::Missing(keys)) => missing.extend(keys),
                Err(refusal) => {
                    letters.insert(fact.key().to_owned(), self.letter(fact, &refusal, now));
                }
            }
        }
        if !missing.is_empty() {
            missing.sort();
            missing.dedup();
            return Err(missing);
        }
        Ok(Folded { draft: ws.into_draft(), letters })
    }

    fn letter(&self, fact: &Owned, refusal: &Refusal, now: Timestamp) -> DeadLetter {
        DeadLetter {
            consumer: checkpoint_name(self.projection),
            position: fact.position(),
            error_kind: refusal.kind(),
            error: refusal.to_string(),
            attempts: 1,
            first_failed_at: now,
            last_failed_at: now,
            moved_at: now,
            behind: 0,
            event: fact.kept(),
            raw: None,
        }
    }
}

/// Encrypts and makes the commit.
pub(super) async fn seal(host: &Host, draft: &Draft, source: Option<Source>) -> Result<Commit, String> {
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

/// Commits, and waits until it is durable.
pub(super) async fn write(host: &Host, commit: Commit) -> Result<(), String> {
    match host.journal().submit(commit).await {
        Ok(Ok(Outcome::Committed { .. })) => Ok(()),
        Ok(Ok(other)) => Err(format!("{other:?}")),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the journal went away".to_owned()),
    }
}
