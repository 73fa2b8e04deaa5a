//! Read models that follow events: which there are, and rebuilding one (reliability.md, rule 20).

use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::extract::State;
use axum::routing::{get, post};
use backbone::route::{Access, Role, Route};
use engine::{Listed, Projections, Rebuild, RebuildError};
use http::{Method, StatusCode};
use http_kit::{Answer, Problem, UrlPath};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::client::{Api, Call, ask};
use crate::table::{Table, thousands};

const LIST: &str = "/admin/projections";
const ADMIN: Access = Access::People(&[Role::Admin]);

/// How often a rebuild is asked for.
const LOOK: Duration = Duration::from_millis(200);

/// A projection by its place.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Place {
    /// Its service.
    service: String,
    /// Its name.
    name: String,
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
    /// Its last rebuild since the process started.
    rebuild: Option<Progress>,
}

/// How a rebuild is.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "camelCase")]
enum Progress {
    /// It goes on.
    Running,
    /// It took the place of what was there.
    Done {
        /// From how many facts.
        facts: u64,
    },
    /// It was given up; what was there stays.
    Failed {
        /// Why.
        reason: String,
    },
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Page {
    items: Vec<Shown>,
}

impl From<Listed> for Shown {
    fn from(listed: Listed) -> Self {
        Self {
            service: listed.service.to_owned(),
            name: listed.name.to_owned(),
            follows: listed.follows.map(str::to_owned),
            collections: listed.collections.into_iter().map(str::to_owned).collect(),
            position: listed.position,
            rebuild: listed.rebuild.map(|rebuild| match rebuild {
                Rebuild::Running => Progress::Running,
                Rebuild::Done(facts) => Progress::Done { facts },
                Rebuild::Failed(reason) => Progress::Failed { reason },
            }),
        }
    }
}

/// The routes of operators.
pub(crate) fn routes(projections: &Projections) -> Vec<Route> {
    let state = || projections.clone();
    let rebuild = "/admin/projections/{service}/{name}/rebuild";
    vec![
        Route::new(Method::GET, LIST, ADMIN, "Lists the projections", get(list).with_state(state()))
            .gives::<Page>(),
        Route::new(Method::POST, rebuild, ADMIN, "Rebuilds a projection", post(begin).with_state(state())),
    ]
}

async fn list(State(projections): State<Projections>) -> Result<Answer, Problem> {
    let items = projections.list().await?.into_iter().map(Shown::from).collect();
    Ok(Answer::ok(&Page { items }))
}

async fn begin(
    State(projections): State<Projections>,
    UrlPath(place): UrlPath<Place>,
) -> Result<Answer, Problem> {
    projections.rebuild(&place.service, &place.name).map_err(|error| match error {
        RebuildError::Unknown { service, name } => {
            Problem::not_found(format!("projection {name} of {service}"))
        }
        RebuildError::Busy(_) => Problem::of(StatusCode::CONFLICT, "rebuild-running", error.to_string()),
    })?;
    Ok(Answer::accepted(LIST, &serde_json::json!({"state": "running"})))
}

/// What an operator of a market asks with.
pub(crate) struct Desk<'a> {
    /// The market.
    pub(crate) api: &'a dyn Api,
    /// An operator's token.
    pub(crate) token: String,
}

impl Desk<'_> {
    async fn all(&self) -> anyhow::Result<Vec<Shown>> {
        let reply = ask(self.api, Call::get(LIST).by(&self.token)).await?.good()?;
        Ok(reply.read::<Page>()?.items)
    }

    /// A table of all projections.
    pub(crate) async fn list(&self) -> anyhow::Result<String> {
        let mut table = Table::new(["projection", "follows", "writes", "up to"]);
        for shown in self.all().await? {
            let follows = shown.follows.unwrap_or_else(|| "its own".to_owned());
            let name = format!("{}/{}", shown.service, shown.name);
            table.row([name, follows, shown.collections.join(", "), thousands(shown.position)]);
        }
        Ok(table.to_string())
    }

    /// Rebuilds one and waits for it; says what was folded.
    pub(crate) async fn rebuild(&self, name: &str, service: Option<&str>) -> anyhow::Result<String> {
        let all = self.all().await?;
        let named: Vec<&Shown> = all
            .iter()
            .filter(|shown| shown.name == name && service.is_none_or(|service| shown.service == service))
            .collect();
        let service = match named.as_slice() {
            [] => bail!("there is no projection {name}: `a4co projections list` names all"),
            [one] => one.service.clone(),
            several => {
                let services: Vec<&str> = several.iter().map(|shown| shown.service.as_str()).collect();
                bail!("several services have a projection {name}: say --service {}", services.join(" or "))
            }
        };
        let call = Call::post(format!("/admin/projections/{service}/{name}/rebuild"));
        ask(self.api, call.by(&self.token)).await?.good()?;
        loop {
            let all = self.all().await?;
            let found = all.into_iter().find(|shown| shown.name == name && shown.service == service);
            match found.context("the projection is gone")?.rebuild {
                Some(Progress::Done { facts }) => {
                    return Ok(format!("{service}/{name} was folded again from {} facts", thousands(facts)));
                }
                Some(Progress::Failed { reason }) => {
                    bail!("{service}/{name} was not rebuilt and is as it was: {reason}")
                }
                Some(Progress::Running) => tokio::time::sleep(LOOK).await,
                None => bail!("the market was started again meanwhile: ask once more"),
            }
        }
    }
}
