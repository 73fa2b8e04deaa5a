//! The public events of all services as operators read them: in order, page by page, personal fields
//! as they are stored.

use axum::extract::State;
use axum::routing::get;
use backbone::collection::ColumnValue;
use backbone::journal::Sent;
use backbone::route::{Access, Role, Route};
use engine::{EventFilter, EventLog, EventLogError};
use http::{Method, Uri};
use http_kit::page::{decode, encode_cursor, limit};
use http_kit::{Answer, Problem, UrlQuery};
use kernel::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

mod desk;
mod order;

pub(crate) use desk::Desk;
use order::{Part, Places, put_together};

/// Where events are read.
pub(crate) const LIST: &str = "/admin/events";

/// Which events.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Wanted {
    /// Published by one service; by all without it.
    service: Option<String>,
    /// Of one type: `order.created.v1`.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Of one business flow: looked up, however long ago.
    correlation_id: Option<String>,
    /// About one aggregate: their key.
    aggregate: Option<String>,
    /// Published at this time or later.
    from: Option<Timestamp>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// How many at most: 1 to 100, 20 where nothing is said.
    limit: Option<u32>,
}

/// A public event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Listed {
    /// Who published it.
    service: String,
    /// Its place in that service's log.
    position: u64,
    id: Uuid,
    #[serde(rename = "type")]
    kind: String,
    subject: String,
    time: Timestamp,
    /// The business flow.
    correlation_id: String,
    /// What it follows from.
    causation_id: String,
    sequence: u64,
    /// The key that personal fields are encrypted with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    key_id: Option<String>,
    /// The payload, personal fields encrypted.
    data: Value,
}

impl Listed {
    fn of(service: &str, Sent { position, envelope }: Sent) -> Self {
        let data = serde_json::from_slice(&envelope.data);
        Self {
            service: service.to_owned(),
            position,
            id: envelope.id.0,
            kind: envelope.kind,
            subject: envelope.subject,
            time: envelope.time,
            correlation_id: envelope.correlation_id,
            causation_id: envelope.causation_id,
            sequence: envelope.sequence,
            key_id: envelope.key_id,
            data: data.unwrap_or_else(|_| json!(String::from_utf8_lossy(&envelope.data))),
        }
    }
}

/// A page of events.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
struct Page {
    /// In order: of a service as it committed them, of several by their time. There may be fewer than
    /// were asked for where `next` is.
    items: Vec<Listed>,
    /// The cursor of the next page; absent where the log ends.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    next: Option<String>,
    /// Nothing on the pages that follow is older; absent where the log ends.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    until: Option<Timestamp>,
}

/// The route of operators.
pub(crate) fn routes(log: &EventLog) -> Vec<Route> {
    let summary = "Reads the log of public events";
    let handler = get(list).with_state(log.clone());
    let route = Route::new(Method::GET, LIST, Access::People(&[Role::Admin]), summary, handler);
    vec![route.query::<Wanted>().gives::<Page>()]
}

async fn list(State(log): State<EventLog>, UrlQuery(wanted): UrlQuery<Wanted>) -> Result<Answer, Problem> {
    let places = wanted.cursor.as_deref().map(places_in).transpose()?.unwrap_or_default();
    let most = limit(wanted.limit);
    let services: Vec<&str> = match &wanted.service {
        Some(service) => vec![service],
        None => log.services().collect(),
    };
    let filter = EventFilter {
        kind: wanted.kind,
        subject: wanted.aggregate,
        correlation: wanted.correlation_id,
        from: wanted.from,
    };
    let mut parts = Vec::with_capacity(services.len());
    for service in services {
        let after = places.get(service).copied();
        let part = log.part(service, &filter, after, most).await.map_err(problem)?;
        parts.push(Part {
            places: Places::from([(service.to_owned(), part.position)]),
            until: part.until,
            events: part.events.into_iter().map(|sent| Listed::of(service, sent)).collect(),
        });
    }
    Ok(Answer::ok(&page_of(parts, most)))
}

fn page_of(parts: Vec<Part<Listed>>, limit: usize) -> Page {
    let together = put_together(parts, limit);
    let next = together.until.map(|_| {
        let places = serde_json::to_string(&together.places).unwrap_or_default();
        encode_cursor(&ColumnValue::Null, &places)
    });
    Page { items: together.events, next, until: together.until }
}

/// How far each service was read.
fn places_in(cursor: &str) -> Result<Places, Problem> {
    let (_, places) = decode(cursor)?;
    serde_json::from_str(&places)
        .map_err(|_| Problem::invalid("cursor", "take the `next` of the page before"))
}

/// The pages of several processes as one.
pub(crate) fn together(asked: &Uri, pages: Vec<Value>) -> Value {
    let part = |page: Value| {
        let page: Page = serde_json::from_value(page).unwrap_or_default();
        let read = page.next.as_deref().and_then(|next| places_in(next).ok());
        let last = |event: &Listed| (event.service.clone(), event.position);
        Part {
            places: read.unwrap_or_else(|| page.items.iter().map(last).collect()),
            until: page.until.filter(|_| page.next.is_some()),
            events: page.items,
        }
    };
    let said = |name: &str| {
        let mut pairs = asked.query().unwrap_or_default().split('&');
        pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    };
    // Whoever has nothing left does not say where it is: it is where it was.
    let before = said("cursor").and_then(|cursor| places_in(cursor).ok());
    let before = Part { events: Vec::new(), places: before.unwrap_or_default(), until: None };
    let parts = std::iter::once(before).chain(pages.into_iter().map(part)).collect();
    json!(page_of(parts, limit(said("limit").and_then(|limit| limit.parse().ok()))))
}

fn problem(error: EventLogError) -> Problem {
    match error {
        EventLogError::NoService(service) => Problem::not_found(format!("a service {service}")),
        EventLogError::Journal(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(service: &str, position: u64, time: &str) -> Value {
        json!({
            "service": service, "position": position, "id": Uuid::nil(), "type": "x.y.v1", "subject": "",
            "time": time, "correlationId": "", "causationId": "", "sequence": 0, "data": {},
        })
    }

    #[test]
    fn a_process_that_has_nothing_left_is_asked_from_where_it_was() {
        let cursor = encode_cursor(&ColumnValue::Null, r#"{"order": 5, "payment": 3}"#);
        let asked: Uri = format!("/admin/events?limit=1&cursor={cursor}").parse().expect("a path");
        let [first, second] = ["2026-01-05T10:00:00Z", "2026-01-05T10:00:01Z"];
        let own = json!({"items": []});
        let selling = json!({"items": [event("order", 6, first), event("order", 9, second)]});
        let paying = json!({"items": []});
        let all: Page = serde_json::from_value(together(&asked, vec![own, selling, paying])).expect("a page");
        assert_eq!(all.items.iter().map(|event| event.position).collect::<Vec<_>>(), [6]);
        let next = places_in(&all.next.expect("there is more")).expect("places");
        assert_eq!(next, Places::from([("order".to_owned(), 8), ("payment".to_owned(), 3)]));
    }
}
