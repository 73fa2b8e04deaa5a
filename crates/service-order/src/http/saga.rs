//! `GET /api/orders/{id}/saga`: what the order's sagas did, step by step.

use axum::extract::State;
use backbone::saga::{AnyInstance, Phase, Saga, UndoStatus};
use http::HeaderMap;
use http_kit::{Answer, CallerIs, Problem, UrlPath};
use kernel::{OrderId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Desk;
use crate::cancellation::Cancellation;
use crate::domain::{Details, RefundFor};
use crate::fulfilment::Fulfilment;
use crate::item_change::ItemChange;
use crate::returns::OrderReturn;

/// A saga of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SagaAnswer {
    /// Its name.
    pub saga: String,
    /// Which instance.
    pub id: Uuid,
    /// Where it is in its life: running, compensating, blocked, completed, compensated.
    pub phase: String,
    /// The current step.
    pub step: String,
    /// How often the current step began.
    pub attempt: u32,
    /// Why it was abandoned or is blocked.
    pub reason: Option<String>,
    /// The next deadline.
    pub next_deadline: Option<Timestamp>,
    /// What is undone, in order.
    pub undo: Vec<UndoEntry>,
    /// What happened.
    pub timeline: Vec<TimelineEntry>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The undoing of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UndoEntry {
    /// The step.
    pub step: String,
    /// How far it is.
    pub status: String,
    /// How often it was tried.
    pub attempts: u32,
}

/// A line of a timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimelineEntry {
    /// When.
    pub at: Timestamp,
    /// Which step; `undo:<step>` for its undoing.
    pub step: String,
    /// What happened.
    pub what: String,
    /// Why, where there is more to say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
}

pub(super) async fn timeline(
    State(desk): State<Desk>,
    CallerIs(caller): CallerIs,
    headers: HeaderMap,
    UrlPath(id): UrlPath<OrderId>,
) -> Result<Answer, Problem> {
    let order = desk.order(id, &caller, &headers).await?;
    let found = desk.context.get_all::<AnyInstance>(keys(&order)).await?;
    let sagas: Vec<SagaAnswer> = found.into_iter().flatten().map(|found| shown(found.document)).collect();
    Ok(Answer::ok(&sagas))
}

/// The keys of all sagas about an order, the fulfilment first.
fn keys(order: &Details) -> Vec<String> {
    let mut keys = vec![AnyInstance::key(Fulfilment::NAME, order.order_id.0)];
    let asked = order.cancelling.as_ref().map(|cancelling| cancelling.refund_id.0);
    let late = order.refunds.iter().filter(|refund| refund.purpose == RefundFor::Cancellation);
    let late = late.map(|refund| refund.refund_id.0).filter(|id| Some(*id) != asked);
    keys.extend(asked.into_iter().chain(late).map(|id| AnyInstance::key(Cancellation::NAME, id)));
    keys.extend(order.changes.iter().map(|change| AnyInstance::key(ItemChange::NAME, change.change_id)));
    keys.extend(order.returns.iter().map(|back| AnyInstance::key(OrderReturn::NAME, back.return_id.0)));
    keys
}

fn shown(saga: AnyInstance) -> SagaAnswer {
    let undo = saga.undo.into_iter().map(|undo| UndoEntry {
        step: undo.step,
        status: status(undo.status).to_owned(),
        attempts: undo.attempts,
    });
    let timeline = saga.timeline.into_iter().map(|entry| TimelineEntry {
        at: entry.at,
        step: entry.step,
        what: entry.what,
        detail: entry.detail,
    });
    SagaAnswer {
        saga: saga.saga,
        id: saga.id,
        phase: Phase::name(saga.phase).to_owned(),
        step: saga.step_name,
        attempt: saga.attempt,
        reason: saga.reason,
        next_deadline: saga.due,
        undo: undo.collect(),
        timeline: timeline.collect(),
        started_at: saga.started_at,
        updated_at: saga.updated_at,
    }
}

fn status(status: UndoStatus) -> &'static str {
    match status {
        UndoStatus::Pending => "pending",
        UndoStatus::Running => "running",
        UndoStatus::Retrying => "retrying",
        UndoStatus::Done => "done",
        UndoStatus::Blocked => "blocked",
        UndoStatus::Skipped => "skipped",
    }
}
