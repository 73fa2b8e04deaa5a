//! The facts, read once from every service's store, the log and the gateway's own memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context as _;
use backbone::bus::{Bus, Subscription};
use backbone::collection::Collection;
use backbone::journal::{Journal, Recorded, Storage};
use backbone::saga::{AnyInstance, SAGAS};
use backbone::system::{DEAD_LETTERS, DeadLetter, PARKED, SYSTEM_COLLECTIONS};
use futures::future::try_join_all;
use kernel::{Envelope, Timestamp};
use serde_json::Value;

use super::{all, feed, open};
use crate::services::{SERVICES, UNFINISHED};

/// What is in a copy is there as fast as it can be read: so long a silence is the end, on a busy machine
/// too.
const SILENCE: std::time::Duration = std::time::Duration::from_secs(1);

/// Documents by id.
pub type Documents = BTreeMap<String, Value>;

/// Everything that is looked at.
pub struct Facts {
    /// The orders' views.
    pub orders: Documents,
    /// The payments' views.
    pub payments: Documents,
    /// What payment expects of each order.
    pub accounts: Documents,
    /// The ledger's postings.
    pub postings: Documents,
    /// The items' views.
    pub stock: Documents,
    /// The reservations' views.
    pub reservations: Documents,
    /// All sagas, by service.
    pub sagas: Vec<(&'static str, AnyInstance)>,
    /// inventory's private events.
    pub inventory: Vec<Recorded>,
    /// How many private events each order has.
    pub order_streams: BTreeMap<String, u64>,
    /// The log: position and event, in order; on a broker each service's own, one after another.
    pub log: Vec<(u64, Arc<Envelope>)>,
    /// Where consumers stand: consumer to position, where positions are checkpoints.
    pub checkpoints: BTreeMap<String, u64>,
    /// Whether consumers keep inboxes instead.
    pub has_inboxes: bool,
    /// Where inboxes are kept: consumers with events that they have not taken in yet.
    pub underway: Vec<(String, Arc<Envelope>)>,
    /// Dead letters, by service.
    pub dead: Vec<(&'static str, DeadLetter)>,
    /// How many deliveries are parked.
    pub parked: usize,
    /// What the gateway says it did: the last word on each key.
    pub gateway: BTreeMap<String, provider_sandbox::Record>,
    /// False where nobody is there to ask what the gateway did: a store that was restored without
    /// the sandbox's memory, or one that never charged through it.
    pub gateway_is_known: bool,
    /// The moment of the facts: the last event's time.
    pub now: Timestamp,
}

/// The collections that are looked at.
pub(super) fn collections(service: &str) -> Vec<&'static Collection> {
    let mut collections = SYSTEM_COLLECTIONS.to_vec();
    match service {
        "order" => collections.push(&service_order::domain::ORDERS),
        "inventory" => {
            collections.extend([&service_inventory::views::STOCK, &service_inventory::views::RESERVATIONS]);
        }
        "payment" => collections.extend([
            &service_payment::views::PAYMENTS,
            &service_payment::domain::account::ORDER_ACCOUNTS,
            &service_payment::bookkeeping::LEDGER_ENTRIES,
        ]),
        _ => {}
    }
    collections
}

async fn documents(journal: &dyn Journal, collection: &'static Collection) -> anyhow::Result<Documents> {
    let mut documents = Documents::new();
    for stored in all(journal, collection).await? {
        let body = serde_json::from_slice(&stored.body)
            .with_context(|| format!("{}/{} cannot be read", collection.name, stored.id))?;
        documents.insert(stored.id, body);
    }
    Ok(documents)
}

impl Facts {
    /// Reads them, with all that the gateway remembers. The bus is wanted where it keeps the log
    /// itself; a broker's is in the journals.
    pub async fn read(
        storage: &dyn Storage,
        bus: Option<&dyn Bus>,
        gateway: Vec<provider_sandbox::Record>,
    ) -> anyhow::Result<Self> {
        let (order, inventory, payment) = (
            open(storage, "order").await?,
            open(storage, "inventory").await?,
            open(storage, "payment").await?,
        );
        let log = match bus {
            Some(bus) => log(bus).await?,
            None => published(storage).await?,
        };
        let has_inboxes = bus.is_none();
        let now = log.iter().map(|(_, event)| event.time).max().unwrap_or_default();
        let mut facts = Self {
            orders: documents(&*order, &service_order::domain::ORDERS).await?,
            payments: documents(&*payment, &service_payment::views::PAYMENTS).await?,
            accounts: documents(&*payment, &service_payment::domain::account::ORDER_ACCOUNTS).await?,
            postings: documents(&*payment, &service_payment::bookkeeping::LEDGER_ENTRIES).await?,
            stock: documents(&*inventory, &service_inventory::views::STOCK).await?,
            reservations: documents(&*inventory, &service_inventory::views::RESERVATIONS).await?,
            sagas: Vec::new(),
            inventory: feed(&*inventory).await?,
            order_streams: BTreeMap::new(),
            log,
            checkpoints: BTreeMap::new(),
            has_inboxes,
            underway: Vec::new(),
            dead: Vec::new(),
            parked: 0,
            gateway: gateway.into_iter().map(|record| (record.key.clone(), record)).collect(),
            gateway_is_known: true,
            now,
        };
        for recorded in feed(&*order).await? {
            *facts.order_streams.entry(recorded.stream).or_default() += 1;
        }
        for service in SERVICES {
            let journal = open(storage, service).await?;
            facts.read_service(&*journal, service).await?;
            if has_inboxes && !UNFINISHED.contains(service) {
                facts.read_inboxes(&*journal, service).await?;
            }
        }
        Ok(facts)
    }

    async fn read_service(&mut self, journal: &dyn Journal, service: &'static str) -> anyhow::Result<()> {
        for stored in all(journal, &SAGAS).await? {
            self.sagas.push((service, serde_json::from_slice(&stored.body)?));
        }
        for stored in all(journal, &DEAD_LETTERS).await? {
            self.dead.push((service, serde_json::from_slice(&stored.body)?));
        }
        self.parked += all(journal, &PARKED).await?.len();
        for context in contexts() {
            let consumer = format!("{service}-{context}");
            let position = journal.checkpoint(&consumer).await?;
            if position > 0 {
                self.checkpoints.insert(consumer, position);
            }
        }
        Ok(())
    }

    /// Finds what a service's consumers have not taken in of what was published.
    async fn read_inboxes(&mut self, journal: &dyn Journal, service: &'static str) -> anyhow::Result<()> {
        let mut wanted: BTreeMap<String, Vec<Arc<Envelope>>> = BTreeMap::new();
        for (_, event) in &self.log {
            let known = contracts::catalogue().iter().find(|known| known.name == event.kind);
            if known.is_some_and(|known| known.consumers.contains(&service)) {
                let consumer = format!("{service}-{}", event.context());
                wanted.entry(consumer).or_default().push(event.clone());
            }
        }
        for (consumer, events) in wanted {
            let ids: Vec<_> = events.iter().map(|event| event.id.0).collect();
            let claimed: BTreeSet<_> = journal.claimed(&consumer, &ids).await?.into_iter().collect();
            let open = events.into_iter().filter(|event| !claimed.contains(&event.id.0));
            self.underway.extend(open.map(|event| (consumer.clone(), event)));
        }
        Ok(())
    }

    /// The saga called `name` of an order.
    pub fn saga_of(&self, name: &str, order: &str) -> Option<&AnyInstance> {
        self.sagas.iter().map(|(_, saga)| saga).find(|saga| saga.saga == name && saga.id.to_string() == order)
    }

    /// The payments of each order.
    pub fn payments_by_order(&self) -> BTreeMap<&str, Vec<&Value>> {
        let mut by_order: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for payment in self.payments.values() {
            by_order.entry(super::text(payment, "/orderId")).or_default().push(payment);
        }
        by_order
    }
}

/// All contexts of the published language.
pub(super) fn contexts() -> Vec<&'static str> {
    let mut contexts: Vec<_> = contracts::catalogue().iter().map(|event| event.context()).collect();
    contexts.sort_unstable();
    contexts.dedup();
    contexts
}

/// What all services published, each in its own order: a broker keeps no history.
async fn published(storage: &dyn Storage) -> anyhow::Result<Vec<(u64, Arc<Envelope>)>> {
    let mut log = Vec::new();
    for service in SERVICES {
        let (journal, mut after) = (open(storage, service).await?, 0);
        loop {
            let page = journal.outgoing(after, 10_000).await?;
            let Some(last) = page.last() else { break };
            after = last.position;
            log.extend(page.into_iter().map(|sent| (sent.position, Arc::new(sent.envelope))));
        }
    }
    Ok(log)
}

/// The log of a bus that keeps it itself.
async fn log(bus: &dyn Bus) -> anyhow::Result<Vec<(u64, Arc<Envelope>)>> {
    let mut log =
        try_join_all(contexts().into_iter().map(|context| of_context(bus, context))).await?.concat();
    log.sort_by_key(|(position, _)| *position);
    Ok(log)
}

async fn of_context(bus: &dyn Bus, context: &'static str) -> anyhow::Result<Vec<(u64, Arc<Envelope>)>> {
    let subscription = Subscription {
        consumer: format!("verify-{context}"),
        service: "verify",
        context,
        partition: 0,
        after: Some(0),
    };
    let mut reader = bus.open(subscription).await?;
    let mut log = Vec::new();
    while let Ok(deliveries) = tokio::time::timeout(SILENCE, reader.fetch(4_096)).await {
        log.extend(deliveries?.into_iter().map(|delivery| (delivery.position, delivery.envelope)));
    }
    Ok(log)
}
