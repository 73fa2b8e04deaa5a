//! The fleet: a gateway, and for each service a process or several, each with a file of its own that
//! says which services it runs and where the others are.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use a4co::client::{Call, Socket, Tokens, ask};
use a4co::config::{self, Settings};
use a4co::services::SERVICES;
use a4co::{market, seed};
use anyhow::{Context as _, bail};
use indicatif::ProgressBar;
use tokio::process::Command;
use toml::{Table, Value};

use crate::member::{Cables, Description, Launch, Member};
use crate::proxy::Proxy;
use crate::servers::{Bus, Servers, on_port, port_of};

/// How long the fleet may take until it serves.
const START_LIMIT: Duration = Duration::from_secs(120);
/// Of those that the promise is hardest for there may be several.
const REPLICATED: &[&str] = &["order", "inventory", "payment"];
/// The process that runs no service: it knows where they are.
pub const GATEWAY: &str = "gateway";

/// How a fleet is put together.
#[derive(Clone, Debug)]
pub struct Options {
    /// The product's program.
    pub program: PathBuf,
    /// What carries the events.
    pub bus: Bus,
    /// How many processes run order, inventory and payment.
    pub replicas: u32,
    /// Over how many readers the subjects of a context are spread.
    pub partitions: u32,
    /// Whether cables can be pulled.
    pub breakable: bool,
    /// Where keys, configurations and logs stand.
    pub directory: PathBuf,
}

/// A fleet that runs.
pub struct Fleet {
    /// Its processes; the gateway is the last.
    pub members: Vec<Member>,
    /// What stands under them.
    pub servers: Arc<Servers>,
    /// What holds for somebody who looks at the stores and breaks no cable.
    pub settings: Settings,
    /// The name of its database.
    pub(crate) database: String,
    program: PathBuf,
    directory: PathBuf,
}

impl Fleet {
    /// Starts servers and processes, waits until they serve, and fills the market.
    pub async fn start(options: &Options) -> anyhow::Result<Self> {
        let bus = options.bus;
        let servers = Arc::new(tokio::task::spawn_blocking(move || Servers::start(bus)).await??);
        let engines = Engines {
            database: servers.database(),
            broker: servers.broker(),
            redis: servers.redis(),
            bus,
            partitions: options.partitions,
        };
        let crew = crew(options.replicas)?;
        let mut described = Vec::new();
        for (name, service, port) in crew {
            let cables = match options.breakable {
                true => Some(engines.cables(port).await?),
                false => None,
            };
            described.push(Description { name, service, port, cables });
        }
        let mut discovery: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for member in described.iter().filter(|member| member.service != GATEWAY) {
            let port = member.cables.as_ref().map_or(member.port, |cables| cables.callers.port());
            discovery.entry(member.service).or_default().push(format!("http://127.0.0.1:{port}"));
        }
        let mut members = Vec::new();
        for description in described {
            let launch = options.launch(&description, &engines, &discovery)?;
            members.push(Member::start(description, launch));
        }
        let settings = options.outside(&engines)?;
        let (program, directory) = (options.program.clone(), options.directory.clone());
        let database = engines.database.rsplit('/').next().unwrap_or_default().to_owned();
        let fleet = Self { members, servers, settings, database, program, directory };
        fleet.until_ready().await?;
        fleet.fill().await?;
        Ok(fleet)
    }

    /// Where people come in. The gateway's own callers' cable is not pulled: people wait for it.
    pub fn url(&self) -> String {
        let gateway = self.members.iter().find(|member| member.service == GATEWAY);
        format!("http://127.0.0.1:{}", gateway.expect("a fleet has a gateway").port)
    }

    /// A client of the market.
    pub fn api(&self) -> anyhow::Result<Arc<Socket>> {
        Ok(Arc::new(Socket::new(&self.url())?))
    }

    /// The file that configures whoever looks in from outside.
    pub fn configuration(&self) -> PathBuf {
        outside(&self.directory)
    }

    /// Tokens of this market.
    pub fn tokens(&self) -> Tokens {
        let settings = self.settings.clone();
        Arc::new(move |role, person| {
            market::token(&settings, role, person, kernel::Duration::from_secs(12 * 3_600))
                .unwrap_or_default()
        })
    }

    /// Runs the product's program as an operator outside would; says whether it ended well.
    pub async fn product(&self, words: &[&str]) -> anyhow::Result<bool> {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.configuration()).args(["--log", "warn"]).args(words);
        let status = command.kill_on_drop(true).status().await;
        Ok(status.with_context(|| format!("running {}", self.program.display()))?.success())
    }

    /// Stops all processes in order, the gateway first.
    pub async fn stop(self) {
        for member in self.members.iter().rev() {
            member.stop().await;
        }
    }

    /// Waits until every process serves.
    pub async fn until_ready(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        for member in &self.members {
            let api = Socket::new(&format!("http://127.0.0.1:{}", member.port))?;
            while ask(&api, Call::get("/health/ready")).await.is_err() {
                if begun.elapsed() > START_LIMIT {
                    bail!("{} does not serve: see {}", member.name, self.directory.display());
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Ok(())
    }

    async fn fill(&self) -> anyhow::Result<()> {
        let api = self.api()?;
        seed::run(&*api, &self.tokens(), &ProgressBar::hidden()).await.context("filling the market")?;
        Ok(())
    }
}

/// Name and service of each process, in the order of `Fleet::members`.
pub fn names(replicas: u32) -> Vec<(String, &'static str)> {
    let mut names = Vec::new();
    for service in SERVICES {
        let count = if REPLICATED.contains(service) { replicas.max(1) } else { 1 };
        for n in 1..=count {
            let name = if count == 1 { (*service).to_owned() } else { format!("{service}-{n}") };
            names.push((name, *service));
        }
    }
    names.push((GATEWAY.to_owned(), GATEWAY));
    names
}

/// Name, service and port of each process.
fn crew(replicas: u32) -> anyhow::Result<Vec<(String, &'static str, u16)>> {
    let crew = names(replicas);
    // Held all at once, so that no port is given twice.
    let listen = |_: &(String, &str)| TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listeners: Vec<TcpListener> = crew.iter().map(listen).collect::<Result<_, _>>()?;
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
    let ports: Vec<u16> = listeners.iter().map(port).collect::<Result<_, _>>()?;
    Ok(crew.into_iter().zip(ports).map(|((name, service), port)| (name, service, port)).collect())
}

/// The addresses of the servers.
struct Engines {
    database: String,
    broker: String,
    redis: String,
    bus: Bus,
    partitions: u32,
}

impl Engines {
    async fn cables(&self, port: u16) -> anyhow::Result<Cables> {
        Ok(Cables {
            database: Proxy::to(port_of(&self.database)?).await?,
            broker: Proxy::to(port_of(&self.broker)?).await?,
            redis: Proxy::to(port_of(&self.redis)?).await?,
            callers: Proxy::to(port).await?,
        })
    }

    /// As a process reaches them.
    fn table(&self, cables: Option<&Cables>) -> anyhow::Result<Table> {
        let through = |address: &str, cable: fn(&Cables) -> &Proxy| {
            cables.map_or_else(|| Ok(address.to_owned()), |cables| on_port(address, cable(cables).port()))
        };
        let mut table = Table::new();
        let mut insert = |key: &str, address: String| table.insert(key.to_owned(), Value::String(address));
        insert("postgres", through(&self.database, |cables| &cables.database)?);
        insert(self.bus.key(), through(&self.broker, |cables| &cables.broker)?);
        insert("redis", through(&self.redis, |cables| &cables.redis)?);
        table.insert("partitions".to_owned(), Value::Integer(self.partitions.into()));
        Ok(table)
    }
}

impl Options {
    /// Writes a process's configuration.
    fn launch(
        &self,
        of: &Description,
        engines: &Engines,
        discovery: &BTreeMap<&'static str, Vec<String>>,
    ) -> anyhow::Result<Launch> {
        let mut serve = self.serve();
        serve.insert("listen".to_owned(), Value::String(format!("127.0.0.1:{}", of.port)));
        serve.insert("only".to_owned(), Value::Array(vec![of.service.into()]));
        let mut known = Table::new();
        for (service, urls) in discovery.iter().filter(|(service, _)| **service != of.service) {
            let urls = urls.iter().map(|url| Value::String(url.clone())).collect();
            known.insert((*service).to_owned(), Value::Array(urls));
        }
        let mut all = Table::new();
        all.insert("serve".to_owned(), Value::Table(serve));
        all.insert("engines".to_owned(), Value::Table(engines.table(of.cables.as_ref())?));
        all.insert("discovery".to_owned(), Value::Table(known));
        let configuration = self.directory.join(format!("{}.toml", of.name));
        write(&configuration, &all)?;
        let log = self.directory.join(format!("{}.log", of.name));
        Ok(Launch { program: self.program.clone(), configuration, log })
    }

    /// Writes the configuration of whoever looks in from outside, and reads it.
    fn outside(&self, engines: &Engines) -> anyhow::Result<Settings> {
        let mut all = Table::new();
        all.insert("serve".to_owned(), Value::Table(self.serve()));
        all.insert("engines".to_owned(), Value::Table(engines.table(None)?));
        let path = outside(&self.directory);
        write(&path, &all)?;
        Ok(config::load(Some(&path), std::iter::empty())?.settings)
    }

    /// All share a directory: the keys, and the sandbox gateway's memory.
    fn serve(&self) -> Table {
        let data = self.directory.join("data").display().to_string();
        Table::from_iter([("data".to_owned(), Value::String(data)), ("log".to_owned(), "info".into())])
    }
}

fn outside(directory: &Path) -> PathBuf {
    directory.join("outside.toml")
}

fn write(path: &Path, table: &Table) -> anyhow::Result<()> {
    std::fs::write(path, toml::to_string(table)?).with_context(|| format!("writing {}", path.display()))
}
