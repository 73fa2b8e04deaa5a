//! The promises of `backbone::bus::{Bus, Consumer}`: the list, and how deliveries are gathered.

mod delivery;
mod settling;
mod waiting;

use std::collections::BTreeSet;

use backbone::bus::{Consumer, Delivery};
use kernel::Duration;

use crate::expect::Shown;
use crate::scenario::{Scenario, scenarios};

/// Every promise of the bus.
pub fn bus_scenarios() -> Vec<Scenario> {
    scenarios! {
        "an event arrives with every attribute as it was published", "communication.md, event envelope", delivery::round_trip;
        "a batch is published in its order", "Bus: publish", delivery::batch;
        "publishing nothing is a success", "Bus: publish", delivery::nothing;
        "publishing again with the same ids is a success", "reliability.md rules 4 and 6", delivery::again;
        "a consumer gets its context and nothing else", "bus::Subscription::context", delivery::context;
        "a new consumer starts at the beginning", "communication.md, consumers", delivery::from_the_beginning;
        "a consumer goes on after the position that it names", "bus::Subscription::after", delivery::from_position;
        "several consumers each get everything", "Bus: consumers", delivery::each_gets_all;
        "a consumer that does not read holds up no other", "Bus: consumers", delivery::idle_consumer;
        "events about one subject come in the order in which they were published", "Bus: order", delivery::order_per_subject;
        "many publishers at once lose nothing and keep their orders", "Bus: publish", delivery::many_publishers;
        "an event that nobody reads yet is kept or refused, never lost", "Bus: unroutable", delivery::nobody_reads;
        "what was published is there after a restart", "Bus: durable", delivery::durable;
        "a fetch gives at least one and at most the limit", "Consumer: fetch", settling::limits;
        "a fetch waits for what is not there yet", "Consumer: fetch", settling::waits;
        "a fetch dropped in mid-wait loses nothing", "Consumer: fetch", settling::dropped;
        "what is given back is delivered again, in order, before what is new", "Consumer: give_back", settling::given_back;
        "what was acknowledged does not come again from a broker", "Consumer: acknowledge", settling::acknowledged;
        "what was not acknowledged comes again to the next one who opens the consumer", "reliability.md rule 9", settling::opened_again;
        "giving back nothing is harmless", "Consumer: give_back", settling::nothing_given_back;
        "what waits for a consumer is told, whether it is open or not", "reliability.md rule 16, Bus: backlog", waiting::told;
        "a long backlog is counted as far as it is promised", "bus::BACKLOG_COUNTED_MAX", waiting::long;
    }
}

/// How long everything that was published may take to arrive.
const ARRIVAL_TIME_MAX: Duration = Duration::from_secs(30);

/// How many deliveries may be repetitions, for each that is not.
const REPETITIONS_MAX: usize = 20;

/// Fetches and acknowledges until `count` different events have come. A bus delivers at least
/// once, so repetitions are left out.
pub(crate) async fn collect(consumer: &mut dyn Consumer, count: usize) -> Result<Vec<Delivery>, String> {
    let mut ids = BTreeSet::new();
    let mut gathered: Vec<Delivery> = Vec::new();
    let mut fetched_count = 0;
    while gathered.len() < count {
        let fetched =
            tokio::time::timeout(ARRIVAL_TIME_MAX, consumer.fetch((count - gathered.len()).min(50))).await;
        let Ok(fetched) = fetched else {
            return Err(format!("{} of {count} events arrived", gathered.len()));
        };
        let fetched = fetched.shown("fetching")?;
        fetched_count += fetched.len();
        if fetched_count > count * REPETITIONS_MAX {
            return Err(format!("the same {} of {count} events come over and over", gathered.len()));
        }
        let positions: Vec<u64> = fetched.iter().map(|delivery| delivery.position).collect();
        consumer.acknowledge(&positions).await.shown("acknowledging")?;
        gathered.extend(fetched.into_iter().filter(|delivery| ids.insert(delivery.envelope.id)));
    }
    Ok(gathered)
}

/// The numbers that the sample events were made with.
pub(crate) fn numbers(deliveries: &[Delivery]) -> Vec<u128> {
    let of = |delivery: &Delivery| delivery.envelope.id.0.as_u128() & 0xFFFF_FFFF;
    deliveries.iter().map(of).collect()
}
