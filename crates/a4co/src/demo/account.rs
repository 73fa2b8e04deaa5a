//! The account of a day, taken from what the market itself shows: orders by state, money, the
//! ledger, and stock. Whatever does not balance is a finding, in a sentence.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Add as _;

use contracts::shared::{OrderState, Split};
use futures::{StreamExt as _, TryStreamExt as _};
use kernel::{Money, OrderId, PaymentId, ProductId, RecipientId, Timestamp, VariantId};
use serde::Deserialize;

use super::play::OrderView;
use crate::client::{self, Api, Call, Error};
use crate::stock::{self, Item};
use crate::table::{Table, thousands};

/// More rows than this of one list are not read; then the account says so.
const ROWS_MAX: usize = 1_000_000;

/// What was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    /// Orders by the name of their state.
    pub(crate) by_state: BTreeMap<&'static str, u64>,
    /// Cents taken from customers.
    pub(crate) charged: i64,
    /// Of these, given back.
    pub(crate) refunded: i64,
    /// Of these, divided among recipients.
    pub(crate) divided: i64,
    /// What the recipients' ledgers hold of it.
    pub(crate) owed: i64,
    /// Postings in the recipients' ledgers.
    pub(crate) postings: usize,
    /// Pieces sold, returned ones taken off.
    pub(crate) sold: i64,
    /// Items that were looked at.
    pub(crate) items: usize,
    /// Movements of these items.
    pub(crate) movements: usize,
    /// What does not balance.
    pub(crate) findings: Vec<String>,
}

/// Whose account is taken.
pub(crate) struct Books<'a> {
    pub(crate) api: &'a dyn Api,
    pub(crate) operator: &'a str,
    /// How many reads are under way at a time.
    pub(crate) parallel: usize,
    pub(crate) orders: &'a [OrderId],
}

/// Where a payment stands. An answer with another word is unreadable, not a payment without money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Standing {
    Processing,
    AwaitingCustomer,
    AwaitingTransfer,
    Voiding,
    Succeeded,
    PartlyRefunded,
    Refunded,
    Failed,
    Voided,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Refunding {
    Running,
    Processed,
    Failed,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaymentSheet {
    payment_id: PaymentId,
    status: Standing,
    amount: Option<Money>,
    /// Who gets what of the whole.
    splits: Vec<Split>,
    /// Who has what left.
    left: Vec<Split>,
    refunds: BTreeMap<String, RefundSheet>,
}

#[derive(Debug, Deserialize)]
struct RefundSheet {
    amount: Money,
    status: Refunding,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Movement {
    product_id: ProductId,
    variant_id: Option<VariantId>,
    quantity: i64,
    reserved: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LedgerPage {
    entries: Vec<Posting>,
    #[serde(default)]
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posting {
    payment_id: PaymentId,
    debit: i64,
    credit: i64,
    at: Timestamp,
}

/// An order with all that belongs to it.
struct Dossier {
    id: OrderId,
    order: OrderView,
    payments: Vec<PaymentSheet>,
    movements: Vec<Movement>,
}

/// Cents of a payment, or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cents {
    charged: i64,
    /// Divided at the sale.
    split: i64,
    refunded: i64,
    /// Still divided.
    left: i64,
}

impl std::ops::Add for Cents {
    type Output = Cents;

    fn add(self, other: Cents) -> Cents {
        Cents {
            charged: self.charged + other.charged,
            split: self.split + other.split,
            refunded: self.refunded + other.refunded,
            left: self.left + other.left,
        }
    }
}

impl Dossier {
    fn cents(&self) -> Cents {
        self.payments.iter().map(PaymentSheet::cents).fold(Cents::default(), Cents::add)
    }
}

impl PaymentSheet {
    fn cents(&self) -> Cents {
        let taken =
            matches!(self.status, Standing::Succeeded | Standing::PartlyRefunded | Standing::Refunded);
        let sum = |splits: &[Split]| splits.iter().map(|split| split.amount.amount).sum();
        let processed = self.refunds.values().filter(|refund| refund.status == Refunding::Processed);
        Cents {
            charged: self.amount.filter(|_| taken).map_or(0, |amount| amount.amount),
            split: sum(&self.splits),
            refunded: processed.map(|refund| refund.amount.amount).sum(),
            left: sum(&self.left),
        }
    }
}

impl Books<'_> {
    /// Takes the account once; what is still under way may make it find something.
    pub(crate) async fn take(&self) -> Result<Account, Error> {
        let mut account = Account::default();
        let dossiers: Vec<Dossier> = futures::stream::iter(self.orders)
            .map(|id| self.dossier(*id))
            .buffered(self.parallel)
            .try_collect()
            .await?;
        for dossier in &dossiers {
            *account.by_state.entry(dossier.order.state.as_str()).or_default() += 1;
            check_order(dossier, &mut account);
        }
        self.ledger(&dossiers, &mut account).await?;
        self.stock(&dossiers, &mut account).await?;
        Ok(account)
    }

    async fn dossier(&self, id: OrderId) -> Result<Dossier, Error> {
        let get = |path: String| Call::get(path).by(self.operator);
        let order = client::fetch(self.api, get(format!("/api/orders/{id}"))).await?;
        let payments = client::fetch(self.api, get(format!("/api/payments?orderId={id}"))).await?;
        let path = format!("/api/inventory/movements?orderId={id}");
        let movements = client::fetch_all(self.api, &path, Some(self.operator), ROWS_MAX).await?;
        Ok(Dossier { id, order, payments, movements })
    }

    /// Every payment's postings sum to what is left of it; so the whole ledger sums to zero.
    async fn ledger(&self, dossiers: &[Dossier], account: &mut Account) -> Result<(), Error> {
        let payments = || dossiers.iter().flat_map(|dossier| &dossier.payments);
        let recipients: BTreeSet<RecipientId> =
            payments().flat_map(|payment| &payment.splits).map(|split| split.recipient_id).collect();
        // No money moves for an order before it is placed.
        let since = dossiers.iter().map(|dossier| dossier.order.created_at).min().unwrap_or_default();
        let mut owed: BTreeMap<PaymentId, i64> = payments().map(|payment| (payment.payment_id, 0)).collect();
        let mut ledgers = futures::stream::iter(recipients)
            .map(|recipient| self.postings(recipient, since))
            .buffer_unordered(self.parallel);
        while let Some(postings) = ledgers.try_next().await? {
            for posting in postings {
                if let Some(sum) = owed.get_mut(&posting.payment_id) {
                    *sum += posting.credit - posting.debit;
                    account.postings += 1;
                }
            }
        }
        account.owed = owed.values().sum();
        for dossier in dossiers {
            for payment in &dossier.payments {
                let posted = owed.get(&payment.payment_id).copied().unwrap_or(0);
                let Cents { charged, refunded, .. } = payment.cents();
                if posted != charged - refunded {
                    account.findings.push(format!(
                        "order {}: the ledger owes {} for payment {}, of which {} was taken and {} given back",
                        dossier.id,
                        Money::eur(posted),
                        payment.payment_id,
                        Money::eur(charged),
                        Money::eur(refunded),
                    ));
                }
            }
        }
        Ok(())
    }

    /// A recipient's postings since a moment; the newest come first.
    async fn postings(&self, recipient: RecipientId, since: Timestamp) -> Result<Vec<Posting>, Error> {
        let mut postings = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/api/payments/ledger/{recipient}?limit=100{cursor}");
            let page: LedgerPage = client::fetch(self.api, Call::get(path).by(self.operator)).await?;
            let over = page.entries.iter().any(|posting| posting.at < since);
            postings.extend(page.entries.into_iter().filter(|posting| posting.at >= since));
            match page.next {
                Some(next) if !over && postings.len() < ROWS_MAX => cursor = format!("&cursor={next}"),
                _ => return Ok(postings),
            }
        }
    }

    /// The movements of every item that was touched sum to what lies there and to what is held.
    async fn stock(&self, dossiers: &[Dossier], account: &mut Account) -> Result<(), Error> {
        let movements = dossiers.iter().flat_map(|dossier| &dossier.movements);
        let items: BTreeSet<Item> = movements.map(Movement::item).collect();
        account.items = items.len();
        let mut checks =
            futures::stream::iter(items).map(|item| self.item(item)).buffer_unordered(self.parallel);
        while let Some((movements, finding)) = checks.try_next().await? {
            account.movements += movements;
            account.findings.extend(finding);
        }
        Ok(())
    }

    async fn item(&self, item: Item) -> Result<(usize, Option<String>), Error> {
        let path = match item.variant_id {
            Some(variant) => format!("productId={}&variantId={variant}", item.product_id),
            None => format!("productId={}", item.product_id),
        };
        let path = format!("/api/inventory/movements?{path}");
        let movements: Vec<Movement> =
            client::fetch_all(self.api, &path, Some(self.operator), ROWS_MAX).await?;
        let (kept, _) = stock::kept(self.api, self.operator, &item).await?;
        let own = || movements.iter().filter(|movement| movement.item() == item);
        let quantity: i64 = own().map(|movement| movement.quantity).sum();
        let reserved: i64 = own().map(|movement| movement.reserved).sum();
        let balanced = quantity == i64::from(kept.quantity)
            && reserved == i64::from(kept.reserved)
            && kept.quantity.checked_sub(kept.reserved) == Some(kept.available);
        let finding = format!(
            "stock {}: movements sum to {quantity} pieces and {reserved} held, but {} lie there, {} are held \
             and {} can be bought",
            item.stock_id(),
            kept.quantity,
            kept.reserved,
            kept.available,
        );
        Ok((movements.len(), (!balanced).then_some(finding)))
    }
}

impl Movement {
    fn item(&self) -> Item {
        Item { product_id: self.product_id, variant_id: self.variant_id }
    }
}

/// What an order's state promises of its money and its stock.
fn check_order(dossier: &Dossier, account: &mut Account) {
    let Cents { charged, split, refunded, left } = dossier.cents();
    account.charged += charged;
    account.refunded += refunded;
    account.divided += left;
    let held: i64 = dossier.movements.iter().map(|movement| movement.reserved).sum();
    let out: i64 = -dossier.movements.iter().map(|movement| movement.quantity).sum::<i64>();
    account.sold += out;
    let order = &dossier.order;
    let mut find = |what: String| {
        account.findings.push(format!("order {} ({}): {what}", dossier.id, order.state.as_str()));
    };
    if charged != split {
        find(format!("{} was taken, but {} divided", Money::eur(charged), Money::eur(split)));
    }
    if charged != refunded + left {
        let [charged, refunded, left] = [charged, refunded, left].map(Money::eur);
        find(format!("{charged} was taken, but {refunded} given back and {left} left divided"));
    }
    let kept: i64 = order.items.iter().map(|line| i64::from(line.quantity) - i64::from(line.returned)).sum();
    let (paid, pieces) = match order.state {
        OrderState::Pending | OrderState::AwaitingCustomer => {
            return find("it has not ended".to_owned());
        }
        OrderState::Confirmed | OrderState::Preparing | OrderState::Shipped | OrderState::Delivered => {
            (charged == order.total.amount, kept)
        }
        OrderState::Returned => (charged == order.total.amount && refunded > 0, 0),
        OrderState::Cancelled | OrderState::Failed => (left == 0, 0),
    };
    if !paid {
        let [charged, refunded] = [charged, refunded].map(Money::eur);
        find(format!("{charged} of {} was taken and {refunded} given back", order.total));
    }
    if held != 0 {
        find(format!("{held} pieces are still held for it"));
    }
    if out != pieces {
        find(format!("{out} pieces left the stock for it, not {pieces}"));
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(["account", "EUR", "of"]);
        let mut line = |name: &str, cents: i64, of: String| {
            table.row([name.to_owned(), euros(cents), of]);
        };
        line("money in", self.charged, String::new());
        line("= divided among recipients", self.divided, String::new());
        line("+ given back", self.refunded, String::new());
        let postings = format!("{} postings", thousands(self.postings as u64));
        line("ledger: gateways less recipients", self.charged - self.refunded - self.owed, postings);
        writeln!(f, "{table}")?;
        let mut table = Table::new(["stock", "", ""]);
        let mut line = |name: &str, count: i64| {
            let count = thousands(count.unsigned_abs());
            table.row([name.to_owned(), count, String::new()]);
        };
        line("pieces sold", self.sold);
        line("items", self.items as i64);
        line("movements", self.movements as i64);
        write!(f, "{table}")
    }
}

fn euros(cents: i64) -> String {
    let text = Money::eur(cents).to_string();
    text.trim_end_matches(" EUR").to_owned()
}

#[cfg(test)]
mod tests;
