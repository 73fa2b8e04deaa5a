//! One order, from the basket to where its scenario ends.

use std::time::{Duration, Instant};

use backbone::route::Role;
use contracts::shared::OrderState;
use kernel::{ArtisanId, OrderId, PaymentId, ProductId, ReturnId, ShipmentId, Timestamp, VariantId};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use super::plan::Planned;
use super::scenario::{Promise, Scenario};
use crate::checkout::{self, Buyer, Placed};
use crate::client::{self, Api, Call, Error, Tokens};
use crate::seed::customers::{self, Customer};

/// How soon something is looked at again, at first and at last.
const LOOK_AGAIN: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(400)];

/// An order as the demonstration sees it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderView {
    pub(crate) state: OrderState,
    pub(crate) total: kernel::Money,
    pub(crate) items: Vec<Line>,
    pub(crate) shipments: Vec<Parcel>,
    pub(crate) returns: Vec<Return>,
    pub(crate) created_at: Timestamp,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Line {
    pub(crate) product_id: ProductId,
    pub(crate) variant_id: Option<VariantId>,
    pub(crate) quantity: u32,
    pub(crate) returned: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Parcel {
    pub(crate) shipment_id: ShipmentId,
    pub(crate) artisan_id: ArtisanId,
    pub(crate) status: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Return {
    pub(crate) return_id: ReturnId,
    pub(crate) status: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaymentView {
    payment_id: PaymentId,
    status: String,
}

/// What became of an order.
#[derive(Clone, Debug)]
pub(crate) struct Played {
    pub(crate) scenario: Scenario,
    /// None where the market did not take it.
    pub(crate) order_id: Option<OrderId>,
    /// Where it ended.
    pub(crate) state: Option<OrderState>,
    /// What went otherwise than promised.
    pub(crate) broken: Option<String>,
}

/// Why an order did not get to where it was to go.
#[derive(Debug, thiserror::Error)]
enum Stuck {
    #[error(transparent)]
    Call(#[from] Error),
    #[error("waited {waited} s for {what}, and it stands at {found}")]
    Waited { what: &'static str, found: String, waited: u64 },
    #[error("the market took it, though there is not so much")]
    TakenAllTheSame,
}

/// Those who play.
pub(crate) struct Stage<'a> {
    pub(crate) api: &'a dyn Api,
    pub(crate) tokens: &'a Tokens,
    pub(crate) operator: &'a str,
    pub(crate) customers: &'a [Customer],
    /// Sets this run's orders apart from those of other runs.
    pub(crate) run: Uuid,
    /// How long an order may stand still.
    pub(crate) patience: Duration,
}

impl Stage<'_> {
    /// Plays an order to its end.
    pub(crate) async fn play(&self, planned: &Planned) -> Played {
        let mut order_id = None;
        let played = self.perform(planned, &mut order_id).await;
        let name = |stuck: Stuck| match order_id {
            Some(id) => format!("order {id} ({}): {stuck}", planned.scenario),
            None => format!("an order ({}): {stuck}", planned.scenario),
        };
        let (state, broken) = match played {
            Ok(state) => (state, None),
            Err(stuck) => (None, Some(name(stuck))),
        };
        Played { scenario: planned.scenario, order_id, state, broken }
    }

    async fn perform(
        &self,
        planned: &Planned,
        order_id: &mut Option<OrderId>,
    ) -> Result<Option<OrderState>, Stuck> {
        let buyer = self.buyer(planned);
        let key = format!("demo/{}/{}", self.run, planned.number);
        let method = self.method(planned, &buyer);
        let call = checkout::place(&buyer, &planned.lines, method, &key);
        let promise = planned.scenario.promise();
        let placed: Placed = match client::fetch(self.api, call).await {
            Ok(_) if promise == Promise::Refused => return Err(Stuck::TakenAllTheSame),
            Ok(placed) => placed,
            Err(error) if is_refusal(&error) && matches!(promise, Promise::Refused | Promise::Served) => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        *order_id = Some(placed.order_id);
        self.act(planned.scenario, &buyer, &placed).await?;
        let ended = |order: &OrderView| match promise {
            Promise::Preparing => order.state == OrderState::Preparing,
            Promise::Delivered => order.state == OrderState::Delivered,
            Promise::Returned => order.state == OrderState::Returned,
            Promise::Cancelled => order.state == OrderState::Cancelled,
            Promise::Refused => false,
            Promise::Served => matches!(order.state, OrderState::Preparing | OrderState::Cancelled),
        };
        let what = match promise {
            Promise::Preparing => "its parcels to be scheduled",
            Promise::Delivered => "its parcels to have arrived",
            Promise::Returned => "its return to be closed",
            Promise::Cancelled => "it to be called off",
            Promise::Refused | Promise::Served => "it to be confirmed or called off",
        };
        Ok(Some(self.until(placed.order_id, what, ended).await?.state))
    }

    fn buyer(&self, planned: &Planned) -> Buyer<'_> {
        match planned.scenario {
            Scenario::Guest => Buyer::Guest {
                email: format!("invitado{}@clientes.example", planned.number),
                address: Box::new(customers::address(planned.customer)),
            },
            _ => Buyer::Customer(&self.customers[planned.customer]),
        }
    }

    fn method<'a>(&self, planned: &Planned, buyer: &'a Buyer<'_>) -> &'a str {
        match (planned.scenario, buyer) {
            // What a customer gives to pay by transfer (crates/service-payment/src/transfer.rs).
            (Scenario::Transfer, _) => "transfer",
            (scenario, Buyer::Customer(customer)) => customer.method(scenario.means()),
            (scenario, Buyer::Guest { .. }) => scenario.means().token(),
        }
    }

    /// What the people do while the market does its part.
    async fn act(&self, scenario: Scenario, buyer: &Buyer<'_>, placed: &Placed) -> Result<(), Stuck> {
        let id = placed.order_id;
        match scenario {
            Scenario::ThreeDsAccepted => self.answer_bank(buyer, placed, "approve").await,
            Scenario::ThreeDsRefused => self.answer_bank(buyer, placed, "refuse").await,
            Scenario::Transfer => {
                let payment = self.payment(id, "awaiting-transfer").await?;
                let call = Call::post(format!("/api/payments/{payment}/confirm-transfer"));
                self.ask(call, &format!("transfer/{id}"), &json!({"reference": format!("demo {id}")})).await
            }
            Scenario::CancelledEarly => {
                let waits = |order: &OrderView| order.state == OrderState::AwaitingCustomer;
                self.until(id, "it to wait for the customer", waits).await?;
                self.call_off(buyer, placed).await
            }
            Scenario::CancelledLate => {
                self.until(id, "its parcels to be scheduled", is_preparing).await?;
                self.call_off(buyer, placed).await
            }
            Scenario::Delivered => self.deliver(id).await,
            Scenario::Returned => {
                self.deliver(id).await?;
                let delivered = |order: &OrderView| order.state == OrderState::Delivered;
                let order = self.until(id, "its parcels to have arrived", delivered).await?;
                self.send_back(buyer, placed, &order).await
            }
            _ => Ok(()),
        }
    }

    async fn answer_bank(&self, buyer: &Buyer<'_>, placed: &Placed, answer: &str) -> Result<(), Stuck> {
        let payment = self.payment(placed.order_id, "awaiting-customer").await?;
        let call = Call::post(format!("/api/payments/{payment}/3ds")).json(&json!({"answer": answer}));
        client::ask(self.api, checkout::as_buyer(call, buyer, placed)).await?;
        Ok(())
    }

    async fn call_off(&self, buyer: &Buyer<'_>, placed: &Placed) -> Result<(), Stuck> {
        let id = placed.order_id;
        let call = Call::post(format!("/api/orders/{id}/cancel")).key(&format!("demo/cancel/{id}"));
        let call = call.json(&json!({"reason": "cambio de planes"}));
        client::ask(self.api, checkout::as_buyer(call, buyer, placed)).await?;
        Ok(())
    }

    /// Each artisan hands over their parcel, and later hears that it arrived.
    async fn deliver(&self, id: OrderId) -> Result<(), Stuck> {
        let order = self.until(id, "its parcels to be scheduled", is_preparing).await?;
        for (number, parcel) in order.shipments.iter().enumerate() {
            let tracking = format!("ES{:08X}{number:02}", id.0.as_u128() as u32);
            self.handle(parcel, "dispatch", &json!({"trackingNumber": tracking})).await?;
        }
        let shipped = |order: &OrderView| order.state == OrderState::Shipped;
        let order = self.until(id, "its parcels to be on their way", shipped).await?;
        for parcel in order.shipments.iter().filter(|parcel| parcel.status == "dispatched") {
            self.handle(parcel, "deliver", &json!({})).await?;
        }
        Ok(())
    }

    async fn handle(&self, parcel: &Parcel, verb: &str, body: &Value) -> Result<(), Stuck> {
        let artisan = (self.tokens)(Role::Artisan, parcel.artisan_id.0);
        let id = parcel.shipment_id;
        let call = Call::post(format!("/api/shipments/{id}/{verb}")).by(&artisan);
        client::ask(self.api, call.key(&format!("demo/{verb}/{id}")).json(body)).await?;
        Ok(())
    }

    /// Everything comes back, and an operator takes it in and looks at it.
    async fn send_back(&self, buyer: &Buyer<'_>, placed: &Placed, order: &OrderView) -> Result<(), Stuck> {
        let id = placed.order_id;
        let lines: Vec<Value> = order
            .items
            .iter()
            .map(|line| {
                json!({"productId": line.product_id, "variantId": line.variant_id, "quantity": line.quantity})
            })
            .collect();
        let call = Call::post(format!("/api/orders/{id}/returns")).key(&format!("demo/return/{id}"));
        let call = call.json(&json!({"items": lines, "reason": "no es lo que esperaba"}));
        client::ask(self.api, checkout::as_buyer(call, buyer, placed)).await?;
        let announced = |order: &OrderView| !order.returns.is_empty();
        let order = self.until(id, "its return to be announced", announced).await?;
        let Some(back) = order.returns.first() else { return Ok(()) };
        let path = format!("/api/orders/{id}/returns/{}", back.return_id);
        self.ask(Call::post(format!("{path}/receive")), &format!("receive/{id}"), &json!({})).await?;
        let received = |order: &OrderView| order.returns.iter().any(|back| back.status == "received");
        self.until(id, "its return to be received", received).await?;
        let found = json!({"note": "en perfecto estado"});
        self.ask(Call::post(format!("{path}/inspect")), &format!("inspect/{id}"), &found).await
    }

    /// As the operator.
    async fn ask(&self, call: Call, key: &str, body: &Value) -> Result<(), Stuck> {
        client::ask(self.api, call.by(self.operator).key(&format!("demo/{key}")).json(body)).await?;
        Ok(())
    }

    /// The order's payment, when it has this status.
    async fn payment(&self, id: OrderId, status: &'static str) -> Result<PaymentId, Stuck> {
        let path = format!("/api/payments?orderId={id}");
        let wanted = |payments: &Vec<PaymentView>| payments.iter().any(|payment| payment.status == status);
        let describe = |payments: &Vec<PaymentView>| match payments.first() {
            Some(payment) => payment.status.clone(),
            None => "no payment yet".to_owned(),
        };
        let payments = self.wait(&path, status, wanted, describe).await?;
        let found = payments.into_iter().find(|payment| payment.status == status);
        Ok(found.map(|payment| payment.payment_id).unwrap_or_default())
    }

    /// The order, when it is so.
    async fn until(
        &self,
        id: OrderId,
        what: &'static str,
        is: impl Fn(&OrderView) -> bool,
    ) -> Result<OrderView, Stuck> {
        let describe = |order: &OrderView| order.state.as_str().to_owned();
        self.wait(&format!("/api/orders/{id}"), what, is, describe).await
    }

    /// Looks at something, ever more slowly, until it is so.
    async fn wait<T: DeserializeOwned>(
        &self,
        path: &str,
        what: &'static str,
        is: impl Fn(&T) -> bool,
        describe: impl Fn(&T) -> String,
    ) -> Result<T, Stuck> {
        let started = Instant::now();
        let [mut pause, longest] = LOOK_AGAIN;
        loop {
            let found: T = client::fetch(self.api, Call::get(path).by(self.operator)).await?;
            if is(&found) {
                return Ok(found);
            }
            if started.elapsed() > self.patience {
                let waited = self.patience.as_secs();
                return Err(Stuck::Waited { what, found: describe(&found), waited });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(longest);
        }
    }
}

fn is_preparing(order: &OrderView) -> bool {
    order.state == OrderState::Preparing
}

/// The market's no to a basket that it cannot serve.
fn is_refusal(error: &Error) -> bool {
    error.code() == Some("out-of-stock")
}
