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
    end: u64,
}

impl Log {
    /// The next position.
    pub(crate) fn next_position(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// The position of the last public event.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    pub(crate) fn append(&mut self, event: Envelope) {
        let position = self.next_position();
        self.end = position;
        self.ids.insert(event.id);
        self.contexts.entry(event.context().to_owned()).or_default().push((position, Arc::new(event)));
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
