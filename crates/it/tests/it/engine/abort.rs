//! A handler that kills the process: this test runs itself as a child that dies, starts it again
//! as an operator's supervisor would, and looks at what is left.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use backbone::reaction::on;
use backbone::{Module, Refusal};
use kernel::ErrorKind;
use uuid::Uuid;

use super::probe::{Bench, Orders, Ping, SEEN, Seen, probe_module};

const DIRECTORY: &str = "A4CO_TEST_ABORT_DIRECTORY";
const POISON: Uuid = Uuid::from_u128(0xdead);
const INNOCENT: Uuid = Uuid::from_u128(0x900d);

/// The probe, but it aborts the process on the poison's first ping.
fn deadly() -> Module {
    let react = on::<Ping>(|ping, ws| {
        let seen = ws.get::<Seen>(ping.key)?;
        if ping.key == POISON && ping.n == 1 {
            std::process::abort();
        }
        let mut seen = seen.map(|seen| seen.as_ref().clone()).unwrap_or_default();
        seen.key = ping.key;
        seen.order.push(ping.n);
        ws.put(seen)
    });
    Module {
        publishes: vec![&<Ping as kernel::Event>::TYPE],
        reactions: vec![react],
        collections: vec![&SEEN],
        ..Module::new("probe")
    }
}

/// The child: serves until it dies, or for a second where nothing kills it.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bench = Bench::start(Path::new(&directory), Arc::default(), |_| deadly()).await;
        if bench.seen(INNOCENT).await.is_empty() && !Path::new(&directory).join("../pinged").exists() {
            std::fs::write(Path::new(&directory).join("../pinged"), "").unwrap();
            bench.ping(&[(INNOCENT, 1), (POISON, 1), (INNOCENT, 2), (POISON, 2)]).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        bench.stop().await;
    });
}

fn run_child(test: &str, variable: &str, directory: &Path) -> bool {
    let me = std::env::current_exe().unwrap();
    let mut child = Command::new(me);
    child.args(["--exact", test]).env(variable, directory);
    child.stdout(std::process::Stdio::null());
    child.status().unwrap().success()
}

#[test]
fn a_handler_that_kills_the_process_ends_in_the_dead_letters_and_no_innocent_does() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("data");
    let mut deaths = 0;
    while !run_child("engine::abort::child", DIRECTORY, &directory) {
        deaths += 1;
        assert!(deaths < 10, "a crash loop");
    }
    assert_eq!(deaths, 5, "once with the batch, then alone as often as it may be tried");

    // The same data under a handler that is mended.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let orders = Arc::new(Orders::default());
        let bench = Bench::start(&directory, Arc::default(), |_| probe_module(orders.clone())).await;
        bench.until_seen(INNOCENT, &[1, 2]).await;
        let dead = bench.until_dead(1).await;
        assert_eq!(dead[0].1.event.subject, POISON.to_string());
        assert_eq!(dead[0].1.attempts, 4);
        assert_eq!(bench.seen(POISON).await, Vec::<u64>::new(), "its later event waits");
        bench.running.dead_letters().retry("probe", &dead[0].0).await.unwrap();
        bench.until_seen(POISON, &[1, 2]).await;
        bench.stop().await;
    });
}

const RETRIED: &str = "A4CO_TEST_ABORT_ON_RETRY_DIRECTORY";

/// The probe, but the poison's first ping fails once and then aborts the process at each retry.
fn deadly_when_retried(failed_before: PathBuf) -> Module {
    let react = on::<Ping>(move |ping, ws| {
        let seen = ws.get::<Seen>(ping.key)?;
        if ping.key == POISON && ping.n == 1 {
            if failed_before.exists() {
                std::process::abort();
            }
            std::fs::write(&failed_before, "").unwrap();
            return Err(Refusal::failed(ErrorKind::Transient, "told to fail first"));
        }
        let mut seen = seen.map(|seen| seen.as_ref().clone()).unwrap_or_default();
        seen.key = ping.key;
        seen.order.push(ping.n);
        ws.put(seen)
    });
    let publishes = vec![&<Ping as kernel::Event>::TYPE];
    Module { publishes, reactions: vec![react], collections: vec![&SEEN], ..Module::new("probe") }
}

/// The child: serves until it dies, or until the poison is a dead letter.
#[test]
fn child_that_retries() {
    let Some(directory) = std::env::var_os(RETRIED) else { return };
    let directory = Path::new(&directory);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let module = deadly_when_retried(directory.join("../failed"));
        let bench = Bench::start(directory, Arc::default(), |_| module).await;
        if !directory.join("../pinged").exists() {
            std::fs::write(directory.join("../pinged"), "").unwrap();
            bench.ping(&[(POISON, 1), (INNOCENT, 1), (POISON, 2), (INNOCENT, 2)]).await;
        }
        bench.until_dead(1).await;
        bench.stop().await;
    });
}

#[test]
fn a_retry_that_kills_the_process_is_charged_before_it_is_made() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("data");
    let mut deaths = 0;
    while !run_child("engine::abort::child_that_retries", RETRIED, &directory) {
        deaths += 1;
        assert!(deaths < 6, "a crash loop");
    }
    assert_eq!(deaths, 3, "each retry after the first delivery");

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let orders = Arc::new(Orders::default());
        let bench = Bench::start(&directory, Arc::default(), |_| probe_module(orders.clone())).await;
        bench.until_seen(INNOCENT, &[1, 2]).await;
        let dead = bench.until_dead(1).await;
        assert_eq!((dead[0].1.event.subject.as_str(), dead[0].1.attempts), (&*POISON.to_string(), 4));
        assert_eq!(bench.seen(POISON).await, Vec::<u64>::new(), "its later event waits");
        bench.stop().await;
    });
}
