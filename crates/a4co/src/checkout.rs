//! Placing orders as customers and guests do.

use contracts::shared::Address;
use http::header::HeaderName;
use kernel::{CustomerId, OrderId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::Call;
use crate::seed::customers::Customer;
use crate::stock::Item;

/// Who buys.
#[derive(Clone, Debug)]
pub enum Buyer<'a> {
    /// Somebody with an account.
    Customer(&'a Customer),
    /// Somebody without.
    Guest {
        /// Where they read mail.
        email: String,
        /// Where things are sent.
        address: Box<Address>,
    },
}

/// The market's answer to an order.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placed {
    /// The order.
    pub order_id: OrderId,
    /// Who ordered.
    pub customer_id: CustomerId,
    /// A guest's key to the order.
    pub access_key: Option<String>,
}

/// The call that places an order. `method` is a stored method or a gateway's token; the order is
/// placed once under `key`.
pub fn place(buyer: &Buyer<'_>, lines: &[(Item, u32)], method: &str, key: &str) -> Call {
    let items: Vec<Value> = lines
        .iter()
        .map(|(item, quantity)| {
            let mut line = json!(item);
            line["quantity"] = json!(quantity);
            line
        })
        .collect();
    let call = Call::post("/api/orders").key(key);
    match buyer {
        Buyer::Customer(customer) => call.by(&customer.token).json(&json!({
            "items": items,
            "deliveryAddress": customer.address,
            "paymentMethodId": method,
        })),
        Buyer::Guest { email, address } => call.json(&json!({
            "guest": {"email": email, "name": address.recipient},
            "items": items,
            "deliveryAddress": address,
            "paymentMethodId": method,
        })),
    }
}

/// As whoever placed the order: with their token, or a guest's key.
pub fn as_buyer(call: Call, buyer: &Buyer<'_>, placed: &Placed) -> Call {
    match (buyer, &placed.access_key) {
        (Buyer::Customer(customer), _) => call.by(&customer.token),
        (Buyer::Guest { .. }, Some(key)) => call.header(HeaderName::from_static("x-order-key"), key),
        (Buyer::Guest { .. }, None) => call,
    }
}
