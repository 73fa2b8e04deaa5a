//! What payment knows of an order: what it should cost, what was taken for it, what went back.
//! The one place that sees all payments of an order, so the one that says "once".

use std::collections::{BTreeMap, BTreeSet};

use backbone::Document;
use backbone::collection::{Collection, ColumnValue};
use contracts::order::ItemsModified;
use contracts::payment::Requested;
use contracts::shared::{OrderItem, RecipientType};
use kernel::{CustomerId, Money, OrderId, PaymentId, ProductId, RefundId, VariantId};
use serde::{Deserialize, Serialize};

use super::invoice::InvoiceRef;
use super::shares::Goods;

/// Where the accounts of orders are kept.
pub const ORDER_ACCOUNTS: Collection = Collection { name: "order_accounts", columns: &[], children: &[] };

/// Why something failed, as events tell it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// For programs.
    pub code: String,
    /// Readable; nothing about the person.
    pub message: String,
    /// True where another attempt may succeed.
    pub retryable: bool,
}

impl Failure {
    /// A failure for good.
    pub fn of(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), retryable: false }
    }
}

/// A line of the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The product.
    pub product_id: ProductId,
    /// The variant.
    pub variant_id: Option<VariantId>,
    /// What it means for shares.
    pub goods: Goods,
}

impl Line {
    fn of(item: &OrderItem) -> Self {
        let price = item.unit_price;
        // An order's total was checked by order; a line beyond 64 bits cannot be in it.
        let amount = price.times(i64::from(item.quantity)).unwrap_or(Money::new(i64::MAX, price.currency));
        Self {
            product_id: item.product_id,
            variant_id: item.variant_id,
            goods: Goods {
                artisan_id: item.artisan_id,
                category: item.category.clone(),
                vat_rate: item.vat_rate,
                amount,
            },
        }
    }

    fn is(&self, item: &OrderItem) -> bool {
        self.product_id == item.product_id && self.variant_id == item.variant_id
    }
}

/// How far a refund of the order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefundProgress {
    /// A charge is under way whose outcome decides what there is to give back.
    Waiting,
    /// Gateways are being asked.
    Running,
    /// Answered: given back, or there was nothing to give back.
    Processed,
    /// A gateway refused; asking again tries again.
    Failed,
}

/// A refund of the order; it may come out of several payments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundRecord {
    /// What was asked for.
    pub requested: Money,
    /// Why, readable.
    pub reason: String,
    /// Out of this payment alone (an operator's refund).
    pub only: Option<PaymentId>,
    /// How far.
    pub progress: RefundProgress,
    /// The payment whose outcome it waits for.
    pub awaits: Option<PaymentId>,
    /// Payments whose gateways are being asked.
    pub running: BTreeSet<PaymentId>,
    /// Minor units that went back.
    pub given: i64,
    /// How often it was tried.
    pub tries: u32,
    /// What a gateway said when it refused.
    pub failure: Option<Failure>,
}

/// The account of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderAccount {
    /// The order.
    pub order_id: OrderId,
    /// Who pays.
    pub customer_id: Option<CustomerId>,
    /// What the order costs; unknown until order.created arrives.
    pub expected: Option<Money>,
    /// What was ordered.
    pub lines: Vec<Line>,
    /// The order is off: nothing is charged any more.
    pub cancelled: bool,
    /// A refund came although nothing was charged: a charge that comes later is refused.
    pub poisoned: bool,
    /// Money was taken for it at some time.
    pub charged: bool,
    /// Accepted payments, oldest first.
    pub payments: Vec<PaymentId>,
    /// The one whose outcome is open.
    pub open: Option<PaymentId>,
    /// Attempt groups so far: they number the gateway's keys.
    pub groups: u32,
    /// Minor units taken and not given back.
    pub net: i64,
    /// A request that came before its order did.
    pub held: Option<Requested>,
    /// Refunds, by their id.
    pub refunds: BTreeMap<RefundId, RefundRecord>,
    /// Invoices issued for it.
    pub invoices: Vec<InvoiceRef>,
}

impl Document for OrderAccount {
    const COLLECTION: &'static Collection = &ORDER_ACCOUNTS;

    fn id(&self) -> String {
        self.order_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }
}

/// What is to be done with a request for a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The order is not known yet: wait for it.
    Hold,
    /// No.
    Refuse(Failure),
    /// Charge it.
    Accept,
}

impl OrderAccount {
    /// The account of an order of which nothing is known yet.
    pub fn new(order_id: OrderId) -> Self {
        Self {
            order_id,
            customer_id: None,
            expected: None,
            lines: Vec::new(),
            cancelled: false,
            poisoned: false,
            charged: false,
            payments: Vec::new(),
            open: None,
            groups: 0,
            net: 0,
            held: None,
            refunds: BTreeMap::new(),
            invoices: Vec::new(),
        }
    }

    /// The order was placed.
    pub fn expect(&mut self, customer_id: CustomerId, total: Money, items: &[OrderItem]) {
        self.customer_id = Some(customer_id);
        self.expected = Some(total);
        self.lines = items.iter().map(Line::of).collect();
    }

    /// The order's lines changed.
    pub fn modify(&mut self, change: &ItemsModified) {
        let gone = change.removed_items.iter().chain(&change.modified_items).chain(&change.added_items);
        let gone: Vec<&OrderItem> = gone.collect();
        self.lines.retain(|line| !gone.iter().any(|item| line.is(item)));
        self.lines.extend(change.modified_items.iter().chain(&change.added_items).map(Line::of));
        self.expected = Some(change.new_total_amount);
    }

    /// Nothing may be charged any more.
    pub fn is_closed(&self) -> bool {
        self.cancelled || self.poisoned
    }

    /// What is still to be paid.
    pub fn outstanding(&self) -> Option<Money> {
        self.expected.map(|expected| Money::new(expected.amount - self.net, expected.currency))
    }

    /// What is to be done with a request for a charge of this order.
    pub fn judge(&self, request: &Requested) -> Verdict {
        if self.is_closed() {
            return Verdict::Refuse(Failure::of(
                "order-cancelled",
                "the order is off: nothing is charged for it",
            ));
        }
        let Some(outstanding) = self.outstanding() else { return Verdict::Hold };
        let no = |code, message: &str| Verdict::Refuse(Failure::of(code, message));
        if self.customer_id.is_some_and(|known| known != request.customer_id) {
            return no("other-customer", "the order belongs to another customer");
        }
        if self.open.is_some_and(|open| open != request.payment_id) {
            let message = "another payment of this order is under way";
            return Verdict::Refuse(Failure { retryable: true, ..Failure::of("payment-under-way", message) });
        }
        if self.charged {
            return self.judge_difference(request, outstanding);
        }
        if request.amount != outstanding || request.amount.amount < 0 {
            let message = format!("asked for {}, but {outstanding} is to be paid", request.amount);
            return no("amount-mismatch", &message);
        }
        Verdict::Accept
    }

    /// A charged order is charged again only for a change of its items: order charges the
    /// difference first and tells the change after (order.items.modified), so the amount is
    /// order's word. What carries delivery is the whole order once more.
    fn judge_difference(&self, request: &Requested, outstanding: Money) -> Verdict {
        let whole = request.splits.iter().any(|share| share.recipient_type != RecipientType::Artisan);
        if whole || request.amount.amount <= 0 {
            return Verdict::Refuse(Failure::of("already-paid", "the order is paid"));
        }
        if request.amount.currency != outstanding.currency {
            let message =
                format!("asked for {}, but the order is in {}", request.amount, outstanding.currency);
            return Verdict::Refuse(Failure::of("amount-mismatch", message));
        }
        Verdict::Accept
    }

    /// What was ordered, as far as shares are concerned.
    pub fn goods(&self) -> Vec<Goods> {
        self.lines.iter().map(|line| line.goods.clone()).collect()
    }

    /// Opens an attempt group; gives the gateway's idempotency key.
    pub fn open_group(&mut self, payment_id: PaymentId) -> String {
        self.groups += 1;
        self.open = Some(payment_id);
        if !self.payments.contains(&payment_id) {
            self.payments.push(payment_id);
        }
        format!("{}/charge/{}", self.order_id, self.groups)
    }

    /// A payment's outcome is known: so many minor units were taken.
    pub fn closed(&mut self, payment_id: PaymentId, taken: Option<i64>) {
        if self.open == Some(payment_id) {
            self.open = None;
        }
        self.charged |= taken.is_some();
        self.net += taken.unwrap_or(0);
    }
}
