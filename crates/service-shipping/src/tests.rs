//! What the tests share: a stage with the service on it, and an order with known ids.

use axum::Router;
use backbone::testing::Stage;
use contracts::order::{Cancelled, CancelledBy, Confirmed, Created};
use contracts::shared::{Address, DateRange, OrderItem};
use contracts::shipping::CancellationRequested;
use kernel::{ArtisanId, CustomerId, Duration, Money, OrderId, ProductId, QuoteId, Timestamp};
use uuid::Uuid;

use crate::Config;

mod http;
mod reactions;
mod tariff;

const ORDER: OrderId = OrderId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001));
const ANA: CustomerId = CustomerId(Uuid::from_u128(0xC1));
const MILL: ArtisanId = ArtisanId(Uuid::from_u128(0xA1));
const POTTER: ArtisanId = ArtisanId(Uuid::from_u128(0xA2));
const NOON: Timestamp = Timestamp::from_micros(1_767_610_800_000_000);

fn stage() -> (Stage, Router) {
    let stage = Stage::new("shipping");
    let module = crate::module(&stage.context(), Config::default());
    let routes = module.routes.clone();
    stage.mount(module);
    let router = http_kit::testing::stand("shipping", routes, stage.context().environment);
    (stage, router)
}

fn item(artisan_id: ArtisanId, product: u128) -> OrderItem {
    OrderItem {
        product_id: ProductId(Uuid::from_u128(product)),
        variant_id: None,
        artisan_id,
        name: "Miel".to_owned(),
        category: "miel".to_owned(),
        quantity: 2,
        unit_price: Money::eur(850),
        vat_rate: 1_000,
    }
}

fn address(postal_code: &str) -> Address {
    Address {
        recipient: "Ana Ruiz".to_owned(),
        line1: "Calle Nueva 3".to_owned(),
        line2: None,
        city: "Jaén".to_owned(),
        province: "Jaén".to_owned(),
        postal_code: postal_code.to_owned(),
        country: "ES".to_owned(),
        latitude: None,
        longitude: None,
        phone: None,
    }
}

fn arrival() -> DateRange {
    DateRange {
        from: NOON.plus(Duration::from_secs(3 * 86_400)),
        to: NOON.plus(Duration::from_secs(5 * 86_400)),
    }
}

/// Ana orders from the mill (two lines) and from the potter.
fn created() -> Created {
    Created {
        order_id: ORDER,
        customer_id: ANA,
        items: vec![item(MILL, 1), item(POTTER, 2), item(MILL, 3)],
        quote_id: QuoteId::default(),
        total_amount: Money::eur(5_100),
        delivery_address: address("23001").into(),
        estimated_delivery: arrival(),
        created_at: NOON,
    }
}

fn confirmed() -> Confirmed {
    Confirmed {
        order_id: ORDER,
        customer_id: ANA,
        payment_reference: "ref".to_owned(),
        estimated_delivery: arrival(),
        confirmed_at: NOON,
    }
}

fn cancelled() -> Cancelled {
    Cancelled {
        order_id: ORDER,
        customer_id: ANA,
        reason: "changed my mind".to_owned(),
        cancelled_by: CancelledBy::Customer,
        refund_required: true,
        cancelled_at: NOON,
    }
}

fn asked() -> CancellationRequested {
    CancellationRequested { order_id: ORDER, reason: "changed my mind".to_owned(), requested_at: NOON }
}
