//! A projection has two read models at most: the one that serves, and one aside, which is being rebuilt
//! or had served before. Each stands under a checkpoint of its own and has its own keys in quarantine.

use backbone::collection::Collection;
use backbone::commit::{Expected, Source};
use backbone::journal;
use backbone::projection::Projection;
use backbone::system::{DEAD_LETTERS, DeadLetter, SET_ASIDE, SetAside};
use backbone::workspace::{Draft, Key, Slot, Workspace};

use super::{Run, checkpoint_name, fold};
use crate::host::Host;

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// It serves.
    Live,
    /// It is kept in the shadows.
    Aside,
}

impl Side {
    /// Where it stands.
    pub(super) fn checkpoint(self, projection: &Projection) -> String {
        match self {
            Side::Live => checkpoint_name(projection),
            Side::Aside => format!("aside:{}", projection.name),
        }
    }

    /// Where the records of its quarantined keys are.
    pub(super) fn records(self) -> &'static Collection {
        match self {
            Side::Live => &DEAD_LETTERS,
            Side::Aside => &SET_ASIDE,
        }
    }

    /// Writes a record.
    pub(super) fn write(self, letter: &DeadLetter, ws: &mut Workspace<'_>) {
        match self {
            Side::Live => ws.overwrite(letter.clone()),
            Side::Aside => ws.overwrite(SetAside(letter.clone())),
        }
    }

    /// Removes a record.
    pub(super) fn remove(self, letter: &DeadLetter, ws: &mut Workspace<'_>) {
        let id = backbone::Document::id(letter);
        match self {
            Side::Live => ws.delete::<DeadLetter>(id),
            Side::Aside => ws.delete::<SetAside>(id),
        }
    }

    /// Loads documents of it.
    pub(super) async fn load(self, host: &Host, keys: Vec<Key>) -> Result<Vec<(Key, Slot)>, journal::Error> {
        match self {
            Side::Live => host.load(keys).await,
            Side::Aside => host.load_aside(keys).await,
        }
    }
}

impl Run<'_> {
    /// Writes to what is kept aside. Nobody else does, and its checkpoint moves with it, so the versions
    /// need not be looked at.
    pub(super) async fn write_aside(&self, draft: &Draft, source: Option<Source>) -> Result<(), String> {
        let Run { host, projection, fence, .. } = self;
        let mut commit = fold::seal(host, draft, source).await?;
        commit.fence = fence.clone();
        commit.guards.clear();
        let is_ours = |name| projection.collections.iter().any(|collection| collection.name == name);
        for put in commit.puts.iter_mut().filter(|put| is_ours(put.collection.name)) {
            put.shadow = true;
            put.expected = Expected::Any;
        }
        fold::write(host, commit).await
    }
}
