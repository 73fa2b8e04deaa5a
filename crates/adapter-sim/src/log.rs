//! The log of public events, of all services.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kernel::{Envelope, EventId};

/// Public events by context, each with its position.
#[derive(Default)]
pub(crate) struct Log {
    contexts: BTreeMap<String, Vec<(u64, Arc<Envelope>)>>,
    ids: BTreeSet<EventId>,
    /// The last position that was given: one counter for private and public events.
    counter: u64,
    /// Commits do not write into it: a relay publishes what they hold.
    pub(crate) is_relayed: bool,
}

impl Log {
    /// The next position.
    pub(crate) fn next_position(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// The last position that was given.
    pub(crate) fn last_position(&self) -> u64 {
        self.counter
    }

    /// Appends an event; gives its position.
    pub(crate) fn append(&mut self, event: Envelope) -> u64 {
        let position = self.next_position();
        self.ids.insert(event.id);
        self.contexts.entry(event.context().to_owned()).or_default().push((position, Arc::new(event)));
        position
    }

    pub(crate) fn contains(&self, id: EventId) -> bool {
        self.ids.contains(&id)
    }

    /// The events of a context, in order.
    pub(crate) fn context(&self, context: &str) -> &[(u64, Arc<Envelope>)] {
        self.contexts.get(context).map_or(&[], Vec::as_slice)
    }

    /// The events of a context after a position, in order.
    pub(crate) fn after(&self, context: &str, position: u64) -> &[(u64, Arc<Envelope>)] {
        let events = self.context(context);
        &events[events.partition_point(|(at, _)| *at <= position)..]
    }
}
