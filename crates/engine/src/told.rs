//! Whoever waits for a document hears that it was written, on every replica. Hints only: they are
//! told after the commit, may be lost, and what is true stands in the journal.

use std::sync::Arc;

use backbone::collection::Collection;
use backbone::ephemeral::{Hints, topic_of};

use crate::assemble::Assembled;

/// The collections of a service whose changes are told, and where.
pub(crate) struct Told {
    pub(crate) service: &'static str,
    pub(crate) collections: Vec<&'static Collection>,
    pub(crate) hints: Arc<dyn Hints>,
}

impl Told {
    /// What is to be told once this is committed.
    pub(crate) fn topics(&self, assembled: &Assembled) -> Vec<String> {
        let of = |collection: &&'static Collection| {
            let written = assembled.documents(collection);
            written.map(|(id, _)| topic_of(self.service, collection, id)).collect::<Vec<_>>()
        };
        self.collections.iter().flat_map(of).collect()
    }

    /// Tells it.
    pub(crate) fn tell(&self, topics: &[String]) {
        topics.iter().for_each(|topic| self.hints.tell(topic));
    }
}
