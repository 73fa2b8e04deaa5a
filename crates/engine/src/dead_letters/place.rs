//! The names of dead letters outside, and which of them are wanted.

use backbone::system::DeadLetter;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as URL;
use kernel::{ErrorKind, Timestamp};

/// A dead letter's name outside: its service, and its place there. Fit for a path.
pub fn id_of(service: &str, stored: &str) -> String {
    format!("{service}.{}", URL.encode(stored))
}

/// The service in whose journal a dead letter of this name lies.
pub fn service_of(id: &str) -> Option<&str> {
    id.split_once('.').map(|(service, _)| service).filter(|service| !service.is_empty())
}

/// The place of a dead letter in its service's journal.
pub(super) fn stored_of(id: &str) -> Option<(&str, String)> {
    let (service, coded) = id.split_once('.')?;
    let stored = URL.decode(coded).ok().and_then(|bytes| String::from_utf8(bytes).ok())?;
    Some((service, stored))
}

/// A dead letter with its name.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Its name outside.
    pub id: String,
    /// The service in whose journal it lies.
    pub service: &'static str,
    /// What it says.
    pub letter: DeadLetter,
    /// Its key in the journal.
    pub(super) stored: String,
}

/// A place in the list of dead letters, which is sorted by the time of death.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When it was moved there.
    pub moved_at: Timestamp,
    /// Its name outside.
    pub id: String,
}

impl Letter {
    /// Its place in the list.
    pub fn place(&self) -> Place {
        Place { moved_at: self.letter.moved_at, id: self.id.clone() }
    }
}

/// Which dead letters are wanted; all conditions hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this service alone.
    pub service: Option<String>,
    /// Of this consumer.
    pub consumer: Option<String>,
    /// Of events of this type.
    pub kind: Option<String>,
    /// Of events of this key.
    pub subject: Option<String>,
    /// Of this kind of error.
    pub error_kind: Option<ErrorKind>,
    /// Moved there at this time or later.
    pub from: Option<Timestamp>,
    /// Moved there before this time.
    pub to: Option<Timestamp>,
}

impl Filter {
    /// Whether a dead letter is wanted, its service aside.
    pub(super) fn wants(&self, letter: &DeadLetter) -> bool {
        let is =
            |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        is(&self.consumer, &letter.consumer)
            && is(&self.kind, &letter.event.kind)
            && is(&self.subject, &letter.event.subject)
            && self.error_kind.is_none_or(|wanted| wanted == letter.error_kind)
            && self.from.is_none_or(|from| letter.moved_at >= from)
            && self.to.is_none_or(|to| letter.moved_at < to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_dead_letter_tells_its_service_and_its_place() {
        let id = id_of("dashboard-web", "dashboard-web-order/00000000000000000007");
        assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)), "{id}");
        assert_eq!(service_of(&id), Some("dashboard-web"));
        let stored = "dashboard-web-order/00000000000000000007".to_owned();
        assert_eq!(stored_of(&id), Some(("dashboard-web", stored)));
        for not_one in ["", "order", ".abc", "order/7"] {
            assert_eq!(service_of(not_one), None, "{not_one}");
        }
        assert_eq!(stored_of("order.!"), None);
    }
}
