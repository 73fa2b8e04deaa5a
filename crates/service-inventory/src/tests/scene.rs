//! What the tests share: a stage with the module on it, and the events that others send.

use backbone::Refusal;
use backbone::testing::Stage;
use contracts::inventory::{
    Priority, ReleaseRequestReason, ReleaseRequested, ReservationConfirmed, ReservationReleased,
    ReservationRequested, StockFailed, StockUpdated,
};
use contracts::shared::{DateRange, ListedVariant, OrderItem, OrderState, ReservationItem};
use contracts::{artisan, order, payment, product};
use kernel::{
    ArtisanId, CustomerId, Duration, Money, OrderId, PaymentId, ProductId, ReservationId, ReturnId, VariantId,
};
use uuid::Uuid;

use crate::domain::ItemKey;
use crate::domain::stock::{Item, State};
use crate::{Config, module};

pub(super) const ARTISAN: ArtisanId = ArtisanId(Uuid::from_u128(0xA1));
pub(super) const CUSTOMER: CustomerId = CustomerId(Uuid::from_u128(0xC1));

pub(super) fn product(n: u128) -> ProductId {
    ProductId(Uuid::from_u128(0x1000 + n))
}

pub(super) fn variant(n: u128) -> VariantId {
    VariantId(Uuid::from_u128(0x2000 + n))
}

pub(super) fn order(n: u128) -> OrderId {
    OrderId(Uuid::from_u128(0x3000 + n))
}

pub(super) fn reservation(n: u128) -> ReservationId {
    ReservationId(Uuid::from_u128(0x4000 + n))
}

/// The item of a product without variants.
pub(super) fn item(n: u128) -> ItemKey {
    ItemKey::new(product(n), None)
}

pub(super) const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

/// The module on a stage.
pub(super) struct Scene(pub(super) Stage);

impl Scene {
    pub(super) fn new() -> Self {
        Self(Stage::with("inventory", |context| module(context, Config::default())))
    }

    /// A scene with products 1, 2, … of so many pieces each.
    pub(super) fn with(pieces: &[u32]) -> Self {
        let scene = Self::new();
        for (index, pieces) in pieces.iter().enumerate() {
            scene.list(index as u128 + 1, *pieces);
        }
        scene.0.clear_published();
        scene
    }

    pub(super) fn list(&self, n: u128, pieces: u32) {
        self.0.receive(&listed(self, n, pieces, Vec::new())).unwrap();
    }

    pub(super) fn list_variants(&self, n: u128, variants: &[(u128, u32)]) {
        let variants = variants.iter().map(|(id, pieces)| ListedVariant {
            variant_id: variant(*id),
            sku: format!("sku-{id}"),
            attributes: serde_json::Map::new(),
            price: Money::eur(1_250),
            initial_stock: *pieces,
        });
        self.0.receive(&listed(self, n, 0, variants.collect())).unwrap();
    }

    pub(super) fn stock(&self, key: ItemKey) -> State {
        self.0.state::<Item>(key)
    }

    /// Quantity, reserved, available.
    pub(super) fn pieces(&self, n: u128) -> (u32, u32, u32) {
        let state = self.stock(item(n));
        (state.quantity(), state.reserved(), state.available())
    }

    /// Order `of` asks for a hold for 15 minutes.
    pub(super) fn request(&self, id: u128, of: u128, items: &[(u128, u32)]) {
        self.0.receive(&self.requested(id, of, items)).unwrap();
    }

    pub(super) fn requested(&self, id: u128, of: u128, items: &[(u128, u32)]) -> ReservationRequested {
        let items = items.iter().map(|(n, quantity)| ReservationItem {
            product_id: product(*n),
            variant_id: None,
            quantity: *quantity,
            unit_price: Money::eur(1_250),
        });
        ReservationRequested {
            reservation_id: reservation(id),
            order_id: order(of),
            customer_id: CUSTOMER,
            items: items.collect(),
            expiration_time: self.0.now().plus(minutes(15)),
            priority: Priority::Normal,
        }
    }

    pub(super) fn release(&self, id: u128, of: u128) -> Result<(), Refusal> {
        self.release_for(id, of, ReleaseRequestReason::OrderCancelled)
    }

    pub(super) fn release_for(
        &self,
        id: u128,
        of: u128,
        reason: ReleaseRequestReason,
    ) -> Result<(), Refusal> {
        let requested_at = self.0.now();
        self.0.receive(&ReleaseRequested {
            reservation_id: reservation(id),
            order_id: order(of),
            reason,
            requested_at,
        })
    }

    pub(super) fn confirm(&self, of: u128) -> Result<(), Refusal> {
        let now = self.0.now();
        self.0.receive(&order::Confirmed {
            order_id: order(of),
            customer_id: CUSTOMER,
            payment_reference: "sandbox-1".to_owned(),
            estimated_delivery: DateRange { from: now, to: now },
            confirmed_at: now,
        })
    }

    pub(super) fn cancel(&self, of: u128) {
        let cancelled_at = self.0.now();
        self.0
            .receive(&order::Cancelled {
                order_id: order(of),
                customer_id: CUSTOMER,
                reason: "changed their mind".to_owned(),
                cancelled_by: order::CancelledBy::Customer,
                refund_required: false,
                cancelled_at,
            })
            .unwrap();
    }

    pub(super) fn state_changed(&self, of: u128, to: OrderState) {
        let changed_at = self.0.now();
        self.0
            .receive(&order::StateChanged {
                order_id: order(of),
                previous_state: OrderState::Pending,
                current_state: to,
                reason: "a test".to_owned(),
                changed_by: "order".to_owned(),
                changed_at,
            })
            .unwrap();
    }

    pub(super) fn change(&self, of: u128, change: Change<'_>) -> Result<(), Refusal> {
        let modified_at = self.0.now();
        self.0.receive(&order::ItemsModified {
            order_id: order(of),
            added_items: lines(change.added),
            removed_items: lines(change.removed),
            modified_items: lines(change.modified),
            new_total_amount: Money::eur(1),
            modified_by: "order".to_owned(),
            modified_at,
        })
    }

    pub(super) fn give_back(&self, of: u128, return_id: u128, items: &[(u128, u32)]) {
        let returned_at = self.0.now();
        self.0
            .receive(&order::Returned {
                return_id: ReturnId(Uuid::from_u128(0x5000 + return_id)),
                order_id: order(of),
                customer_id: CUSTOMER,
                items: lines(items),
                reason: "too small".to_owned(),
                refund_amount: Money::eur(1),
                returned_at,
            })
            .unwrap();
    }

    pub(super) fn payment_failed(&self, of: u128, retryable: bool) {
        let failed_at = self.0.now();
        self.0
            .receive(&payment::Failed {
                payment_id: PaymentId(Uuid::from_u128(0x6001)),
                order_id: order(of),
                customer_id: CUSTOMER,
                error_code: "card_declined".to_owned(),
                error_message: "declined".to_owned(),
                attempt: 1,
                retryable,
                failed_at,
            })
            .unwrap();
    }

    pub(super) fn update_product(&self, n: u128, status: product::Status) {
        let updated_at = self.0.now();
        self.0
            .receive(&product::Updated {
                product_id: product(n),
                artisan_id: ARTISAN,
                changed_fields: vec!["status".to_owned()],
                status,
                updated_at,
            })
            .unwrap();
    }

    pub(super) fn confirmed(&self) -> Vec<ReservationConfirmed> {
        self.0.take()
    }

    pub(super) fn released(&self) -> Vec<ReservationReleased> {
        self.0.take()
    }

    pub(super) fn failed(&self) -> Vec<StockFailed> {
        self.0.take()
    }

    /// The causes of the changes told so far.
    pub(super) fn updates(&self) -> Vec<String> {
        self.0.take::<StockUpdated>().into_iter().map(|updated| updated.cause).collect()
    }
}

/// Lines of an order that changed.
#[derive(Clone, Copy, Default)]
pub(super) struct Change<'a> {
    pub(super) added: &'a [(u128, u32)],
    pub(super) removed: &'a [(u128, u32)],
    pub(super) modified: &'a [(u128, u32)],
}

pub(super) fn lines(items: &[(u128, u32)]) -> Vec<OrderItem> {
    let line = |(n, quantity): &(u128, u32)| OrderItem {
        product_id: product(*n),
        variant_id: None,
        artisan_id: ARTISAN,
        name: "Aceite de oliva virgen extra Picual".to_owned(),
        category: "aceite".to_owned(),
        quantity: *quantity,
        unit_price: Money::eur(1_250),
        vat_rate: 1_000,
    };
    items.iter().map(line).collect()
}

fn listed(scene: &Scene, n: u128, pieces: u32, variants: Vec<ListedVariant>) -> artisan::ProductListed {
    artisan::ProductListed {
        product_id: product(n),
        artisan_id: ARTISAN,
        product_name: "Aceite de oliva virgen extra Picual".to_owned(),
        category: "aceite".to_owned(),
        price: Money::eur(1_250),
        initial_stock: pieces,
        variants,
        listed_at: scene.0.now(),
    }
}
