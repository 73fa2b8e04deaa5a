//! The same market on servers of its own: PostgreSQL keeps its state, NATS or RabbitMQ carries its
//! events. What is shown elsewhere on the embedded store is not shown again; this is that the parts
//! fit.

use a4co::config::{Engines, Settings};
use contracts::shared::OrderState;
use futures::future::join_all;
use kernel::Secret;
use testkit::{Shelf, TestMarket, Wish};
use testservers::{Missing, NatsServer, PostgresServer, RabbitServer, skip};

/// The servers of a test; they go with it.
pub(crate) struct Servers {
    postgres: PostgresServer,
    broker: Broker,
}

enum Broker {
    Nats(NatsServer),
    Rabbit { server: RabbitServer, host: String },
}

impl Servers {
    pub(crate) fn with_nats() -> Result<Self, Missing> {
        Ok(Self { postgres: PostgresServer::start()?, broker: Broker::Nats(NatsServer::start()?) })
    }

    fn with_rabbitmq() -> Result<Self, Missing> {
        let server = RabbitServer::start(1)?;
        let host = server.host();
        Ok(Self { postgres: PostgresServer::start()?, broker: Broker::Rabbit { server, host } })
    }

    /// Where clients find the broker.
    pub(crate) fn broker(&self) -> String {
        match &self.broker {
            Broker::Nats(server) => server.url(),
            Broker::Rabbit { server, .. } => server.address(),
        }
    }

    /// Each is a queue with a log of its own on RabbitMQ, for every reader of every context.
    fn partitions(&self) -> u32 {
        match self.broker {
            Broker::Nats(_) => 4,
            Broker::Rabbit { .. } => 2,
        }
    }

    /// A market on a new database.
    pub(crate) fn engines(&self) -> Engines {
        let partitions = self.partitions();
        let postgres = Some(Secret::new(self.postgres.database()));
        let engines = Engines { postgres, partitions, ..Engines::default() };
        match &self.broker {
            Broker::Nats(server) => Engines { nats: Some(server.url()), ..engines },
            Broker::Rabbit { host, .. } => Engines { rabbitmq: Some(Secret::new(host.clone())), ..engines },
        }
    }
}

pub(crate) async fn market(engines: Engines) -> TestMarket {
    let directory = tempfile::tempdir().expect("a place for the keys");
    let settings = Settings { engines, ..Settings::on(directory.path()) };
    TestMarket::as_set(settings, directory).await.expect("the market starts on its servers")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_fulfilled_and_undone_on_postgresql_and_nats() {
    orders_are_fulfilled_and_undone(Servers::with_nats()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_fulfilled_and_undone_on_postgresql_and_rabbitmq() {
    orders_are_fulfilled_and_undone(Servers::with_rabbitmq()).await;
}

async fn orders_are_fulfilled_and_undone(servers: Result<Servers, Missing>) {
    let servers = match servers {
        Ok(servers) => servers,
        Err(missing) => return skip(&missing),
    };
    let market = market(servers.engines()).await;
    let goods = market.sell(Shelf::USUAL).await;
    let lines = [(goods.item("HONEY"), 1)];
    let wishes: Vec<Wish<'_>> = (0..12)
        .map(|n| {
            let method = if n % 3 == 2 { "sandbox-card-declined" } else { "sandbox-card-ok" };
            Wish::guest(format!("servers/{n}"), &lines, method)
        })
        .collect();
    let placed = join_all(wishes.iter().map(|wish| market.place(wish))).await;
    let ended = [OrderState::Preparing, OrderState::Cancelled];
    let states = join_all(placed.into_iter().enumerate().map(async |(n, placed)| {
        let placed = placed.expect("it is taken");
        (n % 3 == 2, market.until_state(placed.order_id, &ended).await)
    }));
    for (is_declined, state) in states.await {
        assert_eq!(state == OrderState::Cancelled, is_declined);
    }
    market.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_share_the_work_and_one_goes_on_alone_with_nats() {
    two_replicas_share_the_work_and_one_goes_on_alone(Servers::with_nats()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_share_the_work_and_one_goes_on_alone_with_rabbitmq() {
    two_replicas_share_the_work_and_one_goes_on_alone(Servers::with_rabbitmq()).await;
}

/// Two replicas of all services take orders for the same goods; one of them stops in between.
async fn two_replicas_share_the_work_and_one_goes_on_alone(servers: Result<Servers, Missing>) {
    let servers = match servers {
        Ok(servers) => servers,
        Err(missing) => return skip(&missing),
    };
    // Of one directory: the same keys, and the same gateway.
    let [shared, unused] = [(); 2].map(|()| tempfile::tempdir().expect("a place for the keys"));
    let settings = Settings { engines: servers.engines(), ..Settings::on(shared.path()) };
    let first = TestMarket::as_set(settings.clone(), unused).await.expect("a replica starts");
    let second = TestMarket::as_set(settings, shared).await.expect("another one starts");
    let goods = first.sell(Shelf::USUAL).await;
    let lines = [(goods.item("HONEY"), 1)];
    let wishes: Vec<Wish<'_>> =
        (0..24).map(|n| Wish::guest(format!("replicas/{n}"), &lines, "sandbox-card-ok")).collect();
    let place = |(n, wish)| if n % 2 == 0 { first.place(wish) } else { second.place(wish) };
    let placed = join_all(wishes.iter().take(16).enumerate().map(place)).await;
    // Whatever is under way there is finished, or goes on here.
    first.stop().await;
    let later = join_all(wishes.iter().skip(16).map(|wish| second.place(wish))).await;
    let ended = [OrderState::Preparing, OrderState::Cancelled];
    let states = placed
        .into_iter()
        .chain(later)
        .map(async |placed| second.until_state(placed.expect("it is taken").order_id, &ended).await);
    assert!(join_all(states).await.iter().all(|state| *state == OrderState::Preparing));
    second.finish().await;
}
