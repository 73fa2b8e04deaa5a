//! Context `inventory`: stock and the holds on it. Order asks for reservations and releases; the
//! inventory service tells the rest.

use kernel::{
    ArtisanId, CustomerId, OrderId, ProductId, PurchaseOrderId, ReservationId, SupplierId, Timestamp, UserId,
    VariantId,
};

use crate::event_macro::{choice, event};
use crate::shared::{ReservationItem, ReservedItem, Shortage};

choice! {
    /// Who is served first where several wait for the same stock; the greater goes first.
    pub enum Priority {
        /// Everybody.
        Normal = "normal",
        /// Before normal.
        High = "high",
        /// Before all.
        Vip = "vip",
    }
}

event! {
    "inventory.reservation.requested.v1" by "order", to ["inventory"], keyed by order_id;
    /// Order asked for a hold on all items of an order: all or none.
    pub struct ReservationRequested {
        /// The hold, named by whoever asks.
        reservation_id: ReservationId,
        /// The order.
        order_id: OrderId,
        /// Who ordered.
        customer_id: CustomerId,
        /// What is to be held.
        items: Vec<ReservationItem>,
        /// When the hold ends unless it is confirmed, released or extended.
        expiration_time: Timestamp,
        /// Who is served first.
        priority: Priority,
    }
}

event! {
    "inventory.reservation.confirmed.v1" by "inventory", to ["order", "analytics"], keyed by order_id;
    /// Every item of the order is held. Not yet sold: that is [`StockConfirmed`].
    pub struct ReservationConfirmed {
        /// The hold.
        reservation_id: ReservationId,
        /// The order.
        order_id: OrderId,
        /// What is held, and where.
        reserved_items: Vec<ReservedItem>,
        /// When the hold ends.
        expires_at: Timestamp,
        /// Pieces held in all.
        total_reserved: u32,
    }
}

choice! {
    /// Why a release is asked for.
    pub enum ReleaseRequestReason {
        /// The order was called off.
        OrderCancelled = "order-cancelled",
        /// Lines of the order changed.
        OrderChanged = "order-changed",
        /// An operator decided.
        ManualRelease = "manual-release",
    }
}

event! {
    "inventory.release.requested.v1" by "order", to ["inventory"], keyed by order_id;
    /// Order asked to give a hold back. Nothing to release is success; a release that overtakes its
    /// request refuses that request later.
    pub struct ReleaseRequested {
        /// The hold.
        reservation_id: ReservationId,
        /// The order.
        order_id: OrderId,
        /// Why.
        reason: ReleaseRequestReason,
        /// When it was asked for.
        requested_at: Timestamp,
    }
}

choice! {
    /// Why a hold ended without a sale.
    pub enum ReleaseReason {
        /// The order was called off.
        OrderCancelled = "order-cancelled",
        /// Lines of the order changed.
        OrderChanged = "order-changed",
        /// Its time was over.
        ReservationExpired = "reservation-expired",
        /// An operator decided.
        ManualRelease = "manual-release",
    }
}

impl From<ReleaseRequestReason> for ReleaseReason {
    fn from(reason: ReleaseRequestReason) -> Self {
        match reason {
            ReleaseRequestReason::OrderCancelled => ReleaseReason::OrderCancelled,
            ReleaseRequestReason::OrderChanged => ReleaseReason::OrderChanged,
            ReleaseRequestReason::ManualRelease => ReleaseReason::ManualRelease,
        }
    }
}

event! {
    "inventory.reservation.released.v1" by "inventory", to ["order", "analytics"], keyed by order_id;
    /// A hold ended without a sale: the answer to [`ReleaseRequested`], or its expiry.
    pub struct ReservationReleased {
        /// The hold.
        reservation_id: ReservationId,
        /// The order.
        order_id: OrderId,
        /// What is free again; empty where nothing was held.
        released_items: Vec<ReservedItem>,
        /// Why.
        reason: ReleaseReason,
        /// When.
        released_at: Timestamp,
    }
}

event! {
    "inventory.stock.reserved.v1" by "inventory", to ["order", "analytics"], keyed by order_id;
    /// Pieces of one variant are held for an order.
    pub struct StockReserved {
        /// The hold.
        reservation_id: ReservationId,
        /// The product.
        product_id: ProductId,
        /// The variant of it; absent where the product has none.
        variant_id: Option<VariantId>,
        /// The order.
        order_id: OrderId,
        /// Pieces held.
        quantity_reserved: u32,
        /// Pieces still available to others.
        remaining_stock: u32,
        /// When the hold ends.
        reservation_expiry: Timestamp,
    }
}

event! {
    "inventory.stock.confirmed.v1" by "inventory", to ["order", "analytics"], keyed by order_id;
    /// Held pieces of one variant became sold stock.
    pub struct StockConfirmed {
        /// The hold that ended in the sale.
        reservation_id: ReservationId,
        /// The product.
        product_id: ProductId,
        /// The variant of it; absent where the product has none.
        variant_id: Option<VariantId>,
        /// The order.
        order_id: OrderId,
        /// Pieces sold.
        quantity_confirmed: u32,
        /// Pieces available afterwards.
        remaining_stock: u32,
        /// When.
        confirmed_at: Timestamp,
    }
}

choice! {
    /// Why pieces of one variant are free again.
    pub enum StockReleaseReason {
        /// The order was called off.
        OrderCancelled = "order-cancelled",
        /// The hold's time was over.
        ReservationExpired = "reservation-expired",
        /// An operator decided, or lines of the order changed.
        ManualRelease = "manual-release",
    }
}

event! {
    "inventory.stock.released.v1" by "inventory", to ["order", "product", "analytics"], keyed by order_id;
    /// Held pieces of one variant are free again.
    pub struct StockReleased {
        /// The hold.
        reservation_id: ReservationId,
        /// The product.
        product_id: ProductId,
        /// The variant of it; absent where the product has none.
        variant_id: Option<VariantId>,
        /// The order.
        order_id: OrderId,
        /// Pieces given back.
        quantity_released: u32,
        /// Why.
        reason: StockReleaseReason,
        /// Pieces available afterwards.
        new_stock: u32,
    }
}

event! {
    "inventory.stock.failed.v1" by "inventory", to ["order", "analytics"], keyed by order_id;
    /// A hold was refused: nothing of the order is held.
    pub struct StockFailed {
        /// The hold that was asked for.
        reservation_id: ReservationId,
        /// The order.
        order_id: OrderId,
        /// What was lacking; empty where the reason is another.
        shortages: Vec<Shortage>,
        /// Why, readable.
        reason: String,
        /// When.
        failed_at: Timestamp,
    }
}

event! {
    "inventory.stock.depleted.v1" by "inventory", to ["artisan", "notification", "product", "order"],
    keyed by product_id;
    /// Nothing is available any more; told once per crossing.
    pub struct StockDepleted {
        /// The product.
        product_id: ProductId,
        /// The variant of it; absent where the product has none.
        variant_id: Option<VariantId>,
        /// The artisan who sells it.
        artisan_id: ArtisanId,
        /// The order that took the last pieces; absent where a count did.
        last_order_id: Option<OrderId>,
        /// The account that took them.
        user_id: Option<UserId>,
        /// How many pieces went last.
        last_quantity: u32,
        /// When.
        depleted_at: Timestamp,
    }
}

event! {
    "inventory.stock.updated.v1" by "inventory", to ["product", "cart", "order"], keyed by product_id;
    /// The stock of a variant changed, whatever the cause. `available` = `quantity` − `reserved`.
    pub struct StockUpdated {
        /// The product.
        product_id: ProductId,
        /// The variant of it; absent where the product has none.
        variant_id: Option<VariantId>,
        /// Pieces that lay in stock before.
        previous_quantity: u32,
        /// Pieces that lie in stock now.
        quantity: u32,
        /// Pieces of them that are held.
        reserved: u32,
        /// Pieces that can be bought.
        available: u32,
        /// Which kind of movement it was: `count`, `sale`, `restock` …
        cause: String,
        /// When.
        updated_at: Timestamp,
    }
}

choice! {
    /// Which limit the stock fell to.
    pub enum ThresholdType {
        /// Almost nothing left.
        Critical = "critical",
        /// Little left.
        Low = "low",
        /// Time to order again.
        Reorder = "reorder",
    }
}

event! {
    "inventory.threshold.reached.v1" by "inventory", to ["inventory", "artisan", "notification"],
    keyed by product_id;
    /// The stock fell to a limit; told once per crossing. Starts the replenishment saga.
    pub struct ThresholdReached {
        /// The product.
        product_id: ProductId,
        /// The variant of it; absent where the product has none.
        variant_id: Option<VariantId>,
        /// Pieces available.
        current_stock: u32,
        /// The limit, in pieces.
        threshold: u32,
        /// Which limit it is.
        threshold_type: ThresholdType,
        /// The artisan who sells it.
        artisan_id: ArtisanId,
        /// The product's name.
        product_name: String,
        /// When stock last came in; absent where it never did.
        last_restock_date: Option<Timestamp>,
        /// Pieces sold a day, mean of the last 30 days.
        average_daily_sales: f64,
        /// When it will be sold out at that pace; absent where nothing sells.
        estimated_stockout_date: Option<Timestamp>,
    }
}

event! {
    "inventory.purchase-order.created.v1" by "inventory", to ["artisan", "notification", "analytics"],
    keyed by product_id;
    /// New stock was ordered from a supplier.
    pub struct PurchaseOrderCreated {
        /// The order with the supplier.
        purchase_order_id: PurchaseOrderId,
        /// The product.
        product_id: ProductId,
        /// The variant of it; absent where the product has none.
        variant_id: Option<VariantId>,
        /// The artisan who sells it.
        artisan_id: ArtisanId,
        /// The supplier.
        supplier_id: SupplierId,
        /// Pieces ordered.
        quantity: u32,
        /// When they should come in.
        expected_at: Timestamp,
    }
}

event! {
    "inventory.restock.scheduled.v1" by "inventory", to ["artisan", "product"], keyed by product_id;
    /// It is known when ordered stock will be back.
    pub struct RestockScheduled {
        /// The order with the supplier.
        purchase_order_id: PurchaseOrderId,
        /// The product.
        product_id: ProductId,
        /// The variant of it; absent where the product has none.
        variant_id: Option<VariantId>,
        /// Pieces that will come in.
        quantity: u32,
        /// When.
        scheduled_for: Timestamp,
    }
}
