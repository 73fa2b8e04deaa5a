//! What this service asks of others over REST: few things, each a row of communication.md, each
//! behind a trait as small as this service needs it.

use std::sync::Arc;

use async_trait::async_trait;
use backbone::calls::{CallError, CallReply, CallRequest, CallSpec, Calls};
use contracts::calls::{
    Availability, BasketQuote, DeliveryRates, ExtendReservation, PaymentValidated, QuoteBasket,
    ReservationExtended, Standing, ValidatePayment,
};
use http::Method;
use kernel::{ArtisanId, CustomerId, Duration, ProductId, ReservationId, Timestamp};

/// order → user: may this customer buy?
pub static STANDING: CallSpec = CallSpec {
    from: "order",
    to: "user",
    method: Method::GET,
    path: "/api/users/{userId}/standing",
    limit: Duration::from_secs(1),
    retries: 3,
};

/// order → product: prices, VAT rates and artisans of a basket.
pub static QUOTE: CallSpec = CallSpec {
    from: "order",
    to: "product",
    method: Method::POST,
    path: "/api/products/quote",
    limit: Duration::from_secs(1),
    retries: 2,
};

/// order → inventory: the stock of one product.
pub static AVAILABILITY: CallSpec = CallSpec {
    from: "order",
    to: "inventory",
    method: Method::GET,
    path: "/api/inventory/availability/{productId}",
    limit: Duration::from_secs(2),
    retries: 2,
};

/// order → inventory: the stock of several products (the batch form of the same row).
pub static AVAILABILITY_OF_SEVERAL: CallSpec = CallSpec {
    from: "order",
    to: "inventory",
    method: Method::GET,
    path: "/api/inventory/availability",
    limit: Duration::from_secs(2),
    retries: 2,
};

/// order → inventory: keep a reservation longer.
pub static EXTEND: CallSpec = CallSpec {
    from: "order",
    to: "inventory",
    method: Method::POST,
    path: "/api/inventory/reservations/{id}/extend",
    limit: Duration::from_secs(1),
    retries: 3,
};

/// order → payment: can this method pay this?
pub static VALIDATE: CallSpec = CallSpec {
    from: "order",
    to: "payment",
    method: Method::POST,
    path: "/api/payments/validate",
    limit: Duration::from_secs(3),
    retries: 1,
};

/// order → shipping: what delivery costs.
pub static RATES: CallSpec = CallSpec {
    from: "order",
    to: "shipping",
    method: Method::GET,
    path: "/api/shipping/rates",
    limit: Duration::from_secs(1),
    retries: 2,
};

/// All of them.
pub static CALLS: [&CallSpec; 7] =
    [&STANDING, &QUOTE, &AVAILABILITY, &AVAILABILITY_OF_SEVERAL, &EXTEND, &VALIDATE, &RATES];

/// The flow that a question belongs to, and the key under which it is asked once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// The business flow.
    pub correlation_id: String,
    /// Made the same for each retry.
    pub key: Option<String>,
}

/// What order must know of customers.
#[async_trait]
pub trait Customers: Send + Sync + 'static {
    /// May this customer buy?
    async fn standing(&self, customer: CustomerId, flow: &Flow) -> Result<Standing, CallError>;
}

/// What order must know of goods.
#[async_trait]
pub trait Catalogue: Send + Sync + 'static {
    /// Prices, VAT rates and artisans, in the basket's order.
    async fn quote(&self, basket: &QuoteBasket, flow: &Flow) -> Result<BasketQuote, CallError>;
}

/// What order must know of stock.
#[async_trait]
pub trait Stock: Send + Sync + 'static {
    /// The stock of these products; unknown ones are absent.
    async fn availability(&self, products: &[ProductId], flow: &Flow) -> Result<Availability, CallError>;

    /// Keeps a reservation at least until then; gives until when it now holds.
    async fn extend(
        &self,
        reservation: ReservationId,
        until: Timestamp,
        flow: &Flow,
    ) -> Result<Timestamp, CallError>;
}

/// Parcels to price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcels {
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// Where they go.
    pub postal_code: String,
    /// Who sends one.
    pub artisans: Vec<ArtisanId>,
    /// Pieces in all.
    pub pieces: u32,
}

/// What order must know of delivery.
#[async_trait]
pub trait Rates: Send + Sync + 'static {
    /// What delivery costs: one rate an artisan, in the order asked.
    async fn rates(&self, parcels: &Parcels, flow: &Flow) -> Result<DeliveryRates, CallError>;
}

/// What order must know of payment methods.
#[async_trait]
pub trait Payments: Send + Sync + 'static {
    /// Can this method pay this?
    async fn validate(&self, question: &ValidatePayment, flow: &Flow) -> Result<PaymentValidated, CallError>;
}

/// The ports.
#[derive(Clone)]
pub struct Ports {
    /// The user service.
    pub customers: Arc<dyn Customers>,
    /// The product service.
    pub catalogue: Arc<dyn Catalogue>,
    /// The inventory service.
    pub stock: Arc<dyn Stock>,
    /// The shipping service.
    pub rates: Arc<dyn Rates>,
    /// The payment service.
    pub payments: Arc<dyn Payments>,
}

impl Ports {
    /// All ports over the calls of a deployment.
    pub fn over(calls: Arc<dyn Calls>) -> Self {
        let neighbours = Arc::new(Neighbours(calls));
        Self {
            customers: neighbours.clone(),
            catalogue: neighbours.clone(),
            stock: neighbours.clone(),
            rates: neighbours.clone(),
            payments: neighbours,
        }
    }
}

/// The services around this one.
struct Neighbours(Arc<dyn Calls>);

impl Neighbours {
    async fn get(&self, spec: &'static CallSpec, path: String, flow: &Flow) -> Result<CallReply, CallError> {
        self.ask(spec, path, None, flow).await
    }

    async fn post(
        &self,
        spec: &'static CallSpec,
        path: String,
        body: &impl serde::Serialize,
        flow: &Flow,
    ) -> Result<CallReply, CallError> {
        let body = serde_json::to_vec(body).expect("questions are JSON");
        self.ask(spec, path, Some(body), flow).await
    }

    async fn ask(
        &self,
        spec: &'static CallSpec,
        path_and_query: String,
        body: Option<Vec<u8>>,
        flow: &Flow,
    ) -> Result<CallReply, CallError> {
        let request = CallRequest {
            spec,
            path_and_query,
            body: body.map(Into::into),
            idempotency_key: flow.key.clone(),
            correlation_id: flow.correlation_id.clone(),
        };
        self.0.call(request).await
    }
}

fn list<T: ToString>(ids: &[T]) -> String {
    ids.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}

/// A value of a query: what is not a letter or digit is percent-encoded.
fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric();
    text.bytes().map(|b| if plain(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[async_trait]
impl Customers for Neighbours {
    async fn standing(&self, customer: CustomerId, flow: &Flow) -> Result<Standing, CallError> {
        let path = STANDING.path.replace("{userId}", &customer.to_string());
        self.get(&STANDING, path, flow).await?.json(STANDING.to)
    }
}

#[async_trait]
impl Catalogue for Neighbours {
    async fn quote(&self, basket: &QuoteBasket, flow: &Flow) -> Result<BasketQuote, CallError> {
        self.post(&QUOTE, QUOTE.path.to_owned(), basket, flow).await?.json(QUOTE.to)
    }
}

#[async_trait]
impl Stock for Neighbours {
    async fn availability(&self, products: &[ProductId], flow: &Flow) -> Result<Availability, CallError> {
        let (spec, path) = match products {
            [one] => (&AVAILABILITY, AVAILABILITY.path.replace("{productId}", &one.to_string())),
            several => {
                let path = format!("{}?products={}", AVAILABILITY_OF_SEVERAL.path, list(several));
                (&AVAILABILITY_OF_SEVERAL, path)
            }
        };
        let reply = self.get(spec, path, flow).await?;
        if reply.status == http::StatusCode::NOT_FOUND {
            return Ok(Availability { stock: Vec::new() });
        }
        reply.json(spec.to)
    }

    async fn extend(
        &self,
        reservation: ReservationId,
        until: Timestamp,
        flow: &Flow,
    ) -> Result<Timestamp, CallError> {
        let path = EXTEND.path.replace("{id}", &reservation.to_string());
        let body = ExtendReservation { expires_at: until };
        let reply = self.post(&EXTEND, path, &body, flow).await?;
        reply.json::<ReservationExtended>(EXTEND.to).map(|extended| extended.expires_at)
    }
}

#[async_trait]
impl Rates for Neighbours {
    async fn rates(&self, parcels: &Parcels, flow: &Flow) -> Result<DeliveryRates, CallError> {
        let path = format!(
            "{}?country={}&postalCode={}&artisans={}&pieces={}",
            RATES.path,
            encoded(&parcels.country),
            encoded(&parcels.postal_code),
            list(&parcels.artisans),
            parcels.pieces
        );
        self.get(&RATES, path, flow).await?.json(RATES.to)
    }
}

#[async_trait]
impl Payments for Neighbours {
    async fn validate(&self, question: &ValidatePayment, flow: &Flow) -> Result<PaymentValidated, CallError> {
        self.post(&VALIDATE, VALIDATE.path.to_owned(), question, flow).await?.json(VALIDATE.to)
    }
}
