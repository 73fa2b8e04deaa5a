//! Whom a matter concerns: an order's parties, an artisan's followers, a cart's reminder.

use backbone::Document;
use backbone::collection::{Collection, ColumnValue};
use contracts::order::Created;
use kernel::{ArtisanId, CartId, CustomerId, NotificationId, OrderId, RecipientId};
use serde::{Deserialize, Serialize};

/// The most followers of one artisan: they are told in one commit.
pub const FOLLOWERS_MAX: usize = 500;

/// Where the parties of orders are kept.
pub const CORRESPONDENCES: Collection = Collection { name: "correspondences", columns: &[], children: &[] };

/// Where followers are kept.
pub const FOLLOWERS: Collection = Collection { name: "followers", columns: &[], children: &[] };

/// Where reminders are kept.
pub const REMINDERS: Collection = Collection { name: "reminders", columns: &[], children: &[] };

/// The parties of an order: most of its events do not name them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Correspondence {
    /// The order.
    pub order_id: OrderId,
    /// Who ordered.
    pub customer_id: CustomerId,
    /// Who sells.
    pub artisans: Vec<ArtisanId>,
}

impl Correspondence {
    /// The parties of a new order.
    pub fn of(order: &Created) -> Self {
        let mut artisans: Vec<ArtisanId> = Vec::new();
        for item in &order.items {
            if !artisans.contains(&item.artisan_id) {
                artisans.push(item.artisan_id);
            }
        }
        Self { order_id: order.order_id, customer_id: order.customer_id, artisans }
    }
}

/// Who wants an artisan's news.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Followers {
    /// The artisan.
    pub artisan_id: ArtisanId,
    /// The people.
    pub people: Vec<RecipientId>,
}

/// The reminder of a cart that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reminder {
    /// The cart.
    pub cart_id: CartId,
    /// Whose it is.
    pub recipient_id: RecipientId,
    /// The message that waits.
    pub notification_id: NotificationId,
}

/// Declares documents without columns, by key.
macro_rules! keyed {
    ($($document:ident in $collection:ident by $key:ident),+ $(,)?) => {$(
        impl Document for $document {
            const COLLECTION: &'static Collection = &$collection;

            fn id(&self) -> String {
                self.$key.to_string()
            }

            fn columns(&self) -> Vec<ColumnValue> {
                Vec::new()
            }
        }
    )+};
}

keyed! {
    Correspondence in CORRESPONDENCES by order_id,
    Followers in FOLLOWERS by artisan_id,
    Reminder in REMINDERS by cart_id,
}
