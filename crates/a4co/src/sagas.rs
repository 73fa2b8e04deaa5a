//! Sagas as operators see them: listed, read with their timeline, and mended where they are stuck.

use axum::extract::State;
use axum::routing::{MethodRouter, get, post};
use backbone::collection::ColumnValue;
use backbone::route::{Access, Role, Route};
use backbone::saga::{AnyInstance, Direction, Operator};
use engine::{FoundSaga, SagaDesk, SagaError, SagaFilter, SagaPlace, SagaState, ShownSaga};
use http::Method;
use http_kit::page::{Page, decode, encode_cursor, limit};
use http_kit::{Answer, CallerIs, Idempotency, Problem, UrlPath, UrlQuery};
use kernel::{Timestamp, stable_hash};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::dead_letters::{Act, by};

mod desk;

pub(crate) use desk::Desk;

/// Where sagas are listed.
const LIST: &str = "/admin/sagas";

const ADMIN: Access = Access::People(&[Role::Admin]);

/// Which sagas.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Wanted {
    /// Of one service; of all without it.
    service: Option<String>,
    /// `blocked`, `late`, `running` or `ended`.
    state: Option<String>,
    /// Of one name: `order-fulfilment`.
    saga: Option<String>,
    /// In one step: `process-payment`.
    step: Option<String>,
    /// Last changed at this time or later.
    from: Option<Timestamp>,
    /// Last changed before this time.
    to: Option<Timestamp>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// How many at most: 1 to 100, 20 where nothing is said.
    limit: Option<u32>,
}

impl Wanted {
    fn filter(&self) -> Result<SagaFilter, Problem> {
        let state = |name: &String| {
            let known = SagaState::named(name);
            known.ok_or_else(|| Problem::invalid("state", "blocked, late, running or ended"))
        };
        Ok(SagaFilter {
            service: self.service.clone(),
            state: self.state.as_ref().map(state).transpose()?,
            saga: self.saga.clone(),
            step: self.step.clone(),
            from: self.from,
            to: self.to,
        })
    }

    fn after(&self) -> Result<Option<SagaPlace>, Problem> {
        let unreadable = || Problem::invalid("cursor", "take the `next` of the page before");
        match self.cursor.as_deref().map(decode).transpose()? {
            None => Ok(None),
            Some((ColumnValue::Timestamp(at), mark)) => {
                SagaPlace::of(at, &mark).map(Some).ok_or_else(unreadable)
            }
            Some(_) => Err(unreadable()),
        }
    }
}

/// A saga by its id.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OfId {
    /// As it is listed: service, saga and key, `order.order-fulfilment.<order's id>`.
    id: String,
}

/// A saga in a list.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Listed {
    id: String,
    service: String,
    saga: String,
    /// What it is about: the order's id, say.
    key: Uuid,
    /// running, compensating, blocked, completed or compensated.
    phase: String,
    /// Its deadline passed 30 s ago or longer, and nothing happened.
    is_late: bool,
    /// The current step.
    step: String,
    /// How often the current step began.
    attempt: u32,
    /// Why it was abandoned or is blocked.
    reason: Option<String>,
    next_deadline: Option<Timestamp>,
    /// The business flow: `GET /admin/events?correlationId=…` has its events.
    correlation_id: String,
    started_at: Timestamp,
    updated_at: Timestamp,
}

impl Listed {
    fn of(found: &FoundSaga) -> Self {
        let saga = &found.saga;
        Self {
            id: found.id.clone(),
            service: found.service.to_owned(),
            saga: saga.saga.clone(),
            key: saga.id,
            phase: saga.phase.name().to_owned(),
            is_late: found.is_late,
            step: saga.step_name.clone(),
            attempt: saga.attempt,
            reason: saga.reason.clone(),
            next_deadline: saga.due,
            correlation_id: saga.correlation_id.clone(),
            started_at: saga.started_at,
            updated_at: saga.updated_at,
        }
    }
}

/// A saga with all that is known of it, but for what it remembers and says to others.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Shown {
    #[serde(flatten)]
    listed: Listed,
    /// The version of its definition.
    version: u32,
    /// Its steps, in order.
    steps: Vec<String>,
    /// What the current step is doing: running, waiting, retrying or asking.
    step_state: String,
    /// What an operator can do just now: retry, skip, done, compensate.
    acts: Vec<String>,
    /// What it asked of others and is not answered.
    asks: Vec<Ask>,
    /// Answers that came before their step began.
    held: Vec<Held>,
    /// What is undone, in order.
    undo: Vec<Undo>,
    timeline: Vec<Line>,
}

/// Something that was asked of others.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Ask {
    /// The other side knows it by this.
    key: String,
    step: String,
    /// It undoes the step.
    undo: bool,
}

/// An answer that waits for its step.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Held {
    step: String,
    /// It answers the undoing of the step.
    undo: bool,
    outcome: Value,
}

/// The undoing of a step.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Undo {
    step: String,
    /// pending, running, retrying, done, blocked or skipped.
    status: String,
    attempts: u32,
}

/// A line of a timeline.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Line {
    at: Timestamp,
    /// `undo:<step>` for its undoing.
    step: String,
    what: String,
    detail: Option<String>,
}

/// The name of a state in JSON.
fn named(state: &impl Serialize) -> String {
    serde_json::to_value(state).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

impl Shown {
    fn of(shown: ShownSaga) -> Self {
        let listed = Listed::of(&shown.found);
        let AnyInstance { version, state, calls, held, undo, timeline, .. } = shown.found.saga;
        let asks = calls.into_iter().map(|call| Ask { key: call.key, step: call.step, undo: call.undo });
        let held = held.into_iter().map(|held| Held {
            step: held.step,
            undo: held.direction == Direction::Undo,
            outcome: json!(held.outcome),
        });
        let undo = undo.into_iter().map(|undo| Undo {
            status: named(&undo.status),
            step: undo.step,
            attempts: undo.attempts,
        });
        let line = timeline.into_iter().map(|entry| Line {
            at: entry.at,
            step: entry.step,
            what: entry.what,
            detail: entry.detail,
        });
        Self {
            listed,
            version,
            steps: shown.steps.into_iter().map(str::to_owned).collect(),
            step_state: named(&state),
            acts: shown.open_acts.into_iter().map(str::to_owned).collect(),
            asks: asks.collect(),
            held: held.collect(),
            undo: undo.collect(),
            timeline: line.collect(),
        }
    }
}

/// The routes of operators.
pub(crate) fn routes(sagas: &SagaDesk) -> Vec<Route> {
    let of = |method, path, summary, handler: MethodRouter<SagaDesk>| {
        Route::new(method, path, ADMIN, summary, handler.with_state(sagas.clone()))
    };
    let act = |path, summary, handler| of(Method::POST, path, summary, handler).query::<Act>();
    vec![
        of(Method::GET, LIST, "Lists sagas", get(list)).query::<Wanted>().gives::<Page<Listed>>(),
        of(Method::GET, "/admin/sagas/{id}", "Shows a saga with its timeline", get(show)).gives::<Shown>(),
        act("/admin/sagas/{id}/retry", "Tries again what is blocked in a saga", acting("retry")),
        act("/admin/sagas/{id}/skip", "Passes over what is blocked in a saga", acting("skip")),
        act("/admin/sagas/{id}/done", "Marks as done by hand what is blocked in a saga", acting("done")),
        act("/admin/sagas/{id}/compensate", "Has a saga undone", acting("compensate")),
    ]
}

async fn list(State(sagas): State<SagaDesk>, UrlQuery(wanted): UrlQuery<Wanted>) -> Result<Answer, Problem> {
    let (filter, after) = (wanted.filter()?, wanted.after()?);
    let found = sagas.find(&filter, after.as_ref(), limit(wanted.limit)).await.map_err(problem)?;
    let next = found.next.map(|place| encode_cursor(&place.at.into(), &place.mark()));
    Ok(Answer::ok(&Page { items: found.sagas.iter().map(Listed::of).collect(), next }))
}

async fn show(State(sagas): State<SagaDesk>, UrlPath(of): UrlPath<OfId>) -> Result<Answer, Problem> {
    let shown = sagas.show(&of.id).await.map_err(problem)?;
    Ok(Answer::ok(&Shown::of(shown)))
}

/// What is asked of a saga, and by whom.
struct Asked {
    of: OfId,
    act: Act,
    idempotency: Idempotency,
    caller: CallerIs,
}

/// The handler of an act.
fn acting(name: &'static str) -> MethodRouter<SagaDesk> {
    post(
        move |State(sagas): State<SagaDesk>,
              UrlPath(of): UrlPath<OfId>,
              UrlQuery(act): UrlQuery<Act>,
              idempotency: Idempotency,
              caller: CallerIs| { operate(sagas, name, Asked { of, act, idempotency, caller }) },
    )
}

async fn operate(sagas: SagaDesk, name: &'static str, asked: Asked) -> Result<Answer, Problem> {
    let Asked { of: OfId { id }, act, idempotency, caller: CallerIs(caller) } = asked;
    let is_rehearsal = act.dry_run == Some(true);
    let by = by(&caller, act.reason);
    let reason = by.reason.clone().unwrap_or_default();
    if name != Operator::Retry.name() && reason.is_empty() && !is_rehearsal {
        return Err(Problem::invalid("reason", "say why: ?reason=…"));
    }
    let fingerprint = stable_hash(reason.as_bytes());
    let act = match name {
        "skip" => Operator::Skip { reason },
        "done" => Operator::MarkDone { reason },
        "compensate" => Operator::Compensate { reason },
        _ => Operator::Retry,
    };
    if is_rehearsal {
        return Ok(Answer::ok(&sagas.rehearse(&id, act, &by).await.map_err(problem)?));
    }
    let idempotency = idempotency.scoped(&format!("POST {LIST}/{id}/{name}"), &caller, fingerprint);
    sagas.operate(&id, act, &by, idempotency).await.map_err(problem)?;
    Ok(Answer::no_content())
}

fn problem(error: SagaError) -> Problem {
    match error {
        SagaError::NoService(service) => Problem::not_found(format!("a service {service}")),
        SagaError::NoId(_) => Problem::invalid("id", "take the id as GET /admin/sagas lists it"),
        SagaError::Work(error) => error.into(),
        SagaError::Journal(error) => error.into(),
    }
}
