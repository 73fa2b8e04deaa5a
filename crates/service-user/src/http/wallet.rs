//! Stored payment methods.

use axum::extract::State;
use backbone::Work;
use contracts::calls::StoredMethods;
use contracts::payment::MethodType;
use garde::Validate;
use http::StatusCode;
use http_kit::{Answer, Body, CallerIs, Execute as _, Idempotency, Origin, Problem, UrlPath};
use kernel::UserId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Desk, own};
use crate::commands;
use crate::domain::{StoredMethod, Wallet};

/// A method to store.
#[derive(Clone, Debug, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewMethod {
    /// What kind.
    #[garde(skip)]
    method_type: MethodType,
    /// The gateway's token; never a card number.
    #[garde(length(chars, min = 1, max = 255))]
    gateway_token: String,
    /// What the person recognises it by: `•••• 4242`.
    #[garde(length(chars, min = 1, max = 60))]
    label: String,
}

/// The answer to `NewMethod`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stored {
    /// The method.
    payment_method_id: String,
}

pub(super) async fn methods(
    State(desk): State<Desk>,
    UrlPath(id): UrlPath<UserId>,
    CallerIs(caller): CallerIs,
) -> Result<Answer, Problem> {
    own(&caller, id)?;
    let found = desk.context.get::<Wallet>(id).await?;
    let empty = || StoredMethods { methods: Vec::new() };
    Ok(Answer::ok(&found.map_or_else(empty, |found| found.document.answer())))
}

pub(super) async fn store(
    State(desk): State<Desk>,
    UrlPath(id): UrlPath<UserId>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
    idempotency: Idempotency,
    body: Body<NewMethod>,
) -> Result<Answer, Problem> {
    own(&caller, id)?;
    let new = body.value;
    let work = Work::new("store-payment-method", origin, move |ws| {
        let payment_method_id = format!("pm-{}", ws.uuid());
        let method = StoredMethod {
            payment_method_id: payment_method_id.clone(),
            method_type: new.method_type,
            gateway_token: new.gateway_token.clone(),
            label: new.label.clone(),
        };
        commands::store_method(ws, id, method)?;
        Ok(json!(Stored { payment_method_id }))
    });
    let scope = format!("POST /api/users/{id}/payment-methods");
    let idempotency = idempotency.scoped(&scope, &caller, body.fingerprint);
    let done = desk.context.run(work.idempotent(idempotency)).await?;
    Ok(Answer::json_bytes(StatusCode::CREATED, done.answer))
}

pub(super) async fn remove(
    State(desk): State<Desk>,
    UrlPath((id, method)): UrlPath<(UserId, String)>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
) -> Result<Answer, Problem> {
    own(&caller, id)?;
    let work = Work::new("remove-payment-method", origin, move |ws| {
        commands::remove_method(ws, id, &method)?;
        Ok(Value::Null)
    });
    desk.context.run(work).await?;
    Ok(Answer::no_content())
}
