//! Invoices: simplified when the money is taken, corrective when some goes back, full on demand
//! (Real Decreto 1619/2012). One series per issuer, kind and year, numbered without gaps: the
//! series is a document that grows in the commit that uses it.

use std::collections::BTreeMap;

use backbone::Document;
use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use contracts::shared::{RecipientType, SplitShare};
use kernel::{Money, OrderId, PaymentId, RecipientId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shares::Goods;

/// Where invoices are kept.
pub const INVOICES: Collection = Collection {
    name: "invoices",
    columns: &[
        Column::indexed("order_id", ColumnKind::Uuid),
        Column::indexed("issuer", ColumnKind::Uuid),
        Column::plain("total", ColumnKind::Money),
        Column::plain("issued_at", ColumnKind::Timestamp),
    ],
    children: &["lines"],
};

/// Where the last numbers of series are kept.
pub const INVOICE_SERIES: Collection = Collection {
    name: "invoice_series",
    columns: &[Column::plain("last", ColumnKind::Integer)],
    children: &[],
};

/// What kind of invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InvoiceKind {
    /// Without the customer's data.
    Simplified,
    /// With the customer's data; replaces a simplified one.
    Full,
    /// Takes back some or all of another.
    Corrective,
}

impl InvoiceKind {
    fn letter(self) -> char {
        match self {
            InvoiceKind::Simplified => 'S',
            InvoiceKind::Full => 'F',
            InvoiceKind::Corrective => 'R',
        }
    }
}

/// A series of numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InvoiceSeries {
    /// Issuer, kind and year.
    pub series: String,
    /// The number used last.
    pub last: u32,
}

impl InvoiceSeries {
    /// The name of a series: letter and year, then the issuer.
    pub fn name(issuer: RecipientId, kind: InvoiceKind, at: Timestamp) -> String {
        let year: String = at.to_string().chars().take(4).collect();
        format!("{}{year}-{}", kind.letter(), issuer)
    }

    /// Takes the next number.
    pub fn take(&mut self) -> String {
        self.last += 1;
        format!("{}-{:06}", self.series, self.last)
    }
}

impl Document for InvoiceSeries {
    const COLLECTION: &'static Collection = &INVOICE_SERIES;

    fn id(&self) -> String {
        self.series.clone()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![self.last.into()]
    }
}

/// What is charged at one rate of VAT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InvoiceLine {
    /// Basis points.
    pub vat_rate: u32,
    /// Without VAT.
    pub net: Money,
    /// The VAT.
    pub vat: Money,
    /// With VAT.
    pub gross: Money,
}

/// To whom a full invoice is made out. The law orders it kept, so erasing a person does not
/// take it away (security.md); it is in no event and no log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BilledTo {
    /// The name or company.
    pub name: String,
    /// The tax number (NIF).
    pub tax_id: String,
    /// The address, in one line.
    pub address: String,
}

/// An invoice. Never changed: a mistake is corrected by another invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invoice {
    /// Series and number.
    pub number: String,
    /// What kind.
    pub kind: InvoiceKind,
    /// Who sells.
    pub issuer: RecipientId,
    /// For which order.
    pub order_id: OrderId,
    /// For which payment.
    pub payment_id: PaymentId,
    /// What is charged, by rate of VAT; negative where it is taken back.
    pub lines: Vec<InvoiceLine>,
    /// The sum, with VAT.
    pub total: Money,
    /// The invoice that it corrects or replaces.
    pub refers_to: Option<String>,
    /// To whom, on a full invoice.
    pub billed_to: Option<BilledTo>,
    /// When.
    pub issued_at: Timestamp,
}

impl Document for Invoice {
    const COLLECTION: &'static Collection = &INVOICES;

    fn id(&self) -> String {
        self.number.clone()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![self.order_id.0.into(), self.issuer.0.into(), self.total.into(), self.issued_at.into()]
    }
}

/// An invoice as the order's account remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InvoiceRef {
    /// Series and number.
    pub number: String,
    /// Who sells.
    pub issuer: RecipientId,
    /// For which payment.
    pub payment_id: PaymentId,
    /// What it charges and was not taken back yet: minor units by rate of VAT.
    pub left_by_rate: BTreeMap<u32, i64>,
    /// It is a full one, in place of a simplified one.
    pub full: bool,
}

/// What one seller charges in a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sale {
    /// Who sells.
    pub issuer: RecipientId,
    /// What, by rate of VAT in basis points.
    pub gross_by_rate: BTreeMap<u32, Money>,
}

/// What each seller charges in a payment: the artisans' gross shares at the rates of their
/// goods, and delivery at its own.
pub fn sales(shares: &[SplitShare], goods: &[Goods], delivery_rate: u32) -> Vec<Sale> {
    let sold = shares.iter().filter(|share| !share.amount.is_zero());
    sold.map(|share| {
        let mut weights: BTreeMap<u32, u64> = BTreeMap::new();
        if share.recipient_type == RecipientType::Artisan {
            for goods in goods.iter().filter(|goods| goods.artisan_id.0 == share.recipient_id.0) {
                *weights.entry(goods.vat_rate).or_default() += goods.amount.amount.unsigned_abs();
            }
        }
        if weights.is_empty() {
            weights.insert(delivery_rate, 1);
        }
        let amounts: Vec<u64> = weights.values().copied().collect();
        let gross_by_rate = weights.into_keys().zip(share.amount.allocate(&amounts)).collect();
        Sale { issuer: share.recipient_id, gross_by_rate }
    })
    .collect()
}

/// The lines of an invoice; `sign` is −1 where it takes back.
pub fn lines(gross_by_rate: &BTreeMap<u32, Money>, sign: i64) -> Vec<InvoiceLine> {
    let charged = gross_by_rate.iter().filter(|(_, gross)| !gross.is_zero());
    charged
        .map(|(rate, gross)| {
            let signed = Money::new(sign * gross.amount, gross.currency);
            let vat = signed.tax_included(i64::from(*rate));
            let net = Money::new(signed.amount - vat.amount, gross.currency);
            InvoiceLine { vat_rate: *rate, net, vat, gross: signed }
        })
        .collect()
}
