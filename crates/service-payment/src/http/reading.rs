//! The routes that only read.

use axum::extract::State;
use backbone::collection::{Direction, Query};
use backbone::context::Versioned;
use backbone::route::Caller;
use http_kit::{Answer, CallerIs, PageQuery, Problem, UrlPath, UrlQuery};
use kernel::{PaymentId, RecipientId};

use super::Desk;
use super::shapes::{LedgerQuery, LedgerSheet, OfOrder, PaymentSheet};
use crate::bookkeeping::{BALANCES, Balance, LEDGER_ENTRIES, LedgerEntry};
use crate::domain::invoice::{INVOICES, Invoice};
use crate::views::{PAYMENTS, PaymentView};

/// So many payments of one order are shown; each failed method is one.
const PAYMENTS_SHOWN_MAX: usize = 100;

/// A payment that the caller may see. Somebody else's is answered like none.
pub(super) async fn visible(
    desk: &Desk,
    caller: &Caller,
    payment_id: PaymentId,
) -> Result<Versioned<PaymentView>, Problem> {
    let found = desk.context.get::<PaymentView>(payment_id).await?;
    found
        .filter(|found| caller.may_act_for(found.document.customer_id.0))
        .ok_or_else(|| Problem::not_found(format!("payment {payment_id}")))
}

pub(super) async fn payment(
    State(desk): State<Desk>,
    CallerIs(caller): CallerIs,
    UrlPath(payment_id): UrlPath<PaymentId>,
) -> Result<Answer, Problem> {
    let found = visible(&desk, &caller, payment_id).await?;
    Ok(Answer::ok(&PaymentSheet::from(found.document)).etag(found.version))
}

pub(super) async fn of_order(
    State(desk): State<Desk>,
    CallerIs(caller): CallerIs,
    UrlQuery(query): UrlQuery<OfOrder>,
) -> Result<Answer, Problem> {
    let wanted = Query::all(&PAYMENTS)
        .equal("order_id", query.order_id.0)
        .sorted("requested_at", Direction::Ascending)
        .limit(PAYMENTS_SHOWN_MAX);
    let found = desk.context.find::<PaymentView>(wanted).await?;
    let visible = found.into_iter().filter(|found| caller.may_act_for(found.document.customer_id.0));
    let sheets: Vec<PaymentSheet> = visible.map(|found| found.document.into()).collect();
    Ok(Answer::ok(&sheets))
}

pub(super) async fn invoices(
    State(desk): State<Desk>,
    CallerIs(caller): CallerIs,
    UrlPath(payment_id): UrlPath<PaymentId>,
) -> Result<Answer, Problem> {
    let payment = visible(&desk, &caller, payment_id).await?.document;
    let found =
        desk.context.find::<Invoice>(Query::all(&INVOICES).equal("order_id", payment.order_id.0)).await?;
    let invoices = found.into_iter().map(|found| found.document);
    let invoices: Vec<Invoice> = invoices.filter(|invoice| invoice.payment_id == payment_id).collect();
    Ok(Answer::ok(&invoices))
}

pub(super) async fn ledger(
    State(desk): State<Desk>,
    CallerIs(caller): CallerIs,
    UrlPath(recipient_id): UrlPath<RecipientId>,
    UrlQuery(query): UrlQuery<LedgerQuery>,
) -> Result<Answer, Problem> {
    if !caller.may_act_for(recipient_id.0) {
        return Err(Problem::forbidden("a ledger is shown to its recipient and to operators"));
    }
    let balances = Query::all(&BALANCES).equal("recipient_id", recipient_id.0);
    let balances = desk.context.find::<Balance>(balances).await?;
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    let limit = page.limit();
    let mut wanted = Query::all(&LEDGER_ENTRIES)
        .equal("recipient_id", recipient_id.0)
        .sorted("at", Direction::Descending)
        .limit(limit + 1);
    if let Some((value, id)) = page.after()? {
        wanted = wanted.after(value, id);
    }
    let entries = desk.context.find::<LedgerEntry>(wanted).await?;
    let entries: Vec<LedgerEntry> = entries.into_iter().map(|found| found.document).collect();
    let page = http_kit::page::Page::cut(entries, limit, |entry| (entry.at.into(), entry.entry_id.clone()));
    Ok(Answer::ok(&LedgerSheet {
        balances: balances.into_iter().map(|found| found.document).collect(),
        entries: page.items,
        next: page.next,
    }))
}
