//! The names of sagas outside, their places in lists, and which of them are wanted.

use std::cmp::Ordering;

use backbone::collection::Direction;
use backbone::saga::{AnyInstance, Phase};
use kernel::Timestamp;
use uuid::Uuid;

/// A saga's name outside: fit for a path, and made by hand of what an operator knows.
pub(super) fn id_of(service: &str, saga: &str, key: Uuid) -> String {
    format!("{service}.{saga}.{key}")
}

/// Service, saga and key.
pub(super) fn parts_of(id: &str) -> Option<(&str, &str, Uuid)> {
    let mut parts = id.split('.');
    let (service, saga, key) = (parts.next()?, parts.next()?, parts.next()?);
    let key = Uuid::parse_str(key).ok()?;
    (parts.next().is_none() && !service.is_empty() && !saga.is_empty()).then_some((service, saga, key))
}

/// What state sagas are in, as operators ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SagaState {
    /// They wait for an operator.
    Blocked,
    /// Their deadline passed 30 s ago or longer, and nothing happened.
    Late,
    /// They go forward, or are being undone.
    Running,
    /// They have ended, one way or the other.
    Ended,
}

impl SagaState {
    /// All, by their names.
    pub const ALL: [(&'static str, SagaState); 4] = [
        ("blocked", SagaState::Blocked),
        ("late", SagaState::Late),
        ("running", SagaState::Running),
        ("ended", SagaState::Ended),
    ];

    /// The state of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, state)| state)
    }
}

/// Which sagas are wanted; all conditions hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SagaFilter {
    /// Of this service alone.
    pub service: Option<String>,
    /// In this state.
    pub state: Option<SagaState>,
    /// Of this name.
    pub saga: Option<String>,
    /// In this step.
    pub step: Option<String>,
    /// Last changed at this time or later.
    pub from: Option<Timestamp>,
    /// Last changed before this time.
    pub to: Option<Timestamp>,
}

impl SagaFilter {
    /// What waits for somebody comes the oldest first, what has ended the latest first.
    pub(super) fn direction(&self) -> Direction {
        match self.state {
            Some(SagaState::Blocked | SagaState::Late | SagaState::Running) => Direction::Ascending,
            Some(SagaState::Ended) | None => Direction::Descending,
        }
    }

    /// Whether a saga is wanted, its service aside. Whoever is late was found by its deadline.
    pub(super) fn wants(&self, saga: &AnyInstance) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|w| w == found);
        let in_state = match self.state {
            None => true,
            Some(SagaState::Blocked) => saga.phase == Phase::Blocked,
            Some(SagaState::Late) => !saga.phase.is_final(),
            Some(SagaState::Running) => matches!(saga.phase, Phase::Running | Phase::Compensating),
            Some(SagaState::Ended) => saga.phase.is_final(),
        };
        in_state
            && is(&self.saga, &saga.saga)
            && is(&self.step, &saga.step_name)
            && self.from.is_none_or(|from| saga.updated_at >= from)
            && self.to.is_none_or(|to| saga.updated_at < to)
    }
}

/// A place in a list of sagas: its time there (the deadline of what is late, else the last change),
/// then service and key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SagaPlace {
    /// When.
    pub at: Timestamp,
    /// The service.
    pub(super) service: String,
    /// The key in the service's journal: of the saga, or of the timer of what is late.
    pub(super) key: String,
}

impl SagaPlace {
    /// The place of a mark; `None` where it is none.
    pub fn of(at: Timestamp, mark: &str) -> Option<Self> {
        let (service, key) = mark.split_once('/')?;
        Some(Self { at, service: service.to_owned(), key: key.to_owned() })
    }

    /// Service and key, as cursors carry them.
    pub fn mark(&self) -> String {
        format!("{}/{}", self.service, self.key)
    }

    /// Compares in the order of a list.
    pub(super) fn compare(&self, other: &Self, direction: Direction) -> Ordering {
        match direction {
            Direction::Ascending => self.cmp(other),
            Direction::Descending => other.cmp(self),
        }
    }

    /// Where the list goes on in a service: behind this key at the same moment. Of services that
    /// come before, in alphabetical order, all lies below it; of those that come after, above.
    pub(super) fn key_in(&self, service: &str) -> String {
        match service.cmp(self.service.as_str()) {
            Ordering::Equal => self.key.clone(),
            Ordering::Less => char::MAX.to_string(),
            Ordering::Greater => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_saga_tells_its_service_its_saga_and_its_key() {
        let key = Uuid::from_u128(7);
        let id = id_of("order", "order-fulfilment", key);
        assert_eq!(parts_of(&id), Some(("order", "order-fulfilment", key)));
        let place = SagaPlace { at: Timestamp::from_micros(7), service: "order".into(), key: "a/b".into() };
        assert_eq!(SagaPlace::of(place.at, &place.mark()), Some(place));
        for not_one in ["", "order", "order.x", "order.x.7", ".x.00000000-0000-0000-0000-000000000007"] {
            assert_eq!(parts_of(not_one), None, "{not_one}");
        }
        assert_eq!(parts_of(&format!("{id}.more")), None);
    }
}
