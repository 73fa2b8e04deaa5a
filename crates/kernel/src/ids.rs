//! Typed identifiers. All are UUIDs (version 7 where the market makes them), written as the
//! usual hyphenated text, and mean different things: mixing two of them does not compile.

use uuid::Uuid;

/// Declares identifier types: one line each.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug,
            serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )+};
}

ids! {
    /// A person with an account, or a guest: whoever buys. Equal to the `UserId` of the account.
    CustomerId,
    /// A person with an account.
    UserId,
    /// An artisan's business.
    ArtisanId,
    /// A product of the catalogue.
    ProductId,
    /// A variant (size, colour …) of a product.
    VariantId,
    /// An order.
    OrderId,
    /// A binding price for a basket.
    QuoteId,
    /// A return of delivered goods.
    ReturnId,
    /// A hold on stock.
    ReservationId,
    /// A place where stock lies.
    WarehouseId,
    /// Somebody an artisan buys material from.
    SupplierId,
    /// An order of an artisan with a supplier.
    PurchaseOrderId,
    /// A charge for an order.
    PaymentId,
    /// A check of a payment method before a charge.
    ValidationId,
    /// Money given back.
    RefundId,
    /// The division of a payment among its recipients.
    SplitId,
    /// One artisan's parcel of an order.
    ShipmentId,
    /// A cart.
    CartId,
    /// A message to a person over some channel.
    NotificationId,
    /// Several notifications handled together.
    BatchId,
    /// A published event.
    EventId,
    /// A tracked act of a visitor.
    TrackingId,
    /// A proof that somebody owns an address: verification or reset.
    ChallengeId,
    /// A product review.
    ReviewId,
    /// A chat message.
    MessageId,
    /// A chat conversation.
    ConversationId,
    /// A page or article.
    ContentId,
    /// Whoever receives: a customer, an artisan, the platform, a carrier.
    RecipientId,
}

impl From<CustomerId> for UserId {
    fn from(id: CustomerId) -> Self {
        UserId(id.0)
    }
}

impl From<UserId> for CustomerId {
    fn from(id: UserId) -> Self {
        CustomerId(id.0)
    }
}
