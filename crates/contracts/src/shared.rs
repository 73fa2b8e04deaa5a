//! Types that several payloads share: the `[[type]]`s of `events.toml`. `Money` is the kernel's.

use kernel::{
    ArtisanId, Money, NotificationId, ProductId, RecipientId, ShipmentId, Timestamp, VariantId, WarehouseId,
};

use crate::event_macro::{choice, named};
use crate::wire::Object;

named! {
    /// Where something is delivered, collected or done.
    pub struct Address {
        /// Who receives there.
        recipient: String,
        /// Street and number.
        line1: String,
        /// Floor, door, care of.
        line2: Option<String>,
        /// Town.
        city: String,
        /// Province: `Jaén`.
        province: String,
        /// Postal code: `23001`.
        postal_code: String,
        /// Country, ISO 3166-1 alpha-2: `ES`.
        country: String,
        /// Degrees north, WGS 84.
        latitude: Option<f64>,
        /// Degrees east, WGS 84.
        longitude: Option<f64>,
        /// A telephone number for the carrier, E.164.
        phone: Option<String>,
    }
}

named! {
    /// A span of time.
    pub struct DateRange {
        /// Its first moment.
        from: Timestamp,
        /// Its end, not before `from`.
        to: Timestamp,
    }
}

named! {
    /// A line of an order or a cart.
    pub struct OrderItem {
        /// The product.
        product_id: ProductId,
        /// The variant of it; absent where the product has none.
        variant_id: Option<VariantId>,
        /// The artisan who sells it.
        artisan_id: ArtisanId,
        /// The product's name when it was ordered.
        name: String,
        /// The product's category, which decides the commission.
        category: String,
        /// Pieces.
        quantity: u32,
        /// The price of one piece, VAT included.
        unit_price: Money,
        /// VAT in basis points: 2100 is 21 %.
        vat_rate: u32,
    }
}

choice! {
    /// Where an order stands.
    pub enum OrderState as "OrderState" {
        /// Accepted; the fulfilment saga runs.
        Pending = "pending",
        /// Waits for the customer, such as for a bank's 3DS confirmation.
        AwaitingCustomer = "awaiting-customer",
        /// Paid and reserved: it will be fulfilled.
        Confirmed = "confirmed",
        /// Every artisan's shipment is scheduled.
        Preparing = "preparing",
        /// Every shipment is on its way.
        Shipped = "shipped",
        /// Every shipment has arrived.
        Delivered = "delivered",
        /// Called off by the customer or by a compensated saga.
        Cancelled = "cancelled",
        /// Given up because infrastructure stayed down; still refunded and released.
        Failed = "failed",
        /// Sent back and refunded.
        Returned = "returned",
    }
}

named! {
    /// What is to be held for an order.
    pub struct ReservationItem {
        /// The product.
        product_id: ProductId,
        /// The variant of it; absent where the product has none.
        variant_id: Option<VariantId>,
        /// Pieces wanted.
        quantity: u32,
        /// The price of one piece when it was ordered.
        unit_price: Money,
    }
}

named! {
    /// What is held for an order, and where it lies.
    pub struct ReservedItem {
        /// The product.
        product_id: ProductId,
        /// The variant of it; absent where the product has none.
        variant_id: Option<VariantId>,
        /// Pieces held.
        quantity: u32,
        /// The warehouse they lie in.
        warehouse_id: WarehouseId,
        /// The shelf or bin there.
        location: String,
    }
}

named! {
    /// What a reservation lacked.
    pub struct Shortage {
        /// The product.
        product_id: ProductId,
        /// The variant of it; absent where the product has none.
        variant_id: Option<VariantId>,
        /// Pieces wanted.
        requested: u32,
        /// Pieces that were free.
        available: u32,
    }
}

choice! {
    /// What kind of party gets a share of a payment.
    pub enum RecipientType {
        /// The artisan who sold.
        Artisan = "artisan",
        /// The marketplace: its commission.
        Platform = "platform",
        /// Whoever delivers.
        Delivery = "delivery",
    }
}

named! {
    /// A share of a payment, as order asks for it.
    pub struct SplitShare {
        /// Who gets it.
        recipient_id: RecipientId,
        /// What kind of party that is.
        recipient_type: RecipientType,
        /// How much; all shares sum to the payment exactly.
        amount: Money,
    }
}

named! {
    /// A share of a payment, as payment booked it.
    pub struct Split {
        /// Who gets it.
        recipient_id: RecipientId,
        /// What kind of party that is.
        recipient_type: RecipientType,
        /// How much; all shares sum to the payment exactly.
        amount: Money,
        /// The share in percent of the payment, 0–100, for display: `amount` is what counts.
        percentage: f64,
    }
}

named! {
    /// One artisan's parcel of an order.
    pub struct ShipmentRef {
        /// The shipment.
        shipment_id: ShipmentId,
        /// The artisan who sent it.
        artisan_id: ArtisanId,
        /// Who carries it.
        carrier: String,
        /// The carrier's number for following it.
        tracking_number: String,
    }
}

named! {
    /// A variant of a newly listed product.
    pub struct ListedVariant {
        /// The variant.
        variant_id: VariantId,
        /// The artisan's stock-keeping unit.
        sku: String,
        /// What sets it apart: `{"size": "500 ml"}`.
        attributes: Object,
        /// The price of one piece, VAT included.
        price: Money,
        /// Pieces in stock at the start.
        initial_stock: u32,
    }
}

choice! {
    /// A language of the marketplace.
    pub enum Locale {
        /// Spanish.
        Es = "es",
        /// English.
        En = "en",
    }
}

named! {
    /// What a person wants of the marketplace.
    pub struct UserPreferences {
        /// Wants messages that are not legally required.
        notifications: bool,
        /// Wants the newsletter.
        newsletter: bool,
        /// Categories that they are interested in.
        product_categories: Vec<String>,
        /// How far away an artisan may be, in kilometres.
        delivery_radius_km: f64,
        /// The language that they read.
        locale: Locale,
        /// When not to be disturbed, local time: `22:00-08:00`.
        quiet_hours: Option<String>,
    }
}

named! {
    /// Where a visitor was when they did something.
    pub struct BehaviorContext {
        /// The page's path.
        page: Option<String>,
        /// The product that they looked at.
        product_id: Option<ProductId>,
        /// What they searched for.
        search_query: Option<String>,
        /// The filters that they had set.
        filters: Option<Object>,
    }
}

named! {
    /// Why a person entered or left a segment.
    pub struct SegmentTrigger {
        /// The rule that matched, or no longer did.
        rule: String,
        /// The figures that decided it.
        value: Object,
    }
}

named! {
    /// An artisan's business.
    pub struct BusinessInfo {
        /// The name that customers see.
        business_name: String,
        /// The registered name.
        legal_name: String,
        /// The tax number (NIF).
        tax_id: String,
        /// Where the artisan reads mail.
        email: String,
        /// A telephone number, E.164.
        phone: Option<String>,
        /// The workshop.
        address: Address,
    }
}

named! {
    /// A proof of quality or origin that an artisan holds.
    pub struct Certification {
        /// What it certifies.
        name: String,
        /// Who issued it.
        issuer: String,
        /// Its number with the issuer.
        number: Option<String>,
        /// When it ends; absent where it does not.
        expires_at: Option<Timestamp>,
    }
}

named! {
    /// How an artisan can hand over goods.
    pub struct DeliveryCapabilities {
        /// Sends with a carrier.
        shipping: bool,
        /// Customers may collect at the workshop.
        pickup: bool,
        /// Delivers personally.
        own_delivery: bool,
        /// How far own delivery goes, in kilometres.
        radius_km: Option<f64>,
        /// Days from confirmation to dispatch.
        preparation_days: u32,
    }
}

named! {
    /// An artisan's figures over a period.
    pub struct ArtisanMetrics {
        /// Orders delivered.
        orders_fulfilled: u32,
        /// Mean of the reviews' ratings, 1–5.
        average_rating: f64,
        /// Share of shipments delivered on time, 0–1.
        on_time_delivery_rate: f64,
        /// Mean of the reviews' satisfaction, 1–5.
        customer_satisfaction_score: f64,
        /// Sales, VAT included.
        revenue: Money,
    }
}

named! {
    /// A notification of a batch that could not be delivered.
    pub struct NotificationFailure {
        /// The notification.
        notification_id: NotificationId,
        /// What the provider said.
        error: String,
    }
}
