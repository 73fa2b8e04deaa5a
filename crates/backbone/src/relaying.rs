//! What publishing has in common on every broker: how a batch is cut so that no key overtakes itself,
//! and what is refused before anything is sent.

use std::collections::HashSet;

use kernel::Envelope;

/// The largest message, in bytes of payload.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// How many events may be on their way to the broker at once.
pub const ON_THEIR_WAY_MAX: usize = 256;

/// Cuts a batch before each event whose key is on its way already: a run may be sent without
/// waiting in between, because whatever is lost of it has no later event of its key behind it.
pub fn runs<'e>(events: &'e [Envelope]) -> impl Iterator<Item = &'e [Envelope]> {
    let mut rest = events;
    std::iter::from_fn(move || {
        let mut keys: HashSet<(&str, &str)> = HashSet::new();
        let mut fits = |event: &'e Envelope| {
            keys.len() < ON_THEIR_WAY_MAX && keys.insert((event.source.as_str(), event.subject.as_str()))
        };
        let (run, after) = rest.split_at(rest.iter().position(|event| !fits(event)).unwrap_or(rest.len()));
        rest = after;
        (!run.is_empty()).then_some(run)
    })
}

/// Whether each part of a type can stand in a subject or routing key.
pub fn is_routable(kind: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| matches!(byte, 0x21..=0x7E) && !b"*>#".contains(&byte))
    };
    kind.split('.').all(is_word)
}

/// Why an event is too large to be sent, where it is.
pub fn too_large(event: &Envelope) -> Option<String> {
    let bytes = event.data.len();
    let reason = || format!("{} {} has {bytes} bytes, at most {MESSAGE_BYTES_MAX}", event.kind, event.id);
    (bytes > MESSAGE_BYTES_MAX).then(reason)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use kernel::Timestamp;
    use uuid::Uuid;

    use super::*;

    fn about(subject: &str) -> Envelope {
        Envelope {
            id: Uuid::nil().into(),
            source: "order".into(),
            kind: "order.created.v1".into(),
            subject: subject.into(),
            time: Timestamp::default(),
            correlation_id: String::new(),
            causation_id: String::new(),
            sequence: 0,
            traceparent: None,
            key_id: None,
            data: Bytes::new(),
        }
    }

    #[test]
    fn a_batch_is_cut_where_a_key_comes_again_and_stays_in_order() {
        for (keys, expected) in [
            ("", ""),
            ("a", "a"),
            ("abc", "abc"),
            ("aab", "a ab"),
            ("abab", "ab ab"),
            ("abcab", "abc ab"),
            ("aaa", "a a a"),
        ] {
            let events: Vec<Envelope> = keys.chars().map(|key| about(&key.to_string())).collect();
            let runs: Vec<String> =
                runs(&events).map(|run| run.iter().map(|event| event.subject.as_str()).collect()).collect();
            assert_eq!(runs.join(" "), expected);
        }
    }

    #[test]
    fn no_run_is_longer_than_may_be_on_the_way() {
        let events: Vec<Envelope> = (0..600).map(|number| about(&number.to_string())).collect();
        let lengths: Vec<usize> = runs(&events).map(<[_]>::len).collect();
        assert_eq!(lengths, [256, 256, 88]);
    }
}
