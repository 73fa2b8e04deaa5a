//! The ledger as it is read: a projection of payments' events, folded by the rules of
//! `domain::ledger`, so it can be rebuilt at any time and then reads the same.

use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use backbone::projection::{Projection, View};
use backbone::{Document, Refusal};
use kernel::{Currency, Money, PaymentId, RecipientId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::ledger::{self, Account, Posting};
use crate::domain::{Event, Payment};

/// Where postings are read.
pub const LEDGER_ENTRIES: Collection = Collection {
    name: "ledger_entries",
    columns: &[
        Column::indexed("recipient_id", ColumnKind::Uuid),
        Column::indexed("payment_id", ColumnKind::Uuid),
        Column::indexed("account", ColumnKind::Text),
        Column::plain("debit", ColumnKind::Integer),
        Column::plain("credit", ColumnKind::Integer),
        Column::plain("currency", ColumnKind::Text),
        Column::indexed("at", ColumnKind::Timestamp),
    ],
    children: &[],
};

/// Where balances are read.
pub const BALANCES: Collection = Collection {
    name: "balances",
    columns: &[
        Column::indexed("recipient_id", ColumnKind::Uuid),
        Column::plain("pending", ColumnKind::Money),
        Column::plain("payable", ColumnKind::Money),
    ],
    children: &[],
};

/// A posting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    /// Payment, event and place: the same in every rebuild.
    pub entry_id: String,
    /// The payment whose event posted it.
    pub payment_id: PaymentId,
    /// The account's name: `payable:<recipient>`.
    pub account: String,
    /// Whose account, where it is a recipient's.
    pub recipient_id: Option<RecipientId>,
    /// Minor units; zero where it is a credit.
    pub debit: i64,
    /// Minor units; zero where it is a debit.
    pub credit: i64,
    /// The currency of both.
    pub currency: Currency,
    /// When.
    pub at: Timestamp,
}

impl Document for LedgerEntry {
    const COLLECTION: &'static Collection = &LEDGER_ENTRIES;

    fn id(&self) -> String {
        self.entry_id.clone()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![
            self.recipient_id.map(|recipient| recipient.0).into(),
            self.payment_id.0.into(),
            self.account.as_str().into(),
            self.debit.into(),
            self.credit.into(),
            self.currency.code().into(),
            self.at.into(),
        ]
    }
}

/// What a recipient is owed, in one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Balance {
    /// Whose.
    pub recipient_id: RecipientId,
    /// Owed once customers can no longer withdraw.
    pub pending: Money,
    /// Owed now.
    pub payable: Money,
    /// The platform's commission, net of VAT.
    pub commission: Money,
    /// The VAT on it.
    pub commission_vat: Money,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Balance {
    fn empty(recipient_id: RecipientId, currency: Currency, updated_at: Timestamp) -> Self {
        let zero = Money::zero(currency);
        Self {
            recipient_id,
            pending: zero,
            payable: zero,
            commission: zero,
            commission_vat: zero,
            updated_at,
        }
    }

    fn key(recipient_id: RecipientId, currency: Currency) -> String {
        format!("{recipient_id}/{currency}")
    }

    fn take(&mut self, posting: &Posting, at: Timestamp) {
        let balance = match posting.account {
            Account::Gateway { .. } => return,
            Account::Pending { .. } => &mut self.pending,
            Account::Payable { .. } => &mut self.payable,
            Account::Commission { .. } => &mut self.commission,
            Account::CommissionVat { .. } => &mut self.commission_vat,
        };
        balance.amount += posting.credit - posting.debit;
        self.updated_at = at;
    }
}

impl Document for Balance {
    const COLLECTION: &'static Collection = &BALANCES;

    fn id(&self) -> String {
        Self::key(self.recipient_id, self.pending.currency)
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![self.recipient_id.0.into(), self.pending.into(), self.payable.into()]
    }
}

/// The projection.
pub fn projection() -> Projection {
    const COLLECTIONS: &[&Collection] = &[&LEDGER_ENTRIES, &BALANCES];
    Projection::of::<Payment>("ledger", COLLECTIONS, fold)
}

/// Posts what an event posts.
pub fn fold(id: &str, event: &Event, at: Timestamp, view: &mut View<'_, '_>) -> Result<(), Refusal> {
    let Ok(payment_id) = id.parse::<PaymentId>() else { return Ok(()) };
    for (place, posting) in ledger::postings(event).into_iter().enumerate() {
        let recipient_id = posting.account.recipient();
        if let Some(recipient) = recipient_id {
            let key = Balance::key(recipient, posting.currency);
            let begin = || Balance::empty(recipient, posting.currency, at);
            view.update(key, begin, |balance| balance.take(&posting, at))?;
        }
        view.put(LedgerEntry {
            entry_id: format!("{id}/{}/{place:02}", ledger::label(event)),
            payment_id,
            account: posting.account.name(),
            recipient_id,
            debit: posting.debit,
            credit: posting.credit,
            currency: posting.currency,
            at,
        })?;
    }
    Ok(())
}
