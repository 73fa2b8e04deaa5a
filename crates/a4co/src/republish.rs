//! Publishing again what a broker lost: asked for here, done by each service's relay.

use std::time::Duration;

use axum::extract::State;
use axum::routing::{get, post};
use backbone::route::{Access, Role, Route};
use engine::{Beginning, RepublishError, Republished, Republisher};
use garde::Validate;
use http::{Method, StatusCode};
use http_kit::{Answer, Body, CallerIs, Problem};
use kernel::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::client::{Api, Call, ask};
use crate::dead_letters::by;
use crate::table::{Table, thousands};

const PLACE: &str = "/admin/republish";
const ADMIN: Access = Access::People(&[Role::Admin]);

/// How often it is looked how far it is.
const LOOK: Duration = Duration::from_millis(500);
/// How many looks in a row may tell nothing of a service.
const SILENT_LOOKS_MAX: u32 = 60;

/// What is to be published again.
#[derive(Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Ask {
    /// Of this service; of all that run without it.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    /// A time (RFC 3339), or a position of the service's journal; 0 is everything.
    #[garde(length(min = 1, max = 40))]
    from: String,
    /// Why.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// How far a service is.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Shown {
    service: String,
    /// `waiting`, `running` or `done`.
    state: String,
    /// Everything after this position.
    from: u64,
    /// Up to where it was published again.
    position: u64,
    /// Up to where it is to be; absent until the relay has begun.
    until: Option<u64>,
    /// How many events.
    published: u64,
    requested_at: Timestamp,
    finished_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Progress {
    items: Vec<Shown>,
    /// Processes that gave no answer.
    #[serde(default)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreachable: Vec<String>,
}

impl Progress {
    fn of(all: Vec<Republished>) -> Self {
        Self { items: all.into_iter().map(Shown::of).collect(), unreachable: Vec::new() }
    }

    /// Whether all of these services tell that they are through.
    fn are_through(&self, services: &[String]) -> bool {
        let is_through = |service: &String| {
            self.items.iter().any(|shown| shown.service == *service && shown.finished_at.is_some())
        };
        services.iter().all(is_through)
    }

    /// Whether one of these services tells nothing.
    fn lacks_one_of(&self, services: &[String]) -> bool {
        services.iter().any(|service| self.items.iter().all(|shown| shown.service != *service))
    }
}

impl Shown {
    fn of(Republished { service, progress }: Republished) -> Self {
        let state = match (progress.finished_at, progress.until) {
            (Some(_), _) => "done",
            (None, Some(_)) => "running",
            (None, None) => "waiting",
        };
        Self {
            service: service.to_owned(),
            state: state.to_owned(),
            from: progress.from,
            position: progress.position,
            until: progress.until,
            published: progress.published,
            requested_at: progress.requested_at,
            finished_at: progress.finished_at,
        }
    }
}

/// The routes of operators.
pub(crate) fn routes(republisher: &Republisher) -> Vec<Route> {
    let state = || republisher.clone();
    let again = "Publishes again what was published from a moment on";
    vec![
        Route::new(
            Method::GET,
            PLACE,
            ADMIN,
            "How far publishing again is",
            get(progress).with_state(state()),
        )
        .gives::<Progress>(),
        Route::new(Method::POST, PLACE, ADMIN, again, post(begin).with_state(state()))
            .takes::<Ask>()
            .gives::<Progress>(),
    ]
}

/// A time or a position.
fn beginning(from: &str) -> Option<Beginning> {
    let position = from.parse().ok().map(Beginning::Position);
    position.or_else(|| from.parse().ok().map(Beginning::Moment))
}

async fn begin(
    State(republisher): State<Republisher>,
    CallerIs(caller): CallerIs,
    body: Body<Ask>,
) -> Result<Answer, Problem> {
    let Ask { service, from, reason } = body.value;
    let remedy = "a time such as 2026-11-22T10:00:00Z, or a position: 0 is everything";
    let from = beginning(&from).ok_or_else(|| Problem::invalid("from", remedy))?;
    let asked = republisher.ask(service.as_deref(), from, &by(&caller, reason)).await.map_err(problem)?;
    Ok(Answer::accepted(PLACE, &Progress::of(asked)))
}

async fn progress(State(republisher): State<Republisher>) -> Result<Answer, Problem> {
    Ok(Answer::ok(&Progress::of(republisher.progress().await?)))
}

fn problem(error: RepublishError) -> Problem {
    match error {
        RepublishError::Embedded => {
            Problem::of(StatusCode::CONFLICT, "nothing-to-republish", error.to_string())
        }
        RepublishError::NoService(service) => Problem::not_found(format!("a service {service}")),
        RepublishError::Work(error) => error.into(),
        RepublishError::Journal(error) => error.into(),
    }
}

/// What an operator of a market asks with.
pub(crate) struct Desk<'a> {
    /// The market.
    pub(crate) api: &'a dyn Api,
    /// An operator's token.
    pub(crate) token: String,
}

impl Desk<'_> {
    /// Asks for it and waits until it is done; says what was published. A process that gives no answer
    /// was not asked: that is an error, for what it published stays lost.
    pub(crate) async fn republish(&self, from: &str, service: Option<&str>) -> anyhow::Result<String> {
        let body = Ask { service: service.map(str::to_owned), from: from.to_owned(), reason: None };
        let call = Call::post(PLACE).json(&body).by(&self.token);
        let begun: Progress = ask(self.api, call).await?.read()?;
        anyhow::ensure!(
            begun.unreachable.is_empty(),
            "{} gave no answer and publishes nothing again, the others do: ask once more when it is there",
            begun.unreachable.join(", "),
        );
        let asked: Vec<String> = begun.items.iter().map(|shown| shown.service.clone()).collect();
        let mut progress = self.until_through(begun, &asked).await?;
        progress.items.retain(|shown| asked.contains(&shown.service));
        let mut table = Table::new(["service", "from", "until", "published again"]);
        for shown in progress.items {
            let until = thousands(shown.until.unwrap_or(shown.position));
            table.row([shown.service, thousands(shown.from), until, thousands(shown.published)]);
        }
        Ok(table.to_string())
    }

    /// Looks until these services are through. Processes come and go meanwhile.
    async fn until_through(&self, mut progress: Progress, asked: &[String]) -> anyhow::Result<Progress> {
        let mut silent = 0;
        while !progress.are_through(asked) {
            tokio::time::sleep(LOOK).await;
            let told = ask(self.api, Call::get(PLACE).by(&self.token))
                .await
                .and_then(|reply| reply.read::<Progress>());
            silent += 1;
            match told {
                Ok(told) => {
                    if !told.lacks_one_of(asked) {
                        silent = 0;
                    }
                    progress = told;
                }
                Err(error) if silent > SILENT_LOOKS_MAX => return Err(error.into()),
                Err(_) => {}
            }
            anyhow::ensure!(
                silent <= SILENT_LOOKS_MAX,
                "not every service tells how far it is: publishing goes on there, ask again to see"
            );
        }
        Ok(progress)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(service: &str, finished: bool) -> serde_json::Value {
        let at = "2026-11-22T10:00:00Z";
        json!({
            "service": service, "state": "running", "from": 0, "position": 3, "until": 3, "published": 3,
            "requestedAt": at, "finishedAt": finished.then_some(at),
        })
    }

    #[test]
    fn who_tells_nothing_is_not_through() {
        let progress = |items: &[serde_json::Value]| -> Progress {
            serde_json::from_value(json!({"items": items, "unreachable": ["http://127.0.0.1:1"]})).unwrap()
        };
        let asked = ["order".to_owned(), "payment".to_owned()];
        for (items, through, lacks) in [
            (vec![shown("order", true), shown("payment", true), shown("user", false)], true, false),
            (vec![shown("order", true), shown("payment", false)], false, false),
            (vec![shown("order", true)], false, true),
            (vec![], false, true),
        ] {
            let progress = progress(&items);
            assert_eq!((progress.are_through(&asked), progress.lacks_one_of(&asked)), (through, lacks));
        }
    }
}
