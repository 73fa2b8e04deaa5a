//! Orders as people place and follow them.

use a4co::checkout::{self, Buyer, Placed};
use a4co::client::{self, Api as _, Call, Error};
use a4co::seed::customers::{self, Customer};
use a4co::stock::Item;
use contracts::shared::OrderState;
use kernel::{Duration, OrderId};
use serde_json::{Value, json};

use crate::TestMarket;

/// The number of an address in Jaén.
pub const HOME: usize = 0;

/// How soon something is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long something is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What somebody wants.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// Under this key it is placed once.
    pub key: String,
    /// What and how many pieces.
    pub lines: Vec<(Item, u32)>,
    /// How it is paid: a method of the sandbox.
    pub method: &'a str,
    /// Who buys; a guest where it is nobody with an account.
    pub customer: Option<&'a Customer>,
}

impl<'a> Wish<'a> {
    /// A guest's, paid with a method of the sandbox.
    pub fn guest(key: impl Into<String>, lines: &[(Item, u32)], method: &'a str) -> Self {
        Self { key: key.into(), lines: lines.to_vec(), method, customer: None }
    }

    fn buyer(&self) -> Buyer<'a> {
        match self.customer {
            Some(customer) => Buyer::Customer(customer),
            None => Buyer::Guest {
                email: "invitada@clientes.example".to_owned(),
                address: Box::new(customers::address(HOME)),
            },
        }
    }

    /// The call that places it.
    pub fn call(&self) -> Call {
        checkout::place(&self.buyer(), &self.lines, self.method, &self.key)
    }

    /// What its buyer does with it once it is placed, under a key.
    pub fn act(&self, placed: &Placed, call: Call) -> Call {
        checkout::as_buyer(call, &self.buyer(), placed)
    }
}

/// An order that the market took.
pub type Bought = Placed;

impl TestMarket {
    /// Places an order.
    pub async fn place(&self, wish: &Wish<'_>) -> Result<Bought, Error> {
        self.api.send(&wish.call()).await?.read()
    }

    /// Does something to an order as its buyer; any status but success is an error.
    pub async fn act(&self, wish: &Wish<'_>, placed: &Bought, call: Call) -> Result<Value, Error> {
        let reply = self.api.send(&wish.act(placed, call)).await?.good()?;
        Ok(serde_json::from_slice(&reply.body).unwrap_or_default())
    }

    /// An order as operators see it.
    pub async fn order(&self, id: OrderId) -> Value {
        self.look(&format!("/api/orders/{id}")).await
    }

    /// What an order's sagas did.
    pub async fn sagas(&self, id: OrderId) -> Value {
        self.look(&format!("/api/orders/{id}/saga")).await
    }

    /// Any view, as operators see it.
    pub async fn look(&self, path: &str) -> Value {
        let call = Call::get(path).by(&self.operator());
        client::fetch(&self.api, call).await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Waits until an order is in one of these states; gives which.
    pub async fn until_state(&self, id: OrderId, states: &[OrderState]) -> OrderState {
        let begun = tokio::time::Instant::now();
        loop {
            let order = self.order(id).await;
            let state: OrderState =
                serde_json::from_value(order["state"].clone()).expect("orders have a state");
            if states.contains(&state) {
                return state;
            }
            if begun.elapsed() > PATIENCE {
                let sagas = self.sagas(id).await;
                panic!("order {id} is {state:?}, never one of {states:?}: {sagas:#}");
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until the order's fulfilment is in this phase.
    pub async fn until_phase(&self, id: OrderId, phase: &str) {
        let begun = tokio::time::Instant::now();
        loop {
            let sagas = self.sagas(id).await;
            let is_there = |saga: &Value| saga["phase"] == phase;
            if sagas.as_array().is_some_and(|sagas| sagas.iter().any(is_there)) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "no saga of order {id} ever was {phase}: {sagas:#}");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The order's payment as operators see it, once its bank asks the customer.
    pub async fn until_bank_asks(&self, id: OrderId) -> Value {
        let begun = tokio::time::Instant::now();
        loop {
            let payments = self.look(&format!("/api/payments?orderId={id}")).await;
            let asks = |payment: &&Value| payment["status"] == "awaiting-customer";
            if let Some(payment) = payments.as_array().and_then(|payments| payments.iter().find(asks)) {
                return payment.clone();
            }
            assert!(begun.elapsed() < PATIENCE, "no bank ever asked for order {id}: {payments:#}");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// The call with which a customer answers the bank that asks them about this payment; whoever shows
/// the question's token may.
pub fn answer_bank(payment: &Value, agrees: bool) -> Call {
    let id = payment["paymentId"].as_str().unwrap_or_default();
    let answer = if agrees { "approve" } else { "refuse" };
    let body = json!({"answer": answer, "token": payment["challenge"]["token"]});
    Call::post(format!("/api/payments/{id}/3ds")).json(&body)
}

/// The call with which a customer calls an order off.
pub fn call_off(id: OrderId) -> Call {
    let call = Call::post(format!("/api/orders/{id}/cancel")).key(&format!("testkit/cancel/{id}"));
    call.json(&json!({"reason": "cambio de planes"}))
}
