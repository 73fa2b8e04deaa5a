//! Context `user`: accounts and the people behind them. Analytics tells segments; the user service the rest.

use kernel::{Personal, Timestamp, TrackingId, UserId};

use crate::event_macro::event;
use crate::shared::{Address, BehaviorContext, SegmentTrigger, UserPreferences};
use crate::wire::Object;

event! {
    "user.registered.v1" by "user", to ["notification", "loyalty", "analytics"],
    keyed by user_id, about user_id;
    /// Somebody opened an account.
    pub struct Registered {
        /// The account.
        user_id: UserId,
        /// Where they read mail; not verified yet.
        email: Personal<String>,
        /// First name.
        first_name: Personal<String>,
        /// Family names.
        last_name: Personal<String>,
        /// Where they live, if they said.
        location: Option<Personal<Address>>,
        /// What they want of the marketplace.
        preferences: UserPreferences,
        /// When.
        registered_at: Timestamp,
    }
}

event! {
    "user.email.verified.v1" by "user", to ["notification", "auth"], keyed by user_id;
    /// The account's mail address was shown to be theirs: they may sign in.
    pub struct EmailVerified {
        /// The account.
        user_id: UserId,
        /// When.
        verified_at: Timestamp,
    }
}

event! {
    "user.profile.updated.v1" by "user", to ["notification", "geo"], keyed by user_id, about user_id;
    /// The profile changed.
    pub struct ProfileUpdated {
        /// The account.
        user_id: UserId,
        /// The profile fields that changed.
        changed_fields: Vec<String>,
        /// What stood in them.
        previous_values: Personal<Object>,
        /// What stands in them.
        new_values: Personal<Object>,
        /// When.
        updated_at: Timestamp,
    }
}

event! {
    "user.preferences.changed.v1" by "user", to ["notification", "product", "geo"], keyed by user_id;
    /// They want something else of the marketplace.
    pub struct PreferencesChanged {
        /// The account.
        user_id: UserId,
        /// All preferences as they are now.
        preferences: UserPreferences,
        /// When.
        updated_at: Timestamp,
    }
}

event! {
    "user.behavior.tracked.v1" by "user", to ["analytics"], keyed by user_id;
    /// A person did something in the shop, and consented to it being noted.
    pub struct BehaviorTracked {
        /// The note.
        tracking_id: TrackingId,
        /// The account.
        user_id: UserId,
        /// What they did: `view`, `search`, `add-to-cart` …
        action: String,
        /// Where they were.
        context: BehaviorContext,
        /// The visit.
        session_id: String,
        /// When they did it.
        timestamp: Timestamp,
    }
}

event! {
    "user.segment.changed.v1" by "analytics", to ["user", "notification", "product"], keyed by user_id;
    /// A person entered or left segments.
    pub struct SegmentChanged {
        /// The account.
        user_id: UserId,
        /// The segments that they were in.
        previous_segments: Vec<String>,
        /// The segments that they are in.
        current_segments: Vec<String>,
        /// Why.
        triggers: Vec<SegmentTrigger>,
        /// When.
        changed_at: Timestamp,
    }
}

event! {
    "user.erased.v1" by "user",
    to [
        "auth", "notification", "order", "payment", "cart", "chat", "loyalty", "analytics", "geo", "shipping",
        "artisan", "admin"
    ],
    keyed by user_id;
    /// A person was erased: their key is destroyed, and their personal fields read as redacted everywhere.
    pub struct Erased {
        /// The account that was.
        user_id: UserId,
        /// When.
        erased_at: Timestamp,
    }
}
