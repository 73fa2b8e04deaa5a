//! What is kept of a person, and its rules: pure values.

use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use backbone::{Document, Rejection};
use contracts::calls;
use contracts::inventory::Priority;
use contracts::shared::{Address, Locale, UserPreferences};
use kernel::{Money, Personal, Timestamp, UserId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::config::Config;

mod wallet;

pub use wallet::{METHODS_MAX, StoredMethod, WALLETS, Wallet};

/// The most addresses that a person keeps.
pub const ADDRESSES_MAX: usize = 20;

/// Where accounts are kept.
pub const ACCOUNTS: Collection = Collection {
    name: "accounts",
    columns: &[
        Column::indexed("status", ColumnKind::Text),
        Column::indexed("registered_at", ColumnKind::Timestamp),
    ],
    children: &[],
};

/// Where standings are kept.
pub const STANDINGS: Collection = Collection { name: "standings", columns: &[], children: &["segments"] };

/// Whether an account lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It does.
    Active,
    /// Its person was erased.
    Erased,
}

/// An account: what a person says of themselves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Its id.
    pub user_id: UserId,
    /// Whether it lives.
    pub status: Status,
    /// Where they read mail.
    pub email: Personal<String>,
    /// The keyed hash under which the address is claimed; gone with the person.
    pub email_claim: Option<String>,
    /// First name.
    pub first_name: Personal<String>,
    /// Family names.
    pub last_name: Personal<String>,
    /// Where they live, if they said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub location: Option<Personal<Address>>,
    /// Where they have things delivered.
    pub addresses: Personal<Vec<SavedAddress>>,
    /// What they want of the market.
    pub preferences: UserPreferences,
    /// When it was opened.
    pub registered_at: Timestamp,
}

/// An address that a person keeps for the checkout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SavedAddress {
    /// Its id.
    pub address_id: Uuid,
    /// What the person calls it.
    pub label: String,
    /// The address.
    pub address: Address,
}

impl Document for Account {
    const COLLECTION: &'static Collection = &ACCOUNTS;
    const PERSONAL: &'static [&'static str] = &["email", "firstName", "lastName", "location", "addresses"];

    fn id(&self) -> String {
        self.user_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        let status = match self.status {
            Status::Active => "active",
            Status::Erased => "erased",
        };
        vec![status.into(), self.registered_at.into()]
    }

    fn person(&self) -> Option<Uuid> {
        // An erased account has nothing to encrypt, and nobody to encrypt it for.
        (self.status == Status::Active).then_some(self.user_id.0)
    }
}

impl Account {
    /// What is left when the person is erased.
    #[must_use]
    pub fn erased(mut self) -> Self {
        self.status = Status::Erased;
        self.email = Personal::Redacted;
        self.email_claim = None;
        self.first_name = Personal::Redacted;
        self.last_name = Personal::Redacted;
        self.location = self.location.map(|_| Personal::Redacted);
        self.addresses = Personal::Redacted;
        self
    }
}

/// What others say of a person, and what decides an order. A document of its own: loyalty and
/// analytics change it while the person edits the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// Whose.
    pub user_id: UserId,
    /// The account lives.
    pub active: bool,
    /// Why the person may not order; none where they may.
    pub blocked: Option<String>,
    /// The most that one order may cost; none where there is no limit.
    pub order_limit: Option<Money>,
    /// The segments that analytics sees them in.
    pub segments: Vec<String>,
    /// The balance of points that loyalty tells.
    pub points: i64,
}

impl Standing {
    /// A new person's.
    pub fn fresh(user_id: UserId) -> Self {
        Self { user_id, active: true, blocked: None, order_limit: None, segments: Vec::new(), points: 0 }
    }

    /// Why the person may not order, where they may not.
    fn objection(&self) -> Option<String> {
        match &self.blocked {
            _ if !self.active => Some("the account was erased".to_owned()),
            Some(reason) => Some(reason.clone()),
            None => None,
        }
    }

    /// Who is served first: vip before high before normal.
    pub fn priority(&self, config: &Config) -> Priority {
        let any_of = |wanted: &[String]| self.segments.iter().any(|segment| wanted.contains(segment));
        match () {
            () if any_of(&config.settings.vip_segments) => Priority::Vip,
            () if any_of(&config.settings.high_segments) => Priority::High,
            () => Priority::Normal,
        }
    }

    /// The answer to order.
    pub fn answer(&self, config: &Config) -> calls::Standing {
        let reason = self.objection();
        calls::Standing {
            user_id: self.user_id,
            may_order: reason.is_none(),
            reason,
            priority: self.priority(config),
        }
    }

    /// The answer to payment.
    pub fn payment_profile(&self) -> calls::PaymentProfile {
        calls::PaymentProfile {
            user_id: self.user_id,
            blocked: self.objection().is_some(),
            order_limit: self.order_limit,
        }
    }
}

impl Document for Standing {
    const COLLECTION: &'static Collection = &STANDINGS;

    fn id(&self) -> String {
        self.user_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }
}

/// What a person wants of the market who has not said.
pub fn default_preferences() -> UserPreferences {
    UserPreferences {
        notifications: true,
        newsletter: false,
        product_categories: Vec::new(),
        delivery_radius_km: 50.0,
        locale: Locale::Es,
        quiet_hours: None,
    }
}

/// Preferences that make sense.
pub fn check_preferences(preferences: &UserPreferences) -> Result<(), Rejection> {
    let no = |field: &str, message: &str| Err(Rejection::invalid("preferences-invalid", message).at(field));
    if !(0.0..=1_000.0).contains(&preferences.delivery_radius_km) {
        return no("deliveryRadiusKm", "a radius is between 0 and 1000 kilometres");
    }
    if preferences.product_categories.len() > 50 {
        return no("productCategories", "choose at most 50 categories");
    }
    if preferences.product_categories.iter().any(|path| path.is_empty() || path.len() > 120) {
        return no("productCategories", "a category's path has 1 to 120 characters");
    }
    if preferences.quiet_hours.as_deref().is_some_and(|hours| !is_span_of_hours(hours)) {
        return no("quietHours", "write local times such as 22:00-08:00");
    }
    Ok(())
}

/// True for `22:00-08:00`.
fn is_span_of_hours(text: &str) -> bool {
    let is_time = |text: &str| {
        let Some((hour, minute)) = text.split_once(':') else { return false };
        let number = |part: &str| part.parse::<u32>().ok().filter(|_| part.len() == 2);
        number(hour).is_some_and(|h| h < 24) && number(minute).is_some_and(|m| m < 60)
    };
    text.split_once('-').is_some_and(|(from, to)| is_time(from) && is_time(to) && from != to)
}
