//! `a4co verify`: proves from the facts that nothing was lost or doubled (reliability.md, rules
//! 32–34 and the promise), and names every violation. It works on a copy taken at one moment, so a
//! market that runs goes on undisturbed.

use std::fmt;
use std::path::Path;

use adapter_sqlite::Store;
use anyhow::Context as _;
use backbone::bus::Bus;
use backbone::collection::{Collection, ColumnValue, LIMIT_MAX, Query};
use backbone::journal::{Journal, Recorded, Schema, Storage, StoredDocument};
use serde_json::Value;

use crate::config::Settings;
use crate::engines::{self, Servers};
use crate::market::GATEWAY;

mod delivery;
mod facts;
mod money;
mod orders;
mod stock;

pub use facts::{Documents, Facts};

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule it breaks.
    pub rule: &'static str,
    /// What it is about.
    pub subject: String,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.rule, self.subject, self.what)
    }
}

/// Violations as they are found.
#[derive(Debug, Default)]
pub struct Findings(Vec<Violation>);

impl Findings {
    fn add(&mut self, rule: &'static str, subject: impl fmt::Display, what: impl Into<String>) {
        self.0.push(Violation { rule, subject: subject.to_string(), what: what.into() });
    }
}

/// What was looked at, and what is wrong.
#[derive(Debug)]
pub struct Report {
    /// How many orders.
    pub orders: usize,
    /// How many payments.
    pub payments: usize,
    /// How many items of stock.
    pub items: usize,
    /// How many public events.
    pub events: usize,
    /// Each order's state.
    pub order_states: std::collections::BTreeMap<String, String>,
    /// How many sagas have not ended.
    pub open_sagas: usize,
    /// Deliveries that wait for a retry or behind one that failed.
    pub parked: usize,
    /// What is wrong.
    pub violations: Vec<Violation>,
}

impl Report {
    /// What was looked at, in one line.
    pub fn line(&self) -> String {
        let Self { orders, payments, items, events, parked, violations, .. } = self;
        format!(
            "looked at {orders} orders, {payments} payments, {items} items of stock, {events} public events; \
             {parked} deliveries wait; {} violations",
            violations.len()
        )
    }
}

/// Checks the market that stands on its own file in `data`.
pub async fn run(data: &Path) -> anyhow::Result<Report> {
    run_with(&Settings::on(data)).await
}

/// Checks the market as an operator set it.
pub async fn run_with(settings: &Settings) -> anyhow::Result<Report> {
    if let Some(facts) = facts_on_servers(settings).await? {
        return Ok(check(&facts));
    }
    let data = &settings.serve.data;
    let (store, _copy) = copy(data).await?;
    let facts = read(&store, data).await?;
    let mut report = check(&facts);
    for line in tokio::task::spawn_blocking(move || store.verify()).await?? {
        let subject = "a4co.db".to_owned();
        report.violations.push(Violation { rule: "rule 24", subject, what: line });
    }
    Ok(report)
}

/// The facts of the market that stands on its own file in `data`, of one moment.
pub async fn facts(data: &Path) -> anyhow::Result<Facts> {
    facts_with(&Settings::on(data)).await
}

/// The facts of the market as an operator set it: of one moment where it stands on its own file; on servers
/// one service is read after the other, so they hold together once the market is at rest.
pub async fn facts_with(settings: &Settings) -> anyhow::Result<Facts> {
    if let Some(facts) = facts_on_servers(settings).await? {
        return Ok(facts);
    }
    let (store, _copy) = copy(&settings.serve.data).await?;
    read(&store, &settings.serve.data).await
}

async fn facts_on_servers(settings: &Settings) -> anyhow::Result<Option<Facts>> {
    if Servers::of(settings)?.is_none() {
        return Ok(None);
    }
    let storage = engines::open_to_read(settings).await?;
    read_from(&*storage, None, &settings.serve.data).await.map(Some)
}

/// Checks a market that moved to a store on a server; what the gateway did is in `data`.
#[cfg(feature = "postgres")]
pub(crate) async fn moved(storage: &dyn Storage, data: &Path) -> anyhow::Result<Report> {
    read_from(storage, None, data).await.map(|facts| check(&facts))
}

async fn read(store: &Store, data: &Path) -> anyhow::Result<Facts> {
    read_from(&*store.storage(), Some(&*store.bus()), data).await
}

async fn read_from(storage: &dyn Storage, bus: Option<&dyn Bus>, data: &Path) -> anyhow::Result<Facts> {
    let remembered = gateway(data)?;
    let gateway_is_known = remembered.is_some();
    let facts = Facts::read(storage, bus, remembered.unwrap_or_default()).await?;
    Ok(Facts { gateway_is_known, ..facts })
}

/// A copy of the store in `data`, and the folder that it stands in.
async fn copy(data: &Path) -> anyhow::Result<(Store, tempfile::TempDir)> {
    let copy = tempfile::tempdir().context("a place for the copy")?;
    let (source, target) = (data.to_owned(), copy.path().join("a4co.db"));
    tokio::task::spawn_blocking(move || {
        let store = Store::open_read_only(&source)?;
        store.backup(&target, |_, _| {})?;
        anyhow::Ok(())
    })
    .await??;
    Ok((Store::open_read_only(copy.path())?, copy))
}

/// Checks facts.
pub fn check(facts: &Facts) -> Report {
    let mut findings = Findings::default();
    stock::check(facts, &mut findings);
    orders::check(facts, &mut findings);
    money::check(facts, &mut findings);
    delivery::check(facts, &mut findings);
    Report {
        orders: facts.orders.len(),
        order_states: facts
            .orders
            .iter()
            .map(|(id, order)| (id.clone(), text(order, "/state").to_owned()))
            .collect(),
        open_sagas: facts.sagas.iter().filter(|(_, saga)| !saga.phase.is_final()).count(),
        payments: facts.payments.len(),
        items: facts.stock.len(),
        events: facts.log.len(),
        parked: facts.parked,
        violations: findings.0,
    }
}

/// All that the sandbox gateway of the market in `data` remembers; nothing where it has no memory.
fn gateway(data: &Path) -> anyhow::Result<Option<Vec<provider_sandbox::Record>>> {
    let path = data.join(GATEWAY);
    if !path.exists() {
        return Ok(None);
    }
    provider_sandbox::records(&path).map(Some).with_context(|| format!("reading {}", path.display()))
}

/// Checks, prints, and says whether all is well.
pub async fn print(settings: &Settings) -> anyhow::Result<bool> {
    let report = run_with(settings).await?;
    for violation in &report.violations {
        println!("{violation}");
    }
    println!("{}", report.line());
    Ok(report.violations.is_empty())
}

/// All documents of a collection.
async fn all(journal: &dyn Journal, collection: &'static Collection) -> anyhow::Result<Vec<StoredDocument>> {
    let mut found: Vec<StoredDocument> = Vec::new();
    loop {
        let mut query = Query::all(collection);
        query.after = found.last().map(|last| (ColumnValue::Null, last.id.clone()));
        let page = journal.find(query).await?;
        let full = page.len() == LIMIT_MAX;
        found.extend(page);
        if !full {
            return Ok(found);
        }
    }
}

/// All private events of a service.
async fn feed(journal: &dyn Journal) -> anyhow::Result<Vec<Recorded>> {
    let mut found: Vec<Recorded> = Vec::new();
    loop {
        let after = found.last().map_or(0, |last| last.position);
        let page = journal.feed(after, 10_000).await?;
        if page.is_empty() {
            return Ok(found);
        }
        found.extend(page);
    }
}

async fn open(storage: &dyn Storage, service: &'static str) -> anyhow::Result<std::sync::Arc<dyn Journal>> {
    let collections = facts::collections(service);
    Ok(storage.open(Schema { service, collections }).await?)
}

/// A text inside a document, or nothing.
fn text<'v>(value: &'v Value, path: &str) -> &'v str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// A number inside a document, or zero.
fn number(value: &Value, path: &str) -> i64 {
    value.pointer(path).and_then(Value::as_i64).unwrap_or_default()
}
