//! Read models that follow events: which there are, rebuilding one, and the way back (reliability.md,
//! rule 20).

use axum::extract::State;
use axum::routing::{get, post};
use backbone::route::{Access, Role, Route};
use backbone::system::{Compared, Ending, Found, SwapWhen};
use engine::{Listed, Projections, RebuildError};
use http::Method;
use http_kit::{Answer, CallerIs, Problem, UrlPath, UrlQuery};
use kernel::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dead_letters::by;

mod desk;

pub(crate) use desk::Desk;

const LIST: &str = "/admin/projections";
const ADMIN: Access = Access::People(&[Role::Admin]);

/// A projection by its place.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Place {
    /// Its service.
    service: String,
    /// Its name.
    name: String,
}

/// How it is asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// `equal` (where nothing is said), `always` or `never`: when what was rebuilt serves.
    swap: Option<Swap>,
    /// Why.
    reason: Option<String>,
}

/// When what was rebuilt serves.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Swap {
    /// Where it is the same.
    Equal,
    /// Whatever the comparison finds.
    Always,
    /// Never: it is only compared.
    Never,
}

/// A projection as it is shown.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Shown {
    /// Its service.
    service: String,
    /// Its name.
    name: String,
    /// The context whose events it follows; its own service's facts where it is absent.
    follows: Option<String>,
    /// What it writes.
    collections: Vec<String>,
    /// Up to which fact it has come.
    position: u64,
    /// Its rebuild that goes on, or the last one.
    rebuild: Option<Progress>,
    /// When the last one ended.
    rebuilt_at: Option<Timestamp>,
    /// Since when what served before is kept, and kept up: a rollback swaps it back.
    previous_since: Option<Timestamp>,
}

/// How a rebuild is.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "camelCase")]
enum Progress {
    /// It goes on.
    Running,
    /// It was folded and compared.
    Done {
        /// From how many facts.
        facts: u64,
        /// Whether it serves now.
        swapped: bool,
        /// What the comparison found, at one fact.
        compared: Vec<Comparison>,
    },
    /// What had served before serves again.
    RolledBack,
    /// It was given up; what was there stays.
    Failed {
        /// Why.
        reason: String,
    },
}

/// A collection that serves beside the one that was rebuilt.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Comparison {
    /// Its name.
    collection: String,
    /// How many documents served.
    live: u64,
    /// How many were rebuilt.
    rebuilt: u64,
    /// Documents that served and were not rebuilt.
    only_live: Keys,
    /// Documents that were rebuilt and did not serve.
    only_rebuilt: Keys,
    /// Documents that differ.
    differing: Keys,
}

/// Documents of a kind of difference.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Keys {
    /// How many.
    count: u64,
    /// The keys of the first ones.
    first: Vec<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Page {
    items: Vec<Shown>,
}

impl From<Found> for Keys {
    fn from(Found { count, first }: Found) -> Self {
        Self { count, first }
    }
}

impl From<Compared> for Comparison {
    fn from(compared: Compared) -> Self {
        Self {
            collection: compared.collection,
            live: compared.live,
            rebuilt: compared.rebuilt,
            only_live: compared.only_live.into(),
            only_rebuilt: compared.only_rebuilt.into(),
            differing: compared.differing.into(),
        }
    }
}

impl From<Ending> for Progress {
    fn from(ending: Ending) -> Self {
        let done = |swapped, facts, compared: Vec<Compared>| {
            let compared = compared.into_iter().map(Comparison::from).collect();
            Progress::Done { facts, swapped, compared }
        };
        match ending {
            Ending::Swapped { facts, compared } => done(true, facts, compared),
            Ending::Kept { facts, compared } => done(false, facts, compared),
            Ending::RolledBack => Progress::RolledBack,
            Ending::Failed { reason } => Progress::Failed { reason },
        }
    }
}

impl From<Listed> for Shown {
    fn from(listed: Listed) -> Self {
        let record = listed.rebuilding;
        let rebuilt_at = record.last.as_ref().map(|(at, _)| *at);
        let rebuild = match (record.asked, record.last) {
            (Some(_), _) => Some(Progress::Running),
            (None, last) => last.map(|(_, ending)| ending.into()),
        };
        Self {
            service: listed.service.to_owned(),
            name: listed.name.to_owned(),
            follows: listed.follows.map(str::to_owned),
            collections: listed.collections.into_iter().map(str::to_owned).collect(),
            position: listed.position,
            rebuild,
            rebuilt_at,
            previous_since: record.previous,
        }
    }
}

/// The routes of operators.
pub(crate) fn routes(projections: &Projections) -> Vec<Route> {
    let state = || projections.clone();
    let rebuild = "/admin/projections/{service}/{name}/rebuild";
    let rollback = "/admin/projections/{service}/{name}/rollback";
    let back = "Swaps back what a projection was before its rebuild";
    vec![
        Route::new(Method::GET, LIST, ADMIN, "Lists the projections", get(list).with_state(state()))
            .gives::<Page>(),
        Route::new(Method::POST, rebuild, ADMIN, "Rebuilds a projection", post(begin).with_state(state())),
        Route::new(Method::POST, rollback, ADMIN, back, post(roll_back).with_state(state())),
    ]
}

async fn list(State(projections): State<Projections>) -> Result<Answer, Problem> {
    let items = projections.list().await?.into_iter().map(Shown::from).collect();
    Ok(Answer::ok(&Page { items }))
}

async fn begin(
    State(projections): State<Projections>,
    UrlPath(place): UrlPath<Place>,
    UrlQuery(wanted): UrlQuery<Wanted>,
    CallerIs(caller): CallerIs,
) -> Result<Answer, Problem> {
    let when = match wanted.swap {
        None | Some(Swap::Equal) => SwapWhen::Equal,
        Some(Swap::Always) => SwapWhen::Always,
        Some(Swap::Never) => SwapWhen::Never,
    };
    let by = by(&caller, wanted.reason);
    projections.rebuild(&place.service, &place.name, (when, &by)).await.map_err(problem)?;
    Ok(running())
}

async fn roll_back(
    State(projections): State<Projections>,
    UrlPath(place): UrlPath<Place>,
    CallerIs(caller): CallerIs,
) -> Result<Answer, Problem> {
    projections.roll_back(&place.service, &place.name, &by(&caller, None)).await.map_err(problem)?;
    Ok(running())
}

fn running() -> Answer {
    Answer::accepted(LIST, &serde_json::json!({"state": "running"}))
}

fn problem(error: RebuildError) -> Problem {
    match error {
        RebuildError::Unknown { service, name } => {
            Problem::not_found(format!("projection {name} of {service}"))
        }
        RebuildError::Work(error) => error.into(),
    }
}
