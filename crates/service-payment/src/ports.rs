//! What this service asks of the world: gateways that move money, and the user service.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use backbone::calls::{CallError, CallRequest, CallSpec, Calls};
use contracts::calls::{PaymentProfile, StoredMethod, StoredMethods};
use http::{Method, StatusCode};
use kernel::{CustomerId, Duration, Money, OrderId, PaymentId};
use serde::{Deserialize, Serialize};

pub use contracts::payment::MethodType;

/// What a token says about the method behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// What kind of method it is.
    pub method_type: MethodType,
    /// The customer's bank will ask the customer (3-D Secure).
    pub three_ds: bool,
}

/// A charge to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The gateway's token of the method. Never a card number.
    pub token: String,
    /// How much.
    pub amount: Money,
    /// For the gateway's records.
    pub payment_id: PaymentId,
    /// For the gateway's records.
    pub order_id: OrderId,
}

/// A refund to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// The key under which the money was taken.
    pub charge_key: String,
    /// The gateway's reference of the charge.
    pub transaction: String,
    /// How much goes back.
    pub amount: Money,
}

/// What became of a key at the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Answer {
    /// The money was taken.
    Charged {
        /// The gateway's reference.
        transaction: String,
    },
    /// No money was moved.
    Declined {
        /// Why, for programs: `insufficient-funds`.
        code: String,
        /// Why, readable. Nothing about the person.
        message: String,
        /// True where another attempt may succeed.
        retryable: bool,
    },
    /// The customer's bank asks the customer first.
    ActionRequired {
        /// Where the customer is sent.
        url: String,
        /// Proves that an answer belongs to this question.
        token: String,
    },
    /// The gateway waits for money that the customer sends (transfer).
    Pending,
    /// Called off before any money was taken.
    Voided,
    /// The money went back.
    Refunded {
        /// The gateway's reference.
        reference: String,
    },
}

/// Why a gateway gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// It certainly never arrived.
    #[error("the gateway is unreachable: {0}")]
    Unreachable(String),
    /// It may have arrived.
    #[error("the gateway gave no answer: {0}")]
    Unknown(String),
}

/// Moves money: sandbox, transfer, Stripe, Redsys, PayPal.
///
/// Promises: everything with a key is done at most once under that key, for ever, whatever is
/// repeated, at the same time too; repeating gives the first answer. What `ask` does not know did
/// not happen. A key that was voided, known or not, is never charged afterwards.
#[async_trait]
pub trait Gateway: Send + Sync + 'static {
    /// Its name in events, routes and the ledger: `sandbox`.
    fn name(&self) -> &'static str;

    /// What this token is, where it is one of this gateway's. Looks at the text alone.
    fn recognise(&self, token: &str) -> Option<Recognised>;

    /// Takes money, or begins to.
    async fn charge(&self, key: &str, charge: &Charge) -> Result<Answer, GatewayError>;

    /// Goes on with a charge after the customer answered the bank.
    async fn complete_three_ds(&self, key: &str, answer: &str) -> Result<Answer, GatewayError>;

    /// Gives money back, whole or in part.
    async fn refund(&self, key: &str, refund: &Refund) -> Result<Answer, GatewayError>;

    /// Calls off a charge: `Voided`, or `Charged` where it is too late.
    async fn void(&self, key: &str) -> Result<Answer, GatewayError>;

    /// What became of a charge's or refund's key; `None` where it never arrived.
    async fn ask(&self, key: &str) -> Result<Option<Answer>, GatewayError>;
}

/// The gateways that this deployment has.
#[derive(Clone)]
pub struct Gateways(Arc<BTreeMap<&'static str, Arc<dyn Gateway>>>);

impl Gateways {
    /// Names are unique; of two with one name the later counts.
    pub fn new(gateways: impl IntoIterator<Item = Arc<dyn Gateway>>) -> Self {
        Self(Arc::new(gateways.into_iter().map(|gateway| (gateway.name(), gateway)).collect()))
    }

    /// The gateway with this name.
    pub fn named(&self, name: &str) -> Option<&Arc<dyn Gateway>> {
        self.0.get(name)
    }

    /// Whose token this is, and what it says.
    pub fn recognise(&self, token: &str) -> Option<(&'static str, Recognised)> {
        self.0.values().find_map(|gateway| Some((gateway.name(), gateway.recognise(token)?)))
    }
}

/// payment → user: the stored methods.
pub static PAYMENT_METHODS: CallSpec = CallSpec {
    from: "payment",
    to: "user",
    method: Method::GET,
    path: "/api/users/{userId}/payment-methods",
    limit: Duration::from_secs(1),
    retries: 3,
};

/// payment → user: how this person pays.
pub static PAYMENT_PROFILE: CallSpec = CallSpec {
    from: "payment",
    to: "user",
    method: Method::GET,
    path: "/api/users/{userId}/payment-profile",
    limit: Duration::from_secs(1),
    retries: 3,
};

/// What payment must know of whoever pays.
#[async_trait]
pub trait Payers: Send + Sync + 'static {
    /// A stored method of the customer, where they have it.
    async fn method(
        &self,
        customer: CustomerId,
        method_id: &str,
        correlation_id: &str,
    ) -> Result<Option<StoredMethod>, CallError>;

    /// The customer's profile; `None` for guests.
    async fn profile(
        &self,
        customer: CustomerId,
        correlation_id: &str,
    ) -> Result<Option<PaymentProfile>, CallError>;
}

/// Asks the user service.
#[derive(Clone)]
pub struct UserService(pub Arc<dyn Calls>);

impl UserService {
    async fn get<T: serde::de::DeserializeOwned>(
        &self,
        spec: &'static CallSpec,
        customer: CustomerId,
        correlation_id: &str,
    ) -> Result<Option<T>, CallError> {
        let request = CallRequest {
            spec,
            path_and_query: spec.path.replace("{userId}", &customer.to_string()),
            body: None,
            idempotency_key: None,
            correlation_id: correlation_id.to_owned(),
        };
        let reply = self.0.call(request).await?;
        if reply.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        reply.json(spec.to).map(Some)
    }
}

#[async_trait]
impl Payers for UserService {
    async fn method(
        &self,
        customer: CustomerId,
        method_id: &str,
        correlation_id: &str,
    ) -> Result<Option<StoredMethod>, CallError> {
        let stored = self.get::<StoredMethods>(&PAYMENT_METHODS, customer, correlation_id).await?;
        let methods = stored.map(|stored| stored.methods).unwrap_or_default();
        Ok(methods.into_iter().find(|method| method.payment_method_id == method_id))
    }

    async fn profile(
        &self,
        customer: CustomerId,
        correlation_id: &str,
    ) -> Result<Option<PaymentProfile>, CallError> {
        self.get(&PAYMENT_PROFILE, customer, correlation_id).await
    }
}
