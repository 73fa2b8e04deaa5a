//! Somebody who gets messages.

use backbone::Document;
use backbone::collection::{Collection, ColumnValue};
use contracts::shared::{Locale, UserPreferences};
use kernel::{ArtisanId, NotificationId, Personal, RecipientId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where recipients are kept.
pub const RECIPIENTS: Collection = Collection { name: "recipients", columns: &[], children: &["segments"] };

/// A recipient. Guests and others of whom nothing is known have none: they are written to in
/// Spanish, at any hour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recipient {
    /// Who.
    pub recipient_id: RecipientId,
    /// Where they read mail, for the mail channel.
    pub email: Personal<String>,
    /// What they are called.
    pub name: Personal<String>,
    /// Wants messages that are not legally required.
    pub wants_news: bool,
    /// The language that they read.
    pub locale: Locale,
    /// When not to be disturbed, local time: `22:00-08:00`.
    pub quiet_hours: Option<String>,
    /// The segments that they are in: the campaign lists that they stand on.
    pub segments: Vec<String>,
    /// The artisans whose news they want.
    pub following: Vec<ArtisanId>,
    /// Messages that wait for their time, so that they can be dropped.
    pub queued: Vec<NotificationId>,
    /// They were erased: nothing goes to them any more.
    pub erased: bool,
}

impl Document for Recipient {
    const COLLECTION: &'static Collection = &RECIPIENTS;
    const PERSONAL: &'static [&'static str] = &["email", "name"];

    fn id(&self) -> String {
        self.recipient_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }

    fn person(&self) -> Option<Uuid> {
        (!self.erased).then_some(self.recipient_id.0)
    }
}

impl Recipient {
    /// Somebody of whom nothing is known.
    pub fn unknown(recipient_id: RecipientId) -> Self {
        Self {
            recipient_id,
            email: Personal::Redacted,
            name: Personal::Redacted,
            wants_news: true,
            locale: Locale::Es,
            quiet_hours: None,
            segments: Vec::new(),
            following: Vec::new(),
            queued: Vec::new(),
            erased: false,
        }
    }

    /// What is left of somebody who was erased.
    pub fn erased(recipient_id: RecipientId) -> Self {
        Self { erased: true, wants_news: false, ..Self::unknown(recipient_id) }
    }

    /// Takes over what they want.
    pub fn prefer(&mut self, preferences: &UserPreferences) {
        self.wants_news = preferences.notifications;
        self.locale = preferences.locale;
        self.quiet_hours.clone_from(&preferences.quiet_hours);
    }
}
