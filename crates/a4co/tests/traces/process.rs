//! The product as a process, told to stop as an operator does.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use a4co::client::{Api as _, Call, Socket, ask};
use a4co::{market, seed};
use backbone::route::Role;
use http::header::HeaderName;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A market in a directory that goes with it.
pub(crate) struct Process {
    child: Child,
    place: TempDir,
    api: Socket,
}

impl Process {
    /// Starts the product with these options and waits until it serves.
    pub(crate) async fn start(options: &[&str], variables: &[(&str, &str)]) -> Self {
        let place = tempfile::tempdir().unwrap();
        let listen = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let lines = std::fs::File::create(place.path().join("lines")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_a4co"))
            .args(options)
            .args(["--log-format", "json", "serve", "--listen", &listen, "--data"])
            .arg(place.path().join("data"))
            .env("NO_PROXY", "127.0.0.1")
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(lines)
            .spawn()
            .unwrap();
        let api = Socket::new(&format!("http://{listen}")).unwrap();
        let begun = Instant::now();
        while api.send(&Call::get("/health/ready")).await.and_then(|reply| reply.good()).is_err() {
            let log = || std::fs::read_to_string(place.path().join("lines")).unwrap();
            assert!(child.try_wait().unwrap().is_none(), "the market ended: {}", log());
            assert!(begun.elapsed() < PATIENCE, "the market does not start: {}", log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Self { child, place, api }
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.place.path().join("data")
    }

    /// Places an order in a trace and waits until it is fulfilled; gives its id.
    pub(crate) async fn order(&self, traceparent: &str) -> String {
        let call = Call::post("/api/orders")
            .key("traced")
            .header(HeaderName::from_static("traceparent"), traceparent)
            .json(&order());
        let placed: Value = ask(&self.api, call).await.unwrap().read().unwrap();
        let id = placed["orderId"].as_str().unwrap().to_owned();
        let token = operator(&self.data());
        let begun = Instant::now();
        loop {
            let call = Call::get(format!("/api/orders/{id}/saga")).by(&token);
            let sagas: Value = ask(&self.api, call).await.unwrap().read().unwrap();
            if sagas.as_array().unwrap().iter().any(|saga| saga["phase"] == "completed") {
                return id;
            }
            assert!(begun.elapsed() < PATIENCE, "the order is not fulfilled: {sagas:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Tells it to stop, waits until it did, and gives its log.
    pub(crate) fn stop(&mut self) -> Vec<Value> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
        let lines = std::fs::read_to_string(self.place.path().join("lines")).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Where the test failed on the way; otherwise it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn operator(data: &Path) -> String {
    let settings = a4co::config::Settings::on(data);
    market::token(&settings, Role::Admin, seed::operator(), Duration::from_secs(3_600)).unwrap()
}

fn order() -> Value {
    json!({
        "guest": {"name": "Ana Ruiz", "email": "ana@example.org"},
        "items": [{"productId": seed::example_products()[0], "quantity": 1}],
        "deliveryAddress": {
            "recipient": "Ana Ruiz", "line1": "Calle Real 1", "city": "Úbeda", "province": "Jaén",
            "postalCode": "23400", "country": "ES",
        },
        "paymentMethodId": "sandbox-card-ok",
    })
}
