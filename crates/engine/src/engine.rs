//! The engine: takes modules, checks them, starts what they register, and stops it again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use backbone::bus::{self, Bus, Subscription};
use backbone::calls::Calls;
use backbone::context::Context;
use backbone::environment::Environment;
use backbone::ephemeral::{Hints, NoHints};
use backbone::journal::{self, Schema, Storage};
use backbone::keyring::KeyRing;
use backbone::module::Module;
use backbone::projection::Projection;
use backbone::system::SYSTEM_COLLECTIONS;
use backbone::timer::TimerHandler;
use backbone::trace::Tracing;
use tokio::sync::{Notify, mpsc};

use crate::consumer::{Consumer, Outage, Standings};
use crate::dead_letters::DeadLetters;
use crate::decider::{Decider, Job, Reply};
use crate::event_log::EventLog;
use crate::host::{Host, Opening};
use crate::keys::Keys;
use crate::leases::Leases;
use crate::metrics::ServiceMetrics;
use crate::rebuilds::Projections;
use crate::relay::Republisher;
use crate::saga_desk::SagaDesk;
use crate::service_watch::{Followed, ServiceWatch};
use crate::shutdown::Switch;
use crate::signs::{ConsumerSigns, Reads};
use crate::tenure::Tenure;
use crate::told::Told;
use crate::watch::Watch;
use crate::{doubt, projections, recovery, relay, retention, sagas, subscriptions, timers};

/// What the engine stands on.
#[derive(Clone)]
pub struct Parts {
    /// Time, ids, tasks.
    pub environment: Environment,
    /// Where state is kept.
    pub storage: Arc<dyn Storage>,
    /// How events travel.
    pub bus: Arc<dyn Bus>,
    /// Keys of persons.
    pub keyring: Arc<dyn KeyRing>,
}

/// How the engine starts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The last run ended without a word: replay what may have been in flight, one by one.
    pub crashed: bool,
}

/// Why the engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Two modules, or two things in a module, share a name.
    #[error("{service} registers {what} twice")]
    Twice {
        /// The service.
        service: &'static str,
        /// What it registers.
        what: String,
    },
    /// Only the producer named in events.toml may publish an event.
    #[error("{service} may not publish {event}: only {producer} may (events.toml)")]
    NotTheProducer {
        /// The service.
        service: &'static str,
        /// The event.
        event: &'static str,
        /// Who may.
        producer: &'static str,
    },
    /// A service may only react to what names it as a consumer.
    #[error("{service} reacts to {event}, which does not name it as a consumer (events.toml)")]
    NotAConsumer {
        /// The service.
        service: &'static str,
        /// The event.
        event: &'static str,
    },
    /// A service waits for an event that its producer, which runs here, does not publish.
    #[error(
        "{service} follows {event}, which {producer} does not publish: add it to `publishes` of {producer}'s \
         module, or drop what follows it"
    )]
    NobodyPublishes {
        /// The service that follows it.
        service: &'static str,
        /// The event.
        event: &'static str,
        /// Its producer.
        producer: &'static str,
    },
    /// A context was made for a service whose module was never mounted.
    #[error("service {0} has a context but no module")]
    NoModule(&'static str),
    /// The store said no.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The bus said no.
    #[error(transparent)]
    Bus(#[from] bus::Error),
    /// A consumer is new, and begins with what comes next.
    #[error("where a new consumer begins could not be noted: {0}")]
    Beginning(String),
    /// What was in flight could not be replayed.
    #[error("what was in flight at the crash could not be replayed: {0}")]
    Recovery(String),
}

struct Prepared {
    host: Arc<Host>,
    inbox: mpsc::Receiver<(Job, Reply)>,
    module: Option<Module>,
}

/// Modules on their way to running.
pub struct Engine {
    parts: Parts,
    keys: Arc<Keys>,
    tracing: Tracing,
    hints: Arc<dyn Hints>,
    services: BTreeMap<&'static str, Prepared>,
    elsewhere: Vec<Module>,
}

impl Engine {
    /// An engine without modules.
    pub fn new(parts: Parts) -> Self {
        let keys = Arc::new(Keys::new(parts.keyring.clone(), parts.environment.clock.clone()));
        let (tracing, hints) = (Tracing::OFF, Arc::new(NoHints));
        Self { parts, keys, tracing, hints, services: BTreeMap::new(), elsewhere: Vec::new() }
    }

    /// Keeps traces; say so before any context is made.
    #[must_use]
    pub fn traced(mut self, tracing: Tracing) -> Self {
        self.tracing = tracing;
        self
    }

    /// Tells whoever listens, on every replica, what was committed; say so before any context is made.
    #[must_use]
    pub fn hinting(mut self, hints: Arc<dyn Hints>) -> Self {
        self.hints = hints;
        self
    }

    /// The context to make a service's module with.
    pub fn context(&mut self, service: &'static str, calls: Arc<dyn Calls>) -> Context {
        let environment = self.parts.environment.clone();
        let prepared = self.services.entry(service).or_insert_with(|| {
            let (host, inbox) = Host::new(service, environment.clone(), self.keys.clone(), self.tracing);
            Prepared { host, inbox, module: None }
        });
        let host = prepared.host.clone();
        let hints = self.hints.clone();
        Context { service, commands: host.clone(), documents: host, calls, environment, hints }
    }

    /// The engine's memory of keys, for whoever erases one.
    pub fn keys(&self) -> Arc<Keys> {
        self.keys.clone()
    }

    /// Takes a module, checked.
    pub fn mount(&mut self, module: Module) -> Result<(), StartError> {
        check(&module)?;
        let service = module.service;
        let prepared = self.services.get_mut(service).ok_or(StartError::NoModule(service))?;
        if prepared.module.is_some() {
            return Err(StartError::Twice { service, what: "its module".to_owned() });
        }
        prepared.module = Some(module);
        Ok(())
    }

    /// Takes note of a module that another process runs: what it declares counts, and nothing of it
    /// starts here.
    pub fn knows(&mut self, module: Module) -> Result<(), StartError> {
        check(&module)?;
        self.elsewhere.push(module);
        Ok(())
    }

    /// Opens the journals and starts everything.
    pub async fn start(self, options: Options) -> Result<Running, StartError> {
        let mounted = self.services.values().filter_map(|prepared| prepared.module.as_ref());
        subscriptions::check(mounted.chain(&self.elsewhere))?;
        let switch = Switch::new();
        let spawner = self.parts.environment.spawner.clone();
        let (mut hosts, mut consumers, mut modules) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut by_consumer = BTreeMap::new();
        let (mut watched, mut registered) = (Vec::new(), BTreeMap::new());
        let leases = Leases::new(self.parts.environment.ids.uuid(), self.parts.storage.is_shared());
        for (service, prepared) in self.services {
            let module = prepared.module.ok_or(StartError::NoModule(service))?;
            let collections = SYSTEM_COLLECTIONS.iter().chain(&module.collections).copied().collect();
            let journal = self.parts.storage.open(Schema { service, collections }).await?;
            let storage = self.parts.storage.clone();
            prepared.host.open(Opening { journal, storage, leases });
            prepared.host.declare(module.publishes.iter().map(|event| event.name).collect());
            let told = Told { service, collections: module.told.clone(), hints: self.hints.clone() };
            prepared.host.tells(told);
            begin_signs(&prepared.host, &module).await?;
            hosts.insert(service, prepared.host.clone());
            let decider = Decider::new(prepared.host.clone(), prepared.inbox);
            spawner.spawn("decider", Box::pin(decider.run()));
            let own = consumers_of(&prepared.host, &self.parts, &module);
            watched.push(watch_of(&prepared.host, &own, &module));
            consumers.extend(own.into_iter().map(Arc::new));
            for projection in &module.projections {
                by_consumer.insert((service, projections::checkpoint_name(projection)), projection.clone());
            }
            registered.insert(service, module.sagas.clone());
            modules.push((prepared.host, module));
        }
        let own = consumers.iter().map(|consumer| consumer.subscription(0));
        let others = self.elsewhere.iter().flat_map(|module| subscriptions_of(module, &self.parts.bus));
        let subscriptions: Vec<_> = own.chain(others).collect();
        self.parts.bus.declare(&subscriptions).await?;
        for consumer in &consumers {
            consumer.begin().await.map_err(StartError::Beginning)?;
        }
        if options.crashed {
            recovery::recover(&consumers).await.map_err(StartError::Recovery)?;
        }
        for consumer in &consumers {
            spawner.spawn("consumer", Box::pin(consumer.clone().run(switch.handle())));
        }
        for (host, module) in modules {
            start_module(&host, module, &self.parts.bus, &switch).await?;
        }
        let rebuildable =
            by_consumer.iter().map(|((service, _), projection): (&(&str, String), &Projection)| {
                (hosts[service].clone(), projection.clone())
            });
        let projections = Projections::new(rebuildable.collect());
        let all = Arc::new(hosts.clone());
        let republisher = Republisher::new(all.clone(), self.parts.bus.clone());
        let sagas = SagaDesk::new(all.clone(), registered);
        let event_log = EventLog::new(all.clone());
        let dead_letters = DeadLetters::new(all, consumers, self.parts.bus.clone(), by_consumer);
        let watch = Watch::new(self.parts.environment.clock.clone(), self.parts.bus.clone(), watched);
        spawner.spawn("watch", Box::pin(watch.clone().run(switch.handle())));
        Ok(Running { hosts, dead_letters, sagas, event_log, republisher, projections, watch, switch })
    }
}

/// Before anything runs: what is under way since the last run.
async fn begin_signs(host: &Host, module: &Module) -> Result<(), journal::Error> {
    let published = module.publishes.iter().map(|event| event.name);
    let metrics = ServiceMetrics::of(module.service, published);
    let sagas: Vec<&'static str> = module.sagas.iter().map(|saga| saga.name).collect();
    host.signs().begin(&**host.journal(), metrics, &sagas).await
}

fn watch_of(host: &Arc<Host>, consumers: &[Consumer], module: &Module) -> ServiceWatch {
    let followed = |projection: &Projection| Followed {
        name: projection.name,
        checkpoint: projections::checkpoint_name(projection),
        follows: projection.follows,
    };
    let signs = consumers.iter().map(|consumer| consumer.signs.clone()).collect();
    ServiceWatch::new(host.clone(), signs, module.projections.iter().map(followed).collect())
}

async fn start_module(
    host: &Arc<Host>,
    module: Module,
    bus: &Arc<dyn Bus>,
    switch: &Switch,
) -> Result<(), StartError> {
    let spawner = host.environment().spawner.clone();
    timers::load(host).await?;
    sagas::resume(host, &module.sagas).await?;
    let handlers: Vec<TimerHandler> =
        module.timers.into_iter().chain(module.sagas.iter().map(|saga| saga.timer.clone())).collect();
    spawner.spawn("timers", Box::pin(timers::run(host.clone(), Arc::new(handlers), switch.handle())));
    let registrations = Arc::new(module.sagas);
    let doubts = doubt::run(host.clone(), registrations.clone(), switch.handle());
    spawner.spawn("doubts", Box::pin(doubts));
    let recall = sagas::recall(host.clone(), registrations.clone(), switch.handle());
    spawner.spawn("saga-recall", Box::pin(recall));
    spawner.spawn("sagas", Box::pin(sagas::run(host.clone(), registrations, switch.handle())));
    if !bus.capabilities().publishes_in_commit {
        spawner.spawn("relay", Box::pin(relay::run(host.clone(), bus.clone(), switch.handle())));
    }
    spawner.spawn("housekeeping", Box::pin(retention::run(host.clone(), switch.handle())));
    for projection in module.projections {
        let run = projections::run(host.clone(), bus.clone(), projection, switch.handle());
        spawner.spawn("projection", Box::pin(run));
    }
    Ok(())
}

fn consumers_of(host: &Arc<Host>, Parts { bus, storage, .. }: &Parts, module: &Module) -> Vec<Consumer> {
    let contexts: BTreeSet<&'static str> = module.reactions.iter().map(|r| r.event.context()).collect();
    let by_position = bus.capabilities().reads_by_position;
    let partitions = bus.capabilities().partitions.max(1);
    let consumer = |(context, partition)| {
        let of_context = module.reactions.iter().filter(|reaction| reaction.event.context() == context);
        let name = format!("{}-{context}", module.service);
        let kinds = of_context.clone().map(|reaction| reaction.event.name);
        let (consumer, service) = (name.clone(), module.service);
        let reads = Reads { consumer, service, context, partition, by_position };
        let signs = ConsumerSigns::new(reads, kinds);
        Consumer {
            host: host.clone(),
            bus: bus.clone(),
            name,
            context,
            partition,
            reactions: of_context.map(|reaction| (reaction.event.name, reaction.clone())).collect(),
            retries: module.retries,
            beginning: module.beginning,
            bell: Arc::new(Notify::new()),
            signs: Arc::new(signs),
            tenure: Tenure::default(),
            storage: storage.clone(),
            standings: Standings::default(),
            outage: Outage::default(),
        }
    };
    let places = contexts.into_iter().flat_map(|context| (0..partitions).map(move |part| (context, part)));
    places.map(consumer).collect()
}

/// What a module of another process reads: kept for it from the first event on, whichever process
/// starts first.
fn subscriptions_of(module: &Module, bus: &Arc<dyn Bus>) -> Vec<Subscription> {
    let contexts: BTreeSet<&'static str> = module.reactions.iter().map(|r| r.event.context()).collect();
    let partitions = bus.capabilities().partitions.max(1);
    let of = |(context, partition)| Subscription {
        consumer: format!("{}-{context}", module.service),
        service: module.service,
        context,
        partition,
        after: None,
    };
    contexts
        .into_iter()
        .flat_map(|context| (0..partitions).map(move |part| (context, part)))
        .map(of)
        .collect()
}

fn check(module: &Module) -> Result<(), StartError> {
    let service = module.service;
    let mut seen = BTreeSet::new();
    let names = module
        .reactions
        .iter()
        .map(|reaction| format!("the reaction to {}", reaction.event.name))
        .chain(module.sagas.iter().map(|saga| format!("saga {}", saga.name)))
        .chain(module.timers.iter().map(|timer| format!("timer {}", timer.name)))
        .chain(module.projections.iter().map(|projection| format!("projection {}", projection.name)))
        .chain(module.collections.iter().map(|collection| format!("collection {}", collection.name)))
        .chain(module.routes.iter().map(|route| format!("route {} {}", route.method, route.path)));
    for what in names {
        if !seen.insert(what.clone()) {
            return Err(StartError::Twice { service, what });
        }
    }
    for event in module.publishes.iter().chain(&module.later) {
        if event.producer != service {
            return Err(StartError::NotTheProducer { service, event: event.name, producer: event.producer });
        }
    }
    for reaction in &module.reactions {
        if !reaction.event.consumers.contains(&service) {
            return Err(StartError::NotAConsumer { service, event: reaction.event.name });
        }
    }
    Ok(())
}

/// Modules that run.
pub struct Running {
    hosts: BTreeMap<&'static str, Arc<Host>>,
    dead_letters: DeadLetters,
    sagas: SagaDesk,
    event_log: EventLog,
    republisher: Republisher,
    projections: Projections,
    watch: Watch,
    switch: Switch,
}

impl Running {
    /// A service.
    pub fn host(&self, service: &str) -> Option<&Arc<Host>> {
        self.hosts.get(service)
    }

    /// The dead letters of all services.
    pub fn dead_letters(&self) -> DeadLetters {
        self.dead_letters.clone()
    }

    /// The sagas of all services.
    pub fn sagas(&self) -> SagaDesk {
        self.sagas.clone()
    }

    /// What all services published.
    pub fn event_log(&self) -> EventLog {
        self.event_log.clone()
    }

    /// What publishes again.
    pub fn republisher(&self) -> Republisher {
        self.republisher.clone()
    }

    /// The projections of all services.
    pub fn projections(&self) -> Projections {
        self.projections.clone()
    }

    /// Health and alerts of all services.
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// Stops fetching, finishes what is decided, and returns when all is settled.
    pub async fn shut_down(self) {
        self.switch.shut_down().await;
    }
}
