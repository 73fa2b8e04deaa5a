//! Where a scenario plays: a store and a bus of one combination, with nobody else's data in them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use adapter_nats::{Credentials, NatsBus, StreamSpec};
use adapter_postgres::PostgresStorage;
use adapter_rabbitmq::RabbitBus;
use backbone::bus::Bus;
use backbone::journal::Storage;
use kernel::{Duration, Secret};
use tempfile::TempDir;
use testservers::{Missing, NatsServer, PostgresServer, RabbitServer, Way};

/// Who reads the probe's events.
const READERS: [&str; 2] = ["probe", "other"];

/// The servers of a combination; they go with it.
pub(super) struct Servers {
    postgres: PostgresServer,
    broker: Broker,
}

enum Broker {
    /// Each place has an account.
    Nats { server: NatsServer, taken: AtomicUsize },
    /// Each place has a virtual host.
    Rabbit(RabbitServer),
}

fn account(number: usize) -> String {
    format!("place-{number}")
}

/// An account for each of so many places.
fn accounts(places: usize) -> String {
    let one = |number| {
        let name = account(number);
        format!("  {name} {{ jetstream: enabled, users: [{{ user: {name}, password: {name} }}] }}\n")
    };
    format!("accounts {{\n{}}}", (0..places).map(one).collect::<String>())
}

impl Servers {
    /// PostgreSQL and NATS, with room for so many places.
    pub(super) fn with_nats(places: usize) -> Result<Arc<Self>, Missing> {
        let server = NatsServer::start_with(&accounts(places))?;
        Self::with(|| Ok(Broker::Nats { server, taken: AtomicUsize::new(0) }))
    }

    /// PostgreSQL and RabbitMQ, with room for so many places.
    pub(super) fn with_rabbitmq(places: usize) -> Result<Arc<Self>, Missing> {
        Self::with(|| RabbitServer::start(places).map(Broker::Rabbit))
    }

    fn with(broker: impl FnOnce() -> Result<Broker, Missing> + Send) -> Result<Arc<Self>, Missing> {
        std::thread::scope(|threads| {
            let postgres = threads.spawn(PostgresServer::start);
            let broker = broker()?;
            Ok(Arc::new(Self { postgres: postgres.join().expect("it starts or says why")?, broker }))
        })
    }

    /// A new place. Blocks.
    pub(super) fn place(self: &Arc<Self>) -> Place {
        let broker = match &self.broker {
            Broker::Nats { taken, .. } => account(taken.fetch_add(1, Ordering::Relaxed)),
            Broker::Rabbit(server) => server.host(),
        };
        let rented = Rented { servers: self.clone(), database: self.postgres.database(), broker };
        Place::on(Kind::Servers(Arc::new(rented)))
    }

    /// Ends the broker at once; it keeps its data.
    pub(super) fn kill_broker(&self) {
        match &self.broker {
            Broker::Nats { server, .. } => server.kill(),
            Broker::Rabbit(server) => server.kill(),
        }
    }

    /// Removes the data of a broker that does not run.
    pub(super) fn lose_the_brokers_data(&self) {
        match &self.broker {
            Broker::Nats { server, .. } => server.lose_data(),
            Broker::Rabbit(server) => server.lose_data(),
        }
    }

    /// Starts the broker again.
    pub(super) fn start_broker_again(&self) {
        match &self.broker {
            Broker::Nats { server, .. } => server.start_again(),
            Broker::Rabbit(server) => server.start_again(),
        }
    }

    /// The database's power fails and comes back.
    pub(super) fn restart_postgres(&self) {
        self.postgres.crash();
        self.postgres.start_again();
    }

    /// `HOST:PORT` of the broker.
    fn broker_address(&self) -> String {
        match &self.broker {
            Broker::Nats { server, .. } => server.url().trim_start_matches("nats://").to_owned(),
            Broker::Rabbit(server) => server.address(),
        }
    }
}

/// One of many on the same servers.
struct Rented {
    servers: Arc<Servers>,
    database: String,
    /// The account, or the address of the virtual host.
    broker: String,
}

#[derive(Clone)]
enum Kind {
    Embedded { directory: PathBuf, _kept: Option<Arc<TempDir>> },
    Servers(Arc<Rented>),
}

/// Clones are the same one: a process that starts on a clone goes on where another ended.
#[derive(Clone)]
pub(super) struct Place {
    kind: Kind,
    partitions: u32,
    speed: u32,
    way: Option<Arc<Way>>,
}

/// What a process stands on.
pub(super) struct Opened {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) store: Option<adapter_sqlite::Store>,
}

impl From<&Path> for Place {
    fn from(directory: &Path) -> Self {
        Self::on(Kind::Embedded { directory: directory.to_owned(), _kept: None })
    }
}

impl From<&PathBuf> for Place {
    fn from(directory: &PathBuf) -> Self {
        directory.as_path().into()
    }
}

impl From<&Place> for Place {
    fn from(place: &Place) -> Self {
        place.clone()
    }
}

impl Place {
    fn on(kind: Kind) -> Self {
        Self { kind, partitions: 1, speed: 1, way: None }
    }

    /// SQLite and its log in a new directory.
    pub(super) fn embedded() -> Self {
        let kept = tempfile::tempdir().expect("a place");
        Self::on(Kind::Embedded { directory: kept.path().to_owned(), _kept: Some(Arc::new(kept)) })
    }

    /// The subjects of a context are spread over so many readers, where there is a broker.
    #[must_use]
    pub(super) fn with_partitions(self, partitions: u32) -> Self {
        Self { partitions, ..self }
    }

    /// The processes' clocks run so many times as fast as the servers'.
    #[must_use]
    pub(super) fn hasty(self, speed: u32) -> Self {
        Self { speed, ..self }
    }

    /// How fast clocks run here.
    pub(super) fn speed(&self) -> u32 {
        self.speed
    }

    /// Processes that start from now on reach the broker by a way that can be broken.
    pub(super) fn break_the_way(&mut self) -> Arc<Way> {
        let way = Arc::new(Way::to(&self.servers().broker_address()));
        self.way = Some(way.clone());
        way
    }

    /// Whether several processes may work here at the same time.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.kind, Kind::Servers(_))
    }

    /// The servers of a place that has some.
    pub(super) fn servers(&self) -> &Arc<Servers> {
        match &self.kind {
            Kind::Servers(rented) => &rented.servers,
            Kind::Embedded { .. } => panic!("nothing here has a server"),
        }
    }

    /// Runs a statement in the database, as an operator would. Blocks.
    pub(super) fn sql(&self, statement: &str) -> String {
        let Kind::Servers(rented) = &self.kind else { panic!("nothing here has a server") };
        let name = rented.database.rsplit('/').next().expect("an address has a name at its end");
        rented.servers.postgres.sql(name, statement)
    }

    /// Does something with the servers that takes its time.
    pub(super) async fn act(&self, act: impl FnOnce(&Self) + Send + 'static) {
        let place = self.clone();
        tokio::task::spawn_blocking(move || act(&place)).await.expect("it is done");
    }

    /// Opens the store and the bus for a process.
    pub(super) async fn open(&self) -> Opened {
        let rented = match &self.kind {
            Kind::Servers(rented) => rented,
            Kind::Embedded { directory, .. } => {
                let store = adapter_sqlite::Store::open(directory, Default::default()).unwrap();
                return Opened { storage: store.storage(), bus: store.bus(), store: Some(store) };
            }
        };
        let options = adapter_postgres::Options { readers: 2, ..Default::default() };
        let storage = Arc::new(PostgresStorage::open(&rented.database, options).await.unwrap());
        let there = rented.servers.broker_address();
        let here = self.way.as_ref().map_or(there.clone(), |way| way.address());
        let bus: Arc<dyn Bus> = match &rented.servers.broker {
            Broker::Nats { .. } => {
                Arc::new(NatsBus::connect(self.nats(&here, &rented.broker)).await.unwrap())
            }
            Broker::Rabbit(_) => {
                let host = rented.broker.replace(&there, &here);
                Arc::new(RabbitBus::connect(self.rabbitmq(host)).await.unwrap())
            }
        };
        Opened { storage, bus, store: None }
    }

    fn nats(&self, here: &str, name: &str) -> adapter_nats::Options {
        let streams = vec![
            StreamSpec::limited("PROBES", "probe", 100_000, 1),
            StreamSpec::limited("DLQ", "dlq", 1_000, 1),
        ];
        adapter_nats::Options {
            servers: vec![format!("nats://{here}")],
            credentials: Credentials::User { name: name.to_owned(), password: Secret::new(name) },
            streams,
            partitions: self.partitions,
            answer_time_max: Duration::from_secs(2),
            ..Default::default()
        }
    }

    fn rabbitmq(&self, host: String) -> adapter_rabbitmq::Options {
        let reads = READERS.map(|service| (service.to_owned(), "probe".to_owned()));
        adapter_rabbitmq::Options {
            address: Secret::new(host),
            consumers: reads.into(),
            partitions: self.partitions,
            answer_time_max: Duration::from_secs(2),
            ..Default::default()
        }
    }
}
