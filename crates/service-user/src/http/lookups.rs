//! What other services ask of a person, and what a person may carry away.

use axum::extract::State;
use http_kit::{Answer, CallerIs, Problem, UrlPath};
use kernel::{Timestamp, UserId};
use schemars::JsonSchema;
use serde::Serialize;

use super::account::ProfileView;
use super::{Desk, own, unknown};
use crate::domain::{Account, Standing, Wallet};

pub(super) async fn standing(
    State(desk): State<Desk>,
    UrlPath(id): UrlPath<UserId>,
) -> Result<Answer, Problem> {
    let found = desk.context.get::<Standing>(id).await?.ok_or_else(|| unknown(id))?;
    Ok(Answer::ok(&found.document.answer(&desk.config)))
}

pub(super) async fn payment_profile(
    State(desk): State<Desk>,
    UrlPath(id): UrlPath<UserId>,
) -> Result<Answer, Problem> {
    let found = desk.context.get::<Standing>(id).await?.ok_or_else(|| unknown(id))?;
    Ok(Answer::ok(&found.document.payment_profile()))
}

/// All that is kept of a person here. Gateways' tokens are secrets of the market and stay.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Export {
    /// The account, with segments and points.
    account: ProfileView,
    /// What the stored payment methods are called.
    payment_methods: Vec<String>,
    /// When this was written.
    exported_at: Timestamp,
}

pub(super) async fn export(
    State(desk): State<Desk>,
    UrlPath(id): UrlPath<UserId>,
    CallerIs(caller): CallerIs,
) -> Result<Answer, Problem> {
    own(&caller, id)?;
    let found = desk.context.get::<Account>(id).await?.ok_or_else(|| unknown(id))?;
    let standing = desk.context.get::<Standing>(id).await?;
    let wallet = desk.context.get::<Wallet>(id).await?;
    let labels =
        wallet.iter().flat_map(|wallet| wallet.document.methods()).map(|method| method.label.clone());
    Ok(Answer::ok(&Export {
        account: ProfileView::of(found.document, standing.map(|found| found.document)),
        payment_methods: labels.collect(),
        exported_at: desk.context.now(),
    }))
}
