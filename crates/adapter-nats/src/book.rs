//! What a reader holds: messages that wait to be handed out, those that were, and which are
//! settled. It knows no broker, so its promises are shown as tables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use backbone::bus::Delivery;
use kernel::Envelope;

/// The settled that are remembered; an older one that the broker delivers again is the inbox's.
const SETTLED_MAX: usize = 65_536;

/// A message by the stream's sequence, which is its position.
pub(crate) struct Held {
    pub(crate) envelope: Arc<Envelope>,
    /// Where its acknowledgement goes.
    pub(crate) reply: String,
}

/// What became of a message that arrived.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It is held now.
    New,
    /// It is held already: the broker was impatient.
    Known,
    /// It took effect, and the broker did not hear of it.
    Settled,
}

/// A reader's messages.
#[derive(Default)]
pub(crate) struct Book {
    ready: BTreeMap<u64, Held>,
    out: BTreeMap<u64, Held>,
    settled: BTreeSet<u64>,
}

impl Book {
    /// What is to be done with a message of this position.
    pub(crate) fn knows(&self, position: u64) -> Arrival {
        if self.settled.contains(&position) {
            Arrival::Settled
        } else if self.ready.contains_key(&position) || self.out.contains_key(&position) {
            Arrival::Known
        } else {
            Arrival::New
        }
    }

    /// Takes a new message in; it is handed out before all with a higher position.
    pub(crate) fn hold(&mut self, position: u64, held: Held) {
        self.ready.insert(position, held);
    }

    /// The next ones, in order.
    pub(crate) fn hand_out(&mut self, limit: usize) -> Vec<Delivery> {
        let mut deliveries = Vec::with_capacity(limit.min(self.ready.len()));
        while deliveries.len() < limit
            && let Some((position, held)) = self.ready.pop_first()
        {
            deliveries.push(Delivery { envelope: held.envelope.clone(), position });
            self.out.insert(position, held);
        }
        deliveries
    }

    /// Settles a message; gives where its acknowledgement goes, unless it was settled before.
    pub(crate) fn settle(&mut self, position: u64) -> Option<String> {
        let held = self.out.remove(&position).or_else(|| self.ready.remove(&position))?;
        self.note_settled(position);
        Some(held.reply)
    }

    /// Remembers that nothing is to be done for a message any more.
    pub(crate) fn note_settled(&mut self, position: u64) {
        self.settled.insert(position);
        if self.settled.len() > SETTLED_MAX {
            self.settled.pop_first();
        }
    }

    /// Whatever was handed out and not settled is handed out again, before what is new.
    pub(crate) fn give_back(&mut self) {
        self.ready.append(&mut self.out);
    }

    /// The broker knows that all up to `floor` is settled.
    pub(crate) fn forget_to(&mut self, floor: u64) {
        self.settled = self.settled.split_off(&(floor + 1));
    }

    /// Those after `floor` that the broker may not know to be settled.
    pub(crate) fn settled(&self) -> impl Iterator<Item = u64> + '_ {
        self.settled.iter().copied()
    }

    /// Where the broker is told that a held message is still in work.
    pub(crate) fn replies(&self) -> Vec<String> {
        self.ready.values().chain(self.out.values()).map(|held| held.reply.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use kernel::Timestamp;
    use uuid::Uuid;

    use super::*;

    fn held(position: u64) -> Held {
        let envelope = Envelope {
            id: Uuid::from_u128(u128::from(position)).into(),
            source: "order".into(),
            kind: "order.created.v1".into(),
            subject: "s".into(),
            time: Timestamp::default(),
            correlation_id: String::new(),
            causation_id: String::new(),
            sequence: 0,
            traceparent: None,
            key_id: None,
            data: Bytes::new(),
        };
        Held { envelope: Arc::new(envelope), reply: format!("ack.{position}") }
    }

    fn book(positions: &[u64]) -> Book {
        let mut book = Book::default();
        for position in positions {
            book.hold(*position, held(*position));
        }
        book
    }

    fn positions(deliveries: &[Delivery]) -> Vec<u64> {
        deliveries.iter().map(|delivery| delivery.position).collect()
    }

    #[test]
    fn messages_are_handed_out_in_order_and_up_to_the_limit() {
        let mut book = book(&[7, 3, 5]);
        assert_eq!(positions(&book.hand_out(2)), [3, 5]);
        assert_eq!(positions(&book.hand_out(2)), [7]);
        assert!(book.hand_out(2).is_empty());
    }

    #[test]
    fn what_is_given_back_comes_before_what_is_new() {
        let mut book = book(&[1, 2, 3]);
        book.hand_out(3);
        book.settle(2);
        book.hold(4, held(4));
        book.give_back();
        assert_eq!(positions(&book.hand_out(9)), [1, 3, 4]);
    }

    #[test]
    fn a_message_is_settled_once_and_known_until_the_broker_knows() {
        let mut book = book(&[1, 2]);
        book.hand_out(1);
        assert_eq!(book.settle(1), Some("ack.1".into()));
        assert_eq!(book.settle(1), None);
        assert_eq!((book.knows(1), book.knows(2), book.knows(3)), {
            (Arrival::Settled, Arrival::Known, Arrival::New)
        });
        assert_eq!(book.replies(), ["ack.2"]);
        book.forget_to(1);
        assert_eq!(book.knows(1), Arrival::New);
    }

    #[test]
    fn the_settled_are_remembered_up_to_a_bound() {
        let mut book = Book::default();
        for position in 1..=SETTLED_MAX as u64 + 1 {
            book.note_settled(position);
        }
        assert_eq!((book.knows(1), book.knows(2)), (Arrival::New, Arrival::Settled));
        assert_eq!(book.settled().count(), SETTLED_MAX);
    }
}
