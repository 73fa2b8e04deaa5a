//! What a reader holds: messages that wait to be handed out, those that were, and which are still
//! open at the broker. It knows no broker, so its promises are shown as tables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use backbone::bus::Delivery;
use kernel::{Envelope, Timestamp};

/// A message that can be handed out.
pub(crate) struct Held {
    pub(crate) envelope: Arc<Envelope>,
    /// The broker's number of the delivery, on its channel.
    pub(crate) tag: u64,
}

/// What is said to the broker: that one message took effect, or all up to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) tag: u64,
    pub(crate) is_all_before: bool,
}

/// Why nothing more comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The subscription is over, for this reason.
    Over(String),
    /// More comes again than the subscription may hold, and nothing was handed out: only a wider one
    /// has it all, to put it in order.
    TooNarrow,
}

impl From<String> for End {
    fn from(reason: String) -> Self {
        Self::Over(reason)
    }
}

/// A reader's messages, by the position that they were given.
#[derive(Default)]
pub(crate) struct Book {
    ready: BTreeMap<u64, Held>,
    out: BTreeMap<u64, Held>,
    /// Delivered and not settled.
    open: BTreeSet<u64>,
    /// How many have come again and wait for those that come again as well.
    pub(crate) gathered: usize,
    /// Why nothing more comes.
    pub(crate) ended: Option<End>,
}

impl Book {
    /// A message was delivered: whatever becomes of it, it is open.
    pub(crate) fn opens(&mut self, tag: u64) {
        self.open.insert(tag);
    }

    /// The same of many.
    pub(crate) fn open_all(&mut self, tags: impl Iterator<Item = u64>) {
        self.open.extend(tags);
    }

    /// Takes a message in; it is handed out before all with a higher position.
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

    /// Settles messages; gives what the broker is told, in as few words as that takes.
    pub(crate) fn settle(&mut self, positions: &[u64]) -> Vec<Settled> {
        let mut remove = |position: &u64| self.out.remove(position).or_else(|| self.ready.remove(position));
        let tags: BTreeSet<u64> =
            positions.iter().filter_map(|position| remove(position).map(|held| held.tag)).collect();
        self.settle_tags(tags)
    }

    /// Settles what is not handed out.
    pub(crate) fn settle_tags(&mut self, mut tags: BTreeSet<u64>) -> Vec<Settled> {
        self.open.retain(|tag| !tags.contains(tag));
        let above = match self.open.first() {
            Some(first_open) => tags.split_off(first_open),
            None => BTreeSet::new(),
        };
        let all_before = tags.last().map(|tag| Settled { tag: *tag, is_all_before: true });
        let alone = above.into_iter().map(|tag| Settled { tag, is_all_before: false });
        all_before.into_iter().chain(alone).collect()
    }

    /// Whatever was handed out and not settled is handed out again, before what is new.
    pub(crate) fn give_back(&mut self) {
        self.ready.append(&mut self.out);
    }

    /// What no fetch has given yet, and what is to be given again.
    pub(crate) fn waiting(&self) -> u64 {
        (self.ready.len() + self.gathered) as u64
    }

    /// When the first of them was published.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.ready.values().next().map(|held| held.envelope.time)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;

    fn held(position: u64) -> Held {
        let envelope = Envelope {
            id: Uuid::from_u128(u128::from(position)).into(),
            source: "order".into(),
            kind: "order.created.v1".into(),
            subject: "s".into(),
            time: Timestamp::from_micros(position as i64),
            correlation_id: String::new(),
            causation_id: String::new(),
            sequence: 0,
            traceparent: None,
            key_id: None,
            data: Bytes::new(),
        };
        Held { envelope: Arc::new(envelope), tag: position % 100 }
    }

    /// Positions and tags that go together: 101 has the tag 1.
    fn book(positions: &[u64]) -> Book {
        let mut book = Book::default();
        for position in positions {
            book.opens(position % 100);
            book.hold(*position, held(*position));
        }
        book
    }

    fn positions(deliveries: &[Delivery]) -> Vec<u64> {
        deliveries.iter().map(|delivery| delivery.position).collect()
    }

    #[test]
    fn messages_are_handed_out_in_order_and_up_to_the_limit() {
        let mut book = book(&[107, 103, 105]);
        assert_eq!((book.waiting(), book.oldest()), (3, Some(Timestamp::from_micros(103))));
        assert_eq!(positions(&book.hand_out(2)), [103, 105]);
        assert_eq!(positions(&book.hand_out(2)), [107]);
        assert!(book.hand_out(2).is_empty());
        assert_eq!((book.waiting(), book.oldest()), (0, None));
    }

    #[test]
    fn what_is_given_back_comes_before_what_is_new() {
        let mut book = book(&[101, 102, 103]);
        book.hand_out(3);
        book.settle(&[102]);
        book.hold(104, held(104));
        book.give_back();
        assert_eq!(positions(&book.hand_out(9)), [101, 103, 104]);
    }

    #[test]
    fn the_broker_is_told_in_one_word_what_has_no_open_one_before_it() {
        let all = |tag| Settled { tag, is_all_before: true };
        let one = |tag| Settled { tag, is_all_before: false };
        let cases: [(&[u64], &[u64], Vec<Settled>); 6] = [
            (&[], &[101, 102, 103, 104, 105], vec![all(5)]),
            (&[], &[101, 102], vec![all(2)]),
            (&[], &[102], vec![one(2)]),
            (&[], &[101, 103, 105], vec![all(1), one(3), one(5)]),
            (&[101], &[102, 104], vec![all(2), one(4)]),
            (&[101], &[101], vec![]),
        ];
        for (before, settled, told) in cases {
            let mut book = book(&[101, 102, 103, 104, 105]);
            book.hand_out(9);
            book.settle(before);
            assert_eq!(book.settle(settled), told, "{before:?}, then {settled:?}");
        }
    }

    /// What comes again is put in order: an earlier one may have the higher tag.
    #[test]
    fn what_has_come_and_is_not_handed_out_yet_is_settled_by_no_earlier_one() {
        let mut book = Book::default();
        book.open_all([3, 1, 2].into_iter());
        book.hold(103, held(103));
        book.hand_out(1);
        assert_eq!(book.settle(&[103]), [Settled { tag: 3, is_all_before: false }]);
        book.hold(104, Held { tag: 1, ..held(104) });
        book.hand_out(1);
        assert_eq!(book.settle(&[104]), [Settled { tag: 1, is_all_before: true }]);
    }

    /// One that waits for its dead letter to be stored is not acknowledged by a later one.
    #[test]
    fn what_is_not_handed_out_is_settled_by_nobody_else() {
        let mut book = Book::default();
        book.opens(1);
        book.opens(2);
        book.hold(102, held(102));
        book.hand_out(1);
        assert_eq!(book.settle(&[102]), [Settled { tag: 2, is_all_before: false }]);
        assert_eq!(book.settle_tags(BTreeSet::from([1])), [Settled { tag: 1, is_all_before: true }]);
    }
}
