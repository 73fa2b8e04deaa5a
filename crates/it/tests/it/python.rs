//! The client of `examples/python` on a real market: it reads our events and publishes one of its own.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use a4co::client::{self, Call};
use a4co::seed::customers;
use serde_json::Value;
use testkit::{Shelf, Wish};
use tokio::process::Command;

use crate::servers::{Servers, market};

/// Where `cargo xtask setup` puts the client's libraries.
fn python() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("a4co/python/bin/python")).filter(|python| python.is_file())
}

async fn play(python: &Path, server: &str, words: &[&str]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/python/market_events.py");
    let mut command = Command::new(python);
    command.arg(script).args(["--server", server]).args(words).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(std::time::Duration::from_secs(30), command.output()).await;
    let Output { status, stdout, stderr } = output.expect("it ends").expect("it starts");
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    let lines = String::from_utf8(stdout).expect("it writes UTF-8");
    lines.lines().map(|line| serde_json::from_str(line).expect("a line is an object")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_in_python_reads_our_events_and_publishes_one() {
    let Some(python) = python() else {
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "SKIPPED: `cargo xtask setup` installs the python client");
        return;
    };
    let servers = match Servers::with_nats() {
        Ok(servers) => servers,
        Err(missing) => return testservers::skip(&missing),
    };
    let url = servers.broker();
    let market = market(servers.engines()).await;
    let goods = market.sell(Shelf::USUAL).await;
    let lines = [(goods.item("HONEY"), 1)];
    let placed = market.place(&Wish::guest("python", &lines, "sandbox-card-ok")).await.expect("it is taken");
    let order = placed.order_id.to_string();

    let read = play(&python, &url, &["read", "order", "--count", "2"]).await;
    let created = read.iter().find(|event| event["type"] == "order.created.v1").expect("it is told of");
    assert_eq!(
        (created["subject"].as_str(), created["data"]["orderId"].as_str()),
        (Some(&*order), Some(&*order))
    );

    let customer = customers::registered(&market.api, &market.tokens(), "cliente", 1, &[]).await;
    let customer = customer.expect("an account is opened");
    let id = customer.id.to_string();
    play(&python, &url, &["points", &id, "120"]).await;
    let profile = async || -> Value {
        let call = Call::get("/api/users/profile").by(&customer.token);
        client::fetch(&market.api, call).await.expect("a profile is shown")
    };
    let begun = tokio::time::Instant::now();
    while profile().await["points"] != 120 {
        assert!(begun.elapsed().as_secs() < 30, "the points never arrive: {}", profile().await);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    market.finish().await;
}
