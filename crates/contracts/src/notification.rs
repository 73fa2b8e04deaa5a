//! Context `notification`: messages to people, told by the notification service.

use kernel::{BatchId, NotificationId, Personal, RecipientId, Timestamp};

use crate::event_macro::{choice, event};
use crate::shared::NotificationFailure;
use crate::wire::Object;

choice! {
    /// The way a message goes.
    pub enum Channel {
        /// Mail.
        Email = "email",
        /// Text message.
        Sms = "sms",
        /// Web Push.
        Push = "push",
        /// The inbox of the shop.
        InApp = "in-app",
    }
}

choice! {
    /// How much it matters; the greater goes first.
    pub enum Priority {
        /// May wait.
        Low = "low",
        /// As it comes.
        Normal = "normal",
        /// Before the others.
        High = "high",
        /// At once, quiet hours or not.
        Critical = "critical",
    }
}

event! {
    "notification.scheduled.v1" by "notification", to ["notification", "analytics"],
    keyed by recipient_id, about recipient_id;
    /// A message is to be delivered at its time over its channel.
    pub struct Scheduled {
        /// The message.
        notification_id: NotificationId,
        /// Who gets it.
        recipient_id: RecipientId,
        /// The way it goes.
        channel: Channel,
        /// The template that it is made from.
        template: String,
        /// What is filled into the template.
        variables: Personal<Object>,
        /// How much it matters.
        priority: Priority,
        /// When it goes, not earlier.
        scheduled_for: Timestamp,
        /// When it is no use any more.
        expires_at: Option<Timestamp>,
        /// Messages of one recipient with the same key go together.
        group_key: Option<String>,
    }
}

event! {
    "notification.batch.processed.v1" by "notification", to ["analytics"], keyed by batch_id;
    /// Several messages were handled together.
    pub struct BatchProcessed {
        /// The batch.
        batch_id: BatchId,
        /// The messages in it.
        notification_ids: Vec<NotificationId>,
        /// How many went out.
        successful: u32,
        /// How many did not.
        failed: u32,
        /// Which, and why.
        failures: Vec<NotificationFailure>,
        /// How long it took, in milliseconds.
        processing_time_ms: u64,
        /// When it was done.
        processed_at: Timestamp,
    }
}
