//! Complete fulfilment sagas through HTTP: one to three items each, paid in the sandbox, until the
//! order is confirmed and its stock is sold. First so many customers, each of whom orders again
//! when their order is through (closed loop), then orders at 70 % of the highest rate that was
//! reached, whether the market keeps up or not (open loop).
//!
//! The load is made by one thread with a name of its own, so that the CPU time of the market and
//! that of the load can be told apart though they share a process. Whether an order is through is
//! heard on the bus, not asked for: reads would be part of the load.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use backbone::bus::Bus;
use backbone::route::Role;
use indicatif::ProgressBar;
use serde::Serialize;

use super::{Error, Sync, Times, figure, write_json};
use crate::client::{Api, Tokens};
use crate::seed::{self, customers};
use crate::stock;
use crate::table::{Table, thousands};

mod load;
#[cfg(test)]
mod tests;
mod watch;

use load::{Load, Pace};
use watch::Watch;

/// Numbers of customers at a time, one measurement each.
const CLIENTS: [usize; 3] = [1, 8, 64];
/// The open loop's share of the highest rate, in percent.
const OPEN_LOOP_PERCENT: f64 = 70.0;
/// How many different things are bought.
const ITEMS: usize = 200;
/// Pieces of each: more than any run can buy.
const PIECES: u32 = 100_000_000;
/// How many people buy.
const CUSTOMERS: usize = 64;
/// The name of the thread that makes the load; the system keeps 15 bytes of it.
const LOAD_THREAD: &str = "bench-load";

/// How the bench is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// For how long, each measurement.
    pub each: Duration,
    /// On the disk that the market is kept on: where the yardstick is measured.
    pub directory: PathBuf,
    /// Where the figures go as JSON.
    pub json: Option<PathBuf>,
}

/// The market that is measured.
#[derive(Clone)]
pub struct Market {
    /// Its API over HTTP, without connections yet: they are made on the load's own thread.
    pub api: Arc<dyn Api>,
    /// Its bus, for those who listen in.
    pub bus: Arc<dyn Bus>,
    /// The tokens of its people.
    pub tokens: Tokens,
}

/// The figures of one measurement.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Customers at a time; none in the open loop.
    pub clients: Option<usize>,
    /// Orders a second that were wanted, in the open loop.
    pub wanted_per_second: Option<f64>,
    /// Orders that were through: confirmed, and their stock sold.
    pub orders: u64,
    /// Orders that were refused, or not through in time.
    pub errors: u64,
    /// What happened to the first of these.
    pub first_error: Option<String>,
    /// Orders a second.
    pub orders_per_second: f64,
    /// Events published a second, where the bus numbers them.
    pub events_per_second: Option<f64>,
    /// From the request until the market's answer (202).
    pub post: Times,
    /// From order.created.v1 until order.confirmed.v1, as a consumer sees them.
    pub created_to_confirmed: Times,
    /// From the request until the order is confirmed and its stock is sold.
    pub through: Times,
    /// CPU time of the market for each order, in milliseconds.
    pub server_cpu_ms_per_order: Option<f64>,
    /// CPU time of the load for each order, in milliseconds.
    pub load_cpu_ms_per_order: Option<f64>,
    /// The median from created to confirmed, in syncs of this disk.
    pub confirmed_in_syncs: f64,
}

/// All figures.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The yardstick: a sync of 4 KiB on the same disk, right before.
    pub sync: Sync,
    /// The closed loops, and the open one.
    pub runs: Vec<Figures>,
}

/// Measures. The progress bar gets its length here.
pub async fn run(options: &Options, market: Market, progress: &ProgressBar) -> Result<Report, Error> {
    let sync = Sync::measure(&options.directory)?;
    let (answer, answered) = tokio::sync::oneshot::channel();
    let (each, bar) = (options.each, progress.clone());
    let thread = std::thread::Builder::new().name(LOAD_THREAD.to_owned());
    let thread = thread.spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let measured = match runtime {
            Ok(runtime) => runtime.block_on(measure(&market, each, sync, &bar)),
            Err(error) => Err(Error::Unfit(format!("the load does not start: {error}"))),
        };
        // Whoever asked may have gone away.
        drop(answer.send(measured));
    });
    thread.map_err(|source| Error::File { what: "starting the load's thread".to_owned(), source })?;
    let measured = answered.await;
    progress.finish_and_clear();
    let runs = measured.map_err(|_| Error::Unfit("the load ended without figures".to_owned()))??;
    let report = Report { sync, runs };
    if let Some(path) = &options.json {
        write_json(path, &report)?;
    }
    Ok(report)
}

async fn measure(
    market: &Market,
    each: Duration,
    sync: Sync,
    progress: &ProgressBar,
) -> Result<Vec<Figures>, Error> {
    progress.set_message("getting ready");
    let watch = Watch::open(&*market.bus).await?;
    let load = prepare(market, watch, sync).await?;
    progress.set_length(each.as_secs().max(1) * (CLIENTS.len() as u64 + 1));
    let mut runs: Vec<Figures> = Vec::new();
    for clients in CLIENTS {
        progress.set_message(format!("{clients} at a time"));
        runs.push(load.run(Pace::Closed { clients }, each, progress).await?);
    }
    let best = runs.iter().map(|run| run.orders_per_second).fold(0.0, f64::max);
    if best <= 0.0 {
        return Err(Error::Unfit("no order was through: the market does not keep up at all".to_owned()));
    }
    let per_second = best * OPEN_LOOP_PERCENT / 100.0;
    progress.set_message(format!("{} a second", figure(per_second)));
    runs.push(load.run(Pace::Open { per_second }, each, progress).await?);
    Ok(runs)
}

/// Opens accounts and counts the stock up.
async fn prepare(market: &Market, watch: Watch, sync: Sync) -> Result<Load, Error> {
    let api = &*market.api;
    let operator = (market.tokens)(Role::Admin, seed::operator());
    let mut items: Vec<stock::Item> = stock::for_sale(api).await?.into_iter().map(|(item, _)| item).collect();
    items.truncate(ITEMS);
    if items.len() < 3 {
        return Err(Error::Unfit("the market has less than three things for sale: seed it first".to_owned()));
    }
    for item in &items {
        stock::count(api, &operator, item, PIECES).await?;
    }
    let mut people = Vec::with_capacity(CUSTOMERS);
    for number in 0..CUSTOMERS {
        let name = format!("bench{number:02}");
        let means = [customers::Means::Good];
        people.push(customers::registered(api, &market.tokens, &name, number, &means).await?);
    }
    Ok(Load::new(market.api.clone(), watch, items, people, sync))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nComplete fulfilment sagas through HTTP, until confirmed and the stock sold\n")?;
        let name = |run: &Figures| match (run.clients, run.wanted_per_second) {
            (Some(clients), _) => format!("{clients} at a time"),
            (None, wanted) => format!("{} a second wanted", figure(wanted.unwrap_or(0.0))),
        };
        let maybe = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), figure);
        let mut table = Table::new([
            "load",
            "orders",
            "errors",
            "orders/s",
            "events/s",
            "CPU ms/order",
            "of load",
            "POST p50",
            "p99",
        ]);
        for run in &self.runs {
            table.row([
                name(run),
                thousands(run.orders),
                thousands(run.errors),
                figure(run.orders_per_second),
                maybe(run.events_per_second),
                maybe(run.server_cpu_ms_per_order),
                maybe(run.load_cpu_ms_per_order),
                figure(run.post.p50_ms),
                figure(run.post.p99_ms),
            ]);
        }
        writeln!(f, "{table}")?;
        let mut table = Table::new([
            "ms",
            "created → confirmed p50",
            "p99",
            "max",
            "in syncs",
            "request → through p50",
            "p99",
            "max",
        ]);
        for run in &self.runs {
            let (confirmed, through) = (run.created_to_confirmed, run.through);
            table.row([
                name(run),
                figure(confirmed.p50_ms),
                figure(confirmed.p99_ms),
                figure(confirmed.max_ms),
                figure(run.confirmed_in_syncs),
                figure(through.p50_ms),
                figure(through.p99_ms),
                figure(through.max_ms),
            ]);
        }
        for run in self.runs.iter().filter(|run| run.first_error.is_some()) {
            writeln!(f, "  {}: {}", name(run), run.first_error.as_deref().unwrap_or_default())?;
        }
        let sync = self.sync.times;
        writeln!(
            f,
            "{table}\n  yardstick: one sync of 4 KiB on this disk takes {} ms (median; p99 {} ms)",
            figure(sync.p50_ms),
            figure(sync.p99_ms)
        )
    }
}
