//! Context `product`: the catalogue of goods, told by the product service.

use kernel::{ArtisanId, CustomerId, Money, OrderId, ProductId, ReviewId, Timestamp, VariantId};

use crate::event_macro::{choice, event};

event! {
    "product.price.changed.v1" by "product", to ["order", "cart", "analytics"], keyed by product_id;
    /// A price changed. Placed orders keep theirs; open quotes are stale.
    pub struct PriceChanged {
        /// The product.
        product_id: ProductId,
        /// The variant of it; absent where the price is the product's own.
        variant_id: Option<VariantId>,
        /// The price of one piece before, VAT included.
        previous_price: Money,
        /// The price of one piece now, VAT included.
        price: Money,
        /// Who did it: a service's name or a user's id.
        changed_by: String,
        /// When.
        changed_at: Timestamp,
    }
}

choice! {
    /// Whether a product is for sale.
    pub enum Status {
        /// Being written; nobody else sees it.
        Draft = "draft",
        /// For sale.
        Active = "active",
        /// Hidden for a time.
        Inactive = "inactive",
        /// Never again for sale.
        Discontinued = "discontinued",
    }
}

event! {
    "product.updated.v1" by "product", to ["cms", "cart", "analytics", "geo", "inventory"],
    keyed by product_id;
    /// A product's description or status changed.
    pub struct Updated {
        /// The product.
        product_id: ProductId,
        /// Who sells it.
        artisan_id: ArtisanId,
        /// The fields that changed.
        changed_fields: Vec<String>,
        /// The status now.
        status: Status,
        /// When.
        updated_at: Timestamp,
    }
}

event! {
    "product.reviewed.v1" by "product", to ["artisan", "analytics", "notification"], keyed by product_id;
    /// A verified buyer reviewed a delivered product.
    pub struct Reviewed {
        /// The review.
        review_id: ReviewId,
        /// The product.
        product_id: ProductId,
        /// Who sold it.
        artisan_id: ArtisanId,
        /// The order that it came with.
        order_id: OrderId,
        /// Who reviewed it.
        customer_id: CustomerId,
        /// The product's rating, 1–5.
        rating: u32,
        /// Satisfaction with the artisan's service, 1–5.
        satisfaction: u32,
        /// When.
        reviewed_at: Timestamp,
    }
}
