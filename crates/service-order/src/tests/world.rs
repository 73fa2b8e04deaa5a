//! A small market: one order of two artisans' goods, and neighbours that answer as told.

use std::sync::{Arc, Mutex};

use backbone::calls::{CallError, CallReply, CallRequest};
use backbone::saga::{InstanceOf, Saga};
use backbone::testing::Stage;
use contracts::calls::{
    Availability, BasketQuote, DeliveryRate, DeliveryRates, ExtendReservation, PaymentValidated, QuoteBasket,
    RefusedLine, ReservationExtended, Standing, VariantStock,
};
use contracts::inventory::{self, Priority};
use contracts::payment::{self, MethodType};
use contracts::shared::{Address, DateRange, OrderItem, OrderState};
use contracts::{order, shipping};
use http::StatusCode;
use kernel::{
    ArtisanId, CustomerId, Duration, Money, OrderId, PaymentId, Personal, ProductId, QuoteId, RefundId,
    ReservationId, ShipmentId, ValidationId,
};
use uuid::Uuid;

use crate::commands;
use crate::domain::{Delivery, Details, Order, Placed};
use crate::fulfilment::Fulfilment;
use crate::{Config, module};

pub(super) const CUSTOMER: CustomerId = CustomerId(Uuid::from_u128(0xC1));
pub(super) const POTTER: ArtisanId = ArtisanId(Uuid::from_u128(0xA1));
pub(super) const WEAVER: ArtisanId = ArtisanId(Uuid::from_u128(0xA2));
pub(super) const BOWL: ProductId = ProductId(Uuid::from_u128(0xB1));
pub(super) const RUG: ProductId = ProductId(Uuid::from_u128(0xB2));
pub(super) const JUG: ProductId = ProductId(Uuid::from_u128(0xB3));
pub(super) const UNKNOWN: ProductId = ProductId(Uuid::from_u128(0xBF));
pub(super) const ORDER: OrderId = OrderId(Uuid::from_u128(0x01));
pub(super) const HOLD: ReservationId = ReservationId(Uuid::from_u128(0x02));
pub(super) const PAYMENT: PaymentId = PaymentId(Uuid::from_u128(0x03));
/// 2 bowls at 12.50, a rug at 80.00, 4.95 and 6.00 for the parcels.
pub(super) const TOTAL: Money = Money::eur(11_595);

/// How the neighbours answer.
#[derive(Clone)]
pub(super) struct Neighbours {
    pub(super) standing: Result<bool, Failure>,
    pub(super) validate: Result<bool, Failure>,
    pub(super) extend: Result<(), Failure>,
    pub(super) method: MethodType,
    pub(super) three_ds: bool,
    pub(super) limit_s: u32,
    pub(super) stock: u32,
    pub(super) asked: Vec<String>,
}

/// How a neighbour fails.
#[derive(Clone, Copy, Debug)]
pub(super) enum Failure {
    Down,
    Silent,
    Says(StatusCode),
}

impl Default for Neighbours {
    fn default() -> Self {
        Self {
            standing: Ok(true),
            validate: Ok(true),
            extend: Ok(()),
            method: MethodType::Card,
            three_ds: false,
            limit_s: 300,
            stock: 10,
            asked: Vec::new(),
        }
    }
}

/// The stage with its neighbours.
pub(super) struct World {
    pub(super) stage: Stage,
    pub(super) neighbours: Arc<Mutex<Neighbours>>,
}

fn json(value: &impl serde::Serialize) -> Result<CallReply, CallError> {
    Ok(CallReply { status: StatusCode::OK, body: serde_json::to_vec(value).unwrap().into() })
}

pub(super) fn artisan_of(product: ProductId) -> ArtisanId {
    if product == RUG { WEAVER } else { POTTER }
}

pub(super) fn item(product: ProductId, quantity: u32) -> OrderItem {
    let (name, price) = match product {
        BOWL => ("bowl", 1_250),
        RUG => ("rug", 8_000),
        _ => ("jug", 2_000),
    };
    OrderItem {
        product_id: product,
        variant_id: None,
        artisan_id: artisan_of(product),
        name: name.into(),
        category: "home".into(),
        quantity,
        unit_price: Money::eur(price),
        vat_rate: 2_100,
    }
}

pub(super) fn soon() -> DateRange {
    let from = kernel::Timestamp::from_micros(1_767_700_000_000_000);
    DateRange { from, to: from.plus(Duration::from_secs(86_400)) }
}

pub(super) fn address() -> Address {
    Address {
        recipient: "Ana Ruiz".into(),
        line1: "Calle Real 1".into(),
        line2: None,
        city: "Úbeda".into(),
        province: "Jaén".into(),
        postal_code: "23400".into(),
        country: "ES".into(),
        latitude: None,
        longitude: None,
        phone: None,
    }
}

fn rate(artisan: ArtisanId) -> DeliveryRate {
    DeliveryRate {
        artisan_id: artisan,
        carrier: if artisan == POTTER { "correos".into() } else { "seur".into() },
        price: if artisan == POTTER { Money::eur(495) } else { Money::eur(600) },
        vat_rate: 2_100,
        estimated_delivery: soon(),
    }
}

pub(super) fn delivery(artisan: ArtisanId) -> Delivery {
    let rate = rate(artisan);
    Delivery {
        artisan_id: artisan,
        carrier: rate.carrier,
        price: rate.price,
        vat_rate: rate.vat_rate,
        estimated_delivery: rate.estimated_delivery,
    }
}

pub(super) fn placed(at: kernel::Timestamp) -> Placed {
    Placed {
        order_id: ORDER,
        customer_id: CUSTOMER,
        guest: false,
        access_key_hash: None,
        quote_id: QuoteId(Uuid::from_u128(0x04)),
        cart_id: None,
        items: vec![item(BOWL, 2), item(RUG, 1)],
        deliveries: vec![delivery(POTTER), delivery(WEAVER)],
        total: TOTAL,
        estimated_delivery: soon(),
        delivery_address: Personal::Known(address()),
        guest_email: None,
        guest_name: None,
        metadata: None,
        payment_method_id: Personal::Known("tok_visa".into()),
        reservation_id: HOLD,
        payment_id: PAYMENT,
        at,
    }
}

fn fail<T>(failure: Failure, to: &'static str) -> Result<T, CallError> {
    let reason = String::from("told so");
    Err(match failure {
        Failure::Down => CallError::Unreachable { to, reason },
        Failure::Silent => CallError::Unknown { to, reason },
        Failure::Says(status) => CallError::Answered { to, status, detail: "told so".into() },
    })
}

fn answer(neighbours: &mut Neighbours, request: &CallRequest) -> Result<CallReply, CallError> {
    neighbours.asked.push(request.path_and_query.clone());
    let to = request.spec.to;
    let body = || request.body.as_deref().unwrap_or_default();
    match request.spec.path {
        "/api/users/{userId}/standing" => json(&Standing {
            user_id: CUSTOMER.into(),
            may_order: neighbours.standing.or_else(|failure| fail(failure, to))?,
            reason: Some("the account is blocked".into())
                .filter(|_| matches!(neighbours.standing, Ok(false))),
            priority: Priority::High,
        }),
        "/api/payments/validate" => json(&PaymentValidated {
            validation_id: ValidationId(Uuid::from_u128(0x05)),
            is_valid: neighbours.validate.or_else(|failure| fail(failure, to))?,
            reason: None,
            method_type: neighbours.method,
            requires_three_ds: neighbours.three_ds,
            charge_limit_seconds: neighbours.limit_s,
        }),
        "/api/inventory/reservations/{id}/extend" => {
            neighbours.extend.or_else(|failure| fail(failure, to))?;
            let asked: ExtendReservation = serde_json::from_slice(body()).unwrap();
            json(&ReservationExtended { reservation_id: HOLD, expires_at: asked.expires_at })
        }
        "/api/products/quote" => {
            let basket: QuoteBasket = serde_json::from_slice(body()).unwrap();
            let (known, refused): (Vec<_>, Vec<_>) =
                basket.lines.into_iter().partition(|line| line.product_id != UNKNOWN);
            json(&BasketQuote {
                quote_id: QuoteId(Uuid::from_u128(0x04)),
                items: known.iter().map(|line| item(line.product_id, line.quantity)).collect(),
                refused: refused
                    .iter()
                    .map(|line| RefusedLine {
                        product_id: line.product_id,
                        variant_id: None,
                        reason: "there is no such product".into(),
                    })
                    .collect(),
            })
        }
        "/api/shipping/rates" => {
            let rates = vec![rate(POTTER), rate(WEAVER)];
            json(&DeliveryRates { rates, total: Money::eur(1_095), estimated_delivery: soon() })
        }
        path if path.starts_with("/api/inventory/availability") => json(&Availability {
            stock: [BOWL, RUG, JUG].map(|product| stock(product, neighbours.stock)).into(),
        }),
        other => panic!("nobody answers {other}"),
    }
}

fn stock(product_id: ProductId, available: u32) -> VariantStock {
    VariantStock {
        product_id,
        variant_id: None,
        quantity: available,
        reserved: 0,
        available,
        backorder: false,
    }
}

impl World {
    pub(super) fn new() -> Self {
        let stage = Stage::with("order", |context| module(context, Config::default()));
        let neighbours = Arc::new(Mutex::new(Neighbours::default()));
        let shared = neighbours.clone();
        stage.answer_calls(move |request| answer(&mut shared.lock().unwrap(), request));
        Self { stage, neighbours }
    }

    pub(super) fn with(change: impl FnOnce(&mut Neighbours)) -> Self {
        let world = Self::new();
        world.tell(change);
        world
    }

    pub(super) fn tell(&self, change: impl FnOnce(&mut Neighbours)) {
        change(&mut self.neighbours.lock().unwrap());
    }

    pub(super) fn place(&self) -> &Self {
        self.place_as(placed(self.stage.now()))
    }

    pub(super) fn place_as(&self, placed: Placed) -> &Self {
        let config = Config::default();
        self.stage.run(|ws| commands::place(ws, placed.clone(), &config)).unwrap();
        self.stage.perform_calls();
        self
    }

    pub(super) fn reserve(&self) -> &Self {
        self.hear(&inventory::ReservationConfirmed {
            reservation_id: HOLD,
            order_id: ORDER,
            reserved_items: Vec::new(),
            expires_at: self.stage.now().plus(Duration::from_secs(900)),
            total_reserved: 3,
        })
    }

    pub(super) fn pay(&self) -> &Self {
        self.hear(&self.succeeded(PAYMENT, TOTAL))
    }

    pub(super) fn succeeded(&self, payment_id: PaymentId, amount: Money) -> payment::Succeeded {
        payment::Succeeded {
            payment_id,
            order_id: ORDER,
            customer_id: CUSTOMER,
            transaction_id: "tx-1".into(),
            amount,
            gateway: "sandbox".into(),
            processed_at: self.stage.now(),
        }
    }

    pub(super) fn decline(&self, attempt: u32, retryable: bool) -> &Self {
        self.hear(&self.declined(PAYMENT, attempt, retryable))
    }

    pub(super) fn declined(&self, payment_id: PaymentId, attempt: u32, retryable: bool) -> payment::Failed {
        payment::Failed {
            payment_id,
            order_id: ORDER,
            customer_id: CUSTOMER,
            error_code: "card_declined".into(),
            error_message: "the bank said no".into(),
            attempt,
            retryable,
            failed_at: self.stage.now(),
        }
    }

    pub(super) fn schedule(&self, shipment: u128, artisan: ArtisanId) -> &Self {
        self.hear(&shipping::ShipmentScheduled {
            shipment_id: ShipmentId(Uuid::from_u128(shipment)),
            order_id: ORDER,
            artisan_id: artisan,
            carrier: "correos".into(),
            pickup: soon(),
            estimated_delivery: soon(),
            scheduled_at: self.stage.now(),
        })
    }

    pub(super) fn dispatch(&self, shipment: u128, artisan: ArtisanId) -> &Self {
        self.hear(&shipping::ShipmentDispatched {
            shipment_id: ShipmentId(Uuid::from_u128(shipment)),
            order_id: ORDER,
            artisan_id: artisan,
            carrier: "correos".into(),
            tracking_number: format!("T{shipment}"),
            dispatched_at: self.stage.now(),
        })
    }

    pub(super) fn deliver(&self, shipment: u128, artisan: ArtisanId) -> &Self {
        self.hear(&shipping::ShipmentDelivered {
            shipment_id: ShipmentId(Uuid::from_u128(shipment)),
            order_id: ORDER,
            artisan_id: artisan,
            on_time: true,
            delivered_at: self.stage.now(),
            proof: None,
        })
    }

    pub(super) fn release(&self, reason: inventory::ReleaseReason) -> &Self {
        self.release_hold(HOLD, reason)
    }

    pub(super) fn release_hold(
        &self,
        reservation_id: ReservationId,
        reason: inventory::ReleaseReason,
    ) -> &Self {
        self.hear(&inventory::ReservationReleased {
            reservation_id,
            order_id: ORDER,
            released_items: Vec::new(),
            reason,
            released_at: self.stage.now(),
        })
    }

    pub(super) fn refund(&self, refund_id: RefundId, amount: Money) -> &Self {
        self.hear(&payment::RefundProcessed {
            refund_id,
            original_payment_id: PAYMENT,
            order_id: ORDER,
            customer_id: CUSTOMER,
            amount,
            reason: "asked for".into(),
            processed_at: self.stage.now(),
        })
    }

    pub(super) fn fail_refund(&self, refund_id: RefundId, retryable: bool) -> &Self {
        self.hear(&payment::RefundFailed {
            refund_id,
            order_id: ORDER,
            customer_id: CUSTOMER,
            error_code: "gateway_down".into(),
            error_message: "the gateway said no".into(),
            retryable,
            failed_at: self.stage.now(),
        })
    }

    /// An event arrives, and the calls that follow are made.
    pub(super) fn hear<E: kernel::Event>(&self, event: &E) -> &Self {
        self.stage.receive(event).unwrap();
        self.stage.perform_calls();
        self
    }

    pub(super) fn pass(&self, seconds: u64) -> &Self {
        self.stage.advance(Duration::from_secs(seconds));
        self.stage.perform_calls();
        self
    }

    /// A confirmed order whose parcels are scheduled.
    pub(super) fn prepared() -> Self {
        let world = Self::new();
        world.place().reserve().pay().schedule(1, POTTER).schedule(2, WEAVER);
        world
    }

    /// An order that has arrived.
    pub(super) fn arrived() -> Self {
        let world = Self::prepared();
        world.dispatch(1, POTTER).dispatch(2, WEAVER).deliver(1, POTTER).deliver(2, WEAVER);
        world
    }

    pub(super) fn order(&self) -> Details {
        self.stage.get::<Details>(ORDER).expect("the order was placed")
    }

    pub(super) fn state(&self) -> OrderState {
        self.order().state
    }

    pub(super) fn saga(&self) -> InstanceOf<Fulfilment> {
        self.saga_of::<Fulfilment>(ORDER.0)
    }

    pub(super) fn saga_of<S: Saga>(&self, id: Uuid) -> InstanceOf<S> {
        let key = InstanceOf::<S>::key(S::NAME, id);
        self.stage.get::<InstanceOf<S>>(key).expect("the saga was started")
    }

    /// Steps of the fulfilment with what happened to them.
    pub(super) fn timeline(&self) -> Vec<String> {
        self.saga().timeline.iter().map(|entry| format!("{} {}", entry.step, entry.what)).collect()
    }

    pub(super) fn refund_asked(&self) -> payment::RefundRequested {
        let mut asked = self.stage.take::<payment::RefundRequested>();
        assert_eq!(asked.len(), 1, "one refund was asked for");
        asked.remove(0)
    }

    /// The types of what was published, in order, and forgets it.
    pub(super) fn told(&self) -> Vec<String> {
        let kinds = self.stage.published().into_iter().map(|envelope| envelope.kind).collect();
        self.stage.clear_published();
        kinds
    }

    pub(super) fn cancel(&self) -> Result<(), backbone::Refusal> {
        let wish = commands::Wish {
            reason: "changed my mind".into(),
            by: order::CancelledBy::Customer,
            asked_by: CUSTOMER.to_string(),
        };
        let done = self.stage.run(|ws| commands::cancel(ws, ORDER, &wish));
        self.stage.perform_calls();
        done
    }

    /// The document and the replayed state are the same thing.
    pub(super) fn check(&self) {
        assert_eq!(self.stage.state::<Order>(ORDER).0.as_deref(), Some(&self.order()));
    }
}
