//! What was promised to customers and what was done to the machines, and whether the stores agree.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use a4co::table::Table;
use a4co::verify;

/// What happened, as it happens.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    /// The order that the market said it took, by the key under which it was placed.
    acknowledged: BTreeMap<String, String>,
    /// How often an order was refused, by the market's reason.
    refused: BTreeMap<String, u32>,
    /// How often nobody knew for a while whether an order was taken.
    silent: u32,
    /// How often each kind of fault was injected.
    faults: BTreeMap<&'static str, u32>,
    /// What must not be.
    findings: Vec<String>,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The market said that it took the order placed under `key`.
    pub fn acknowledge(&self, key: &str, order: &str) {
        let mut entries = self.lock();
        if let Some(before) = entries.acknowledged.insert(key.to_owned(), order.to_owned())
            && before != order
        {
            entries.findings.push(format!("{key} was answered with order {before}, then with {order}"));
        }
    }

    /// The market said no.
    pub fn refuse(&self, why: &str) {
        *self.lock().refused.entry(why.to_owned()).or_default() += 1;
    }

    /// The market said nothing, or that it cannot just now.
    pub fn silence(&self) {
        self.lock().silent += 1;
    }

    /// Something was broken.
    pub fn broke(&self, kind: &'static str) {
        *self.lock().faults.entry(kind).or_default() += 1;
    }

    /// Something is wrong that no store knows.
    pub fn find(&self, what: impl Into<String>) {
        self.lock().findings.push(what.into());
    }

    /// How many orders were acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.lock().acknowledged.len()
    }

    /// Compares what was promised with what the stores say.
    pub fn close(&self, stores: &verify::Report, restarts: Vec<(String, u32)>) -> Outcome {
        let entries = self.lock();
        let orders: Vec<&String> = entries.acknowledged.values().collect();
        let different: BTreeSet<&String> = orders.iter().copied().collect();
        let lost = different.iter().filter(|order| !stores.order_states.contains_key(order.as_str()));
        let lost: Vec<String> = lost.map(|order| (*order).clone()).collect();
        let is_open = |state: &str| matches!(state, "pending" | "awaiting-customer" | "confirmed");
        let stuck = stores.order_states.iter().filter(|(_, state)| is_open(state));
        let stuck: Vec<String> = stuck.map(|(order, state)| format!("{order} is {state}")).collect();
        let mut states: BTreeMap<String, u32> = BTreeMap::new();
        for state in stores.order_states.values() {
            *states.entry(state.clone()).or_default() += 1;
        }
        let mut findings = entries.findings.clone();
        findings.extend(stores.violations.iter().map(ToString::to_string));
        Outcome {
            acknowledged: entries.acknowledged.len(),
            there: stores.orders,
            refused: entries.refused.clone(),
            silent: entries.silent,
            states,
            faults: entries.faults.clone(),
            restarts,
            lost,
            // Two keys that got one order are as wrong as a key that got two.
            doubled: orders.len() - different.len(),
            stuck,
            open_sagas: stores.open_sagas,
            waiting: stores.parked,
            events: stores.events,
            findings,
        }
    }
}

/// How it ended.
#[derive(Debug)]
pub struct Outcome {
    acknowledged: usize,
    there: usize,
    refused: BTreeMap<String, u32>,
    silent: u32,
    states: BTreeMap<String, u32>,
    faults: BTreeMap<&'static str, u32>,
    restarts: Vec<(String, u32)>,
    lost: Vec<String>,
    doubled: usize,
    stuck: Vec<String>,
    open_sagas: usize,
    waiting: usize,
    events: usize,
    findings: Vec<String>,
}

impl Outcome {
    /// True where everything is as it was promised.
    pub fn is_good(&self) -> bool {
        let Self { lost, doubled, stuck, open_sagas, waiting, findings, .. } = self;
        lost.is_empty()
            && *doubled == 0
            && stuck.is_empty()
            && *open_sagas == 0
            && *waiting == 0
            && findings.is_empty()
    }

    /// How many faults there were.
    pub fn faults(&self) -> u32 {
        self.faults.values().sum()
    }

    /// How many orders the market took.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(["ledger", "", ""]);
        let mut line = |name: &str, count: usize, of: String| {
            table.row([name.to_owned(), count.to_string(), of]);
        };
        let listed = |counts: &BTreeMap<String, u32>| {
            counts.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
        };
        line("orders acknowledged", self.acknowledged, format!("{} unanswered at first", self.silent));
        line("orders in the stores", self.there, listed(&self.states));
        line("orders refused", self.refused.values().sum::<u32>() as usize, listed(&self.refused));
        line("public events", self.events, String::new());
        let faults = self.faults.iter().map(|(kind, count)| format!("{count} {kind}"));
        line("faults injected", self.faults() as usize, faults.collect::<Vec<_>>().join(", "));
        let restarts = self.restarts.iter().filter(|(_, count)| *count > 0);
        let named = restarts.clone().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>();
        line("ends without a fault", restarts.map(|(_, count)| *count as usize).sum(), named.join(", "));
        line("lost", self.lost.len(), String::new());
        line("doubled", self.doubled, String::new());
        line("stuck", self.stuck.len(), String::new());
        line("open sagas", self.open_sagas, String::new());
        line("deliveries that wait", self.waiting, String::new());
        line("violations", self.findings.len(), String::new());
        writeln!(f, "{table}")?;
        self.lost.iter().try_for_each(|order| writeln!(f, "order {order} was acknowledged and is lost"))?;
        self.stuck.iter().try_for_each(|order| writeln!(f, "order {order} for good"))?;
        self.findings.iter().try_for_each(|finding| writeln!(f, "{finding}"))
    }
}
