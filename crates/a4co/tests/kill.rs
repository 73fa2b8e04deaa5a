//! The whole product as a process, killed at random moments under load and started again: every
//! acknowledged order is still there, none is doubled or stuck, and `verify` finds nothing.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use a4co::client::{Call, Socket, ask};
use a4co::dice::Dice;
use a4co::seed;
use serde_json::{Value, json};

/// Rounds in the tests; `A4CO_KILL_ROUNDS=20` for the acceptance run.
const ROUNDS: u64 = 4;

/// Clients that place orders at a time.
const CLIENTS: u64 = 8;

struct Market {
    process: Child,
    url: String,
}

impl Market {
    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Market {
    /// A test that fails leaves no server behind; one that was killed already is not there.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts the product on `data` and waits until it serves.
async fn start(data: &Path, port: u16) -> Market {
    let url = format!("http://127.0.0.1:{port}");
    let process = Command::new(env!("CARGO_BIN_EXE_a4co"))
        .args(["--log", "error", "serve", "--listen", &format!("127.0.0.1:{port}")])
        .arg("--data")
        .arg(data)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let market = Market { process, url };
    let begun = Instant::now();
    let api = Socket::new(&market.url).unwrap();
    while ask(&api, Call::get("/health/ready")).await.and_then(|reply| reply.good()).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the market does not start");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    market
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn order(client: u64, number: u64) -> Value {
    let products = seed::example_products();
    let product = products[(client * 31 + number) as usize % products.len()];
    let methods = ["sandbox-card-ok", "sandbox-card-ok", "sandbox-card-declined", "sandbox-card-retry-1"];
    let method = methods[(client + number) as usize % methods.len()];
    json!({
        "guest": {"name": "Ana Ruiz", "email": "ana@example.org"},
        "items": [{"productId": product, "quantity": 1}],
        "deliveryAddress": {
            "recipient": "Ana Ruiz", "line1": "Calle Real 1", "city": "Úbeda", "province": "Jaén",
            "postalCode": "23400", "country": "ES",
        },
        "paymentMethodId": method,
    })
}

/// Places orders until the market is gone; what was acknowledged is noted.
async fn buy(url: String, client: u64, round: u64, acknowledged: Arc<Mutex<BTreeSet<String>>>) {
    let api = Socket::new(&url).unwrap();
    for number in 0.. {
        let call = Call::post("/api/orders").key(&format!("{round}-{client}-{number}"));
        let reply = ask(&api, call.json(&order(client, number))).await;
        let Ok(placed) = reply.and_then(|reply| reply.good()).and_then(|reply| reply.read::<Value>()) else {
            return;
        };
        let id = placed["orderId"].as_str().unwrap().to_owned();
        assert!(acknowledged.lock().unwrap().insert(id), "an order was acknowledged twice");
    }
}

fn rounds() -> u64 {
    std::env::var("A4CO_KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_it_loses_and_doubles_nothing() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let seed = std::process::id().into();
    println!("seed {seed}");
    let mut dice = Dice::new(seed);
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    for round in 0..rounds() {
        let mut market = start(&data, free_port()).await;
        let buyers: Vec<_> = (0..CLIENTS)
            .map(|client| tokio::spawn(buy(market.url.clone(), client, round, acknowledged.clone())))
            .collect();
        tokio::time::sleep(Duration::from_millis(200 + dice.below(1_200))).await;
        market.kill();
        for buyer in buyers {
            buyer.await.unwrap();
        }
    }

    let mut market = start(&data, free_port()).await;
    settle(&data).await;
    market.kill();

    let report = a4co::verify::run(&data).await.unwrap();
    assert_eq!(report.violations, [], "seed {seed}");
    let acknowledged = acknowledged.lock().unwrap();
    println!("{} orders acknowledged, {} there", acknowledged.len(), report.orders);
    assert!(!acknowledged.is_empty());
    let missing: Vec<_> = acknowledged.iter().filter(|id| !report.order_states.contains_key(*id)).collect();
    assert!(missing.is_empty(), "acknowledged and lost: {missing:?}");
    let stuck: Vec<_> = report.order_states.iter().filter(|(_, state)| *state == "pending").collect();
    assert!(stuck.is_empty(), "stuck: {stuck:?}");
}

/// Waits until no order is on its way any more.
async fn settle(data: &Path) {
    let begun = Instant::now();
    loop {
        let report = a4co::verify::run(data).await.unwrap();
        let open = report.order_states.values().filter(|state| *state == "pending").count();
        if open == 0 && report.parked == 0 && report.open_sagas == 0 {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(90), "{open} orders are stuck");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
