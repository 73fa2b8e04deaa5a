//! A market that moves from its own file to servers: whole, with work under way, and it goes on
//! there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use a4co::client::{Call, ask};
use a4co::config::{Engines, Settings};
use a4co::migrate::{self, Moved, Target};
use a4co::verify::Facts;
use adapter_sqlite::{SqliteKeyRing, Store};
use backbone::Document;
use backbone::commit::{Commit, Expected, Outcome, Put};
use backbone::journal::Schema;
use backbone::system::{DEAD_LETTERS, DeadLetter, KeptEvent, PARKED, Parked};
use contracts::shared::OrderState;
use futures::future::join_all;
use http::Method;
use indicatif::ProgressBar;
use kernel::{Envelope, ErrorKind, OrderId, Secret, Timestamp};
use serde_json::json;
use tempfile::TempDir;
use testkit::{Bought, Shelf, TestMarket, Wish, answer_bank};
use testservers::{Missing, NatsServer, PostgresServer, skip};

const ENDED: &[OrderState] = &[OrderState::Preparing, OrderState::Cancelled];
/// A step whose deadline passed while nothing ran is undone.
const SETTLED: &[OrderState] = &[OrderState::Preparing, OrderState::Cancelled, OrderState::Failed];

struct Servers {
    postgres: PostgresServer,
    nats: NatsServer,
}

impl Servers {
    fn start() -> Result<Self, Missing> {
        Ok(Self { postgres: PostgresServer::start()?, nats: NatsServer::start()? })
    }

    /// The market of a directory, on a database.
    fn settings(&self, directory: &Path, database: &str) -> Settings {
        let postgres = Some(Secret::new(database));
        let engines = Engines { postgres, nats: Some(self.nats.url()), partitions: 2, ..Engines::default() };
        Settings { engines, ..Settings::on(directory) }
    }
}

fn place() -> TempDir {
    tempfile::tempdir().expect("a place")
}

/// The market of a directory that outlives it.
async fn start(settings: &Settings) -> TestMarket {
    TestMarket::as_set(settings.clone(), place()).await.expect("the market starts")
}

async fn moved(settings: &Settings, again: bool) -> anyhow::Result<Moved> {
    let postgres = settings.engines.postgres.clone().expect("the target is set");
    migrate::run(settings, &Target { postgres, again }, &ProgressBar::hidden()).await
}

fn put<D: Document>(document: &D) -> Put {
    Put {
        collection: D::COLLECTION,
        shadow: false,
        id: document.id(),
        expected: Expected::Version(0),
        person: None,
        body: serde_json::to_vec(document).unwrap().into(),
        columns: document.columns(),
    }
}

/// What shipping was told of an order.
fn created(facts: &Facts, order: OrderId) -> (u64, Arc<Envelope>) {
    let is_it = |event: &Envelope| event.kind == "order.created.v1" && event.subject == order.to_string();
    facts.log.iter().find(|(_, event)| is_it(event)).cloned().expect("the order was told of")
}

/// As if shipping had failed at two orders when the market was stopped: one waits for its retry,
/// the other was given up.
async fn fail(directory: &Path, facts: &Facts, [waits, dead]: [OrderId; 2]) {
    let store = Store::open(directory, adapter_sqlite::Options::default()).unwrap();
    let schema = Schema { service: "shipping", collections: vec![&PARKED, &DEAD_LETTERS] };
    let journal = store.storage().open(schema).await.unwrap();
    let consumer = || "shipping-order".to_owned();
    let (position, event) = created(facts, waits);
    let (now, error) = (event.time, "it was not there".to_owned());
    let event = KeptEvent::from(&*event);
    let (first_failed_at, told) = (Some(now), Some(error.clone()));
    let parked =
        Parked { consumer: consumer(), position, due: now, attempts: 1, error: told, first_failed_at, event };
    let (position, event) = created(facts, dead);
    let letter = DeadLetter {
        consumer: consumer(),
        position,
        error_kind: ErrorKind::Transient,
        error,
        attempts: 4,
        first_failed_at: now,
        last_failed_at: now,
        moved_at: now,
        behind: 0,
        event: KeptEvent::from(&*event),
        raw: None,
    };
    let commit = Commit { puts: vec![put(&parked), put(&letter)], ..Commit::default() };
    assert!(matches!(journal.submit(commit).await.unwrap(), Ok(Outcome::Committed { .. })));
    drop(journal);
    store.close().unwrap();
}

/// Of how many public events each order that had ended by then was the subject.
fn told(facts: &Facts, orders: &[OrderId]) -> BTreeMap<OrderId, usize> {
    let count = |order: &OrderId| {
        let subject = order.to_string();
        facts.log.iter().filter(|(_, event)| event.subject == subject).count()
    };
    orders.iter().map(|order| (*order, count(order))).collect()
}

/// The files that hold the market.
fn files(directory: &Path) -> [Vec<u8>; 2] {
    ["a4co.db", "keys.db"].map(|name| std::fs::read(directory.join(name)).unwrap())
}

async fn asked(market: &TestMarket, wish: &Wish<'_>) -> Bought {
    let placed = market.place(wish).await.expect("it is taken");
    market.until_bank_asks(placed.order_id).await;
    placed
}

async fn approve(market: &TestMarket, wish: &Wish<'_>, placed: &Bought) {
    let payment = market.until_bank_asks(placed.order_id).await;
    market.act(wish, placed, answer_bank(&payment, true)).await.expect("the bank takes the answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_market_moves_with_work_under_way_and_goes_on_where_it_stood() {
    let servers = match Servers::start() {
        Ok(servers) => servers,
        Err(missing) => return skip(&missing),
    };
    let directory = place();
    let market = start(&Settings::on(directory.path())).await;
    let goods = market.sell(Shelf::USUAL).await;
    let lines = [(goods.item("HONEY"), 1)];
    let wish = |key: &str, method| Wish::guest(key.to_owned(), &lines, method);
    let (good, gone) = (wish("good", "sandbox-card-ok"), wish("gone", "sandbox-card-ok"));
    let declined = wish("declined", "sandbox-card-declined");
    let mut ended = Vec::new();
    for wish in [&good, &gone, &declined] {
        let placed = market.place(wish).await.unwrap();
        market.until_state(placed.order_id, ENDED).await;
        ended.push(placed);
    }
    let [waits, failed, dead] = ["waits", "failed", "dead"].map(|key| wish(key, "sandbox-card-3ds"));
    let (waiting, parked, buried) =
        (asked(&market, &waits).await, asked(&market, &failed).await, asked(&market, &dead).await);
    let erase = Call::new(Method::DELETE, format!("/api/users/{}", ended[1].customer_id));
    ask(&market.api, erase.by(&market.operator()).key("erase")).await.unwrap().good().unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let shown = market.order(ended[0].order_id).await;
    let facts = market.facts().await.unwrap();
    let ended_ids: Vec<OrderId> = ended.iter().map(|placed| placed.order_id).collect();
    market.stop().await;
    fail(directory.path(), &facts, [parked.order_id, buried.order_id]).await;

    let before = files(directory.path());
    let settings = servers.settings(directory.path(), &servers.postgres.database());
    let moved = moved(&settings, false).await.unwrap();
    assert_eq!(files(directory.path()), before, "the source is only read");
    assert_eq!((moved.source.orders, moved.source.parked), (6, 1));
    assert_eq!(moved.source.line(), moved.target.line());
    let said: Vec<String> = moved.target.violations.iter().map(ToString::to_string).collect();
    assert!(matches!(&said[..], [letter] if letter.contains("is a dead letter")), "{said:?}");
    assert_eq!(moved.waiting, 0, "it was stopped at rest: nothing is published again");

    let market = start(&settings).await;
    assert_eq!(market.place(&good).await.unwrap().order_id, ended[0].order_id, "the key is known");
    assert_eq!(market.order(ended[0].order_id).await, shown, "personal fields included");
    let erased = market.order(ended[1].order_id).await;
    assert_eq!(erased["deliveryAddress"], json!({"redacted": true}));
    let fresh = market.place(&wish("fresh", "sandbox-card-ok")).await.unwrap();
    for (wish, placed) in [(&waits, &waiting), (&failed, &parked), (&dead, &buried)] {
        approve(&market, wish, placed).await;
    }
    for placed in [&fresh, &waiting, &parked] {
        assert_eq!(market.until_state(placed.order_id, ENDED).await, OrderState::Preparing);
    }
    // Whatever comes after what was given up waits for an operator.
    market.until_state(buried.order_id, &[OrderState::Confirmed]).await;
    let letters = market.look("/admin/dlq?service=shipping").await;
    let letter = letters["items"][0]["id"].as_str().expect("the letter moved as well");
    let retry = Call::post(format!("/admin/dlq/{letter}/retry")).by(&market.operator());
    ask(&market.api, retry).await.unwrap().good().unwrap();
    assert_eq!(market.until_state(buried.order_id, ENDED).await, OrderState::Preparing);
    let after = market.rest().await;
    assert_eq!(told(&after, &ended_ids), told(&facts, &ended_ids), "nothing took effect twice");
    market.finish().await;
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_micros(since.as_micros() as i64)
}

/// The gateway's memory as it was at a moment, with what the store in `killed` recorded of it: the
/// market that the store was copied from went on, and the copy knows nothing of what came after.
async fn remember_until(moment: Timestamp, source: &Path, killed: &Path) {
    let facts = a4co::verify::facts(killed).await.unwrap();
    let is_recorded = |record: &provider_sandbox::Record| {
        let payment = record.payment_id.and_then(|id| facts.payments.get(&id.to_string()));
        payment.is_some_and(|payment| payment["status"] != "processing")
    };
    let mut lines = Vec::new();
    for record in provider_sandbox::records(&source.join("sandbox-gateway.jsonl")).unwrap() {
        if record.at <= moment || is_recorded(&record) {
            serde_json::to_writer(&mut lines, &record).unwrap();
            lines.push(b'\n');
        }
    }
    std::fs::write(killed.join("sandbox-gateway.jsonl"), lines).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_market_that_was_killed_in_the_middle_moves_and_ends_what_it_had_begun() {
    let servers = match Servers::start() {
        Ok(servers) => servers,
        Err(missing) => return skip(&missing),
    };
    let market = TestMarket::on_disk().await;
    let goods = market.sell(Shelf::USUAL).await;
    let lines = [(goods.item("HONEY"), 1)];
    let wishes: Vec<Wish<'_>> = (0..12)
        .map(|n| {
            let method = if n % 4 == 3 { "sandbox-card-declined" } else { "sandbox-card-ok" };
            Wish::guest(format!("killed/{n}"), &lines, method)
        })
        .collect();
    let placed = join_all(wishes.iter().map(|wish| market.place(wish))).await;
    // What a process leaves that is killed at this moment.
    let (copies, killed) = (place(), place());
    let [data, keys] = ["data.db", "keys.db"].map(|name| copies.path().join(name));
    let moment = now();
    Store::open_read_only(market.directory()).unwrap().backup(&data, |_, _| {}).unwrap();
    SqliteKeyRing::copy(market.directory(), &keys).unwrap();
    adapter_sqlite::restore(&data, Some(&keys), killed.path()).unwrap();
    for name in ["master.key", "email.key"] {
        std::fs::copy(market.directory().join(name), killed.path().join(name)).unwrap();
    }
    remember_until(moment, market.directory(), killed.path()).await;
    market.stop().await;

    let settings = servers.settings(killed.path(), &servers.postgres.database());
    let moved = moved(&settings, false).await.unwrap();
    assert_eq!((moved.source.orders, moved.target.orders), (12, 12));
    assert!(moved.source.open_sagas > 0, "it was killed in the middle");
    assert_eq!(moved.target.open_sagas, moved.source.open_sagas);
    let market = start(&settings).await;
    for (n, placed) in placed.into_iter().enumerate() {
        let state = market.until_state(placed.unwrap().order_id, SETTLED).await;
        assert!(n % 4 != 3 || state != OrderState::Preparing, "order {n} was declined and is {state:?}");
    }
    market.finish().await;
}

async fn refused(settings: &Settings, again: bool) -> String {
    let error = moved(settings, again).await.expect_err("it is refused");
    let text = format!("{error:#}\n{error:?}");
    assert!(!text.contains("s3cret"), "the password is nobody's business: {text}");
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_is_not_moved_and_nothing_is_overwritten() {
    let servers = match Servers::start() {
        Ok(servers) => servers,
        Err(missing) => return skip(&missing),
    };
    let directory = place();
    let database = servers.postgres.database();
    let settings = servers.settings(directory.path(), &database.replace("postgres@", "postgres:s3cret@"));
    let nothing = refused(&settings, false).await;
    assert!(nothing.contains("holds no a4co.db"), "{nothing}");
    let market = start(&Settings::on(directory.path())).await;
    market.sell(&Shelf::USUAL[..1]).await;
    let running = refused(&settings, false).await;
    assert!(running.contains("another process uses this data directory"), "{running}");
    market.stop().await;
    let name = database.rsplit('/').next().unwrap();

    // Somebody began, and was cut off after a while.
    servers.postgres.sql(
        name,
        "CREATE SCHEMA moving; CREATE TABLE moving.market (began_at bigint NOT NULL); \
         INSERT INTO moving.market VALUES (1700000000000000); CREATE SCHEMA \"order\"; CREATE TABLE \"order\".half ()",
    );
    let unfinished = refused(&settings, false).await;
    let since = Timestamp::from_micros(1_700_000_000_000_000).to_string();
    assert!(unfinished.contains("--again") && unfinished.contains(&since), "{unfinished}");
    let served =
        TestMarket::as_set(settings.clone(), place()).await.err().expect("half a market does not run");
    assert!(format!("{served:#}").contains("half a market"), "{served:#}");

    let first = moved(&settings, true).await.unwrap();
    assert_eq!(first.source.line(), first.target.line());
    for again in [false, true] {
        let occupied = refused(&settings, again).await;
        assert!(occupied.contains("not empty"), "{occupied}");
    }
    start(&settings).await.finish().await;
}
