//! Letting a key out of quarantine: its facts are folded again from the feed, the poisonous one
//! with them or without it.

use backbone::Document;
use backbone::bus::Bus;
use backbone::journal::{Stored, Want};
use backbone::outcome::Rejection;
use backbone::system::{DEAD_LETTERS, DeadLetter};
use backbone::work::Error;

use super::feed::{Feed, Owned};
use super::fold::{Folded, Folder, seal, write};
use super::quarantine::{self, Quarantine};
use super::side::Side;
use super::{POLL, checkpoint_name, fold_loading};
use crate::cache::Cache;
use crate::host::Host;
use crate::operators::By;

/// How many facts of one key are folded again in one commit.
const FACTS_MAX: usize = 10_000;

/// What becomes of the poisonous fact.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refold {
    /// It is folded like the others: the projection was mended.
    WithIt,
    /// It is passed over for good.
    WithoutIt,
}

/// What an operator does with a key.
pub(crate) struct Release<'a> {
    /// The dead letter of its poisonous fact.
    pub(crate) id: &'a str,
    /// What becomes of that fact.
    pub(crate) refold: Refold,
    /// Who does it.
    pub(crate) by: &'a By,
}

/// Folds what the key of dead letter `id` missed, in one commit with the end of its record. Where a
/// fact is still poisonous, the key stays in quarantine from that one on.
pub(crate) async fn release(
    folder: &Folder<'_>,
    bus: &dyn Bus,
    Release { id, refold, by }: Release<'_>,
) -> Result<(), Error> {
    let Folder { host, projection } = *folder;
    let down = |e: backbone::journal::Error| Error::Unavailable(e.to_string());
    let gate = host.gate(projection.name);
    let mut turn = gate.lock().await;
    let letter = find(host, id).await?;
    let name = checkpoint_name(projection);
    let target = host.journal().checkpoint(&name).await.map_err(down)?;
    let after = letter.position - u64::from(refold == Refold::WithIt);
    let mut feed = Feed::open(host, bus, projection, after).await.map_err(Error::Unavailable)?;
    let key = letter.event.subject.as_str();
    let mut facts = Vec::new();
    let mut position = after;
    while position < target {
        let page = feed.next(host, POLL).await.map_err(Error::Unavailable)?;
        let Some(last) = page.last().map(Owned::position) else {
            let message = format!("the facts from {position} to {target} do not come");
            return Err(Error::Unavailable(message));
        };
        position = last;
        facts.extend(page.into_iter().filter(|fact| fact.position() <= target && fact.key() == key));
        if facts.len() > FACTS_MAX {
            return Err(rebuild_instead("too many facts wait behind it").into());
        }
    }
    let behind = facts.iter().filter(|fact| fact.position() > letter.position).count() as u64;
    if behind != letter.behind {
        return Err(rebuild_instead("the record does not tell what of the key was folded since").into());
    }
    let mut cache = Cache::new(4 * FACTS_MAX);
    let folded = fold_loading(folder, Side::Live, (&mut cache, &Quarantine::default()), &facts).await;
    let Folded { mut draft, mut letters } = folded.map_err(Error::Unavailable)?;
    let again = letters.values_mut().find(|found| found.position == letter.position).map(|found| {
        found.attempts = letter.attempts + 1;
        found.first_failed_at = letter.first_failed_at;
        found.error.clone()
    });
    draft.changes.extend(quarantine::draft(host, Side::Live, [&letter], letters.values()).changes);
    let what = if refold == Refold::WithIt { "retry" } else { "discard" };
    let outcome = if again.is_some() { "still poisonous" } else { "folded again" };
    draft.changes.extend(by.draft(host, (what, id, outcome)).changes);
    let commit = seal(host, &draft, None).await.map_err(Error::Unavailable)?;
    *turn += 1;
    write(host, commit).await.map_err(Error::Unavailable)?;
    letters.values().for_each(|letter| quarantine::alert(host, letter));
    match again {
        None => Ok(()),
        Some(reason) => {
            let message =
                format!("the fact is still poisonous: {reason}; mend the projection, or discard it");
            Err(Rejection::conflict("still-poisonous", message).into())
        }
    }
}

async fn find(host: &Host, id: &str) -> Result<DeadLetter, Error> {
    let want = Want::Document(&DEAD_LETTERS, id.to_owned());
    let stored = host.journal().load(vec![want]).await.map_err(|e| Error::Unavailable(e.to_string()))?;
    match stored.into_iter().next() {
        Some(Stored::Document(Some(found))) => {
            let letter: DeadLetter = serde_json::from_slice(&found.body)
                .map_err(|e| Error::Failed(format!("dead letter {id} cannot be read: {e}")))?;
            debug_assert_eq!(letter.id(), id);
            Ok(letter)
        }
        _ => Err(crate::dead_letters::unknown(id).into()),
    }
}

fn rebuild_instead(why: &str) -> Rejection {
    let message = format!("{why}: rebuild the projection, which folds the key from its beginning");
    Rejection::conflict("rebuild-the-projection", message)
}
