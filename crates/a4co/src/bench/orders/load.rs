//! The load: customers who order, and the clocks beside them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use hdrhistogram::Histogram;
use indicatif::ProgressBar;
use kernel::OrderId;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::super::cpu::Spent;
use super::super::{Error, Sync, Times, note, recorder};
use super::watch::{Through, Watch};
use super::{Figures, LOAD_THREAD};
use crate::checkout::{self, Buyer, Placed};
use crate::client::Api;
use crate::dice::Dice;
use crate::seed::customers::{Customer, Means};
use crate::stock::Item;

/// Past this an order counts as an error.
const THROUGH_LIMIT: Duration = Duration::from_secs(30);
/// The most orders that are under way in the open loop: beyond it the market has lost the race.
const UNDER_WAY_MAX: usize = 8_192;
/// The most lines of an order.
const LINES_MAX: u64 = 3;
/// The load of each measurement begins before its clocks do.
const WARM_UP: Duration = Duration::from_millis(500);

/// How orders come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// So many customers, each with one order at a time.
    Closed { clients: usize },
    /// So many orders a second, however long they take.
    Open { per_second: f64 },
}

/// What makes load.
pub(super) struct Load {
    api: Arc<dyn Api>,
    watch: Watch,
    items: Vec<Item>,
    customers: Vec<Customer>,
    sync: Sync,
    /// Sets this run's orders apart from those of other runs.
    run: Uuid,
    number: AtomicU64,
}

/// What one measurement notes.
struct Notes {
    post: Histogram<u64>,
    confirmed: Histogram<u64>,
    through: Histogram<u64>,
    orders: u64,
    errors: u64,
    first_error: Option<String>,
}

/// What became of one order.
enum Ended {
    Through { asked: Instant, answered: Instant, through: Through },
    Lost { why: String },
}

/// When a measurement counts.
#[derive(Clone, Copy)]
struct Span {
    begin: Instant,
    end: Instant,
}

impl Load {
    pub(super) fn new(
        api: Arc<dyn Api>,
        watch: Watch,
        items: Vec<Item>,
        customers: Vec<Customer>,
        sync: Sync,
    ) -> Self {
        Self { api, watch, items, customers, sync, run: Uuid::now_v7(), number: AtomicU64::new(0) }
    }

    /// One measurement.
    pub(super) async fn run(
        &self,
        pace: Pace,
        each: Duration,
        progress: &ProgressBar,
    ) -> Result<Figures, Error> {
        self.watch.forget();
        let notes = Mutex::new(Notes {
            post: recorder(),
            confirmed: recorder(),
            through: recorder(),
            orders: 0,
            errors: 0,
            first_error: None,
        });
        let begin = Instant::now() + WARM_UP;
        let span = Span { begin, end: begin + each };
        let clocks = self.clocks(span, progress);
        let (meters, ()) = futures::join!(clocks, self.orders(pace, span, &notes));
        let notes = notes.into_inner();
        let seconds = each.as_secs_f64();
        let per_order = |spent: Option<Duration>| {
            spent.filter(|_| notes.orders > 0).map(|spent| spent.as_secs_f64() * 1e3 / notes.orders as f64)
        };
        let confirmed = Times::from(&notes.confirmed);
        let cpu = meters.cpu;
        Ok(Figures {
            clients: match pace {
                Pace::Closed { clients } => Some(clients),
                Pace::Open { .. } => None,
            },
            wanted_per_second: match pace {
                Pace::Closed { .. } => None,
                Pace::Open { per_second } => Some(per_second),
            },
            orders: notes.orders,
            errors: notes.errors,
            first_error: notes.first_error,
            orders_per_second: notes.orders as f64 / seconds,
            events_per_second: meters.events.map(|events| events as f64 / seconds),
            post: Times::from(&notes.post),
            created_to_confirmed: confirmed,
            through: Times::from(&notes.through),
            server_cpu_ms_per_order: per_order(cpu.map(|cpu| cpu.process.saturating_sub(cpu.threads))),
            load_cpu_ms_per_order: per_order(cpu.map(|cpu| cpu.threads)),
            confirmed_in_syncs: confirmed.p50_ms / self.sync.times.p50_ms.max(f64::MIN_POSITIVE),
        })
    }

    /// Reads the meters at both ends of the span.
    async fn clocks(&self, span: Span, progress: &ProgressBar) -> Meters {
        tokio::time::sleep_until(span.begin.into()).await;
        let (cpu, events) = (Spent::now(LOAD_THREAD), self.watch.events());
        loop {
            let left = span.end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            tokio::time::sleep(left.min(Duration::from_secs(1))).await;
            progress.inc(1);
        }
        let (cpu_after, events_after) = (Spent::now(LOAD_THREAD), self.watch.events());
        Meters {
            cpu: cpu.zip(cpu_after).map(|(before, after)| after.since(before)),
            events: events.zip(events_after).map(|(before, after)| after - before),
        }
    }

    async fn orders(&self, pace: Pace, span: Span, notes: &Mutex<Notes>) {
        match pace {
            Pace::Closed { clients } => {
                let clients = (0..clients).map(|client| async move {
                    while Instant::now() < span.end {
                        let ended = self.order(client, Instant::now()).await;
                        notes.lock().await.take(ended, span);
                    }
                });
                join_all(clients).await;
            }
            Pace::Open { per_second } => self.open_loop(per_second, span, notes).await,
        }
    }

    /// Orders come when it is their time. One that has to wait has its waiting counted.
    async fn open_loop(&self, per_second: f64, span: Span, notes: &Mutex<Notes>) {
        let step = Duration::from_secs_f64(1.0 / per_second.max(0.1));
        let mut due = Instant::now();
        let mut client = 0;
        let mut under_way = futures::stream::FuturesUnordered::new();
        loop {
            use futures::StreamExt as _;
            let now = Instant::now();
            while due <= now && due < span.end && under_way.len() < UNDER_WAY_MAX {
                let (asked, number) = (due, client);
                under_way.push(async move {
                    let ended = self.order(number, asked).await;
                    notes.lock().await.take(ended, span);
                });
                due += step;
                client += 1;
            }
            if due >= span.end && under_way.is_empty() {
                return;
            }
            tokio::select! {
                Some(()) = under_way.next() => {}
                () = tokio::time::sleep_until(due.into()), if due < span.end && under_way.len() < UNDER_WAY_MAX => {}
            }
        }
    }

    /// Places an order and waits until it is through.
    async fn order(&self, client: usize, asked: Instant) -> Ended {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let mut dice = Dice::nth(self.run.as_u128() as u64, number);
        let count = dice.between(1, LINES_MAX) as usize;
        let chosen = dice.different(count, self.items.len());
        let lines: Vec<(Item, u32)> = chosen.into_iter().map(|index| (self.items[index], 1)).collect();
        let customer = &self.customers[client % self.customers.len()];
        let key = format!("bench/{}/{number}", self.run);
        let buyer = Buyer::Customer(customer);
        let call = checkout::place(&buyer, &lines, customer.method(Means::Good), &key);
        let placed = self.api.send(&call).await.and_then(|reply| reply.read::<Placed>());
        let answered = Instant::now();
        let id: OrderId = match placed {
            Ok(placed) => placed.order_id,
            Err(error) => {
                return Ended::Lost { why: error.to_string() };
            }
        };
        match self.watch.through(id, lines.len(), THROUGH_LIMIT).await {
            Ok(through) => Ended::Through { asked, answered, through },
            Err(why) => Ended::Lost { why: format!("order {id}: {why}") },
        }
    }
}

/// What the meters say of a span.
struct Meters {
    cpu: Option<Spent>,
    events: Option<u64>,
}

impl Notes {
    /// What ended within the span counts.
    fn take(&mut self, ended: Ended, span: Span) {
        match ended {
            Ended::Through { asked, answered, through } => {
                if !(span.begin..span.end).contains(&through.done) {
                    return;
                }
                self.orders += 1;
                note(&mut self.post, answered.saturating_duration_since(asked));
                note(&mut self.confirmed, through.confirmed.saturating_duration_since(through.created));
                note(&mut self.through, through.done.saturating_duration_since(asked));
            }
            Ended::Lost { why } => {
                tracing::warn!(why, "an order is lost");
                self.errors += 1;
                self.first_error.get_or_insert(why);
            }
        }
    }
}
