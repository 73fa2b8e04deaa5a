//! Double-entry bookkeeping: what a payment's event debits and credits. The sum of all postings is
//! zero after every event (reliability.md, rule 34).

use kernel::{Currency, Money, RecipientId};
use serde::{Deserialize, Serialize};

use super::Event;
use super::shares::{Part, Role};

/// An account of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Account {
    /// Money that a gateway holds for us (an asset).
    Gateway {
        /// Which gateway.
        name: String,
    },
    /// Owed to a recipient once the customer can no longer withdraw (a liability).
    Pending {
        /// To whom.
        recipient_id: RecipientId,
    },
    /// Owed to a recipient now (a liability).
    Payable {
        /// To whom.
        recipient_id: RecipientId,
    },
    /// The platform's commission (revenue).
    Commission {
        /// The platform.
        recipient_id: RecipientId,
    },
    /// VAT on the commission, owed to the tax office (a liability).
    CommissionVat {
        /// The platform.
        recipient_id: RecipientId,
    },
}

impl Account {
    /// Its name: `payable:<recipient>`.
    pub fn name(&self) -> String {
        match self {
            Account::Gateway { name } => format!("gateway:{name}"),
            Account::Pending { recipient_id } => format!("pending:{recipient_id}"),
            Account::Payable { recipient_id } => format!("payable:{recipient_id}"),
            Account::Commission { recipient_id } => format!("commission:{recipient_id}"),
            Account::CommissionVat { recipient_id } => format!("commission-vat:{recipient_id}"),
        }
    }

    /// Whose it is, where it is a recipient's.
    pub fn recipient(&self) -> Option<RecipientId> {
        match self {
            Account::Gateway { .. } => None,
            Account::Pending { recipient_id }
            | Account::Payable { recipient_id }
            | Account::Commission { recipient_id }
            | Account::CommissionVat { recipient_id } => Some(*recipient_id),
        }
    }

    fn of(part: &Part, payable: bool) -> Self {
        let recipient_id = part.recipient_id;
        match part.role {
            Role::Commission => Account::Commission { recipient_id },
            Role::CommissionVat => Account::CommissionVat { recipient_id },
            Role::Artisan | Role::Delivery if payable => Account::Payable { recipient_id },
            Role::Artisan | Role::Delivery => Account::Pending { recipient_id },
        }
    }
}

/// A debit or a credit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Where.
    pub account: Account,
    /// Minor units; zero where it is a credit.
    pub debit: i64,
    /// Minor units; zero where it is a debit.
    pub credit: i64,
    /// The currency of both.
    pub currency: Currency,
}

impl Posting {
    fn debit(account: Account, amount: Money) -> Self {
        Self { account, debit: amount.amount, credit: 0, currency: amount.currency }
    }

    fn credit(account: Account, amount: Money) -> Self {
        Self { account, debit: 0, credit: amount.amount, currency: amount.currency }
    }
}

/// What an event posts; most post nothing.
pub fn postings(event: &Event) -> Vec<Posting> {
    match event {
        Event::Succeeded { gateway, amount, parts, .. } if !amount.is_zero() => {
            let received = Posting::debit(Account::Gateway { name: gateway.clone() }, *amount);
            let owed = parts.iter().map(|part| Posting::credit(Account::of(part, false), part.amount));
            std::iter::once(received).chain(owed).collect()
        }
        Event::RefundCompleted { gateway, amount, reversed, payable, .. } => {
            let returned = Posting::credit(Account::Gateway { name: gateway.clone() }, *amount);
            let owed = reversed.iter().map(|part| Posting::debit(Account::of(part, *payable), part.amount));
            owed.chain(std::iter::once(returned)).collect()
        }
        Event::BecamePayable { parts, .. } => parts
            .iter()
            .flat_map(|part| {
                let pending = Posting::debit(Account::of(part, false), part.amount);
                [pending, Posting::credit(Account::of(part, true), part.amount)]
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Names an event among those of its payment that post: money is taken once, each refund goes
/// back once, shares become payable once.
pub fn label(event: &Event) -> String {
    match event {
        Event::Succeeded { .. } => "taken".to_owned(),
        Event::RefundCompleted { refund_id, .. } => format!("refund-{refund_id}"),
        _ => "payable".to_owned(),
    }
}
