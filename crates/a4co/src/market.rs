//! The composition: adapters, services and the router, put together once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use adapter_sqlite::Store;
use adapter_tokens::{Limits, Mode, SignedTokens, SigningKeys};
use anyhow::Context as _;
use async_trait::async_trait;
use backbone::Context;
use backbone::bus::Bus;
use backbone::calls::{CallError, CallReply, CallRequest, Calls};
use backbone::environment::Environment;
use backbone::ephemeral::Ephemeral;
use backbone::journal::Storage;
use backbone::keyring::{Error as KeyError, KeyRing, PersonKey};
use backbone::route::Role;
use backbone::tokens::{Tokens, permissions_of};
use backbone::trace::Tracing;
use backbone::work::Commands;
use engine::{Engine, Keys, Options, Parts, Running};
use http_kit::{CallLimits, Client, Gate, InMemory, OneAtATime};
use kernel::Duration;
use service_payment::ports::Gateway;
use uuid::Uuid;

use crate::config::Settings;
use crate::engines::{self, Engines};
use crate::platform::{self, Platform};
use crate::processes::{self, Processes};
use crate::services::{self, Needs, SERVICES};
use crate::{environment, production, traces};

/// The development key of the hash under which email addresses are looked up.
pub(crate) const EMAIL_KEY: &str = "email.key";
/// The sandbox gateway's own memory: what it was asked and did.
pub const GATEWAY: &str = "sandbox-gateway.jsonl";

/// A market that runs.
pub struct Market {
    /// All routes, with every layer.
    pub router: axum::Router,
    /// The tokens of this market.
    pub tokens: Arc<SignedTokens>,
    /// The bus, for those who listen in.
    pub bus: Arc<dyn Bus>,
    /// Where state is kept.
    pub storage: Arc<dyn Storage>,
    embedded: Option<Store>,
    running: Running,
}

/// The calls of all services, bound once their modules are made.
#[derive(Default)]
struct LateCalls(OnceLock<Client>);

#[async_trait]
impl Calls for LateCalls {
    async fn call(&self, request: CallRequest) -> Result<CallReply, CallError> {
        match self.0.get() {
            Some(client) => client.call(request).await,
            None => Err(CallError::Unreachable { to: request.spec.to, reason: "not started yet".into() }),
        }
    }
}

/// The key ring of those who erase: the engine's memory of the key goes with it.
struct Forgetting {
    ring: Arc<dyn KeyRing>,
    remembered: Arc<Keys>,
}

#[async_trait]
impl KeyRing for Forgetting {
    fn master_id(&self) -> String {
        self.ring.master_id()
    }

    async fn ensure(&self, persons: &[Uuid]) -> Result<Vec<PersonKey>, KeyError> {
        self.ring.ensure(persons).await
    }

    async fn find(&self, persons: &[Uuid]) -> Result<Vec<PersonKey>, KeyError> {
        self.ring.find(persons).await
    }

    async fn erase(&self, person: Uuid) -> Result<(), KeyError> {
        self.ring.erase(person).await?;
        self.remembered.forget(person);
        Ok(())
    }
}

/// How many commits and syncs the writer has made so far.
pub type Written = Arc<dyn Fn() -> (u64, u64) + Send + Sync>;

/// What a market stands on.
pub struct Ground {
    /// What an operator set.
    pub settings: Arc<Settings>,
    /// Time, state, events and keys of persons.
    pub parts: Parts,
    /// What replicas share besides.
    pub ephemeral: Ephemeral,
    /// The last run ended without a word.
    pub crashed: bool,
    /// What tokens are signed with.
    pub signing_keys: SigningKeys,
    /// Where charges are made.
    pub gateways: Vec<Arc<dyn Gateway>>,
    /// The key of the hash under which email addresses are looked up.
    pub email_key: [u8; 32],
    /// What is measured.
    pub metrics: Option<telemetry::Metrics>,
    /// What the writer has done so far.
    pub written: Written,
    /// Whether traces are kept, and how spans join them.
    pub tracing: Tracing,
}

/// Services that run, put together.
pub struct Composed {
    /// All routes, with every layer.
    pub router: axum::Router,
    /// The tokens of this market.
    pub tokens: Arc<SignedTokens>,
    /// What runs.
    pub running: Running,
}

/// Puts all services together on what is given, and starts them: the one composition, of the
/// binary and of tests.
pub async fn compose(ground: Ground) -> anyhow::Result<Composed> {
    let Ground { settings, parts, ephemeral, crashed, signing_keys, gateways, email_key, .. } = ground;
    let (metrics, written, tracing) = (ground.metrics, ground.written, ground.tracing);
    let environment = parts.environment.clone();
    let ring = parts.keyring.clone();
    let processes = Processes::of(&settings, &environment)?;
    // What others run is known here and does not start: its contexts lead nowhere.
    let mut nowhere = Engine::new(parts.clone());
    let mut engine = Engine::new(parts).traced(tracing).hinting(ephemeral.hints.clone());
    let keyring = Arc::new(Forgetting { ring, remembered: engine.keys() });
    let rates = Some(settings.limits.counted_by(ephemeral.limits.clone()));
    let claims = ephemeral.claims.clone();
    let needs = Needs { settings, keyring, gateways, email_key };
    let calls = Arc::new(LateCalls::default());
    let mut modules = Vec::new();
    for service in SERVICES {
        let maker = if processes.run_here(service) { &mut engine } else { &mut nowhere };
        let mut context = maker.context(service, calls.clone());
        context.commands = one_at_a_time(&context, &ephemeral);
        modules.push(services::module(service, &context, &needs).context("a listed service has a module")?);
    }
    processes.reach(&modules)?;
    let permissions = permissions_of(modules.iter().flat_map(|module| module.calls.iter().copied()));
    let tokens =
        Arc::new(SignedTokens::new(signing_keys, permissions, environment.clone(), Limits::default()));
    processes.follow_keys(&tokens, &environment);
    let memory = Arc::new(InMemory::new());
    let transport = processes.transport(&memory);
    let client = Client::new(transport, tokens.clone(), environment.clone(), CallLimits::default());
    assert!(calls.0.set(client).is_ok(), "the client is bound once");

    let mut routes: Vec<_> = modules.iter().map(|module| (module.service, module.routes.clone())).collect();
    for module in modules {
        match processes.run_here(module.service) {
            true => engine.mount(module)?,
            false => engine.knows(module)?,
        }
    }
    let running = engine.start(Options { crashed }).await?;
    let platform = Platform::new(&running, tokens.clone(), metrics, written).among(&processes);
    routes.extend(platform::routes(platform, &routes));
    let (others, here): (Vec<_>, Vec<_>) =
        routes.into_iter().partition(|(service, _)| processes.run_elsewhere(service));
    let watch = running.watch();
    let answered = Arc::new(move |service, status: http::StatusCode| {
        watch.answered(service, !status.is_server_error());
    });
    let gate = Gate { tracing, answered, rates, claims, ..Gate::new(tokens.clone(), environment) };
    let router = http_kit::router_between(here, processes.passed_on(others), &gate)?;
    memory.bind(router.clone());
    Ok(Composed { router, tokens, running })
}

/// A service's commands, one at a time under an idempotency key.
fn one_at_a_time(context: &Context, ephemeral: &Ephemeral) -> Arc<dyn Commands> {
    let clock = context.environment.clock.clone();
    Arc::new(OneAtATime::new(context.commands.clone(), ephemeral.claims.clone(), clock))
}

/// Opens the market in `directory` with the defaults, and starts it.
pub async fn open(directory: &Path, metrics: Option<telemetry::Metrics>) -> anyhow::Result<Market> {
    open_with(&Settings::on(directory), metrics).await
}

/// Opens the market as an operator set it, and starts it.
pub async fn open_with(settings: &Settings, metrics: Option<telemetry::Metrics>) -> anyhow::Result<Market> {
    // Before anything is made: a refused start leaves nothing behind.
    production::check(settings)?;
    processes::check(settings)?;
    let environment = environment::system();
    let Engines { storage, bus, keyring, crashed, written, keys, embedded } = engines::open(settings).await?;
    let ephemeral = engines::shared::open(settings, &environment).await?;
    production::mark(settings)?;
    let gateways = gateways(settings, &environment)?;
    let ground = Ground {
        settings: Arc::new(settings.clone()),
        parts: Parts { environment, storage: storage.clone(), bus: bus.clone(), keyring },
        ephemeral,
        crashed,
        signing_keys: keys.signing,
        gateways,
        email_key: keys.email,
        metrics,
        written,
        tracing: traces::joined(),
    };
    let Composed { router, tokens, running } = compose(ground).await?;
    Ok(Market { router, tokens, bus, storage, embedded, running })
}

/// The development keys below `directory`, made where there are none.
pub fn signing_keys(directory: &Path) -> anyhow::Result<SigningKeys> {
    Ok(SigningKeys::open(directory, Mode::Development, SERVICES)?)
}

/// Where charges are made.
pub(crate) fn gateways(
    settings: &Settings,
    environment: &Environment,
) -> anyhow::Result<Vec<Arc<dyn Gateway>>> {
    if !processes::runs(settings, "payment") {
        return Ok(Vec::new());
    }
    if settings.is_production() {
        if !settings.serve.sandbox_gateway {
            tracing::warn!("no payment gateway is configured: only transfers can be paid with");
            return Ok(Vec::new());
        }
        tracing::warn!(
            "serve.sandbox_gateway is on: ORDERS ARE CONFIRMED WITHOUT ANY MONEY MOVING; switch it off before \
             anybody buys"
        );
    }
    Ok(vec![sandbox(&settings.serve.data, environment)?])
}

fn sandbox(directory: &Path, environment: &Environment) -> anyhow::Result<Arc<dyn Gateway>> {
    let memory = provider_sandbox::FileMemory::open(&directory.join(GATEWAY), environment.spawner.clone())
        .with_context(|| format!("opening the sandbox gateway's memory {GATEWAY}"))?;
    Ok(Arc::new(provider_sandbox::Sandbox::new(environment.clock.clone(), Arc::new(memory))))
}

/// A token for a person of a development market, running or not.
pub fn token(settings: &Settings, role: Role, person: Uuid, lifetime: Duration) -> anyhow::Result<String> {
    let instead = "sign in, and give the token as --token or A4CO_TOKEN";
    production::refuse(settings, "a token from the command line", instead)?;
    let keys = production::keys(settings)?.signing;
    let tokens = SignedTokens::new(keys, Default::default(), environment::system(), Limits::default());
    Ok(tokens.for_person(person, role, lifetime)?)
}

impl Market {
    /// What makes tokens for the people of a demonstration.
    pub fn person_tokens(&self) -> crate::client::Tokens {
        let tokens = self.tokens.clone();
        Arc::new(move |role, person| {
            tokens.for_person(person, role, Duration::from_secs(12 * 3_600)).unwrap_or_default()
        })
    }

    /// What runs.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// Stops fetching, finishes what is decided, and leaves the directory in order.
    pub async fn close(self) -> anyhow::Result<()> {
        let Self { router, running, embedded, .. } = self;
        drop(router);
        running.shut_down().await;
        if let Some(store) = embedded {
            tokio::task::spawn_blocking(move || store.close()).await??;
        }
        Ok(())
    }
}

/// The data directory as people see it.
pub fn shown(directory: &Path) -> PathBuf {
    std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned())
}
