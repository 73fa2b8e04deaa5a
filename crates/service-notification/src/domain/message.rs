//! A message to a person.

use backbone::Document;
use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use contracts::Object;
use contracts::notification::{Channel, Priority, Scheduled};
use contracts::shared::Locale;
use kernel::{NotificationId, Personal, RecipientId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where messages are kept.
pub const NOTIFICATIONS: Collection = Collection {
    name: "notifications",
    columns: &[
        Column::indexed("recipient", ColumnKind::Uuid),
        Column::plain("state", ColumnKind::Text),
        Column::plain("unread", ColumnKind::Bool),
        Column::indexed("at", ColumnKind::Timestamp),
    ],
    children: &[],
};

/// How far a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Its time has not come, or its channel is not there.
    Queued,
    /// It reached its person.
    Delivered,
    /// Its time was over before it could be delivered.
    Expired,
}

/// A message. What it says is made from the template when it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// Its id: follows from the event behind it and its recipient.
    pub notification_id: NotificationId,
    /// Who gets it.
    pub recipient_id: RecipientId,
    /// The way it goes.
    pub channel: Channel,
    /// The template.
    pub template: String,
    /// The language.
    pub locale: Locale,
    /// What is filled into the template.
    pub variables: Personal<Object>,
    /// How much it matters.
    pub priority: Priority,
    /// When it goes, not earlier.
    pub scheduled_for: Timestamp,
    /// When it is no use any more.
    pub expires_at: Option<Timestamp>,
    /// How far it is.
    pub state: State,
    /// When it was delivered.
    pub delivered_at: Option<Timestamp>,
    /// When it was read.
    pub read_at: Option<Timestamp>,
}

impl Document for Notification {
    const COLLECTION: &'static Collection = &NOTIFICATIONS;
    const PERSONAL: &'static [&'static str] = &["variables"];

    fn id(&self) -> String {
        self.notification_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        let state = match self.state {
            State::Queued => "queued",
            State::Delivered => "delivered",
            State::Expired => "expired",
        };
        let unread = self.state == State::Delivered && self.read_at.is_none();
        let at = self.delivered_at.unwrap_or(self.scheduled_for);
        vec![self.recipient_id.0.into(), state.into(), unread.into(), at.into()]
    }

    fn person(&self) -> Option<Uuid> {
        Some(self.recipient_id.0)
    }
}

impl Notification {
    /// The message that an event announces, in the recipient's language, as it is at `now`.
    pub fn of(event: &Scheduled, locale: Locale, now: Timestamp) -> Self {
        let queued = Self {
            notification_id: event.notification_id,
            recipient_id: event.recipient_id,
            channel: event.channel,
            template: event.template.clone(),
            locale,
            variables: event.variables.clone(),
            priority: event.priority,
            scheduled_for: event.scheduled_for,
            expires_at: event.expires_at,
            state: State::Queued,
            delivered_at: None,
            read_at: None,
        };
        queued.at(now)
    }

    /// The message as it is at `now`: delivered where its time has come and its channel is there.
    /// The inbox always is.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        if self.state != State::Queued {
            return self;
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            self.state = State::Expired;
            // What nobody will read is not kept: it may be a secret.
            self.variables = Personal::Known(Object::new());
        } else if self.channel == Channel::InApp && self.scheduled_for <= now {
            self.state = State::Delivered;
            self.delivered_at = Some(now);
        }
        self
    }
}
