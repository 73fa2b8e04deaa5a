//! The inbox: what this service offers over HTTP.

use axum::extract::State;
use axum::routing::{MethodRouter, delete, get, post, put};
use backbone::collection::{ColumnValue, Direction, Query};
use backbone::context::Versioned;
use backbone::document::Document as _;
use backbone::route::{Access, Caller, Role, Route};
use backbone::{Context, Rejection, Work, Workspace};
use contracts::notification::Priority;
use http::Method;
use http_kit::page::encode_cursor;
use http_kit::{Answer, CallerIs, Execute as _, Origin, PageQuery, Problem, UrlPath, UrlQuery};
use kernel::{ArtisanId, NotificationId, Timestamp, UserId};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::domain::{NOTIFICATIONS, Notification, State as Progress, Text, rendered, template};
use crate::handlers::follow;

const EVERYBODY: &[Role] = &[Role::Customer, Role::Artisan, Role::Admin];
/// Unread messages are counted up to here: more are "99+" to anybody.
const UNREAD_MAX: usize = 100;

/// The list.
pub(crate) fn routes(context: &Context) -> Vec<Route> {
    let people = Access::People(EVERYBODY);
    let route = |method, path, summary, handler: MethodRouter<Context>| {
        Route::new(method, path, people, summary, handler.with_state(context.clone()))
    };
    let following = "/api/notifications/following/{artisanId}";
    vec![
        route(Method::GET, "/api/notifications", "One's own messages, the latest first", get(inbox))
            .query::<PageQuery>()
            .gives::<Inbox>(),
        route(Method::POST, "/api/notifications/{id}/read", "Marks a message as read", post(read)),
        route(Method::PUT, following, "Follows an artisan's news", put(start_following)),
        route(Method::DELETE, following, "Follows an artisan's news no more", delete(stop_following)),
    ]
}

/// A person's messages.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Inbox {
    /// A page of them.
    items: Vec<Letter>,
    /// The cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// How many are unread, counted to 100.
    unread: usize,
}

/// A message as it is read.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Letter {
    notification_id: NotificationId,
    template: String,
    #[serde(flatten)]
    text: Text,
    priority: Priority,
    delivered_at: Option<Timestamp>,
    read_at: Option<Timestamp>,
}

fn person(caller: &Caller) -> Result<Uuid, Problem> {
    caller.person().ok_or_else(|| Problem::forbidden("only people have an inbox"))
}

async fn inbox(
    State(context): State<Context>,
    CallerIs(caller): CallerIs,
    UrlQuery(paging): UrlQuery<PageQuery>,
) -> Result<Answer, Problem> {
    let own = Query::all(&NOTIFICATIONS).equal("recipient", person(&caller)?);
    let mut query =
        own.clone().equal("state", "delivered").sorted("at", Direction::Descending).limit(paging.limit() + 1);
    if let Some((value, id)) = paging.after()? {
        query = query.after(value, id);
    }
    let mut rows = context.find::<Notification>(query).await?;
    let unread = context.find::<Notification>(own.equal("unread", true).limit(UNREAD_MAX)).await?.len();
    let more = rows.len() > paging.limit();
    rows.truncate(paging.limit());
    let next = rows.last().filter(|_| more).map(|last: &Versioned<Notification>| {
        let at: ColumnValue = last.document.delivered_at.unwrap_or(last.document.scheduled_for).into();
        encode_cursor(&at, &last.document.id())
    });
    let items = rows.into_iter().map(|row| letter(row.document)).collect();
    Ok(Answer::ok(&Inbox { items, next, unread }))
}

fn letter(message: Notification) -> Letter {
    let text = template(&message.template)
        .map(|template| rendered(template, message.locale, &message.variables))
        // A template of an older program: its name says more than nothing.
        .unwrap_or_else(|| Text { title: message.template.clone(), body: String::new() });
    Letter {
        notification_id: message.notification_id,
        template: message.template,
        text,
        priority: message.priority,
        delivered_at: message.delivered_at,
        read_at: message.read_at,
    }
}

async fn read(
    State(context): State<Context>,
    UrlPath(id): UrlPath<NotificationId>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
) -> Result<Answer, Problem> {
    let reader = person(&caller)?;
    let work = Work::new("read-message", origin, move |ws| {
        mark_read(ws, id, reader)?;
        Ok(Value::Null)
    });
    context.run(work).await?;
    Ok(Answer::no_content())
}

/// Marks a delivered message as read by its own recipient; to others there is no such message.
pub(crate) fn mark_read(
    ws: &mut Workspace<'_>,
    id: NotificationId,
    reader: Uuid,
) -> Result<(), backbone::Refusal> {
    let found = ws.get::<Notification>(id)?;
    let own = found.filter(|m| m.recipient_id.0 == reader && m.state == Progress::Delivered);
    let missing = || Rejection::not_found("no-such-message", "there is no such message");
    let message = own.ok_or_else(missing)?;
    if message.read_at.is_some() {
        return Ok(());
    }
    let read_at = Some(ws.now());
    ws.put(Notification { read_at, ..message.as_ref().clone() })
}

async fn start_following(
    State(context): State<Context>,
    UrlPath(artisan): UrlPath<ArtisanId>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
) -> Result<Answer, Problem> {
    set_following(&context, origin, (UserId(person(&caller)?), artisan), true).await
}

async fn stop_following(
    State(context): State<Context>,
    UrlPath(artisan): UrlPath<ArtisanId>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
) -> Result<Answer, Problem> {
    set_following(&context, origin, (UserId(person(&caller)?), artisan), false).await
}

async fn set_following(
    context: &Context,
    origin: backbone::work::Origin,
    (user, artisan): (UserId, ArtisanId),
    wanted: bool,
) -> Result<Answer, Problem> {
    let work = Work::new("follow-artisan", origin, move |ws| {
        follow(ws, user, artisan, wanted)?;
        Ok(Value::Null)
    });
    context.run(work).await?;
    Ok(Answer::no_content())
}
