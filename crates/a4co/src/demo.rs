//! A mixed day at the market, through its public API: what people buy, pay, call off and send
//! back, and at the end an account that must balance.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backbone::route::Role;
use contracts::shared::OrderState;
use futures::StreamExt as _;
use indicatif::ProgressBar;
use kernel::OrderId;
use uuid::Uuid;

use crate::client::{self, Api, Tokens};
use crate::seed::{self, customers};
use crate::stock;
use crate::table::{Table, thousands};

mod account;
mod plan;
mod play;
pub mod scenario;

use account::{Account, Books};
use plan::{Plan, TOO_MANY};
use play::{Played, Stage};
use scenario::Scenario;

/// Pieces beyond what the orders take, so that other buyers do not spoil the day.
const PIECES_TO_SPARE: u32 = 50;
/// So many findings are shown; the rest is counted.
const FINDINGS_SHOWN: usize = 20;
/// How long what is under way after the last order may take to settle.
const SETTLE_LIMIT: Duration = Duration::from_secs(30);

/// How the day is played.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// How many orders.
    pub orders: u64,
    /// How many at a time.
    pub concurrency: usize,
    /// The same seed gives the same day.
    pub seed: u64,
    /// How long an order may stand still before it is named.
    pub patience: Duration,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self { orders: 200, concurrency: 32, seed: 1, patience: Duration::from_secs(60) }
    }
}

/// Why the day could not be played.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call failed outside of an order.
    #[error(transparent)]
    Call(#[from] client::Error),
    /// There is nothing to buy.
    #[error("the market has only {0} things for sale: a day needs at least 5; start it once without --empty")]
    NothingToBuy(usize),
}

/// How the day went.
#[derive(Clone, Debug)]
pub struct DemoReport {
    seed: u64,
    took: Duration,
    /// Played and kept, by scenario.
    scenarios: BTreeMap<Scenario, (u64, u64)>,
    refused: u64,
    account: Account,
    /// What did not go as promised, or does not balance.
    findings: Vec<String>,
}

impl DemoReport {
    /// Every order went where it was to go, and everything balances.
    pub fn is_balanced(&self) -> bool {
        self.findings.is_empty()
    }

    /// What did not go as promised, or does not balance.
    pub fn findings(&self) -> &[String] {
        &self.findings
    }
}

/// Plays the day and takes the account. The progress bar gets its length here.
pub async fn run(
    options: &DemoOptions,
    api: Arc<dyn Api>,
    tokens: &Tokens,
    progress: &ProgressBar,
) -> Result<DemoReport, Error> {
    let api = &*api;
    let begun = Instant::now();
    let operator = tokens(Role::Admin, seed::operator());
    progress.set_message("getting ready");
    let plan = prepare(options, api, &operator).await?;
    let mut people = Vec::with_capacity(customers::COUNT);
    for number in 0..customers::COUNT {
        people.push(customers::known(api, tokens, number).await?);
    }
    progress.set_length(plan.orders.len() as u64);
    progress.set_message("orders");
    let stage = Stage {
        api,
        tokens,
        operator: &operator,
        customers: &people,
        run: Uuid::now_v7(),
        patience: options.patience,
    };
    let played: Vec<Played> = futures::stream::iter(&plan.orders)
        .map(|planned| async {
            let played = stage.play(planned).await;
            progress.inc(1);
            played
        })
        .buffer_unordered(options.concurrency.max(1))
        .collect()
        .await;
    progress.set_message("taking the account");
    let orders: Vec<OrderId> = played.iter().filter_map(|played| played.order_id).collect();
    let parallel = options.concurrency.max(1);
    let books = Books { api, operator: &operator, parallel, orders: &orders };
    let account = settled(&books).await?;
    progress.finish_and_clear();
    Ok(report(options, &plan, played, account, begun.elapsed()))
}

/// Plans the day and sees to it that there is enough of everything, and too little of what many
/// want.
async fn prepare(options: &DemoOptions, api: &dyn Api, operator: &str) -> Result<Plan, Error> {
    let goods = stock::for_sale(api).await?;
    // What runs out is what there is least of.
    let mut apart = goods.clone();
    apart.sort_by_key(|(item, pieces)| (*pieces, *item));
    apart.truncate(2);
    let others = goods.iter().filter(|offer| !apart.contains(offer));
    let shelf: Vec<_> = apart.iter().chain(others).copied().collect();
    let plan = plan::make(options.seed, options.orders, customers::COUNT, &shelf);
    let plan = plan.ok_or(Error::NothingToBuy(goods.len()))?;
    if let Some((item, _)) = apart.get(1).filter(|(_, pieces)| *pieces >= TOO_MANY) {
        stock::count(api, operator, item, TOO_MANY / 2).await?;
    }
    let there: BTreeMap<stock::Item, u32> = goods.into_iter().collect();
    for (item, needed) in &plan.needed {
        let wanted = needed.saturating_add(PIECES_TO_SPARE);
        if there.get(item).is_none_or(|pieces| *pieces < wanted) {
            stock::count(api, operator, item, wanted.saturating_add(PIECES_TO_SPARE)).await?;
        }
    }
    if let Some((item, pieces)) = plan.last {
        stock::count(api, operator, &item, pieces).await?;
    }
    Ok(plan)
}

/// The account once nothing is under way any more, or as it stands when that takes too long.
async fn settled(books: &Books<'_>) -> Result<Account, client::Error> {
    let started = Instant::now();
    loop {
        let account = books.take().await?;
        if account.findings.is_empty() || started.elapsed() > SETTLE_LIMIT {
            return Ok(account);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn report(
    options: &DemoOptions,
    plan: &Plan,
    played: Vec<Played>,
    account: Account,
    took: Duration,
) -> DemoReport {
    let mut scenarios: BTreeMap<Scenario, (u64, u64)> = BTreeMap::new();
    for order in &played {
        let (count, kept) = scenarios.entry(order.scenario).or_default();
        *count += 1;
        *kept += u64::from(order.broken.is_none());
    }
    let refused = played.iter().filter(|order| order.order_id.is_none() && order.broken.is_none()).count();
    let race = plan.last.and_then(|(_, pieces)| race(&played, pieces));
    let mut findings: Vec<String> = played.into_iter().filter_map(|order| order.broken).collect();
    findings.extend(race);
    findings.extend(account.findings.iter().cloned());
    DemoReport { seed: options.seed, took, scenarios, refused: refused as u64, account, findings }
}

/// The last pieces are sold to the last.
fn race(played: &[Played], pieces: u32) -> Option<String> {
    let racers = || played.iter().filter(|order| order.scenario == Scenario::LastPieces);
    if racers().any(|order| order.broken.is_some()) {
        return None;
    }
    let served = racers().filter(|order| order.state == Some(OrderState::Preparing)).count();
    let wanted = usize::try_from(pieces).unwrap_or(usize::MAX).min(racers().count());
    (served != wanted)
        .then(|| format!("{} wanted one of the last {pieces} pieces, and {served} got one", racers().count()))
}

impl fmt::Display for DemoReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nA mixed day (seed {}, {:.1} s)\n", self.seed, self.took.as_secs_f64())?;
        let mut table = Table::new(["scenario", "orders", "as promised"]);
        for (scenario, (count, kept)) in &self.scenarios {
            table.row([scenario.to_string(), thousands(*count), thousands(*kept)]);
        }
        writeln!(f, "{table}")?;
        let mut table = Table::new(["final state", "orders"]);
        for (state, count) in &self.account.by_state {
            table.row([(*state).to_owned(), thousands(*count)]);
        }
        table.row(["not taken (out of stock)".to_owned(), thousands(self.refused)]);
        writeln!(f, "{table}")?;
        writeln!(f, "{}", self.account)?;
        match self.findings.len() {
            0 => writeln!(f, "  Everything balances."),
            count => {
                writeln!(f, "  {count} findings:")?;
                for finding in self.findings.iter().take(FINDINGS_SHOWN) {
                    writeln!(f, "  - {finding}")?;
                }
                if count > FINDINGS_SHOWN {
                    writeln!(f, "  … and {} more", count - FINDINGS_SHOWN)?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
