//! The whole product as three processes on PostgreSQL and NATS: an entry that runs no service, and two
//! that divide the services between them. They share the keys of persons and nothing that signs
//! tokens, so that each believes the others by what they publish; at the broker each has the account that
//! is printed for it, and may do no more.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use a4co::client::{self, Api as _, Call, Socket, ask};
use a4co::seed;
use a4co::services::SERVICES;
use serde_json::{Value, json};
use testservers::{Missing, NatsServer, PostgresServer, skip};

const PATIENCE: Duration = Duration::from_secs(180);
const LOOK: Duration = Duration::from_millis(100);

const PASSWORD: &str = "word";

const ENTRY: &str = "gateway";
const SELLING: &[&str] = &["order", "payment", "product"];

/// A process; it goes with the test.
struct Process {
    child: Child,
    api: Socket,
    url: String,
}

impl Process {
    fn start(market: &Place, only: &str, url: &str) -> Self {
        let child = market
            .command(url)
            .args(["--log", "warn", "serve", "--only", only, "--listen", url.trim_start_matches("http://")])
            .stdout(Stdio::null())
            .spawn()
            .expect("the product starts");
        Self { child, api: Socket::new(url).expect("an address"), url: url.to_owned() }
    }

    async fn get(&self, path: &str, token: Option<&str>) -> Result<Value, client::Error> {
        let call = Call::get(path);
        let call = match token {
            Some(token) => call.by(token),
            None => call,
        };
        self.api.send(&call).await?.read()
    }

    /// Looks until what is read is as it should be.
    async fn until(&self, path: &str, token: Option<&str>, holds: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let read = self.get(path, token).await;
            match read {
                Ok(value) if holds(&value) => return value,
                other => assert!(begun.elapsed() < PATIENCE, "{path}: {other:?}"),
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().expect("kill runs").success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the market stands: its configuration, one file for all processes.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(postgres: &PostgresServer, nats: &NatsServer, urls: &[String; 3]) -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a place for the market") };
        let [entry, selling, rest] = urls;
        let mut text = format!(
            "[engines]\npostgres = {:?}\nnats = {:?}\n\n[discovery]\nauth = [{entry:?}]\n",
            postgres.database(),
            nats.url()
        );
        for service in SERVICES {
            let url = if SELLING.contains(service) { selling } else { rest };
            text.push_str(&format!("{service} = [{url:?}]\n"));
        }
        std::fs::write(place.path().join("a4co.toml"), text).expect("a configuration is written");
        place
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The product, with the signing keys of the process at this address.
    fn command(&self, url: &str) -> Command {
        let keys = self.path().join(url.rsplit(':').next().unwrap_or_default());
        std::fs::create_dir_all(&keys).expect("a folder for keys");
        let mut command = Command::new(env!("CARGO_BIN_EXE_a4co"));
        command
            .arg("--config")
            .arg(self.path().join("a4co.toml"))
            .arg("--data")
            .arg(self.path().join("data"));
        command.env("A4CO__KEYS__SIGNING_KEYS", keys);
        command.env("A4CO__ENGINES__NATS_USER", account(url));
        command.env("A4CO__ENGINES__NATS_PASSWORD", PASSWORD);
        command
    }

    /// An operator's token, of whoever signs for people.
    fn operator(&self, entry: &str) -> String {
        let id = seed::operator().to_string();
        let made = self.command(entry).args(["token", "--role", "admin", "--id", &id]).output();
        let made = made.expect("a token is made");
        assert!(made.status.success(), "{made:?}");
        String::from_utf8(made.stdout).expect("a token is text").trim().to_owned()
    }
}

fn free_url() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

fn names(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Places an order through the entry; its id.
async fn place(entry: &Process, key: &str, method: &str) -> String {
    let order = json!({
        "guest": {"name": "Ana Ruiz", "email": "ana@example.org"},
        "items": [{"productId": seed::example_products().first(), "quantity": 1}],
        "deliveryAddress": {
            "recipient": "Ana Ruiz", "line1": "Calle Real 1", "city": "Úbeda", "province": "Jaén",
            "postalCode": "23400", "country": "ES",
        },
        "paymentMethodId": method,
    });
    let reply = ask(&entry.api, Call::post("/api/orders").key(key).json(&order)).await;
    let placed: Value = reply.expect("the order is taken").read().expect("the answer is read");
    placed["orderId"].as_str().expect("it has an id").to_owned()
}

/// What an order's saga did, and what all processes published in its flow, through the entry: it runs
/// no service itself.
async fn an_order_is_followed(market: &Place, entry: &Process, order: &str) {
    let operator = market.operator(&entry.url);
    let saga = format!("/admin/sagas/order.order-fulfilment.{order}");
    let shown = entry.until(&saga, Some(&operator), |value| value["phase"] == "completed").await;
    let flow = shown["correlationId"].as_str().expect("it has a flow");
    let (mut events, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/admin/events?correlationId={flow}&limit=4{cursor}");
        let page = entry.get(&path, Some(&operator)).await.expect("a page of events");
        events.extend(page["items"].as_array().expect("events").iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let times: Vec<&str> = events.iter().filter_map(|event| event["time"].as_str()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let ids: std::collections::BTreeSet<&str> =
        events.iter().filter_map(|event| event["id"].as_str()).collect();
    assert_eq!(ids.len(), events.len(), "each once");
    let services: std::collections::BTreeSet<&str> =
        events.iter().filter_map(|event| event["service"].as_str()).collect();
    assert!(services.is_superset(&["order", "inventory", "payment", "shipping"].into()), "{services:?}");

    let said = |words: &[&str]| {
        let out = market.command(&entry.url).args(words).args(["--url", &entry.url]).output();
        let out = out.expect("it runs");
        assert!(out.status.success(), "{out:?}");
        String::from_utf8(out.stdout).expect("text")
    };
    let table = said(&["events", "--correlation", flow]);
    assert_eq!(table.lines().filter(|line| line.contains(flow)).count(), events.len(), "{table}");
    assert!(said(&["sagas", "list", "--state", "ended"]).contains(order));
    let id = saga.rsplit('/').next().unwrap_or_default();
    let told = said(&["sagas", "show", id]);
    assert!(told.contains("process-payment") && told.contains("completed"), "{told}");
    assert_eq!(said(&["sagas", "list", "--state", "blocked"]).trim(), "there are no such sagas");
}

/// Who the process at an address is at the broker.
fn account(url: &str) -> String {
    format!("at-{}", url.rsplit(':').next().unwrap_or_default())
}

/// The servers; the broker knows the accounts that are printed for these processes, and nobody else.
fn servers(processes: &[(&str, String)]) -> Result<(PostgresServer, NatsServer), Missing> {
    let mut print = Command::new(env!("CARGO_BIN_EXE_a4co"));
    print.arg("nats-config");
    for (url, services) in processes {
        print.arg("--process").arg(format!("{}={services}", account(url)));
    }
    let printed = print.output().expect("the product runs");
    assert!(printed.status.success(), "{printed:?}");
    let mut accounts = String::from_utf8(printed.stdout).expect("it is text");
    for (url, _) in processes {
        // The server reads a variable of its environment; here the word stands in the file.
        let variable = format!("$NATS_PASSWORD_{}", account(url).to_uppercase().replace('-', "_"));
        accounts = accounts.replace(&variable, PASSWORD);
    }
    Ok((PostgresServer::start()?, NatsServer::start_with(&accounts)?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_processes_are_one_market() {
    let urls = [free_url(), free_url(), free_url()];
    let rest: Vec<&str> = SERVICES.iter().copied().filter(|service| !SELLING.contains(service)).collect();
    let runs = [ENTRY.to_owned(), SELLING.join(","), rest.join(",")];
    let processes: Vec<(&str, String)> = urls.iter().map(String::as_str).zip(runs).collect();
    let (postgres, nats) = match servers(&processes) {
        Ok(servers) => servers,
        Err(missing) => return skip(&missing),
    };
    let market = Place::new(&postgres, &nats, &urls);
    // Whoever calls starts before whoever is called: all of them come up in the end.
    let mut entry = Process::start(&market, ENTRY, &urls[0]);
    let _selling = Process::start(&market, &SELLING.join(","), &urls[1]);
    let mut others = Process::start(&market, &rest.join(","), &urls[2]);

    let ready = |value: &Value| names(&value["services"]).len() == SERVICES.len();
    let value = entry.until("/health/ready", None, ready).await;
    assert_eq!(value["unreachable"], json!([]));
    let own = others.until("/health/ready", None, |_| true).await;
    assert_eq!(names(&own["services"]), rest, "each says what it runs itself");
    let operator = market.operator(&entry.url);
    // The entry fills the market.
    let product = seed::example_products()[0];
    let is_there = |value: &Value| value["availability"][0]["available"].as_u64().is_some_and(|n| n > 1);
    entry.until(&format!("/api/products/{product}"), None, is_there).await;

    let good = place(&entry, "good", "sandbox-card-ok").await;
    let declined = place(&entry, "declined", "sandbox-card-declined").await;
    for (order, state) in [(&good, "preparing"), (&declined, "cancelled")] {
        let path = format!("/api/orders/{order}");
        entry.until(&path, Some(&operator), |value| value["state"] == json!(state)).await;
    }
    let lists = [
        "/admin/health",
        "/admin/alerts",
        "/admin/dlq",
        "/admin/projections",
        "/admin/sagas",
        "/admin/events",
    ];
    for path in lists {
        let value = entry.get(path, Some(&operator)).await.expect("the list is read");
        assert_eq!(value["unreachable"], json!([]), "{path}: {value}");
    }
    an_order_is_followed(&market, &entry, &good).await;
    let health = entry.get("/admin/health", Some(&operator)).await.expect("it is read");
    let mut told: Vec<&str> = health["services"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["service"].as_str())
        .collect();
    told.sort_unstable();
    assert_eq!(told, SERVICES, "every service once, whichever process it runs in");

    others.signal("KILL");
    others.child.wait().expect("it ends");
    let value = entry.get("/admin/health", Some(&operator)).await.expect("it is read");
    assert_eq!(names(&value["unreachable"]), [urls[2].as_str()]);
    let gone = entry.get("/api/users/profile", Some(&operator)).await.unwrap_err();
    assert_eq!(gone.status().map(|status| status.as_u16()), Some(503), "{gone}");

    entry.signal("TERM");
    assert!(entry.child.wait().expect("it ends").success(), "an entry stops in order");
}
