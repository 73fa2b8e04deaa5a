//! The projections of all services, as an operator sees them: how far each is, and rebuilding one
//! while the market serves (reliability.md, rule 20).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use backbone::bus::Bus;
use backbone::journal;
use backbone::projection::{Follows, Projection};

use crate::host::Host;
use crate::projections;

/// How a rebuild is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rebuild {
    /// It goes on.
    Running,
    /// It was swapped in, from so many facts.
    Done(u64),
    /// It was given up; the read model is as it was.
    Failed(String),
}

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
    /// Its rebuild of this run of the process, where there was one.
    pub rebuild: Option<Rebuild>,
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
    /// Two would write into the same shadow.
    #[error("`{0}` is being rebuilt already: wait until that is done")]
    Busy(&'static str),
}

/// The projections of all services; clones are handles on the same ones.
#[derive(Clone)]
pub struct Projections(Arc<Shared>);

struct Shared {
    bus: Arc<dyn Bus>,
    all: Vec<(Arc<Host>, Projection)>,
    rebuilds: Mutex<BTreeMap<(&'static str, &'static str), Rebuild>>,
}

impl Projections {
    pub(crate) fn new(bus: Arc<dyn Bus>, all: Vec<(Arc<Host>, Projection)>) -> Self {
        Self(Arc::new(Shared { bus, all, rebuilds: Mutex::default() }))
    }

    /// All of them, by service.
    pub async fn list(&self) -> Result<Vec<Listed>, journal::Error> {
        let mut listed = Vec::with_capacity(self.0.all.len());
        for (host, projection) in &self.0.all {
            let checkpoint = projections::checkpoint_name(projection);
            listed.push(Listed {
                service: host.service(),
                name: projection.name,
                follows: match projection.follows {
                    Follows::Own => None,
                    Follows::Context(context) => Some(context),
                },
                collections: projection.collections.iter().map(|collection| collection.name).collect(),
                position: host.journal().checkpoint(&checkpoint).await?,
                rebuild: self.0.told().get(&(host.service(), projection.name)).cloned(),
            });
        }
        Ok(listed)
    }

    /// Begins to rebuild one; `list` tells how it goes. It goes on whoever asked for it, because a
    /// rebuild that is dropped half-way has only cost its time.
    pub fn rebuild(&self, service: &str, name: &str) -> Result<(), RebuildError> {
        let wanted = |(host, projection): &&(Arc<Host>, Projection)| {
            host.service() == service && projection.name == name
        };
        let unknown = || RebuildError::Unknown { service: service.to_owned(), name: name.to_owned() };
        let (host, projection) = self.0.all.iter().find(wanted).cloned().ok_or_else(unknown)?;
        let place = (host.service(), projection.name);
        let before = self.0.told().insert(place, Rebuild::Running);
        if before == Some(Rebuild::Running) {
            return Err(RebuildError::Busy(projection.name));
        }
        let (shared, spawner) = (self.0.clone(), host.environment().spawner.clone());
        let run = async move {
            let rebuilt = projections::rebuild(&host, &*shared.bus, &projection).await;
            let (service, name) = place;
            match &rebuilt {
                Ok(facts) => tracing::info!(service, projection = name, facts, "rebuilt and swapped in"),
                Err(reason) => {
                    tracing::error!(service, projection = name, reason, "the rebuild was given up")
                }
            }
            shared.told().insert(place, rebuilt.map_or_else(Rebuild::Failed, Rebuild::Done));
        };
        spawner.spawn("rebuild", Box::pin(run));
        Ok(())
    }
}

impl Shared {
    fn told(&self) -> std::sync::MutexGuard<'_, BTreeMap<(&'static str, &'static str), Rebuild>> {
        self.rebuilds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
