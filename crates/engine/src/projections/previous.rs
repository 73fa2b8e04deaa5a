//! The read model that a rebuild took the place of. It goes on being folded from where it stands, so that
//! it can serve again without missing anything.

use backbone::commit::Source;
use backbone::journal::{self, ShadowStep};

use super::feed::Feed;
use super::fold::{Folded, Folder};
use super::quarantine::{self, Quarantine};
use super::side::Side;
use super::upto::Upto;
use super::{DOCUMENTS_MAX, Run, fold_loading, remember};
use crate::cache::Cache;

/// What served before, in the shadows.
pub(super) struct Previous<'r> {
    run: &'r Run<'r>,
    facts: Upto,
    cache: Cache,
    quarantine: Quarantine,
    stands: u64,
}

impl<'r> Previous<'r> {
    /// Takes it up where it stands; `None` where it is not there, because a program with another
    /// declaration dropped it or the market moved without it, and where it cannot be kept up.
    pub(super) async fn open(run: &'r Run<'r>) -> Result<Option<Self>, String> {
        let Run { host, bus, projection, .. } = run;
        let say = |error: journal::Error| error.to_string();
        match host.journal().shadow(projection.collections, ShadowStep::Look).await {
            Err(journal::Error::Malformed(_)) => return Ok(None),
            looked => looked.map_err(say)?,
        }
        let stands = host.journal().checkpoint(&Side::Aside.checkpoint(projection)).await.map_err(say)?;
        let consumer = Side::Live.checkpoint(projection);
        let quarantine = Quarantine::load(&**host.journal(), Side::Aside, &consumer).await.map_err(say)?;
        if quarantine.is_full() {
            return Ok(None);
        }
        let feed = Feed::open(host, *bus, projection, stands).await?;
        let (facts, cache) = (Upto::new(feed, stands), Cache::new(DOCUMENTS_MAX));
        Ok(Some(Self { run, facts, cache, quarantine, stands }))
    }

    /// Folds everything up to `target`, and nothing beyond.
    pub(super) async fn come_to(&mut self, target: u64) -> Result<(), String> {
        let Run { host, projection, .. } = self.run;
        let folder = Folder { host, projection };
        loop {
            let facts = self.facts.next(host, target).await?;
            let to = self.facts.position();
            if to == self.stands {
                return Ok(());
            }
            let known = (&mut self.cache, &self.quarantine);
            let Folded { mut draft, letters } = fold_loading(&folder, Side::Aside, known, &facts).await?;
            draft.changes.extend(quarantine::draft(host, Side::Aside, [], letters.values()).changes);
            let consumer = Side::Aside.checkpoint(projection);
            let source = Source::Checkpoint { consumer, from: self.stands, to };
            self.run.write_aside(&draft, Some(source)).await?;
            remember(&mut self.cache, draft);
            self.quarantine.take(letters);
            if self.quarantine.is_full() {
                return Err("too many keys of what it was before its rebuild are poisonous".to_owned());
            }
            self.stands = to;
        }
    }
}
