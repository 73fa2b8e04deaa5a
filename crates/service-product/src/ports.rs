//! What the catalogue asks of other services, as small as it needs.

use std::sync::Arc;

use async_trait::async_trait;
use backbone::calls::{CallError, CallRequest, CallSpec, Calls};
use contracts::calls::{OfferProduct, ProductOffered};
use http::Method;
use kernel::{ArtisanId, Duration};

/// product → artisan: an imported row becomes a listing.
pub static OFFER_PRODUCT: CallSpec = CallSpec {
    from: "product",
    to: "artisan",
    method: Method::POST,
    path: "/api/artisans/{id}/listings",
    limit: Duration::from_secs(2),
    retries: 2,
};

/// Lists products for artisans.
#[async_trait]
pub trait Listings: Send + Sync + 'static {
    /// Lists a product, once for each artisan and SKU however often it is asked.
    async fn offer(
        &self,
        artisan: ArtisanId,
        offer: &OfferProduct,
        correlation_id: &str,
    ) -> Result<ProductOffered, CallError>;
}

#[async_trait]
impl Listings for Arc<dyn Calls> {
    async fn offer(
        &self,
        artisan: ArtisanId,
        offer: &OfferProduct,
        correlation_id: &str,
    ) -> Result<ProductOffered, CallError> {
        let body = serde_json::to_vec(offer).expect("an offer is JSON");
        let request = CallRequest {
            spec: &OFFER_PRODUCT,
            path_and_query: format!("/api/artisans/{artisan}/listings"),
            body: Some(body.into()),
            idempotency_key: Some(format!("listing/{artisan}/{}", offer.sku)),
            correlation_id: correlation_id.to_owned(),
        };
        self.call(request).await?.json(OFFER_PRODUCT.to)
    }
}
