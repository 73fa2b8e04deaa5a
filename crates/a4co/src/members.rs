//! Who publishes and who reads what, as the modules declare it: known before anything runs, for a
//! broker that is made ready for the whole deployment and for its accounts.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use backbone::Module;
use backbone::bus::{self, Backlog, Bus, Capabilities, Consumer, Subscription};
use backbone::calls::{CallError, CallReply, CallRequest, Calls};
use backbone::journal::{self, Journal, Schema, Sent, Storage};
use backbone::keyring::{Error as KeyError, KeyRing, PersonKey};
use engine::{Engine, Parts};
use kernel::Envelope;
use uuid::Uuid;

use crate::config::Settings;
use crate::environment;
use crate::services::{self, Needs, SERVICES};

const NOTHING: &str = "nothing runs here";

/// A service, by the types of events that it publishes and the contexts that it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) service: &'static str,
    pub(crate) publishes: BTreeSet<String>,
    pub(crate) consumes: BTreeSet<&'static str>,
}

impl Member {
    fn of(module: &Module) -> Self {
        let context = |name: &'static str| name.split('.').next().unwrap_or(name);
        Self {
            service: module.service,
            publishes: module.publishes.iter().flat_map(|event| versions(event.name)).collect(),
            consumes: module.reactions.iter().map(|reaction| context(reaction.event.name)).collect(),
        }
    }
}

/// A type in all its versions up to this one: the journal may have older ones to publish again.
fn versions(name: &str) -> Vec<String> {
    match name.rsplit_once(".v").map(|(bare, version)| (bare, version.parse::<u32>())) {
        Some((bare, Ok(latest))) => (1..=latest).map(|version| format!("{bare}.v{version}")).collect(),
        _ => vec![name.to_owned()],
    }
}

/// All services of the market, whichever process runs them.
pub(crate) fn all(settings: &Settings) -> anyhow::Result<Vec<Member>> {
    let nowhere = Arc::new(Nowhere);
    let parts = Parts {
        environment: environment::system(),
        storage: nowhere.clone(),
        bus: nowhere.clone(),
        keyring: nowhere.clone(),
    };
    let mut engine = Engine::new(parts);
    let needs = Needs {
        settings: Arc::new(settings.clone()),
        keyring: nowhere.clone(),
        gateways: Vec::new(),
        email_key: [0; 32],
    };
    let member = |service: &&'static str| {
        let context = engine.context(service, nowhere.clone());
        let module = services::module(service, &context, &needs).context("a listed service has a module")?;
        Ok(Member::of(&module))
    };
    SERVICES.iter().map(member).collect()
}

/// Whatever a module is made with: it declares, and nothing is asked of it.
struct Nowhere;

#[async_trait]
impl Storage for Nowhere {
    async fn open(&self, _: Schema) -> Result<Arc<dyn Journal>, journal::Error> {
        Err(journal::Error::Unusable(NOTHING.to_owned()))
    }

    async fn published_by(&self, _: &str, _: u64, _: usize) -> Result<Vec<Sent>, journal::Error> {
        Err(journal::Error::Unusable(NOTHING.to_owned()))
    }

    fn is_shared(&self) -> bool {
        false
    }
}

fn no_bus() -> bus::Error {
    bus::Error::Unavailable { operation: "asking nobody", reason: NOTHING.to_owned() }
}

#[async_trait]
impl Bus for Nowhere {
    fn capabilities(&self) -> Capabilities {
        Capabilities { publishes_in_commit: false, reads_by_position: false, partitions: 1 }
    }

    async fn publish(&self, _: Vec<Envelope>) -> Result<(), bus::Error> {
        Err(no_bus())
    }

    async fn open(&self, _: Subscription) -> Result<Box<dyn Consumer>, bus::Error> {
        Err(no_bus())
    }

    async fn backlog(&self, _: &Subscription) -> Result<Backlog, bus::Error> {
        Err(no_bus())
    }
}

#[async_trait]
impl KeyRing for Nowhere {
    fn master_id(&self) -> String {
        String::new()
    }

    async fn ensure(&self, _: &[Uuid]) -> Result<Vec<PersonKey>, KeyError> {
        Err(KeyError(NOTHING.to_owned()))
    }

    async fn find(&self, _: &[Uuid]) -> Result<Vec<PersonKey>, KeyError> {
        Err(KeyError(NOTHING.to_owned()))
    }

    async fn erase(&self, _: Uuid) -> Result<(), KeyError> {
        Err(KeyError(NOTHING.to_owned()))
    }
}

#[async_trait]
impl Calls for Nowhere {
    async fn call(&self, request: CallRequest) -> Result<CallReply, CallError> {
        Err(CallError::Unreachable { to: request.spec.to, reason: NOTHING.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its modules say it, not a second list.
    #[test]
    fn a_member_publishes_and_reads_what_its_module_declares() {
        let members = all(&Settings::default()).expect("modules are made of nothing");
        assert_eq!(members.iter().map(|member| member.service).collect::<Vec<_>>(), SERVICES);
        let order = members.iter().find(|member| member.service == "order").expect("it is a service");
        // What it asks of others stands in their contexts.
        for kind in ["order.created.v1", "inventory.reservation.requested.v1"] {
            assert!(order.publishes.contains(kind), "{kind}");
        }
        assert!(!order.publishes.contains("inventory.reservation.confirmed.v1"), "that is inventory's");
        assert!(order.consumes.is_superset(&BTreeSet::from(["inventory", "payment", "shipping"])));
    }

    #[test]
    fn what_an_earlier_version_published_may_be_published_again() {
        assert_eq!(versions("order.created.v1"), ["order.created.v1"]);
        assert_eq!(versions("a.b.v3"), ["a.b.v1", "a.b.v2", "a.b.v3"]);
        assert_eq!(versions("order"), ["order"]);
    }
}
