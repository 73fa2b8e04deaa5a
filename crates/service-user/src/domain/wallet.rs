//! Stored payment methods: references by which a gateway knows them, never a card.

use backbone::collection::{Collection, ColumnValue};
use backbone::{Document, Rejection};
use contracts::calls;
use contracts::payment::MethodType;
use kernel::{Personal, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most methods that a person keeps.
pub const METHODS_MAX: usize = 20;

/// Where wallets are kept.
pub const WALLETS: Collection = Collection { name: "wallets", columns: &[], children: &[] };

/// A person's stored methods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wallet {
    /// Whose.
    pub user_id: UserId,
    /// All of them.
    pub methods: Personal<Vec<StoredMethod>>,
}

/// A stored method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredMethod {
    /// Its id in the market.
    pub payment_method_id: String,
    /// What kind.
    pub method_type: MethodType,
    /// The gateway's token.
    pub gateway_token: String,
    /// What the person recognises it by.
    pub label: String,
}

impl Document for Wallet {
    const COLLECTION: &'static Collection = &WALLETS;
    const PERSONAL: &'static [&'static str] = &["methods"];

    fn id(&self) -> String {
        self.user_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }

    fn person(&self) -> Option<Uuid> {
        Some(self.user_id.0)
    }
}

impl Wallet {
    /// A wallet without methods.
    pub fn empty(user_id: UserId) -> Self {
        Self { user_id, methods: Personal::Known(Vec::new()) }
    }

    /// The methods as they are; none where the person was erased.
    pub fn methods(&self) -> &[StoredMethod] {
        self.methods.known().map(Vec::as_slice).unwrap_or_default()
    }

    /// The wallet with one more method. The same token twice is one method.
    pub fn with(&self, method: StoredMethod) -> Result<Self, Rejection> {
        for (field, text) in [("gatewayToken", &method.gateway_token), ("label", &method.label)] {
            if kernel::find_card_number(text.as_bytes()).is_some() {
                let message = "this looks like a card number: send the gateway's token, never a card";
                return Err(Rejection::invalid("card-number-refused", message).at(field));
            }
        }
        let mut methods = self.methods().to_vec();
        if methods.iter().any(|known| known.gateway_token == method.gateway_token) {
            return Err(Rejection::conflict("method-exists", "this method is stored already"));
        }
        if methods.len() >= METHODS_MAX {
            return Err(Rejection::conflict("too-many-methods", "remove a method first: 20 can be stored"));
        }
        methods.push(method);
        Ok(Self { user_id: self.user_id, methods: Personal::Known(methods) })
    }

    /// The wallet without a method.
    pub fn without(&self, id: &str) -> Result<Self, Rejection> {
        let mut methods = self.methods().to_vec();
        let before = methods.len();
        methods.retain(|method| method.payment_method_id != id);
        if methods.len() == before {
            return Err(Rejection::not_found("no-such-method", "there is no such stored method"));
        }
        Ok(Self { user_id: self.user_id, methods: Personal::Known(methods) })
    }

    /// The answer to payment.
    pub fn answer(&self) -> calls::StoredMethods {
        let methods = self.methods().iter().map(|method| calls::StoredMethod {
            payment_method_id: method.payment_method_id.clone(),
            method_type: method.method_type,
            gateway_token: method.gateway_token.clone(),
            label: method.label.clone(),
        });
        calls::StoredMethods { methods: methods.collect() }
    }
}
