//! The projections of all services, as an operator sees them: how far each is, rebuilding one while the
//! market serves, and the way back (reliability.md, rule 20).

use std::sync::Arc;

use backbone::journal;
use backbone::projection::{Follows, Projection};
use backbone::system::{Aim, Rebuilding, SwapWhen};
use backbone::work::Error;

use crate::host::Host;
use crate::operators::By;
use crate::projections;

/// A projection that runs.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its service.
    pub service: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The context whose events it follows; absent where it follows its own service's.
    pub follows: Option<&'static str>,
    /// What it writes.
    pub collections: Vec<&'static str>,
    /// Up to which fact it has come.
    pub position: u64,
    /// What is wanted of it, and how its last rebuild ended.
    pub rebuilding: Rebuilding,
}

/// Why no rebuild begins.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// There is none of this name.
    #[error("{service} has no projection `{name}`: `a4co projections list` names all")]
    Unknown {
        /// The service.
        service: String,
        /// The name.
        name: String,
    },
    /// It was refused, or could not be written.
    #[error(transparent)]
    Work(#[from] Error),
}

/// The projections of all services; clones are handles on the same ones.
#[derive(Clone)]
pub struct Projections(Arc<[(Arc<Host>, Projection)]>);

impl Projections {
    pub(crate) fn new(all: Vec<(Arc<Host>, Projection)>) -> Self {
        Self(all.into())
    }

    /// All of them, by service.
    pub async fn list(&self) -> Result<Vec<Listed>, journal::Error> {
        let mut listed = Vec::with_capacity(self.0.len());
        for (host, projection) in self.0.iter() {
            let checkpoint = projections::checkpoint_name(projection);
            listed.push(Listed {
                service: host.service(),
                name: projection.name,
                follows: match projection.follows {
                    Follows::Own => None,
                    Follows::Context { context, .. } => Some(context),
                },
                collections: projection.collections.iter().map(|collection| collection.name).collect(),
                position: host.journal().checkpoint(&checkpoint).await?,
                rebuilding: projections::rebuilding(host, projection.name).await?,
            });
        }
        Ok(listed)
    }

    /// Asks that one is rebuilt; `list` tells how it goes. Whoever runs it does it, whether or not the
    /// asker is still there, and goes on with it after a restart.
    pub async fn rebuild(
        &self,
        service: &str,
        name: &str,
        (when, by): (SwapWhen, &By),
    ) -> Result<(), RebuildError> {
        self.ask(service, name, Aim::Rebuild(when), by).await
    }

    /// Asks that what one was before its last swap serves again; `list` tells how it goes.
    pub async fn roll_back(&self, service: &str, name: &str, by: &By) -> Result<(), RebuildError> {
        self.ask(service, name, Aim::RollBack, by).await
    }

    async fn ask(&self, service: &str, name: &str, aim: Aim, by: &By) -> Result<(), RebuildError> {
        let wanted = |(host, projection): &&(Arc<Host>, Projection)| {
            host.service() == service && projection.name == name
        };
        let unknown = || RebuildError::Unknown { service: service.to_owned(), name: name.to_owned() };
        let (host, projection) = self.0.iter().find(wanted).ok_or_else(unknown)?;
        Ok(projections::ask(host, projection.name, aim, by).await?)
    }
}
