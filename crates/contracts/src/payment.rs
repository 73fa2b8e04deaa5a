//! Context `payment`: charges, refunds and who gets what. Order asks for charges and refunds; the
//! payment service tells the rest. No card number or CVV is ever in here: gateways' tokens only.

use kernel::{CustomerId, Money, OrderId, PaymentId, RefundId, SplitId, Timestamp, ValidationId};

use crate::event_macro::{choice, event};
use crate::shared::{Split, SplitShare};

choice! {
    /// How somebody pays.
    pub enum MethodType {
        /// A card, held by the gateway.
        Card = "card",
        /// Bizum, by telephone.
        Bizum = "bizum",
        /// PayPal.
        Paypal = "paypal",
        /// A bank transfer, confirmed by an operator.
        Transfer = "transfer",
    }
}

event! {
    "payment.method.validated.v1" by "payment", to ["order", "analytics"], keyed by order_id;
    /// A payment method was checked before a charge; it may have been found wanting.
    pub struct MethodValidated {
        /// The check.
        validation_id: ValidationId,
        /// The order that is to be paid.
        order_id: OrderId,
        /// The gateway's token of the method.
        payment_method_id: String,
        /// What kind of method it is.
        method_type: MethodType,
        /// True where it can be charged.
        is_valid: bool,
        /// What it is good for, where the gateway says.
        available_credit: Option<Money>,
        /// True where the customer's bank will ask the customer (3-D Secure).
        requires_3ds as "requires3DS": Option<bool>,
        /// Risk of fraud, 0 (none) to 1, where the gateway says.
        risk_score: Option<f64>,
        /// When.
        validated_at: Timestamp,
    }
}

event! {
    "payment.requested.v1" by "order", to ["payment"], keyed by order_id;
    /// Order asked for a charge.
    pub struct Requested {
        /// The charge, named by whoever asks.
        payment_id: PaymentId,
        /// The order.
        order_id: OrderId,
        /// Who pays.
        customer_id: CustomerId,
        /// How much.
        amount: Money,
        /// The gateway's token of the method.
        payment_method_id: String,
        /// Which attempt it is, from 1.
        attempt: u32,
        /// Who gets what; sums to `amount` exactly.
        splits: Vec<SplitShare>,
    }
}

event! {
    "payment.initiated.v1" by "payment", to ["order", "analytics"], keyed by order_id;
    /// A request for a charge was accepted; the gateway has not been asked yet.
    pub struct Initiated {
        /// The charge.
        payment_id: PaymentId,
        /// The order.
        order_id: OrderId,
        /// Who pays.
        customer_id: CustomerId,
        /// How much.
        amount: Money,
        /// How.
        payment_method: MethodType,
    }
}

event! {
    "payment.processing.started.v1" by "payment", to ["order", "analytics"], keyed by order_id;
    /// The gateway has the charge; its answer is open.
    pub struct ProcessingStarted {
        /// The charge.
        payment_id: PaymentId,
        /// The order.
        order_id: OrderId,
        /// Who pays.
        customer_id: CustomerId,
        /// How much.
        amount: Money,
        /// How.
        payment_method: MethodType,
        /// The gateway: `sandbox`, `stripe`, `redsys` …
        processor_id: String,
        /// When.
        started_at: Timestamp,
    }
}

event! {
    "payment.succeeded.v1" by "payment", to ["order", "loyalty", "notification", "analytics"],
    keyed by order_id;
    /// The money was taken: at most once per order.
    pub struct Succeeded {
        /// The charge.
        payment_id: PaymentId,
        /// The order.
        order_id: OrderId,
        /// Who paid.
        customer_id: CustomerId,
        /// The gateway's reference.
        transaction_id: String,
        /// How much.
        amount: Money,
        /// The gateway: `sandbox`, `stripe`, `redsys` …
        gateway: String,
        /// When.
        processed_at: Timestamp,
    }
}

event! {
    "payment.failed.v1" by "payment", to ["order", "inventory", "notification", "analytics"],
    keyed by order_id;
    /// An attempt to charge failed: no money was taken.
    pub struct Failed {
        /// The charge.
        payment_id: PaymentId,
        /// The order.
        order_id: OrderId,
        /// Who was to pay.
        customer_id: CustomerId,
        /// Why, for programs: `card_declined`.
        error_code: String,
        /// Why, readable.
        error_message: String,
        /// Which attempt it was, from 1.
        attempt: u32,
        /// True where another attempt may succeed.
        retryable: bool,
        /// When.
        failed_at: Timestamp,
    }
}

event! {
    "payment.refund.processed.v1" by "payment", to ["order", "notification", "analytics", "loyalty"],
    keyed by order_id;
    /// Money went back to the customer, whole or in part.
    pub struct RefundProcessed {
        /// The refund.
        refund_id: RefundId,
        /// The charge that it gives back.
        original_payment_id: PaymentId,
        /// The order.
        order_id: OrderId,
        /// Who gets it.
        customer_id: CustomerId,
        /// How much.
        amount: Money,
        /// Why, readable.
        reason: String,
        /// When.
        processed_at: Timestamp,
    }
}

event! {
    "payment.refund.requested.v1" by "order", to ["payment"], keyed by order_id;
    /// Order asked for money to go back.
    pub struct RefundRequested {
        /// The refund, named by whoever asks.
        refund_id: RefundId,
        /// The order.
        order_id: OrderId,
        /// Who gets it.
        customer_id: CustomerId,
        /// How much.
        amount: Money,
        /// Why, readable.
        reason: String,
        /// When it was asked for.
        requested_at: Timestamp,
    }
}

event! {
    "payment.refund.failed.v1" by "payment", to ["order", "admin"], keyed by order_id;
    /// A refund did not go through; retried or parked for an operator, never dropped.
    pub struct RefundFailed {
        /// The refund.
        refund_id: RefundId,
        /// The order.
        order_id: OrderId,
        /// Who waits for it.
        customer_id: CustomerId,
        /// Why, for programs.
        error_code: String,
        /// Why, readable.
        error_message: String,
        /// True where another attempt may succeed.
        retryable: bool,
        /// When.
        failed_at: Timestamp,
    }
}

event! {
    "payment.split.created.v1" by "payment", to ["artisan", "analytics", "admin"], keyed by order_id;
    /// A payment was divided among its recipients; the shares sum to the total exactly.
    pub struct SplitCreated {
        /// The division.
        split_id: SplitId,
        /// The charge.
        payment_id: PaymentId,
        /// The order.
        order_id: OrderId,
        /// Who gets what.
        splits: Vec<Split>,
        /// What was divided.
        total_amount: Money,
        /// When.
        created_at: Timestamp,
    }
}
