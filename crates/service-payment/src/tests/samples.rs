//! An order and its events, and the stage that they are played on.

use std::sync::Arc;

use backbone::testing::Stage;
use contracts::order::{Cancelled, CancelledBy, Created, Delivered, ItemsModified};
use contracts::payment::{RefundRequested, Requested};
use contracts::shared::{Address, DateRange, OrderItem, RecipientType, SplitShare};
use kernel::{
    ArtisanId, CustomerId, Duration, Money, OrderId, PaymentId, ProductId, QuoteId, RecipientId, RefundId,
    Secret, Timestamp,
};
use uuid::Uuid;

use super::bank::Bank;
use crate::config::Config;
use crate::domain::account::OrderAccount;
use crate::views::PaymentView;

pub(crate) const ORDER: OrderId = OrderId(Uuid::from_u128(0xA));
pub(crate) const CUSTOMER: CustomerId = CustomerId(Uuid::from_u128(0xC));
pub(crate) const PAYMENT: PaymentId = PaymentId(Uuid::from_u128(0xF1));
pub(crate) const OTHER_PAYMENT: PaymentId = PaymentId(Uuid::from_u128(0xF2));
pub(crate) const POTTER: ArtisanId = ArtisanId(Uuid::from_u128(0xA1));
pub(crate) const MILLER: ArtisanId = ArtisanId(Uuid::from_u128(0xA2));
pub(crate) const CARRIER: RecipientId = RecipientId(Uuid::from_u128(0xD1));
/// 2 × 20.00 € of pottery, 15.50 € of oil, 6.00 € of delivery.
pub(crate) const TOTAL: i64 = 6_150;

/// The settings: 12 % on pottery, 10 % on the rest.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.commission.by_category.insert("pottery".to_owned(), 1_200);
    config.webhook_secrets.insert("bank".to_owned(), Secret::new("agreed"));
    config
}

/// The stage, and the bank that it pays at.
pub(crate) struct Market {
    pub(crate) stage: Stage,
    pub(crate) bank: Bank,
}

impl Market {
    /// An empty one.
    pub(crate) fn empty() -> Self {
        let market = Self { stage: Stage::new("payment"), bank: Bank::default() };
        market.start();
        market
    }

    /// One where the order was placed.
    pub(crate) fn with_order() -> Self {
        let market = Self::empty();
        market.stage.receive(&created()).unwrap();
        market
    }

    /// One where the order was paid.
    pub(crate) fn paid() -> Self {
        let market = Self::with_order();
        market.stage.receive(&requested(1)).unwrap();
        market.settle();
        market.stage.clear_published();
        market
    }

    /// Starts the module, as a process does.
    pub(crate) fn start(&self) {
        let gateway: Arc<dyn crate::Gateway> = Arc::new(self.bank.clone());
        self.stage.mount(crate::module(&self.stage.context(), config(), vec![gateway]));
    }

    /// The process dies and starts again.
    pub(crate) fn crash(&self) {
        self.stage.advance(Duration::from_millis(1));
        self.start();
        self.stage.crash_and_resume();
    }

    /// Lets calls and their retries go on for half a minute.
    pub(crate) fn settle(&self) {
        self.stage.perform_calls();
        for _ in 0..30 {
            self.stage.advance(Duration::from_secs(1));
            self.stage.perform_calls();
        }
    }

    /// The types of what was published, without context and version; takes them.
    pub(crate) fn published(&self) -> Vec<String> {
        let events = self.stage.published();
        self.stage.clear_published();
        let name = |kind: &str| kind.trim_start_matches("payment.").trim_end_matches(".v1").to_owned();
        events.iter().map(|event| name(&event.kind)).collect()
    }

    pub(crate) fn payment(&self, payment_id: PaymentId) -> PaymentView {
        self.stage.get(payment_id).unwrap()
    }

    pub(crate) fn account(&self) -> OrderAccount {
        self.stage.get(ORDER).unwrap()
    }
}

pub(crate) fn item(
    product: u128,
    artisan_id: ArtisanId,
    category: &str,
    terms: (u32, i64, u32),
) -> OrderItem {
    let (quantity, price, vat_rate) = terms;
    OrderItem {
        product_id: ProductId(Uuid::from_u128(product)),
        variant_id: None,
        artisan_id,
        name: "thing".to_owned(),
        category: category.to_owned(),
        quantity,
        unit_price: Money::eur(price),
        vat_rate,
    }
}

pub(crate) fn bowl(quantity: u32) -> OrderItem {
    item(1, POTTER, "pottery", (quantity, 2_000, 2_100))
}

pub(crate) fn oil() -> OrderItem {
    item(2, MILLER, "oil", (1, 1_550, 400))
}

fn epoch() -> Timestamp {
    Timestamp::from_micros(1_767_607_200_000_000)
}

pub(crate) fn created() -> Created {
    let address = Address {
        recipient: "Ana".to_owned(),
        line1: "Calle Mayor 1".to_owned(),
        line2: None,
        city: "Úbeda".to_owned(),
        province: "Jaén".to_owned(),
        postal_code: "23400".to_owned(),
        country: "ES".to_owned(),
        latitude: None,
        longitude: None,
        phone: None,
    };
    Created {
        order_id: ORDER,
        customer_id: CUSTOMER,
        items: vec![bowl(2), oil()],
        quote_id: QuoteId(Uuid::from_u128(0x9)),
        total_amount: Money::eur(TOTAL),
        delivery_address: address.into(),
        estimated_delivery: DateRange { from: epoch(), to: epoch() },
        created_at: epoch(),
    }
}

pub(crate) fn share(recipient: Uuid, recipient_type: RecipientType, amount: i64) -> SplitShare {
    SplitShare { recipient_id: RecipientId(recipient), recipient_type, amount: Money::eur(amount) }
}

pub(crate) fn gross() -> Vec<SplitShare> {
    vec![
        share(POTTER.0, RecipientType::Artisan, 4_000),
        share(MILLER.0, RecipientType::Artisan, 1_550),
        share(CARRIER.0, RecipientType::Delivery, 600),
    ]
}

pub(crate) fn requested(attempt: u32) -> Requested {
    Requested {
        payment_id: PAYMENT,
        order_id: ORDER,
        customer_id: CUSTOMER,
        amount: Money::eur(TOTAL),
        payment_method_id: "bank-card".to_owned(),
        attempt,
        splits: gross(),
    }
}

/// A second request of the order, for a third bowl.
pub(crate) fn difference() -> Requested {
    Requested {
        payment_id: OTHER_PAYMENT,
        amount: Money::eur(2_000),
        splits: vec![share(POTTER.0, RecipientType::Artisan, 2_000)],
        ..requested(1)
    }
}

pub(crate) fn refund_requested(refund: u128, amount: i64) -> RefundRequested {
    RefundRequested {
        refund_id: RefundId(Uuid::from_u128(refund)),
        order_id: ORDER,
        customer_id: CUSTOMER,
        amount: Money::eur(amount),
        reason: "undone".to_owned(),
        requested_at: epoch(),
    }
}

pub(crate) fn cancelled() -> Cancelled {
    Cancelled {
        order_id: ORDER,
        customer_id: CUSTOMER,
        reason: "changed their mind".to_owned(),
        cancelled_by: CancelledBy::Customer,
        refund_required: false,
        cancelled_at: epoch(),
    }
}

pub(crate) fn delivered() -> Delivered {
    Delivered { order_id: ORDER, customer_id: CUSTOMER, delivered_at: epoch() }
}

/// A third bowl.
pub(crate) fn modified() -> ItemsModified {
    ItemsModified {
        order_id: ORDER,
        added_items: Vec::new(),
        removed_items: Vec::new(),
        modified_items: vec![bowl(3)],
        new_total_amount: Money::eur(TOTAL + 2_000),
        modified_by: "customer".to_owned(),
        modified_at: epoch(),
    }
}
