//! What services ask of each other over REST (the table in communication.md): the shapes that
//! both sides share. Who may call what, and with which limits, stands in the caller's `ports.rs`.

use kernel::{
    ArtisanId, CartId, CustomerId, Money, OrderId, ProductId, QuoteId, ReservationId, Timestamp, UserId,
    ValidationId, VariantId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::inventory::Priority;
use crate::payment::MethodType;
use crate::shared::{DateRange, OrderItem};
use crate::wire::Object;

/// Declares shapes: camelCase, unknown fields tolerated (a newer side may add some).
macro_rules! shapes {
    ($($(#[$doc:meta])* pub struct $name:ident { $($(#[$field_doc:meta])* $field:ident: $ty:ty),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct $name { $($(#[$field_doc])* pub $field: $ty),+ }
    )+};
}

shapes! {
    /// order → user: may this customer buy? (`GET /api/users/{userId}/standing`)
    pub struct Standing {
        /// Whose.
        user_id: UserId,
        /// True where nothing stands against an order.
        may_order: bool,
        /// Why not.
        reason: Option<String>,
        /// Who is served first when stock is short.
        priority: Priority,
    }

    /// A line of a basket.
    pub struct BasketLine {
        /// The product.
        product_id: ProductId,
        /// The variant, where the product has several.
        variant_id: Option<VariantId>,
        /// Pieces, at least 1.
        quantity: u32,
    }

    /// order → product: prices, VAT rates and artisans of a basket (`POST /api/products/quote`).
    pub struct QuoteBasket {
        /// The lines, at most 100.
        lines: Vec<BasketLine>,
    }

    /// A line that cannot be sold.
    pub struct RefusedLine {
        /// The product.
        product_id: ProductId,
        /// The variant.
        variant_id: Option<VariantId>,
        /// Why.
        reason: String,
    }

    /// The answer to `QuoteBasket`, in the basket's order.
    pub struct BasketQuote {
        /// Names the quote.
        quote_id: QuoteId,
        /// Lines with their prices (gross) and VAT rates.
        items: Vec<OrderItem>,
        /// Lines that cannot be sold; where there is one, the basket cannot be ordered.
        refused: Vec<RefusedLine>,
    }

    /// The stock of one variant.
    pub struct VariantStock {
        /// The product.
        product_id: ProductId,
        /// The variant; absent where the product has only one.
        variant_id: Option<VariantId>,
        /// Pieces there.
        quantity: u32,
        /// Of these, held for somebody.
        reserved: u32,
        /// quantity − reserved.
        available: u32,
        /// Can be ordered beyond stock (made to order).
        backorder: bool,
    }

    /// order → inventory (`GET /api/inventory/availability/{productId}`, and the batch form
    /// `GET /api/inventory/availability?products=a,b`).
    pub struct Availability {
        /// All variants of the products asked for; unknown products are absent.
        stock: Vec<VariantStock>,
    }

    /// order → inventory: keep a reservation longer (`POST /api/inventory/reservations/{id}/extend`).
    pub struct ExtendReservation {
        /// Until when; never earlier than now.
        expires_at: Timestamp,
    }

    /// The answer to `ExtendReservation`.
    pub struct ReservationExtended {
        /// Which.
        reservation_id: ReservationId,
        /// Until when it now holds: the later of both.
        expires_at: Timestamp,
    }

    /// cart → inventory: hold stock for a cart (30 minutes) or an order (15)
    /// (`POST /api/inventory/reservations`). All pieces or none: 409 where they are not there.
    pub struct HoldStock {
        /// Names the reservation; made where it is absent. The same id twice is the same hold.
        reservation_id: Option<ReservationId>,
        /// The cart that holds, or
        cart_id: Option<CartId>,
        /// the order.
        order_id: Option<OrderId>,
        /// Whose it is, where that is known.
        customer_id: Option<CustomerId>,
        /// What is to be held, at most 100 lines.
        items: Vec<BasketLine>,
        /// When the hold ends; absent for the usual time.
        expires_at: Option<Timestamp>,
        /// Who is served first; absent for normal.
        priority: Option<Priority>,
    }

    /// The answer to `HoldStock`.
    pub struct StockHeld {
        /// Which.
        reservation_id: ReservationId,
        /// Until when it holds.
        expires_at: Timestamp,
    }

    /// cart → inventory: give a hold back (`POST /api/inventory/reservations/{id}/release`). Nothing
    /// to give back is success; with its owner named, a release that overtakes its hold refuses it.
    pub struct ReleaseHold {
        /// The cart that holds, or
        cart_id: Option<CartId>,
        /// the order.
        order_id: Option<OrderId>,
    }

    /// order → payment: can this method pay this? (`POST /api/payments/validate`)
    pub struct ValidatePayment {
        /// The order.
        order_id: OrderId,
        /// Who pays.
        customer_id: CustomerId,
        /// A stored method of the customer, or a token of the gateway; never a card number.
        payment_method_id: String,
        /// How much.
        amount: Money,
    }

    /// The answer to `ValidatePayment`.
    pub struct PaymentValidated {
        /// Names the check.
        validation_id: ValidationId,
        /// True where a charge may be tried.
        is_valid: bool,
        /// Why not.
        reason: Option<String>,
        /// What kind of method it is.
        method_type: MethodType,
        /// The customer will be asked by the bank.
        requires_three_ds: bool,
        /// How long a charge may take until it is answered: the reservation is kept past this.
        charge_limit_seconds: u32,
    }

    /// payment → user: one stored method.
    pub struct StoredMethod {
        /// Its id in the market.
        payment_method_id: String,
        /// What kind.
        method_type: MethodType,
        /// The gateway's token. Never a card number.
        gateway_token: String,
        /// What the customer recognises it by: `•••• 4242`.
        label: String,
    }

    /// payment → user: the stored methods (`GET /api/users/{userId}/payment-methods`).
    pub struct StoredMethods {
        /// All of them.
        methods: Vec<StoredMethod>,
    }

    /// payment → user: how this person pays (`GET /api/users/{userId}/payment-profile`).
    pub struct PaymentProfile {
        /// Whose.
        user_id: UserId,
        /// True where charges are stopped for this person.
        blocked: bool,
        /// The most that one order may cost; none where there is no limit.
        order_limit: Option<Money>,
    }

    /// One artisan's delivery in an order.
    pub struct DeliveryRate {
        /// Whose parcel.
        artisan_id: ArtisanId,
        /// Who carries it.
        carrier: String,
        /// What it costs, VAT included.
        price: Money,
        /// VAT in basis points.
        vat_rate: u32,
        /// When it arrives.
        estimated_delivery: DateRange,
    }

    /// order → shipping (`GET /api/shipping/rates?country&postalCode&artisans=a,b&pieces=n`).
    pub struct DeliveryRates {
        /// One rate an artisan, in the order asked.
        rates: Vec<DeliveryRate>,
        /// What they cost together.
        total: Money,
        /// From the first parcel to the last.
        estimated_delivery: DateRange,
    }

    /// A variant of a product that an artisan offers.
    pub struct OfferedVariant {
        /// The artisan's stock-keeping unit.
        sku: String,
        /// What sets it apart: `{"size": "500 ml"}`.
        attributes: Object,
        /// The price of one piece, VAT included.
        price: Money,
        /// Pieces in stock at the start.
        initial_stock: u32,
    }

    /// product → artisan: an artisan offers a product (`POST /api/artisans/{id}/listings`). Asked
    /// again for the same SKU, nothing is listed twice.
    pub struct OfferProduct {
        /// What names it for its artisan.
        sku: String,
        /// The product's id, where it is known already; it then names the listing.
        product_id: Option<ProductId>,
        /// What it is called.
        name: String,
        /// Its category.
        category: String,
        /// The price of one piece, VAT included.
        price: Money,
        /// Pieces in stock at the start, of all variants together.
        initial_stock: u32,
        /// Its variants; empty where it has none.
        variants: Vec<OfferedVariant>,
    }

    /// The answer to `OfferProduct`.
    pub struct ProductOffered {
        /// The product that was listed, now or before.
        product_id: ProductId,
        /// True where it was listed now.
        listed: bool,
    }
}
