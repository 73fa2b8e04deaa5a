//! The market of a test: composed like the binary's, on simulated or on real ground.

use std::path::PathBuf;
use std::sync::Arc;

use a4co::client::{InMemory, Tokens};
use a4co::config::Settings;
use a4co::market::{self, Composed, Ground, Market};
use a4co::seed;
use a4co::services::SERVICES;
use a4co::verify::{self, Facts};
use adapter_memory::Capacity;
use adapter_sim::SimWorld;
use adapter_tokens::SignedTokens;
use anyhow::Context as _;
use backbone::bus::Bus;
use backbone::journal::Storage;
use backbone::route::Role;
use backbone::system::DeadLetter;
use backbone::tokens::Tokens as _;
use backbone::trace::Tracing;
use engine::{Parts, Running};
use kernel::{Duration, Envelope, Event};
use provider_sandbox::{InMemory as GatewayMemory, Memory as _, Sandbox};
use tempfile::TempDir;
use uuid::Uuid;

/// How long the tokens of people last: longer than any simulated afternoon.
const TOKEN_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Where a market stands.
enum Place {
    /// In a simulated world, with a gateway that outlives the market's processes as real ones do.
    World { world: SimWorld, gateway: GatewayMemory, running: Running },
    /// In a directory, or on servers with its keys in a directory.
    Disk { directory: TempDir, market: Box<Market>, settings: Box<Settings> },
}

/// What a process of a simulated market stands on.
pub struct SimGround {
    /// The world as this process sees it.
    pub world: SimWorld,
    /// The gateway's own memory.
    pub gateway: GatewayMemory,
    /// What an operator set.
    pub settings: Arc<Settings>,
    /// The door to the store: the world's, or one with something around it.
    pub storage: Arc<dyn Storage>,
    /// The door to the bus.
    pub bus: Arc<dyn Bus>,
    /// The process before ended without a word, and nobody else could read on.
    pub crashed: bool,
}

impl SimGround {
    /// The ground of the process that runs now in `world`.
    pub fn of(world: &SimWorld, gateway: &GatewayMemory) -> Self {
        let (storage, bus, settings) = (world.storage(), world.bus(), Arc::default());
        Self { world: world.clone(), gateway: gateway.clone(), settings, storage, bus, crashed: false }
    }
}

/// A whole market.
pub struct TestMarket {
    /// The public API, through the router with every layer.
    pub api: InMemory,
    tokens: Arc<SignedTokens>,
    place: Place,
}

/// The folder of the signing keys of all simulated markets: making a key takes longer than a test.
fn key_folder() -> PathBuf {
    std::env::temp_dir().join("a4co-testkit")
}

impl TestMarket {
    /// A market in a simulated world of its own where nothing goes wrong.
    pub async fn simulated(seed: u64) -> Self {
        let (world, gateway) = (SimWorld::new(seed), GatewayMemory::default());
        Self::in_world(&world, &gateway, false).await.expect("a market starts in a world without faults")
    }

    /// Starts the process that runs now in `world`. `crashed`: the one before ended without a word.
    pub async fn in_world(world: &SimWorld, gateway: &GatewayMemory, crashed: bool) -> anyhow::Result<Self> {
        Self::on(SimGround { crashed, ..SimGround::of(world, gateway) }).await
    }

    /// Starts a process on simulated ground.
    pub async fn on(ground: SimGround) -> anyhow::Result<Self> {
        let SimGround { world, gateway, settings, storage, bus, crashed } = ground;
        let environment = world.environment();
        let sandbox = Sandbox::new(environment.clock.clone(), Arc::new(gateway.clone()));
        let ephemeral = adapter_memory::ephemeral(&environment, Capacity::default());
        let counted = world.clone();
        let keys = key_folder();
        std::fs::create_dir_all(&keys).with_context(|| format!("making {}", keys.display()))?;
        let ground = Ground {
            settings,
            parts: Parts { environment, storage, bus, keyring: world.keyring() },
            ephemeral,
            crashed,
            signing_keys: market::signing_keys(&keys)?,
            gateways: vec![Arc::new(sandbox)],
            email_key: [7; 32],
            metrics: None,
            written: Arc::new(move || (counted.commits(), 0)),
            tracing: Tracing::OFF,
        };
        let Composed { router, tokens, running } = market::compose(ground).await?;
        Ok(Self { api: InMemory::new(router), tokens, place: Place::World { world, gateway, running } })
    }

    /// A market on SQLite in a directory that goes with it.
    pub async fn on_disk() -> Self {
        Self::in_directory(tempfile::tempdir().expect("a place for the market")).await
    }

    /// The market that stands in a directory, which goes with it.
    pub async fn in_directory(directory: TempDir) -> Self {
        let settings = Settings::on(directory.path());
        Self::as_set(settings, directory).await.expect("the market starts")
    }

    /// A market as `settings` say, on servers perhaps; its keys are in a directory that goes with it.
    pub async fn as_set(settings: Settings, directory: TempDir) -> anyhow::Result<Self> {
        let market = market::open_with(&settings, None).await?;
        let (api, tokens) = (InMemory::new(market.router.clone()), market.tokens.clone());
        let (market, settings) = (Box::new(market), Box::new(settings));
        Ok(Self { api, tokens, place: Place::Disk { directory, market, settings } })
    }

    /// The simulated world, where it stands in one.
    pub fn world(&self) -> Option<&SimWorld> {
        match &self.place {
            Place::World { world, .. } => Some(world),
            Place::Disk { .. } => None,
        }
    }

    /// The data directory of a market on disk.
    pub fn directory(&self) -> &std::path::Path {
        match &self.place {
            Place::Disk { directory, .. } => directory.path(),
            Place::World { .. } => panic!("a simulated market has no directory: make it with on_disk"),
        }
    }

    fn running(&self) -> &Running {
        match &self.place {
            Place::World { running, .. } => running,
            Place::Disk { market, .. } => market.running(),
        }
    }

    /// What makes tokens for people.
    pub fn tokens(&self) -> Tokens {
        let tokens = self.tokens.clone();
        Arc::new(move |role, person| {
            tokens.for_person(person, role, TOKEN_LIFETIME).expect("a person's token is signed")
        })
    }

    /// An operator's token.
    pub fn operator(&self) -> String {
        (self.tokens())(Role::Admin, seed::operator())
    }

    /// Publishes an event of a service that does not run here, as that service's own process would:
    /// on the bus, below this engine.
    pub async fn publish<E: Event>(&self, event: E) {
        let kind = E::TYPE;
        let (name, producer) = (kind.name, kind.producer);
        assert!(
            self.running().host(producer).is_none(),
            "{producer} runs here: let it publish {name} itself"
        );
        assert!(
            kind.personal.is_empty(),
            "{name} has personal fields, which only {producer}'s engine encrypts"
        );
        let (bus, environment) = match &self.place {
            Place::World { world, .. } => (world.bus(), world.environment()),
            Place::Disk { market, .. } => (market.bus.clone(), a4co::environment::system()),
        };
        let id = environment.ids.uuid();
        let envelope = Envelope {
            id: id.into(),
            source: producer.to_owned(),
            kind: name.to_owned(),
            subject: event.subject().to_string(),
            time: environment.clock.now(),
            correlation_id: id.to_string(),
            causation_id: "told-by-a-test".to_owned(),
            sequence: 1_000,
            traceparent: None,
            key_id: None,
            data: serde_json::to_vec(&event).expect("contracts are JSON").into(),
        };
        bus.publish(vec![envelope]).await.expect("the event is published");
    }

    /// All dead letters, by service.
    pub async fn dead_letters(&self) -> Vec<(&'static str, DeadLetter)> {
        let mut found = Vec::new();
        for service in SERVICES {
            let letters = self.running().dead_letters().list(service, None, 1_000).await;
            let letters = letters.expect("dead letters can be listed");
            found.extend(letters.into_iter().map(|(_, letter)| (*service, letter)));
        }
        found
    }

    /// The facts of this moment.
    pub async fn facts(&self) -> anyhow::Result<Facts> {
        match &self.place {
            Place::World { world, gateway, .. } => {
                let observer = world.observer();
                let bus: Arc<dyn Bus> = observer.bus();
                let log = bus.capabilities().reads_by_position.then_some(&*bus);
                Facts::read(&*observer.storage(), log, gateway.load()?).await
            }
            Place::Disk { settings, .. } => verify::facts_with(settings).await,
        }
    }

    /// All public events so far, in order.
    pub async fn published(&self) -> Vec<Arc<Envelope>> {
        let facts = self.facts().await.expect("the log can be read");
        facts.log.into_iter().map(|(_, event)| event).collect()
    }

    /// Stops in order.
    pub async fn stop(self) {
        match self.place {
            Place::World { running, .. } => running.shut_down().await,
            Place::Disk { directory, market, .. } => {
                drop(self.api);
                market.close().await.expect("the market closes in order");
                drop(directory);
            }
        }
    }

    /// A person's id that is the same in every run.
    pub fn person(number: u128) -> Uuid {
        Uuid::from_u128(0x019b_76da_a800_7000_9000_0000_0000_0000 | number)
    }
}
