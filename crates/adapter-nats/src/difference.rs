//! What differs between a stream that exists and the table, and whether it may be changed: every
//! setting that we make a stream with is compared. Safe is what loses no event; what the table does not
//! name is the operator's.

use std::fmt::Debug;

use async_nats::jetstream::stream::{Config, DiscardPolicy, PersistenceMode};

/// The outcome of a comparison.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// What exists, with the safe changes made.
    pub(crate) updated: Config,
    /// The safe changes, in words.
    pub(crate) changes: Vec<String>,
    /// The differences that are an operator's to settle, in words, with what to do.
    pub(crate) refused: Vec<String>,
    /// Those that may stay, and that an operator should know of.
    pub(crate) told: Vec<String>,
}

/// What to do where nothing can be changed on a stream that is there.
const MAKE_ANEW: &str =
    "delete the stream: it is made as wanted at the next start, and `a4co republish` fills it";
/// What to do where the change removes something.
const CHANGE_YOURSELF: &str = "edit the stream yourself, once nobody needs what that removes";

impl Difference {
    fn safe<T: PartialEq + Debug>(&mut self, what: &str, there: &mut T, wanted: T) {
        if *there != wanted {
            self.changes.push(said(what, there, &wanted));
            *there = wanted;
        }
    }

    fn never<T: PartialEq + Debug>(&mut self, what: &str, there: &T, wanted: &T) {
        if there != wanted {
            self.refuse(what, there, wanted, MAKE_ANEW);
        }
    }

    fn refuse(&mut self, what: &str, there: &impl Debug, wanted: &impl Debug, do_this: &str) {
        self.refused.push(format!("{} ({do_this})", said(what, there, wanted)));
    }

    /// An operator's own limit, which may stay where it is.
    fn own<T: PartialEq + Debug>(&mut self, what: &str, there: &T, wanted: &T) {
        if there != wanted {
            self.told.push(said(what, there, wanted));
        }
    }

    /// A limit may grow and not shrink: what is above the new one would be removed at once.
    fn limit<T: Ord + Copy + Debug + Default>(&mut self, what: &str, there: &mut T, wanted: T) {
        let none = T::default();
        let is_unlimited = |limit: T| limit <= none;
        if *there == wanted || is_unlimited(*there) && is_unlimited(wanted) {
            return;
        }
        let grows = is_unlimited(wanted) || !is_unlimited(*there) && wanted > *there;
        match grows {
            true => self.safe(what, there, wanted),
            false => self.refuse(what, there, &wanted, CHANGE_YOURSELF),
        }
    }
}

fn said(what: &str, there: &impl Debug, wanted: &impl Debug) -> String {
    format!("{what} is {there:?}, wanted {wanted:?}")
}

/// Compares what exists with what the table wants.
pub(crate) fn difference(existing: &Config, wanted: &Config) -> Difference {
    let mut updated = existing.clone();
    let mut found =
        Difference { updated: existing.clone(), changes: Vec::new(), refused: Vec::new(), told: Vec::new() };
    found.never("retention", &updated.retention, &wanted.retention);
    found.never("storage", &updated.storage, &wanted.storage);
    found.never("sealed", &updated.sealed, &false);
    // It would acknowledge what it has not written.
    let is_async = updated.persist_mode == Some(PersistenceMode::Async);
    found.never("persist_mode async", &is_async, &false);
    found.never("mirror", &updated.mirror.is_some(), &false);
    let extra = |subject: &&String| !wanted.subjects.contains(subject);
    match existing.subjects.iter().find(extra) {
        // Fewer subjects: somebody's events would find no stream any more.
        Some(_) => found.refuse("subjects", &updated.subjects, &wanted.subjects, CHANGE_YOURSELF),
        None => found.safe("subjects", &mut updated.subjects, wanted.subjects.clone()),
    }
    found.limit("max_msgs", &mut updated.max_messages, wanted.max_messages);
    // A limit that a subject alone reaches removes its older events however empty the stream is.
    found.limit(
        "max_msgs_per_subject",
        &mut updated.max_messages_per_subject,
        wanted.max_messages_per_subject,
    );
    found.limit("max_age", &mut updated.max_age, wanted.max_age);
    match (updated.discard, wanted.discard) {
        // What was refused and kept by its sender would silently push out older messages.
        (DiscardPolicy::New, DiscardPolicy::Old) => {
            found.refuse("discard", &updated.discard, &wanted.discard, CHANGE_YOURSELF);
        }
        (_, wanted) => found.safe("discard", &mut updated.discard, wanted),
    }
    // Messages that are there stay, whatever their size.
    found.safe("max_msg_size", &mut updated.max_message_size, wanted.max_message_size);
    found.safe("duplicate_window", &mut updated.duplicate_window, wanted.duplicate_window);
    // Without it nothing says that a message was taken.
    found.safe("no_ack", &mut updated.no_ack, false);
    if updated.num_replicas < wanted.num_replicas {
        found.safe("num_replicas", &mut updated.num_replicas, wanted.num_replicas);
    }
    // Disks have an end: whoever sets a limit by it knows why, and a gap is noticed.
    if updated.max_bytes > 0 {
        found.own("max_bytes", &updated.max_bytes, &wanted.max_bytes);
    }
    // The server never changes it; a consumer too many is refused by name.
    if updated.max_consumers > 0 {
        found.own("max_consumers", &updated.max_consumers, &wanted.max_consumers);
    }
    found.updated = updated;
    found
}

#[cfg(test)]
mod tests {
    use async_nats::jetstream::stream::{RetentionPolicy, StorageType};
    use kernel::Duration;

    use super::*;
    use crate::table::product_table;

    fn orders() -> Config {
        product_table()[0].config()
    }

    #[test]
    fn what_is_as_wanted_needs_nothing() {
        for spec in product_table() {
            let config = spec.config();
            let found = difference(&config, &config);
            assert_eq!(found.updated, config, "{}", spec.name);
            assert!([found.changes, found.refused, found.told].concat().is_empty(), "{}", spec.name);
        }
    }

    /// Each row: what exists, how it differs, and whether that may be changed.
    #[test]
    fn what_loses_nothing_is_changed_and_what_may_lose_is_refused() {
        let wanted = orders();
        let rows: Vec<(&str, bool, Config)> = vec![
            ("subjects", true, Config { subjects: Vec::new(), ..orders() }),
            ("subjects", false, Config { subjects: vec!["order.>".into(), "old.>".into()], ..orders() }),
            ("max_msgs", true, Config { max_messages: 10, ..orders() }),
            ("max_msgs", false, Config { max_messages: 2_000_000, ..orders() }),
            ("max_msgs", false, Config { max_messages: -1, ..orders() }),
            ("max_msgs_per_subject", true, Config { max_messages_per_subject: 1, ..orders() }),
            ("max_age", true, Config { max_age: Duration::from_secs(60), ..orders() }),
            ("max_age", false, Config { max_age: wanted.max_age * 2, ..orders() }),
            ("max_age", false, Config { max_age: Duration::ZERO, ..orders() }),
            ("discard", false, Config { discard: DiscardPolicy::New, ..orders() }),
            ("max_msg_size", true, Config { max_message_size: -1, ..orders() }),
            ("duplicate_window", true, Config { duplicate_window: Duration::from_secs(1), ..orders() }),
            ("no_ack", true, Config { no_ack: true, ..orders() }),
            ("num_replicas", true, Config { num_replicas: 1, ..orders() }),
            ("retention", false, Config { retention: RetentionPolicy::WorkQueue, ..orders() }),
            ("storage", false, Config { storage: StorageType::Memory, ..orders() }),
            ("sealed", false, Config { sealed: true, ..orders() }),
            ("persist_mode", false, Config { persist_mode: Some(PersistenceMode::Async), ..orders() }),
        ];
        for (what, is_safe, existing) in rows {
            let found = difference(&existing, &wanted);
            let (named, none) =
                if is_safe { (&found.changes, &found.refused) } else { (&found.refused, &found.changes) };
            assert!(named.len() == 1 && named[0].starts_with(what), "{what}: {found:?}");
            assert!(none.is_empty() && found.told.is_empty(), "{what}: {found:?}");
            assert!(
                is_safe || named[0].contains("wanted") && named[0].ends_with(')'),
                "what to do: {found:?}"
            );
            assert_eq!(found.updated, if is_safe { wanted.clone() } else { existing }, "{what}");
        }
    }

    #[test]
    fn what_the_table_does_not_name_stays_as_the_operator_set_it() {
        let existing =
            Config { description: Some("ours".into()), num_replicas: 5, deny_delete: true, ..orders() };
        let found = difference(&existing, &orders());
        assert_eq!((found.updated, found.changes, found.refused), (existing, Vec::new(), Vec::new()));
    }

    #[test]
    fn limits_that_an_operator_set_stay_and_are_told() {
        let existing = Config { max_bytes: 1 << 30, max_consumers: 9, ..orders() };
        let found = difference(&existing, &orders());
        assert_eq!(found.told, ["max_bytes is 1073741824, wanted -1", "max_consumers is 9, wanted -1"]);
        assert_eq!((found.updated, found.changes, found.refused), (existing, Vec::new(), Vec::new()));
    }

    /// The comparison sees every setting that a stream is made with.
    #[test]
    fn a_stream_that_somebody_else_made_with_nothing_set_is_found_to_differ() {
        let strange = Config {
            name: "ORDERS".into(),
            subjects: vec!["order.>".into()],
            max_messages: 1,
            max_messages_per_subject: 1,
            max_bytes: 1,
            max_consumers: 1,
            max_age: Duration::from_secs(1),
            max_message_size: 1,
            duplicate_window: Duration::from_secs(1),
            storage: StorageType::Memory,
            retention: RetentionPolicy::Interest,
            discard: DiscardPolicy::New,
            num_replicas: 1,
            ..Config::default()
        };
        let found = difference(&strange, &orders());
        assert_eq!((found.changes.len(), found.refused.len(), found.told.len()), (6, 3, 2), "{found:?}");
    }

    #[test]
    fn dead_letters_come_to_discard_new() {
        let wanted = product_table().pop().expect("the table ends with the dead letters").config();
        let existing = Config { discard: DiscardPolicy::Old, ..wanted.clone() };
        assert_eq!(difference(&existing, &wanted).updated, wanted);
    }
}
