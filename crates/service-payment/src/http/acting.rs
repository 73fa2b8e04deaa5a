//! The routes that change something.

use axum::extract::State;
use backbone::Work;
use contracts::calls::ValidatePayment;
use futures::future::try_join;
use garde::Validate;
use http::StatusCode;
use http_kit::{
    Answer, Body, CallerIs, Execute, Idempotency as IdempotencyHeader, Origin as RequestOrigin, Problem,
    UrlPath,
};
use kernel::{PaymentId, find_card_number};
use serde::Deserialize;

use super::Desk;
use super::reading::visible;
use super::shapes::{
    AnswerThreeDs, ConfirmTransfer, PaymentSheet, RefundPayment, RefundStarted, RequestInvoice,
    RequestedInvoices,
};
use crate::commands::validating::{self, Findings};
use crate::commands::{invoicing, refunding, waiting};
use crate::domain::invoice::BilledTo;
use crate::views::PaymentView;

/// The shape shared with order, as a body that is checked.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Checked(ValidatePayment);

impl Validate for Checked {
    type Context = ();

    fn validate_into(&self, (): &(), parent: &mut dyn FnMut() -> garde::Path, report: &mut garde::Report) {
        let method = &self.0.payment_method_id;
        let wrong = match method {
            named if find_card_number(named.as_bytes()).is_some() => {
                "looks like a card number: send the gateway's token, never the number"
            }
            named if named.is_empty() || named.len() > 255 => "must have 1 to 255 characters",
            _ => return,
        };
        report.append(parent().join("paymentMethodId"), garde::Error::new(wrong));
    }
}

/// The findings are gathered before the decision: it asks nobody.
async fn find_out(desk: &Desk, request: &ValidatePayment, correlation: &str) -> Result<Findings, Problem> {
    let gateways = &desk.counter.gateways;
    let named = request.payment_method_id.as_str();
    let profile = desk.payers.profile(request.customer_id, correlation);
    let (profile, token) = match gateways.recognise(named) {
        Some(_) => (profile.await?, Some(named.to_owned())),
        None => {
            let method = desk.payers.method(request.customer_id, named, correlation);
            let (profile, method) = try_join(profile, method).await?;
            (profile, method.map(|method| method.gateway_token))
        }
    };
    let means = token.and_then(|token| {
        let (_, recognised) = gateways.recognise(&token)?;
        Some((token, recognised))
    });
    Ok(Findings { means, profile })
}

pub(super) async fn validate(
    State(desk): State<Desk>,
    CallerIs(caller): CallerIs,
    RequestOrigin(origin): RequestOrigin,
    idempotency: IdempotencyHeader,
    body: Body<Checked>,
) -> Result<Answer, Problem> {
    let request = body.value.0;
    let findings = find_out(&desk, &request, &origin.correlation_id).await?;
    let recognised = findings.means.as_ref().map(|(_, recognised)| *recognised);
    let limit = validating::charge_limit_seconds(&desk.counter.config, recognised);
    let work = Work::new("validate-payment", origin, move |ws| {
        let validated = validating::record(ws, &request, &findings, limit)?;
        Ok(serde_json::to_value(validated).expect("contracts are JSON"))
    })
    .idempotent(idempotency.scoped("POST /api/payments/validate", &caller, body.fingerprint));
    let done = desk.context.run(work).await?;
    Ok(Answer::json_bytes(StatusCode::OK, done.answer))
}

pub(super) async fn refund(
    State(desk): State<Desk>,
    CallerIs(caller): CallerIs,
    RequestOrigin(origin): RequestOrigin,
    UrlPath(payment_id): UrlPath<PaymentId>,
    (idempotency, body): (IdempotencyHeader, Body<RefundPayment>),
) -> Result<Answer, Problem> {
    idempotency.required()?;
    let scope = format!("POST /api/payments/{payment_id}/refunds");
    let key = idempotency.scoped(&scope, &caller, body.fingerprint);
    let RefundPayment { amount, reason } = body.value;
    let work = Work::new("refund-payment", origin, move |ws| {
        let refund_id = refunding::by_operator(ws, payment_id, amount, &reason)?;
        Ok(serde_json::to_value(RefundStarted { refund_id, payment_id }).expect("ids are JSON"))
    })
    .idempotent(key);
    let done = desk.context.run(work).await?;
    let location = format!("/api/payments/{payment_id}");
    Ok(Answer::json_bytes(StatusCode::ACCEPTED, done.answer).located(&location))
}

/// The payment as it is after the work.
async fn shown(desk: &Desk, payment_id: PaymentId) -> Result<Answer, Problem> {
    let found = desk.context.get::<PaymentView>(payment_id).await?;
    let found = found.ok_or_else(|| Problem::not_found(format!("payment {payment_id}")))?;
    let sheet = PaymentSheet::from(found.document);
    Ok(Answer::accepted(format!("/api/payments/{payment_id}"), &sheet).etag(found.version))
}

pub(super) async fn three_ds(
    State(desk): State<Desk>,
    CallerIs(caller): CallerIs,
    RequestOrigin(origin): RequestOrigin,
    UrlPath(payment_id): UrlPath<PaymentId>,
    body: Body<AnswerThreeDs>,
) -> Result<Answer, Problem> {
    let no_such = || Problem::not_found(format!("payment {payment_id}"));
    let found = desk.context.get::<PaymentView>(payment_id).await?.ok_or_else(no_such)?.document;
    let asked = found.challenge.as_ref().map(|challenge| challenge.token.as_bytes());
    let given = body.value.token.as_deref().map(str::as_bytes);
    let knows_token = match (asked, given) {
        (Some(asked), Some(given)) => aws_lc_rs::constant_time::verify_slices_are_equal(asked, given).is_ok(),
        _ => false,
    };
    if !knows_token && !caller.may_act_for(found.customer_id.0) {
        return Err(no_such());
    }
    let answer = body.value.answer;
    let work = Work::new("answer-three-ds", origin, move |ws| {
        waiting::answer_three_ds(ws, payment_id, &answer)?;
        Ok(serde_json::Value::Null)
    });
    desk.context.run(work).await?;
    shown(&desk, payment_id).await
}

pub(super) async fn confirm_transfer(
    State(desk): State<Desk>,
    CallerIs(caller): CallerIs,
    RequestOrigin(origin): RequestOrigin,
    UrlPath(payment_id): UrlPath<PaymentId>,
    (idempotency, body): (IdempotencyHeader, Body<ConfirmTransfer>),
) -> Result<Answer, Problem> {
    let scope = format!("POST /api/payments/{payment_id}/confirm-transfer");
    let key = idempotency.scoped(&scope, &caller, body.fingerprint);
    let reference = body.value.reference;
    let work = Work::new("confirm-transfer", origin, move |ws| {
        waiting::confirm_transfer(ws, payment_id, &reference)?;
        Ok(serde_json::Value::Null)
    })
    .idempotent(key);
    desk.context.run(work).await?;
    shown(&desk, payment_id).await
}

pub(super) async fn invoices(
    State(desk): State<Desk>,
    CallerIs(caller): CallerIs,
    RequestOrigin(origin): RequestOrigin,
    UrlPath(payment_id): UrlPath<PaymentId>,
    (idempotency, body): (IdempotencyHeader, Body<RequestInvoice>),
) -> Result<Answer, Problem> {
    visible(&desk, &caller, payment_id).await?;
    let scope = format!("POST /api/payments/{payment_id}/invoices");
    let key = idempotency.scoped(&scope, &caller, body.fingerprint);
    let RequestInvoice { name, tax_id, address } = body.value;
    let billed_to = BilledTo { name, tax_id, address };
    let work = Work::new("make-full-invoices", origin, move |ws| {
        let numbers = invoicing::make_full(ws, payment_id, &billed_to)?;
        Ok(serde_json::to_value(RequestedInvoices { numbers }).expect("numbers are JSON"))
    })
    .idempotent(key);
    let done = desk.context.run(work).await?;
    let location = format!("/api/payments/{payment_id}/invoices");
    Ok(Answer::json_bytes(StatusCode::CREATED, done.answer).located(&location))
}
