//! The order of what comes again. Each producer's messages are put in the order in which it committed
//! them; whose turn it is stays as it came: between producers there is no order.

use std::collections::BTreeMap;

use lapin::BasicProperties;

use crate::headers;

/// Where a message stands among those of its producer: by its place in the producer's journal. What
/// says only when it was sent is older than that, or another client's; what says nothing stays among
/// its like.
type Rank = (Option<i64>, Option<i64>);

/// What a message says of its producer, and of its place there.
pub(crate) fn rank(properties: &BasicProperties) -> (String, Rank) {
    let number = |name| headers::number(properties, name);
    (headers::source(properties).unwrap_or_default(), (number(headers::POSITION), number(headers::SENT)))
}

/// Puts each producer's messages in order, in the places that they have together.
pub(crate) fn put_in_order<T>(messages: Vec<T>, rank: impl Fn(&T) -> (String, Rank)) -> Vec<T> {
    let mut turns = Vec::with_capacity(messages.len());
    let mut of_source: BTreeMap<String, Vec<(Rank, T)>> = BTreeMap::new();
    for message in messages {
        let (source, rank) = rank(&message);
        turns.push(source.clone());
        of_source.entry(source).or_default().push((rank, message));
    }
    // Stable; turned around, so that the first is the last.
    for own in of_source.values_mut() {
        own.sort_by_key(|(rank, _)| *rank);
        own.reverse();
    }
    turns.iter().filter_map(|source| Some(of_source.get_mut(source)?.pop()?.1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_producers_messages_are_put_in_the_order_of_its_journal() {
        let by = |source: &'static str, position, sent, name| (source, position, sent, name);
        let came = vec![
            by("order", Some(7), Some(90), "o7"),
            by("payment", Some(3), Some(10), "p3"),
            // Sent again after what is newer.
            by("order", Some(5), Some(99), "o5"),
            by("", None, None, "a"),
            // Before there were places: by the clock, which is larger than any of them.
            by("order", None, Some(80), "old, then"),
            by("payment", Some(2), Some(20), "p2"),
            by("", None, None, "b"),
            by("order", None, Some(70), "oldest"),
            by("order", Some(5), Some(98), "o5 first"),
        ];
        let put =
            put_in_order(came, |(source, position, sent, _)| ((*source).to_owned(), (*position, *sent)));
        let names: Vec<&str> = put.into_iter().map(|(_, _, _, name)| name).collect();
        assert_eq!(names, ["oldest", "p2", "old, then", "a", "o5 first", "p3", "b", "o5", "o7"]);
    }
}
