//! Who may touch an order: its owner, operators and services by their token, a guest by the key
//! that came with the order.

use backbone::route::Caller;
use contracts::order::CancelledBy;
use http::HeaderMap;
use http_kit::Problem;
use kernel::OrderId;
use sha2::{Digest, Sha256};

use super::Desk;
use crate::domain::Details;

/// The header with a guest's key.
const ORDER_KEY: &str = "x-order-key";

/// A guest's key and its hash: what is kept is of no use to whoever reads it.
pub(super) fn guest_key(secret: [u8; 32]) -> (String, String) {
    let key = hex(&secret);
    let hash = hash(&key);
    (key, hash)
}

fn hash(key: &str) -> String {
    hex(&Sha256::digest(key.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether the caller may see and act on this order.
fn may_act(order: &Details, caller: &Caller, headers: &HeaderMap) -> bool {
    let key = headers.get(ORDER_KEY).and_then(|key| key.to_str().ok());
    let by_key = match (key, &order.access_key_hash) {
        (Some(key), Some(expected)) => hash(key) == *expected,
        _ => false,
    };
    by_key || caller.may_act_for(order.customer_id.0)
}

impl Desk {
    /// The order, where the caller may see it; to others it does not exist.
    pub(super) async fn order(
        &self,
        id: OrderId,
        caller: &Caller,
        headers: &HeaderMap,
    ) -> Result<Details, Problem> {
        let found = self.context.get::<Details>(id).await?.map(|found| found.document);
        found
            .filter(|order| may_act(order, caller, headers))
            .ok_or_else(|| Problem::not_found(format!("order {id}")))
    }
}

/// The name under which somebody changes an order: a user's id, or a service's name.
pub(super) fn name_of(order: &Details, caller: &Caller) -> String {
    match caller {
        Caller::Person { id, .. } => id.to_string(),
        Caller::Service(name) => name.clone(),
        Caller::Anonymous => order.customer_id.to_string(),
    }
}

/// On whose behalf somebody calls an order off.
pub(super) fn on_behalf(order: &Details, caller: &Caller) -> CancelledBy {
    match caller.person() {
        Some(person) if person != order.customer_id.0 => CancelledBy::System,
        _ if caller.is_service() => CancelledBy::System,
        _ => CancelledBy::Customer,
    }
}
