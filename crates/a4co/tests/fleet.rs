//! The product as many processes on servers of its own: what only real processes show.

use std::path::PathBuf;
use std::time::Duration;

use fleet::fault::{Fault, How, Plan, Target};
use fleet::fleet::{Options, names};
use fleet::load::Load;
use fleet::run::{self, Faults};
use fleet::servers::Bus;
use tempfile::TempDir;
use testservers::Missing;

/// A process for each service and a gateway.
fn options(bus: Bus) -> (Options, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        program: PathBuf::from(env!("CARGO_BIN_EXE_a4co")),
        bus,
        replicas: 1,
        partitions: 1,
        breakable: false,
        directory: folder.path().to_owned(),
    };
    (options, folder)
}

/// What a run came to, or nothing where a server is missing.
fn ran<T>(run: anyhow::Result<T>) -> Option<T> {
    match run {
        Ok(came_to) => Some(came_to),
        Err(error) => match error.downcast_ref::<Missing>() {
            Some(missing) => {
                testservers::skip(missing);
                None
            }
            None => panic!("{error:#}"),
        },
    }
}

async fn demonstrate(bus: Bus) {
    let (options, _folder) = options(bus);
    let Some(balances) = ran(run::demonstrate(&options, 40).await) else { return };
    assert!(balances, "the account of the day does not balance");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_for_each_service_balances_on_nats() {
    demonstrate(Bus::Nats).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_for_each_service_balances_on_rabbitmq() {
    demonstrate(Bus::Rabbitmq).await;
}

/// Breaks a fleet with two replicas and says what it came to.
async fn broken(run: Faults) {
    let seed = run.load.seed;
    let Some(outcome) = ran(run.run().await) else { return };
    println!("{outcome}");
    assert!(outcome.is_good() && outcome.acknowledged() > 0, "seed {seed}: {outcome}");
}

/// A replica of order, of inventory and of payment stand still for longer than any lease lasts, under
/// load, and come back believing that they hold what others hold by now.
async fn pause_replicas(bus: Bus) {
    let (options, _folder) = options(bus);
    let fleet = Options { replicas: 2, partitions: 4, ..options };
    let pause = |name: &str| Fault {
        at: Duration::from_secs(5),
        lasts: Duration::from_secs(60),
        target: Target::Member(names(2).iter().position(|(known, _)| known == name).unwrap()),
        how: How::Pause,
    };
    let faults = ["order-1", "inventory-2", "payment-1"].map(pause).to_vec();
    let load = Load { seed: 60, customers: 4 };
    broken(Faults { fleet, faults, length: Duration::from_secs(75), load }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_stay_in_order_while_replicas_are_paused_for_a_minute_on_nats() {
    pause_replicas(Bus::Nats).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_stay_in_order_while_replicas_are_paused_for_a_minute_on_rabbitmq() {
    pause_replicas(Bus::Rabbitmq).await;
}

/// Short, so that the harness stays sharp: `cargo xtask faults --minutes 10` is the run that counts.
/// The broker loses its storage on the way.
async fn half_a_minute_of_faults(bus: Bus) {
    let (options, _folder) = options(bus);
    let fleet = Options { replicas: 2, breakable: true, ..options };
    let (seed, length) = (u64::from(std::process::id()), Duration::from_secs(30));
    println!("seed {seed}");
    let faults = Plan { seed, length, members: names(2).len(), wipes: true }.faults();
    broken(Faults { fleet, faults, length, load: Load { seed, customers: 4 } }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_minute_of_faults_loses_and_doubles_nothing_on_nats() {
    half_a_minute_of_faults(Bus::Nats).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_minute_of_faults_loses_and_doubles_nothing_on_rabbitmq() {
    half_a_minute_of_faults(Bus::Rabbitmq).await;
}
