//! Which services run in this process, where the others do, and what joins them (docs/running.md).

mod entry;
mod keys;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use adapter_tokens::{PEOPLE_ISSUER, SignedTokens};
use anyhow::{Context as _, bail, ensure};
use backbone::Module;
use backbone::environment::Environment;
use backbone::route::Route;
use http_kit::network::{Directory, Forwarder, Network, Split};
use http_kit::{InMemory, Transport};

pub(crate) use entry::{Entry, Of};

use crate::config::Settings;
use crate::services::SERVICES;

/// The name of a process that runs no service and passes everything on; it may stand beside others.
pub const GATEWAY: &str = "gateway";

/// The division of the services.
#[derive(Clone)]
pub(crate) struct Processes {
    here: Arc<[&'static str]>,
    elsewhere: Arc<[&'static str]>,
    network: Option<Arc<Network>>,
}

impl Processes {
    /// As an operator set it. Without `serve.only` everything runs here, and nothing is asked of
    /// anybody.
    pub(crate) fn of(settings: &Settings, environment: &Environment) -> anyhow::Result<Self> {
        check(settings)?;
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            SERVICES.iter().copied().partition(|service| runs(settings, service));
        let network = match elsewhere.is_empty() {
            true => None,
            false => {
                let network = Network::new(Directory::new(&settings.discovery)?, environment.clone());
                Some(Arc::new(network.context("the system's certificates, for discovered https addresses")?))
            }
        };
        Ok(Self { here: here.into(), elsewhere: elsewhere.into(), network })
    }

    /// The services that run here.
    pub(crate) fn here(&self) -> &Arc<[&'static str]> {
        &self.here
    }

    /// Whether a service does.
    pub(crate) fn run_here(&self, service: &str) -> bool {
        self.here.contains(&service)
    }

    /// Whether a service runs in another process.
    pub(crate) fn run_elsewhere(&self, service: &str) -> bool {
        self.elsewhere.contains(&service)
    }

    /// Refuses a service here that calls one which is nowhere.
    pub(crate) fn reach(&self, modules: &[Module]) -> anyhow::Result<()> {
        for call in modules.iter().filter(|m| self.run_here(m.service)).flat_map(|m| &m.calls) {
            let (from, to) = (call.from, call.to);
            let is_known = self.network.as_ref().is_some_and(|network| network.directory().knows(to));
            ensure!(
                !self.elsewhere.contains(&to) || is_known,
                "{from} calls {to}, which does not run here: say where it does, as discovery.{to} = \
                 [\"http://127.0.0.1:8101\"]"
            );
        }
        Ok(())
    }

    /// Learns the public keys of the other processes.
    pub(crate) fn follow_keys(&self, tokens: &Arc<SignedTokens>, environment: &Environment) {
        if let Some(network) = &self.network {
            keys::follow(network.clone(), tokens, environment);
        }
    }

    /// How calls between services travel.
    pub(crate) fn transport(&self, memory: &Arc<InMemory>) -> Arc<dyn Transport> {
        match &self.network {
            None => memory.clone(),
            Some(network) => {
                let here = self.here.iter().copied().collect();
                Arc::new(Split { here, memory: memory.clone(), network: network.clone() })
            }
        }
    }

    /// The routes of the services that run elsewhere, passing on what comes.
    pub(crate) fn passed_on(
        &self,
        routes: Vec<(&'static str, Vec<Route>)>,
    ) -> Vec<(&'static str, Vec<Route>)> {
        let Some(network) = &self.network else { return Vec::new() };
        let forwarder = Forwarder::new(network.clone());
        let forward =
            |(service, routes): (&'static str, Vec<Route>)| (service, forwarder.of(service, routes));
        routes.into_iter().map(forward).collect()
    }

    /// What makes lists of this process to lists of all, where there are others.
    pub(crate) fn entry(&self) -> Option<Entry> {
        self.network.as_ref().map(|network| Entry::new(network.clone(), self.elsewhere.clone()))
    }
}

/// Whether this process is the way into the market for people.
pub(crate) fn is_gateway(settings: &Settings) -> bool {
    settings.serve.only.iter().any(|name| name == GATEWAY)
}

/// Whether a service runs in this process.
pub(crate) fn runs(settings: &Settings, service: &str) -> bool {
    let only = &settings.serve.only;
    only.is_empty() || only.iter().any(|name| name == service)
}

/// Refuses names that nobody has, and a division of what cannot be divided; touches nothing.
pub(crate) fn check(settings: &Settings) -> anyhow::Result<()> {
    let only = &settings.serve.only;
    let known = || SERVICES.join(", ");
    if let Some(unknown) = only.iter().find(|name| *name != GATEWAY && !SERVICES.contains(&name.as_str())) {
        bail!(
            "serve.only (--only, A4CO_ONLY) names {unknown:?}, which is no service: they are {}; {GATEWAY} \
             stands for an entry that runs none",
            known()
        );
    }
    let is_known = |name: &String| SERVICES.contains(&name.as_str()) || name == PEOPLE_ISSUER;
    if let Some(unknown) = settings.discovery.keys().find(|name| !is_known(name)) {
        bail!(
            "discovery names {unknown:?}, which is no service: they are {}; {PEOPLE_ISSUER} stands for \
             whoever signs the tokens of people",
            known()
        );
    }
    let are_servers_set = settings.engines.postgres.is_some();
    ensure!(
        are_servers_set || SERVICES.iter().all(|service| runs(settings, service)),
        "serve.only (--only, A4CO_ONLY) divides the services among processes, and the embedded store is of one \
         process: set engines.postgres and a broker (docs/running.md), or leave --only out"
    );
    Ok(())
}
