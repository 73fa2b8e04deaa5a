//! The one list of all public events, and the list of the named types in them.

use kernel::{Event, EventType, Money};
use schemars::{JsonSchema, Schema};

use crate::shared::{
    Address, ArtisanMetrics, BehaviorContext, BusinessInfo, Certification, DateRange, DeliveryCapabilities,
    ListedVariant, NotificationFailure, OrderItem, OrderState, ReservationItem, ReservedItem, SegmentTrigger,
    ShipmentRef, Shortage, Split, SplitShare, UserPreferences,
};
use crate::wire::Wire;
use crate::{
    artisan, auth, cart, chat, cms, inventory, loyalty, notification, order, payment, product, shipping, user,
};

/// A named type of the published language: what it is called and what is in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NamedType {
    /// Its name in `events.toml`.
    pub name: &'static str,
    /// Its fields and their types; empty for an enumeration.
    pub fields: &'static [(&'static str, &'static str)],
    /// The values of an enumeration: `a|b|c`; else empty.
    pub values: &'static str,
}

/// Declares the catalogue: one line each.
macro_rules! events {
    ($($event:ty),+ $(,)?) => {
        static CATALOGUE: &[EventType] = &[$(<$event as Event>::TYPE),+];
        static SCHEMAS: &[fn(&str) -> Schema] = &[$(schema_of::<$event>),+];

        /// Where each event's Rust type stands.
        #[cfg(test)]
        pub(crate) static RUST_NAMES: &[fn() -> &'static str] = &[$(std::any::type_name::<$event>),+];

        /// Reads a payload as its Rust type.
        #[cfg(test)]
        pub(crate) static READERS: &[crate::tests::Reader] = &[$(crate::tests::read::<$event>),+];
    };
}

events! {
    order::Created,
    order::Confirmed,
    order::Cancelled,
    order::Shipped,
    order::Delivered,
    order::StateChanged,
    order::ItemsModified,
    order::Returned,
    inventory::ReservationRequested,
    inventory::ReservationConfirmed,
    inventory::ReleaseRequested,
    inventory::ReservationReleased,
    inventory::StockReserved,
    inventory::StockConfirmed,
    inventory::StockReleased,
    inventory::StockFailed,
    inventory::StockDepleted,
    inventory::StockUpdated,
    inventory::ThresholdReached,
    inventory::PurchaseOrderCreated,
    inventory::RestockScheduled,
    payment::MethodValidated,
    payment::Requested,
    payment::Initiated,
    payment::ProcessingStarted,
    payment::Succeeded,
    payment::Failed,
    payment::RefundProcessed,
    payment::RefundRequested,
    payment::RefundFailed,
    payment::SplitCreated,
    user::Registered,
    user::EmailVerified,
    user::ProfileUpdated,
    user::PreferencesChanged,
    user::BehaviorTracked,
    user::SegmentChanged,
    user::Erased,
    auth::ChallengeIssued,
    artisan::OnboardingCompleted,
    artisan::Verified,
    artisan::StatusChanged,
    artisan::ProductListed,
    artisan::PerformanceEvaluated,
    product::PriceChanged,
    product::Updated,
    product::Reviewed,
    cart::CheckoutInitiated,
    cart::Abandoned,
    shipping::ShipmentScheduled,
    shipping::ShipmentDispatched,
    shipping::ShipmentDelivered,
    shipping::CancellationRequested,
    shipping::ShipmentCancelled,
    notification::Scheduled,
    notification::BatchProcessed,
    loyalty::PointsChanged,
    chat::MessageSent,
    cms::ContentPublished,
}

static NAMED_TYPES: &[NamedType] = &[
    NamedType { name: Money::NAME, fields: &[("amount", i64::NAME), ("currency", String::NAME)], values: "" },
    Address::NAMED,
    DateRange::NAMED,
    OrderItem::NAMED,
    NamedType { name: OrderState::NAME, fields: &[], values: OrderState::VALUES },
    ReservationItem::NAMED,
    ReservedItem::NAMED,
    Shortage::NAMED,
    SplitShare::NAMED,
    Split::NAMED,
    ShipmentRef::NAMED,
    ListedVariant::NAMED,
    UserPreferences::NAMED,
    BehaviorContext::NAMED,
    SegmentTrigger::NAMED,
    BusinessInfo::NAMED,
    Certification::NAMED,
    DeliveryCapabilities::NAMED,
    ArtisanMetrics::NAMED,
    NotificationFailure::NAMED,
];

/// Every public event, in the order of `events.toml`.
pub fn catalogue() -> &'static [EventType] {
    CATALOGUE
}

/// Every named type that events are made of, in the order of `events.toml`.
pub fn named_types() -> &'static [NamedType] {
    NAMED_TYPES
}

/// The event called `name`: `order.created.v1`.
pub fn find(name: &str) -> Option<&'static EventType> {
    CATALOGUE.iter().find(|event| event.name == name)
}

/// The JSON Schema (draft 2020-12) of the payload of the event called `name`, personal fields
/// readable. Its `$id` is the envelope's `dataschema`.
pub fn schema(name: &str) -> Option<Schema> {
    let index = CATALOGUE.iter().position(|event| event.name == name)?;
    Some(SCHEMAS[index](name))
}

fn schema_of<E: Event + JsonSchema>(name: &str) -> Schema {
    let mut schema = schemars::schema_for!(E);
    schema.insert("$id".to_owned(), format!("/schemas/{name}").into());
    schema
}
