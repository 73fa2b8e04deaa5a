//! What can happen to an order on a mixed day, how often, and how it ends.

use std::fmt;

use crate::seed::customers::Means;

/// What happens to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scenario {
    /// A customer pays by card.
    Card,
    /// A customer pays by Bizum.
    Bizum,
    /// A guest pays by card.
    Guest,
    /// The processor is busy at the first attempt.
    Busy,
    /// The bank asks the customer, who agrees.
    ThreeDsAccepted,
    /// A transfer, which an operator sees on the account.
    Transfer,
    /// Everything arrives.
    Delivered,
    /// Everything arrives and comes back.
    Returned,
    /// The bank asks the customer, who does not agree.
    ThreeDsRefused,
    /// The card is declined.
    Declined,
    /// Called off before it is confirmed.
    CancelledEarly,
    /// Called off after it was confirmed.
    CancelledLate,
    /// More is wanted than there is.
    TooMany,
    /// One of many who want the last pieces of something.
    LastPieces,
}

/// Where an order ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// Confirmed, and every parcel is scheduled.
    Preparing,
    /// Every parcel has arrived.
    Delivered,
    /// Everything came back.
    Returned,
    /// Called off; no money is kept, no stock is held.
    Cancelled,
    /// Not taken in the first place.
    Refused,
    /// Confirmed, called off or refused: whoever came in time.
    Served,
}

/// Each scenario with how often it happens in a hundred orders.
pub const DAY: [(u64, Scenario); 14] = [
    (38, Scenario::Card),
    (6, Scenario::Bizum),
    (10, Scenario::Guest),
    (4, Scenario::Busy),
    (6, Scenario::ThreeDsAccepted),
    (2, Scenario::Transfer),
    (7, Scenario::Delivered),
    (3, Scenario::Returned),
    (3, Scenario::ThreeDsRefused),
    (6, Scenario::Declined),
    (3, Scenario::CancelledEarly),
    (4, Scenario::CancelledLate),
    (3, Scenario::TooMany),
    (5, Scenario::LastPieces),
];

impl Scenario {
    /// Where it ends.
    pub fn promise(self) -> Promise {
        match self {
            Scenario::Card
            | Scenario::Bizum
            | Scenario::Guest
            | Scenario::Busy
            | Scenario::ThreeDsAccepted
            | Scenario::Transfer => Promise::Preparing,
            Scenario::Delivered => Promise::Delivered,
            Scenario::Returned => Promise::Returned,
            Scenario::ThreeDsRefused
            | Scenario::Declined
            | Scenario::CancelledEarly
            | Scenario::CancelledLate => Promise::Cancelled,
            Scenario::TooMany => Promise::Refused,
            Scenario::LastPieces => Promise::Served,
        }
    }

    /// How it is paid for.
    pub fn means(self) -> Means {
        match self {
            Scenario::Bizum => Means::Bizum,
            Scenario::Busy => Means::Busy,
            Scenario::ThreeDsAccepted | Scenario::ThreeDsRefused | Scenario::CancelledEarly => Means::Asking,
            Scenario::Declined => Means::Declined,
            _ => Means::Good,
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scenario::Card => "card",
            Scenario::Bizum => "Bizum",
            Scenario::Guest => "guest",
            Scenario::Busy => "processor busy, then card",
            Scenario::ThreeDsAccepted => "3-D Secure, agreed",
            Scenario::Transfer => "transfer, confirmed",
            Scenario::Delivered => "dispatched and delivered",
            Scenario::Returned => "delivered and sent back",
            Scenario::ThreeDsRefused => "3-D Secure, not agreed",
            Scenario::Declined => "card declined",
            Scenario::CancelledEarly => "cancelled before confirmation",
            Scenario::CancelledLate => "cancelled after confirmation",
            Scenario::TooMany => "more than there is",
            Scenario::LastPieces => "race for the last pieces",
        })
    }
}
