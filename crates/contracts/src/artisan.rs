//! Context `artisan`: the businesses that sell, told by the artisan service.

use kernel::{ArtisanId, Money, Personal, ProductId, Timestamp};

use crate::event_macro::{choice, event};
use crate::shared::{
    Address, ArtisanMetrics, BusinessInfo, Certification, DateRange, DeliveryCapabilities, ListedVariant,
};

event! {
    "artisan.onboarding.completed.v1" by "artisan", to ["admin", "notification", "analytics"],
    keyed by artisan_id, about artisan_id;
    /// An application is complete and waits for verification.
    pub struct OnboardingCompleted {
        /// The artisan.
        artisan_id: ArtisanId,
        /// The business.
        business_info: Personal<BusinessInfo>,
        /// Proofs of quality or origin.
        certifications: Vec<Certification>,
        /// Categories that they want to sell in.
        product_categories: Vec<String>,
        /// How they hand over goods.
        delivery_capabilities: DeliveryCapabilities,
        /// How complete the application is, 0–100.
        onboarding_score: u32,
        /// When.
        completed_at: Timestamp,
    }
}

event! {
    "artisan.verified.v1" by "artisan", to ["notification", "product", "geo"],
    keyed by artisan_id, about artisan_id;
    /// An operator verified the artisan: they may sell.
    pub struct Verified {
        /// The artisan.
        artisan_id: ArtisanId,
        /// The name that customers see.
        business_name: String,
        /// Where the artisan reads mail.
        contact_email: Personal<String>,
        /// The workshop, shown to customers.
        location: Address,
        /// What they are good at.
        specialties: Vec<String>,
        /// The operator.
        verified_by: String,
        /// When.
        verified_at: Timestamp,
    }
}

event! {
    "artisan.status.changed.v1" by "artisan", to ["product", "notification", "geo"], keyed by artisan_id;
    /// The artisan was suspended, reinstated or left.
    pub struct StatusChanged {
        /// The artisan.
        artisan_id: ArtisanId,
        /// The status before.
        previous_status: String,
        /// The status now.
        new_status: String,
        /// Why, readable.
        reason: String,
        /// When.
        changed_at: Timestamp,
    }
}

event! {
    "artisan.product.listed.v1" by "artisan", to ["product", "inventory", "notification"],
    keyed by product_id;
    /// An artisan offers a new product.
    pub struct ProductListed {
        /// The product.
        product_id: ProductId,
        /// Who sells it.
        artisan_id: ArtisanId,
        /// What it is called.
        product_name: String,
        /// Its category.
        category: String,
        /// The price of one piece, VAT included.
        price: Money,
        /// Pieces in stock at the start, of all variants together.
        initial_stock: u32,
        /// Its variants; empty where it has none.
        variants: Vec<ListedVariant>,
        /// When.
        listed_at: Timestamp,
    }
}

choice! {
    /// How good an artisan's service is; the greater is the better.
    pub enum Tier {
        /// Where everybody starts.
        Bronze = "bronze",
        /// Good.
        Silver = "silver",
        /// Very good.
        Gold = "gold",
        /// The best.
        Platinum = "platinum",
    }
}

event! {
    "artisan.performance.evaluated.v1" by "artisan", to ["product", "notification", "analytics", "geo"],
    keyed by artisan_id;
    /// The monthly evaluation of an artisan.
    pub struct PerformanceEvaluated {
        /// The artisan.
        artisan_id: ArtisanId,
        /// The period that was looked at.
        period: DateRange,
        /// The figures.
        metrics: ArtisanMetrics,
        /// The tier that they give.
        tier: Tier,
        /// What would help, readable.
        recommendations: Vec<String>,
        /// When.
        evaluated_at: Timestamp,
    }
}
