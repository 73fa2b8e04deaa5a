//! What the winners of a batch change, taken together: of a document that several of them write,
//! the last state alone.

use std::collections::{BTreeMap, BTreeSet};

use backbone::commit::{Answer, Commit, Put, Snapshot, Source, StoredEvent, Target};
use kernel::Envelope;
use uuid::Uuid;

use crate::tables::TableKey;

/// A document, by its table and id.
pub(crate) type Place<'a> = (TableKey, &'a str);

/// Everything that one transaction writes, and everything that must still hold when it does.
#[derive(Default)]
pub(crate) struct Changes<'a> {
    pub(crate) events: Vec<(&'a str, &'a StoredEvent)>,
    pub(crate) snapshots: BTreeMap<&'a str, &'a Snapshot>,
    pub(crate) answers: Vec<&'a Answer>,
    pub(crate) claims: Vec<(&'a str, Uuid)>,
    pub(crate) checkpoints: BTreeSet<&'a str>,
    pub(crate) outgoing: Vec<&'a Envelope>,
    /// What each document is in the end; `None` where it is not there.
    pub(crate) documents: BTreeMap<Place<'a>, Option<&'a Put>>,
    pub(crate) held_streams: BTreeSet<&'a str>,
    pub(crate) held_documents: BTreeSet<Place<'a>>,
    pub(crate) held_leases: BTreeSet<&'a str>,
    /// How many commits these are.
    pub(crate) commits: u64,
}

impl<'a> Changes<'a> {
    /// Adds what a commit changes.
    pub(crate) fn add(&mut self, commit: &'a Commit) {
        self.commits += 1;
        for append in &commit.appends {
            self.events.extend(append.events.iter().map(|event| (append.stream.as_str(), event)));
            if let Some(snapshot) = &append.snapshot {
                self.snapshots.insert(&append.stream, snapshot);
            }
        }
        self.answers.extend(&commit.answer);
        match &commit.source {
            Some(Source::Checkpoint { consumer, .. }) => {
                self.checkpoints.insert(consumer);
            }
            Some(Source::Inbox { consumer, events }) => {
                self.claims.extend(events.iter().map(|event| (consumer.as_str(), *event)));
            }
            None => {}
        }
        self.outgoing.extend(&commit.outgoing);
        for put in &commit.puts {
            self.documents.insert((TableKey::of(put), &put.id), Some(put));
        }
        for delete in &commit.deletes {
            self.documents.insert((TableKey::live(delete.collection), &delete.id), None);
        }
        for guard in &commit.guards {
            match &guard.target {
                Target::Stream(stream) => self.held_streams.insert(stream),
                Target::Document(collection, id) => {
                    self.held_documents.insert((TableKey::live(collection), id))
                }
            };
        }
        if let Some(fence) = &commit.fence {
            self.held_leases.insert(&fence.lease);
        }
    }
}
