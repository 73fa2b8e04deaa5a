//! Invoices in the commit that causes them, so that their numbers have no gaps.

use std::collections::BTreeMap;
use std::sync::Arc;

use backbone::{Refusal, Rejection, Workspace};
use kernel::{Money, PaymentId, RecipientId};

use super::account;
use crate::domain::invoice::{self, BilledTo, Invoice, InvoiceKind, InvoiceRef, InvoiceSeries};
use crate::domain::{OrderAccount, Payment, State};

/// What an invoice is made of, but for its number.
struct Draft<'a> {
    kind: InvoiceKind,
    issuer: RecipientId,
    payment_id: PaymentId,
    gross_by_rate: &'a BTreeMap<u32, Money>,
    refers_to: Option<String>,
    billed_to: Option<BilledTo>,
}

/// Issues an invoice under its series' next number; gives the number.
fn write(ws: &mut Workspace<'_>, account: &OrderAccount, draft: Draft<'_>) -> Result<String, Refusal> {
    let issued_at = ws.now();
    let name = InvoiceSeries::name(draft.issuer, draft.kind, issued_at);
    let found = ws.get::<InvoiceSeries>(&name)?;
    let mut series = found.map_or(InvoiceSeries { series: name, last: 0 }, Arc::unwrap_or_clone);
    let number = series.take();
    ws.put(series)?;
    let sign = if draft.kind == InvoiceKind::Corrective { -1 } else { 1 };
    let lines = invoice::lines(draft.gross_by_rate, sign);
    let currency = draft.gross_by_rate.values().next().map_or(kernel::Currency::EUR, |money| money.currency);
    let total = Money::new(lines.iter().map(|line| line.gross.amount).sum(), currency);
    ws.create(Invoice {
        number: number.clone(),
        kind: draft.kind,
        issuer: draft.issuer,
        order_id: account.order_id,
        payment_id: draft.payment_id,
        lines,
        total,
        refers_to: draft.refers_to,
        billed_to: draft.billed_to,
        issued_at,
    });
    Ok(number)
}

/// The money was taken: a simplified invoice from each seller.
pub fn issue(ws: &mut Workspace<'_>, account: &mut OrderAccount, state: &State) -> Result<(), Refusal> {
    let Some(terms) = &state.terms else { return Ok(()) };
    for sale in &terms.sales {
        let draft = Draft {
            kind: InvoiceKind::Simplified,
            issuer: sale.issuer,
            payment_id: terms.identity.payment_id,
            gross_by_rate: &sale.gross_by_rate,
            refers_to: None,
            billed_to: None,
        };
        let number = write(ws, account, draft)?;
        let left_by_rate = sale.gross_by_rate.iter().map(|(rate, gross)| (*rate, gross.amount)).collect();
        account.invoices.push(InvoiceRef {
            number,
            issuer: sale.issuer,
            payment_id: terms.identity.payment_id,
            left_by_rate,
            full: false,
        });
    }
    Ok(())
}

/// Money went back: a corrective invoice from each seller, in proportion to what is left of
/// what they charged.
pub fn correct(
    ws: &mut Workspace<'_>,
    account: &mut OrderAccount,
    payment_id: PaymentId,
    amount: Money,
) -> Result<(), Refusal> {
    let places: Vec<(usize, u32, u64)> = account
        .invoices
        .iter()
        .enumerate()
        .filter(|(_, invoice)| invoice.payment_id == payment_id)
        .flat_map(|(index, invoice)| {
            invoice.left_by_rate.iter().map(move |(rate, left)| (index, *rate, left.unsigned_abs()))
        })
        .collect();
    let weights: Vec<u64> = places.iter().map(|(_, _, left)| *left).collect();
    let mut taken: BTreeMap<usize, BTreeMap<u32, Money>> = BTreeMap::new();
    for ((index, rate, _), part) in places.iter().zip(amount.allocate(&weights)) {
        if !part.is_zero() {
            taken.entry(*index).or_default().insert(*rate, part);
        }
    }
    for (index, gross_by_rate) in taken {
        let corrected = account.invoices[index].clone();
        let draft = Draft {
            kind: InvoiceKind::Corrective,
            issuer: corrected.issuer,
            payment_id,
            gross_by_rate: &gross_by_rate,
            refers_to: Some(corrected.number),
            billed_to: None,
        };
        write(ws, account, draft)?;
        for (rate, part) in gross_by_rate {
            *account.invoices[index].left_by_rate.entry(rate).or_default() -= part.amount;
        }
    }
    Ok(())
}

/// The customer wants full invoices: one in place of each simplified one, over what is left of
/// it. Gives their numbers; wanted again, there is nothing left to replace.
pub fn make_full(
    ws: &mut Workspace<'_>,
    payment_id: PaymentId,
    billed_to: &BilledTo,
) -> Result<Vec<String>, Refusal> {
    let state = ws.state::<Payment>(payment_id)?;
    let (Some(identity), Some(terms)) = (state.identity, &state.terms) else {
        return Err(Rejection::not_found("no-such-payment", "there is no such payment").into());
    };
    let mut account = account(ws, identity.order_id)?;
    let currency = terms.amount.currency;
    let mut numbers = Vec::new();
    for index in 0..account.invoices.len() {
        let replaced = account.invoices[index].clone();
        let left: BTreeMap<u32, Money> =
            replaced.left_by_rate.iter().map(|(rate, left)| (*rate, Money::new(*left, currency))).collect();
        let nothing_left = left.values().all(|left| left.is_zero());
        if replaced.payment_id != payment_id || replaced.full || nothing_left {
            continue;
        }
        let draft = Draft {
            kind: InvoiceKind::Full,
            issuer: replaced.issuer,
            payment_id,
            gross_by_rate: &left,
            refers_to: Some(replaced.number),
            billed_to: Some(billed_to.clone()),
        };
        let number = write(ws, &account, draft)?;
        account.invoices[index].number = number.clone();
        account.invoices[index].full = true;
        numbers.push(number);
    }
    if numbers.is_empty() {
        let message =
            "there is no simplified invoice left to replace: nothing was paid, or it was done before";
        return Err(Rejection::conflict("no-invoice-to-replace", message).into());
    }
    ws.put(account)?;
    Ok(numbers)
}
