//! Dead letters as operators see them: read, retried, rehearsed, discarded; and what operators did.

use axum::extract::State;
use axum::routing::{delete, get, post};
use backbone::collection::ColumnValue;
use backbone::route::{Access, Caller, Role, Route};
use backbone::system::{FailureKind, OperatorAct};
use engine::{By, DeadLetterError, DeadLetters, Filter, Letter, Place, Sweep};
use http::Method;
use http_kit::page::{Page, decode, encode_cursor, limit};
use http_kit::{Answer, CallerIs, Problem, UrlPath, UrlQuery};
use kernel::{ErrorKind, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

mod desk;

pub(crate) use desk::{Desk, with};

/// Where dead letters are listed.
pub(crate) const LIST: &str = "/admin/dlq";

/// Where many are retried, and where it says how that goes.
const SWEEP: &str = "/admin/dlq/retry";

const ADMIN: Access = Access::People(&[Role::Admin]);

/// How many are rehearsed together.
const REHEARSED_MAX: usize = 20;

/// Which dead letters.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Wanted {
    /// Of one service; of all without it.
    service: Option<String>,
    /// Of one consumer: `order-inventory`.
    consumer: Option<String>,
    /// Of events of one type: `order.created.v1`.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Of events of one key.
    subject: Option<String>,
    /// Of one kind of error: `infrastructure`, `transient`, `permanent`, `undecodable`, `conflict`.
    error_kind: Option<String>,
    /// Moved there at this time or later.
    from: Option<Timestamp>,
    /// Moved there before this time.
    to: Option<Timestamp>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// How many at most: 1 to 100, 20 where nothing is said.
    limit: Option<u32>,
    /// Only say what a retry would do.
    dry_run: Option<bool>,
    /// Why it is done.
    reason: Option<String>,
}

impl Wanted {
    fn filter(&self) -> Result<Filter, Problem> {
        let kind = |name: &String| {
            let known = serde_json::from_value::<ErrorKind>(json!(name)).ok();
            let remedy = "infrastructure, transient, permanent, undecodable or conflict";
            known.ok_or_else(|| Problem::invalid("errorKind", remedy))
        };
        Ok(Filter {
            service: self.service.clone(),
            consumer: self.consumer.clone(),
            kind: self.kind.clone(),
            subject: self.subject.clone(),
            error_kind: self.error_kind.as_ref().map(kind).transpose()?,
            from: self.from,
            to: self.to,
        })
    }

    fn after(&self) -> Result<Option<Place>, Problem> {
        match self.cursor.as_deref().map(decode).transpose()? {
            None => Ok(None),
            Some((ColumnValue::Timestamp(moved_at), id)) => Ok(Some(Place { moved_at, id })),
            Some(_) => Err(Problem::invalid("cursor", "take the `next` of the page before")),
        }
    }
}

/// A dead letter by its id.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OfId {
    /// As it is listed.
    id: String,
}

/// How an act is done.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Act {
    /// Only say what it would do.
    pub(crate) dry_run: Option<bool>,
    /// Why it is done.
    pub(crate) reason: Option<String>,
}

/// A dead letter in a list.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) service: String,
    pub(crate) consumer: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) subject: String,
    pub(crate) error_kind: String,
    pub(crate) error: String,
    pub(crate) attempts: u32,
    pub(crate) moved_at: Timestamp,
}

impl Listed {
    fn of(found: Letter) -> Self {
        let letter = found.letter;
        Self {
            id: found.id,
            service: found.service.to_owned(),
            consumer: letter.consumer,
            kind: letter.event.kind,
            subject: letter.event.subject,
            error_kind: named(letter.error_kind),
            error: letter.error,
            attempts: letter.attempts,
            moved_at: letter.moved_at,
        }
    }
}

fn named(kind: ErrorKind) -> String {
    serde_json::to_value(kind).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The routes of operators.
pub(crate) fn routes(letters: &DeadLetters) -> Vec<Route> {
    let of = |method, path, summary, handler: axum::routing::MethodRouter<DeadLetters>| {
        Route::new(method, path, ADMIN, summary, handler.with_state(letters.clone()))
    };
    let (one, retried) = ("/admin/dlq/{id}", "/admin/dlq/{id}/retry");
    vec![
        of(Method::GET, LIST, "Lists dead letters", get(list)).query::<Wanted>().gives::<Page<Listed>>(),
        of(Method::GET, SWEEP, "How the retry of many goes", get(sweeps)),
        of(Method::POST, SWEEP, "Retries all dead letters that are wanted", post(retry_all))
            .query::<Wanted>(),
        of(Method::GET, one, "Shows a dead letter", get(show)),
        of(Method::POST, retried, "Retries a dead letter", post(retry)).query::<Act>(),
        of(Method::DELETE, one, "Discards a dead letter", delete(discard)).query::<Act>(),
        of(Method::GET, "/admin/failures", "The kinds of failure ever seen", get(failures))
            .query::<OfService>(),
        of(Method::GET, "/admin/audit", "What operators did", get(audit)).query::<OfService>(),
    ]
}

/// Whoever calls, as an act names them.
pub(crate) fn by(caller: &Caller, reason: Option<String>) -> By {
    let who = match caller {
        Caller::Person { id, .. } => id.to_string(),
        Caller::Service(name) => name.clone(),
        Caller::Anonymous => "anonymous".to_owned(),
    };
    By { who, reason: reason.filter(|reason| !reason.trim().is_empty()) }
}

async fn list(
    State(letters): State<DeadLetters>,
    UrlQuery(wanted): UrlQuery<Wanted>,
) -> Result<Answer, Problem> {
    let (filter, after, most) = (wanted.filter()?, wanted.after()?, limit(wanted.limit));
    let found = letters.find(&filter, after.as_ref(), most + 1).await.map_err(problem)?;
    let place = |letter: &Letter| (letter.letter.moved_at.into(), letter.id.clone());
    Ok(Answer::ok(&Page::cut(found, most, place).map(Listed::of)))
}

async fn show(State(letters): State<DeadLetters>, UrlPath(of): UrlPath<OfId>) -> Result<Answer, Problem> {
    let (found, behind) = letters.show(&of.id).await.map_err(problem)?;
    let letter = found.letter;
    Ok(Answer::ok(&json!({
        "id": found.id,
        "service": found.service,
        "consumer": letter.consumer,
        "errorKind": letter.error_kind,
        "error": letter.error,
        "attempts": letter.attempts,
        "firstFailedAt": letter.first_failed_at,
        "lastFailedAt": letter.last_failed_at,
        "movedAt": letter.moved_at,
        "waitingBehind": behind,
        "event": letter.event,
        "raw": letter.raw,
    })))
}

async fn retry(
    State(letters): State<DeadLetters>,
    UrlPath(of): UrlPath<OfId>,
    UrlQuery(act): UrlQuery<Act>,
    CallerIs(caller): CallerIs,
) -> Result<Answer, Problem> {
    if act.dry_run == Some(true) {
        return Ok(Answer::ok(&letters.rehearse(&of.id).await.map_err(problem)?));
    }
    letters.retry_one(&of.id, &by(&caller, act.reason)).await.map_err(problem)?;
    Ok(Answer::no_content())
}

async fn retry_all(
    State(letters): State<DeadLetters>,
    UrlQuery(wanted): UrlQuery<Wanted>,
    CallerIs(caller): CallerIs,
) -> Result<Answer, Problem> {
    let filter = wanted.filter()?;
    if wanted.dry_run == Some(true) {
        let mut rehearsed = Vec::new();
        for letter in letters.find(&filter, None, REHEARSED_MAX).await.map_err(problem)? {
            let would = letters.rehearse(&letter.id).await;
            rehearsed.push(match would {
                Ok(would) => json!({"id": letter.id, "would": would}),
                Err(error) => json!({"id": letter.id, "error": error.to_string()}),
            });
        }
        return Ok(Answer::ok(&json!({"items": rehearsed})));
    }
    let begun = letters.retry_all(&filter, &by(&caller, wanted.reason)).await.map_err(problem)?;
    Ok(Answer::accepted(SWEEP, &told(begun)))
}

async fn sweeps(State(letters): State<DeadLetters>) -> Answer {
    Answer::ok(&told(letters.sweeps()))
}

fn told(sweeps: Vec<Sweep>) -> serde_json::Value {
    let matching: usize = sweeps.iter().map(|sweep| sweep.matching).sum();
    json!({"matching": matching, "items": sweeps})
}

async fn discard(
    State(letters): State<DeadLetters>,
    UrlPath(of): UrlPath<OfId>,
    UrlQuery(act): UrlQuery<Act>,
    CallerIs(caller): CallerIs,
) -> Result<Answer, Problem> {
    let by = by(&caller, act.reason);
    if by.reason.is_none() {
        return Err(Problem::invalid("reason", "say why it must never take effect: ?reason=…"));
    }
    letters.discard_one(&of.id, &by).await.map_err(problem)?;
    Ok(Answer::no_content())
}

/// Of one service, page by page.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OfService {
    /// One service; all that run here without it.
    service: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// How many at most: 1 to 100, 20 where nothing is said.
    limit: Option<u32>,
}

impl OfService {
    fn services<'s>(&'s self, letters: &'s DeadLetters) -> Vec<&'s str> {
        match &self.service {
            Some(service) => vec![service],
            None => letters.services().collect(),
        }
    }
}

async fn failures(
    State(letters): State<DeadLetters>,
    UrlQuery(of): UrlQuery<OfService>,
) -> Result<Answer, Problem> {
    let mut kinds: Vec<FailureKind> = Vec::new();
    for service in of.services(&letters) {
        kinds.extend(letters.kinds(service, limit(of.limit)).await.map_err(problem)?);
    }
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.first_at));
    kinds.truncate(limit(of.limit));
    Ok(Answer::ok(&json!({"items": kinds})))
}

async fn audit(
    State(letters): State<DeadLetters>,
    UrlQuery(of): UrlQuery<OfService>,
) -> Result<Answer, Problem> {
    let before = match of.cursor.as_deref().map(decode).transpose()? {
        Some((ColumnValue::Timestamp(at), id)) => Some((at, id)),
        _ => None,
    };
    let most = limit(of.limit);
    let mut acts: Vec<(&str, OperatorAct)> = Vec::new();
    for service in of.services(&letters) {
        let found = letters.acts(service, before.clone(), most + 1).await.map_err(problem)?;
        acts.extend(found.into_iter().map(|act| (service, act)));
    }
    acts.sort_by_key(|(_, act)| std::cmp::Reverse((act.at, act.id)));
    let next = acts.get(most).and_then(|_| acts.get(most.saturating_sub(1)));
    let next = next.map(|(_, last)| encode_cursor(&last.at.into(), &last.id.to_string()));
    acts.truncate(most);
    let items: Vec<_> = acts.iter().map(|(service, act)| json!({"service": service, "act": act})).collect();
    Ok(Answer::ok(&json!({"items": items, "next": next})))
}

pub(crate) fn problem(error: DeadLetterError) -> Problem {
    match error {
        DeadLetterError::NoService(service) => Problem::not_found(format!("a service {service}")),
        DeadLetterError::NoId(_) => Problem::invalid("id", "take the id as GET /admin/dlq lists it"),
        DeadLetterError::Work(error) => error.into(),
        DeadLetterError::Journal(error) => error.into(),
    }
}
