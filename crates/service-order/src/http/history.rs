//! `GET /api/orders/{id}/events`: what happened, and how the order stood at a moment.

use axum::extract::State;
use backbone::Context;
use backbone::context::Past;
use http::HeaderMap;
use http_kit::{Answer, CallerIs, Problem, UrlPath, UrlQuery};
use kernel::{OrderId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Desk;
use super::read::{OrderAnswer, shown};
use crate::domain::{Event, Order, PERSONAL};

/// Events read at once.
const PAGE: usize = 500;

/// Which moment is wanted.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    /// How the order stood then, instead of what happened.
    pub at: Option<Timestamp>,
}

/// Something that happened to an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// Its place.
    pub version: u64,
    /// When.
    pub at: Timestamp,
    /// What: `payment-taken`.
    pub what: String,
    /// The business flow.
    pub correlation_id: String,
    /// The event or command that caused it.
    pub causation_id: String,
    /// What there is to say, without personal data.
    pub details: Value,
}

/// An order's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(super) struct History {
    /// All of it, in order.
    pub items: Vec<HistoryEntry>,
}

pub(super) async fn events(
    State(desk): State<Desk>,
    CallerIs(caller): CallerIs,
    headers: HeaderMap,
    UrlPath(id): UrlPath<OrderId>,
    UrlQuery(query): UrlQuery<EventsQuery>,
) -> Result<Answer, Problem> {
    desk.order(id, &caller, &headers).await?;
    let Some(at) = query.at else {
        let history = History { items: read_all(&desk.context, id).await? };
        return Ok(Answer::ok(&history));
    };
    let (version, state) = desk.context.state_at::<Order>(id, at).await?;
    match state.0 {
        Some(order) => {
            let answer = OrderAnswer { order: shown(*order), history: None };
            Ok(Answer::ok(&answer).etag(version))
        }
        None => Err(Problem::not_found(format!("order {id} at {at}"))),
    }
}

/// All that happened to an order.
pub(super) async fn read_all(context: &Context, id: OrderId) -> Result<Vec<HistoryEntry>, Problem> {
    let mut entries: Vec<HistoryEntry> = Vec::new();
    loop {
        let after = entries.last().map_or(0, |last| last.version);
        let page = context.history::<Order>(id, after, PAGE).await?;
        let full = page.len() == PAGE;
        entries.extend(page.into_iter().map(entry));
        if !full {
            return Ok(entries);
        }
    }
}

fn entry(past: Past<Event>) -> HistoryEntry {
    // Externally tagged: the one field holds what there is to say.
    let tagged = serde_json::to_value(&past.event).unwrap_or_default();
    let mut details = match tagged {
        Value::Object(fields) => fields.into_iter().next().map(|(_, inner)| inner).unwrap_or_default(),
        _ => Value::Null,
    };
    if let Value::Object(fields) = &mut details {
        fields.retain(|name, _| !PERSONAL.contains(&name.as_str()) && name != "accessKeyHash");
    }
    HistoryEntry {
        version: past.stored.version,
        at: past.stored.at,
        what: past.stored.name,
        correlation_id: past.stored.correlation_id,
        causation_id: past.stored.causation_id,
        details,
    }
}
