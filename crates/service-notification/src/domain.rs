//! Messages, the people they go to, and when they go: pure values.

mod batch;
mod correspondence;
mod message;
mod quiet_hours;
mod recipient;
mod template;

pub use batch::{TALLIES, Tally};
pub use correspondence::{
    CORRESPONDENCES, Correspondence, FOLLOWERS, FOLLOWERS_MAX, Followers, REMINDERS, Reminder,
};
pub use message::{NOTIFICATIONS, Notification, State};
pub use quiet_hours::after_quiet_hours;
pub use recipient::{RECIPIENTS, Recipient};
pub use template::{Kind, TEMPLATES, Template, Text, rendered, template};
