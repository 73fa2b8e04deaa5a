//! The servers under a fleet: PostgreSQL, one of the brokers, and Redis; started here and gone with it.

use std::fmt;

use anyhow::Context as _;
use clap::ValueEnum;
use testservers::{NatsServer, PostgresServer, RabbitServer, RedisServer};

/// What carries the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Bus {
    /// NATS with JetStream.
    Nats,
    /// RabbitMQ.
    Rabbitmq,
}

impl Bus {
    /// The key of `[engines]` under which its address stands.
    pub fn key(self) -> &'static str {
        match self {
            Bus::Nats => "nats",
            Bus::Rabbitmq => "rabbitmq",
        }
    }
}

impl fmt::Display for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Bus::Nats => "NATS",
            Bus::Rabbitmq => "RabbitMQ",
        })
    }
}

#[derive(Debug)]
enum Broker {
    Nats(NatsServer),
    /// With the address of its one virtual host.
    Rabbit(RabbitServer, String),
}

/// Running servers. What they do here blocks: call it where that is allowed.
#[derive(Debug)]
pub struct Servers {
    postgres: PostgresServer,
    broker: Broker,
    redis: RedisServer,
}

impl Servers {
    /// Starts them on free ports, with their data in temporary directories.
    pub fn start(bus: Bus) -> anyhow::Result<Self> {
        let install = "`cargo xtask setup` installs what is missing";
        let postgres = PostgresServer::start().context(install)?;
        let broker = match bus {
            Bus::Nats => Broker::Nats(NatsServer::start().context(install)?),
            Bus::Rabbitmq => {
                let server = RabbitServer::start(1).context(install)?;
                let host = server.host();
                Broker::Rabbit(server, host)
            }
        };
        let redis = RedisServer::start().context(install)?;
        Ok(Self { postgres, broker, redis })
    }

    /// A new database.
    pub fn database(&self) -> String {
        self.postgres.database()
    }

    /// The rows of a query, as lines.
    pub fn sql(&self, database: &str, query: &str) -> String {
        self.postgres.sql(database, query)
    }

    /// The broker's address.
    pub fn broker(&self) -> String {
        match &self.broker {
            Broker::Nats(server) => server.url(),
            Broker::Rabbit(_, host) => host.clone(),
        }
    }

    /// The address of Redis.
    pub fn redis(&self) -> String {
        self.redis.url()
    }

    /// Ends Redis; what it had in memory is lost.
    pub fn kill_redis(&self) {
        self.redis.kill();
    }

    /// Starts Redis again, empty.
    pub fn start_redis(&self) {
        self.redis.start_again();
    }

    /// Ends the database as a power failure would.
    pub fn crash_database(&self) {
        self.postgres.crash();
    }

    /// Starts the database again on its data.
    pub fn start_database(&self) {
        self.postgres.start_again();
    }

    /// Ends the broker at once.
    pub fn kill_broker(&self) {
        match &self.broker {
            Broker::Nats(server) => server.kill(),
            Broker::Rabbit(server, _) => server.kill(),
        }
    }

    /// Starts the broker again, on what it has left.
    pub fn start_broker(&self) {
        match &self.broker {
            Broker::Nats(server) => server.start_again(),
            Broker::Rabbit(server, _) => server.start_again(),
        }
    }

    /// Throws away what a broker that does not run has stored.
    pub fn lose_broker_data(&self) {
        match &self.broker {
            Broker::Nats(server) => server.lose_data(),
            Broker::Rabbit(server, _) => server.lose_data(),
        }
    }
}

/// The port of an address such as `nats://127.0.0.1:4222`.
pub(crate) fn port_of(address: &str) -> anyhow::Result<u16> {
    let (_, rest) = address.rsplit_once(':').with_context(|| format!("{address} has no port"))?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().with_context(|| format!("{address} has no port"))
}

/// The same address on another port.
pub(crate) fn on_port(address: &str, port: u16) -> anyhow::Result<String> {
    let old = port_of(address)?;
    Ok(address.replacen(&format!(":{old}"), &format!(":{port}"), 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_port_of_an_address_changes() {
        let address = "postgres://postgres@127.0.0.1:5432/test_0";
        assert_eq!(port_of(address).unwrap(), 5_432);
        assert_eq!(on_port(address, 7).unwrap(), "postgres://postgres@127.0.0.1:7/test_0");
        assert_eq!(on_port("nats://127.0.0.1:4222", 80).unwrap(), "nats://127.0.0.1:80");
        assert!(port_of("nats://localhost").is_err());
    }
}
