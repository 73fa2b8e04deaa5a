//! What this program knows of each service: which documents it keeps, and what it takes in.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use adapter_sqlite::Store;
use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use backbone::Module;
use backbone::calls::{CallError, CallReply, CallRequest, Calls};
use backbone::journal::Schema;
use backbone::keyring::{Error as KeyError, KeyRing, PersonKey};
use backbone::projection::Follows;
use backbone::system::SYSTEM_COLLECTIONS;
use engine::{Engine, Parts};
use uuid::Uuid;

use crate::config::Settings;
use crate::environment;
use crate::services::{self, Needs, SERVICES};

/// A service.
pub(super) struct Known {
    pub(super) schema: Schema,
    pub(super) consumers: Vec<Reader>,
}

/// A consumer of a context.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    /// `order-inventory`.
    pub(super) name: String,
    pub(super) context: &'static str,
    kinds: BTreeSet<&'static str>,
}

impl Reader {
    /// Whether it takes in events of this type, or may have to hold them: of what no program knew
    /// when this one was made, nobody can say who wants it.
    pub(super) fn takes(&self, kind: &str) -> bool {
        self.kinds.contains(kind) || contracts::catalogue().iter().all(|known| known.name != kind)
    }

    #[cfg(test)]
    pub(super) fn of(name: &str, context: &'static str, kinds: &[&'static str]) -> Self {
        Self { name: name.to_owned(), context, kinds: kinds.iter().copied().collect() }
    }
}

/// Its modules are made to be looked at, and nothing of them runs.
struct Nobody;

#[async_trait]
impl KeyRing for Nobody {
    fn master_id(&self) -> String {
        String::new()
    }

    async fn ensure(&self, _: &[Uuid]) -> Result<Vec<PersonKey>, KeyError> {
        Err(KeyError("nothing runs while a market moves".to_owned()))
    }

    async fn find(&self, persons: &[Uuid]) -> Result<Vec<PersonKey>, KeyError> {
        self.ensure(persons).await
    }

    async fn erase(&self, _: Uuid) -> Result<(), KeyError> {
        Err(KeyError("nothing runs while a market moves".to_owned()))
    }
}

#[async_trait]
impl Calls for Nobody {
    async fn call(&self, request: CallRequest) -> Result<CallReply, CallError> {
        Err(CallError::Unreachable {
            to: request.spec.to,
            reason: "nothing runs while a market moves".into(),
        })
    }
}

/// All services of this program.
pub(super) fn services(settings: &Settings, data: &Path) -> anyhow::Result<Vec<Known>> {
    let store = Store::open_read_only(data)?;
    let keyring = Arc::new(Nobody);
    let (storage, bus) = (store.storage(), store.bus());
    let parts = Parts { environment: environment::system(), storage, bus, keyring: keyring.clone() };
    let mut engine = Engine::new(parts);
    let settings = Arc::new(settings.clone());
    let needs = Needs { settings, keyring, gateways: Vec::new(), email_key: [0; 32] };
    let known = |service: &&'static str| {
        let context = engine.context(service, Arc::new(Nobody));
        let module = services::module(service, &context, &needs).context("a listed service has a module")?;
        of(&module)
    };
    SERVICES.iter().map(known).collect()
}

fn of(module: &Module) -> anyhow::Result<Known> {
    let service = module.service;
    for projection in &module.projections {
        ensure!(
            projection.follows == Follows::Own,
            "{service}'s projection {} follows the embedded log, which no broker has: it cannot move",
            projection.name
        );
    }
    let collections = SYSTEM_COLLECTIONS.iter().chain(&module.collections).copied().collect();
    let contexts: BTreeSet<&'static str> = module.reactions.iter().map(|r| r.event.context()).collect();
    let reader = |context| {
        let of_context = module.reactions.iter().filter(|reaction| reaction.event.context() == context);
        let kinds = of_context.map(|reaction| reaction.event.name).collect();
        Reader { name: format!("{service}-{context}"), context, kinds }
    };
    Ok(Known {
        schema: Schema { service, collections },
        consumers: contexts.into_iter().map(reader).collect(),
    })
}
