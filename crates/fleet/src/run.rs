//! A run from its beginning to its end: a demonstration on many processes, or faults under load.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use a4co::client::{Call, ask};
use a4co::verify;
use anyhow::ensure;
use tokio::sync::watch;

use crate::fault::Fault;
use crate::fleet::{Fleet, Options};
use crate::ledger::{Ledger, Outcome};
use crate::load::{self, Load};
use crate::{deliveries, injector};

/// How long the market may take to come to rest once nothing is broken any more.
const REST_LIMIT: Duration = Duration::from_secs(300);
/// How many orders are looked at closely where it does not.
const SHOWN: usize = 3;
/// How often its stores are read meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// A run of faults.
#[derive(Clone, Debug)]
pub struct Faults {
    /// The fleet that is broken.
    pub fleet: Options,
    /// What is broken, and when.
    pub faults: Vec<Fault>,
    /// How long customers buy; the last fault has ended by then.
    pub length: Duration,
    /// Who buys meanwhile.
    pub load: Load,
}

impl Faults {
    /// Starts the fleet, breaks it under load, mends it, waits until it is at rest, and compares.
    pub async fn run(self) -> anyhow::Result<Outcome> {
        let fleet = Fleet::start(&self.fleet).await?;
        load::stock_up(&fleet).await?;
        println!(
            "seed {}: {} faults over {} s on {} processes, PostgreSQL and {}",
            self.load.seed,
            self.faults.len(),
            self.length.as_secs(),
            fleet.members.len(),
            self.fleet.bus,
        );
        let ledger = Arc::new(Ledger::default());
        let (stop, over) = watch::channel(false);
        let customers = tokio::spawn(load::run(self.load, fleet.api()?, ledger.clone(), over));
        let begun = Instant::now();
        injector::run(&self.faults, &fleet, &ledger, begun).await;
        tokio::time::sleep(self.length.saturating_sub(begun.elapsed())).await;
        stop.send_replace(true);
        if let Err(error) = fleet.until_ready().await {
            ledger.find(format!("{error:#}"));
        }
        customers.await?;
        println!("{:7.1} s  nothing is broken any more; waiting for rest", begun.elapsed().as_secs_f64());
        let stores = at_rest(&fleet, &ledger).await?;
        println!("{:7.1} s  at rest", begun.elapsed().as_secs_f64());
        let (database, servers) = (fleet.database.clone(), fleet.servers.clone());
        let order =
            tokio::task::spawn_blocking(move || deliveries::out_of_order(&servers, &database)).await?;
        order.into_iter().for_each(|finding| ledger.find(finding));
        let restarts = fleet.members.iter().map(|member| (member.name.clone(), member.restarts()));
        let outcome = ledger.close(&stores, restarts.collect());
        fleet.stop().await;
        Ok(outcome)
    }
}

/// Runs the demonstration on a fleet and checks all stores; says whether all is well.
pub async fn demonstrate(options: &Options, orders: u64) -> anyhow::Result<bool> {
    let begun = Instant::now();
    let fleet = Fleet::start(options).await?;
    let names: Vec<&str> = fleet.members.iter().map(|member| member.name.as_str()).collect();
    println!(
        "{} processes on PostgreSQL and {} after {:.1} s: {}",
        names.len(),
        options.bus,
        begun.elapsed().as_secs_f64(),
        names.join(", "),
    );
    let (url, orders) = (fleet.url(), orders.to_string());
    let demo = ["demo", "--orders", &orders, "--url", &url];
    let played = fleet.product(&demo).await?;
    let verified = fleet.product(&["verify"]).await?;
    fleet.stop().await;
    Ok(played && verified)
}

/// Keeps a fleet up until it is told to stop.
pub async fn keep_up(options: &Options) -> anyhow::Result<()> {
    let fleet = Fleet::start(options).await?;
    let processes = fleet.members.len();
    println!("{processes} processes on PostgreSQL and {}; the market is {}", options.bus, fleet.url());
    println!("a4co --config {} …  looks at it from outside; Ctrl-C ends it", fleet.configuration().display());
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    fleet.stop().await;
    Ok(())
}

/// Waits until nothing is under way, and gives what the stores say then.
async fn at_rest(fleet: &Fleet, ledger: &Ledger) -> anyhow::Result<verify::Report> {
    let begun = Instant::now();
    loop {
        let report = verify::run_with(&fleet.settings).await?;
        let open = report.order_states.values().filter(|state| is_open(state)).count();
        if open == 0 && report.parked == 0 && report.open_sagas == 0 && report.violations.is_empty() {
            return Ok(report);
        }
        if begun.elapsed() > REST_LIMIT {
            ledger.find(format!("no rest after {} s", REST_LIMIT.as_secs()));
            look_closer(fleet, &report).await;
            return Ok(report);
        }
        println!(
            "           {} of {} orders are under way, {} sagas, {} deliveries wait, {} violations so far",
            open,
            report.orders,
            report.open_sagas,
            report.parked,
            report.violations.len(),
        );
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// What an operator would ask for: how consumers are, what fires, and the sagas of a few orders.
async fn look_closer(fleet: &Fleet, report: &verify::Report) {
    let Ok(api) = fleet.api() else { return };
    let token = (fleet.tokens())(backbone::route::Role::Admin, a4co::seed::operator());
    let open = report.order_states.iter().filter(|(_, state)| is_open(state)).take(SHOWN);
    let sagas = open.map(|(order, _)| format!("/api/orders/{order}/saga"));
    for path in ["/admin/health".to_owned(), "/admin/alerts".to_owned()].into_iter().chain(sagas) {
        match ask(&*api, Call::get(path.as_str()).by(&token)).await {
            Ok(reply) => println!("{path}: {}", String::from_utf8_lossy(&reply.body)),
            Err(error) => println!("{error}"),
        }
    }
}

fn is_open(state: &str) -> bool {
    matches!(state, "pending" | "awaiting-customer" | "confirmed")
}

/// The product's program, beside this one.
pub fn program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let beside = own.with_file_name("a4co");
    ensure!(beside.exists(), "{} is not there: build it, or name it with --program", beside.display());
    Ok(beside)
}
