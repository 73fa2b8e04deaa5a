//! The log of public events, of all services.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use backbone::bus::partition_of;
use kernel::{Envelope, EventId};

/// The events of a partition, each with its position.
type Part = Vec<(u64, Arc<Envelope>)>;

/// Public events by context and partition, each with its position.
#[derive(Clone, Default)]
pub(crate) struct Log {
    contexts: BTreeMap<String, BTreeMap<u32, Part>>,
    /// Over how many partitions the subjects of a context are spread.
    pub(crate) partitions: u32,
    ids: BTreeSet<EventId>,
    /// The last position that was given: one counter for private and public events.
    counter: u64,
    /// Commits do not write into it: a relay publishes what they hold.
    pub(crate) is_relayed: bool,
    /// How many events of a context a broker keeps, where it has a limit.
    pub(crate) keeps: Option<usize>,
    /// A broker delivers nothing for now.
    pub(crate) is_held: bool,
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
        let partition = partition_of(&event.subject, self.partitions);
        let context = self.contexts.entry(event.context().to_owned()).or_default();
        context.entry(partition).or_default().push((position, Arc::new(event)));
        position
    }

    pub(crate) fn contains(&self, id: EventId) -> bool {
        self.ids.contains(&id)
    }

    /// How many events of a partition are gone by the limit: those with a lower index.
    pub(crate) fn gone(&self, context: &str, partition: u32) -> usize {
        self.keeps.map_or(0, |keeps| self.part(context, partition).len().saturating_sub(keeps))
    }

    /// Loses everything, as a broker does that loses its storage.
    pub(crate) fn lose(&mut self) -> Vec<String> {
        self.ids.clear();
        std::mem::take(&mut self.contexts).into_keys().collect()
    }

    /// The events of a context's partition, in order.
    pub(crate) fn part(&self, context: &str, partition: u32) -> &[(u64, Arc<Envelope>)] {
        self.contexts.get(context).and_then(|parts| parts.get(&partition)).map_or(&[], Vec::as_slice)
    }

    /// The events of a context after a position, in order, where it has one partition.
    pub(crate) fn after(&self, context: &str, position: u64) -> &[(u64, Arc<Envelope>)] {
        let events = self.part(context, 0);
        &events[events.partition_point(|(at, _)| *at <= position)..]
    }
}
