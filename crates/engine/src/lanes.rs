//! The lanes of a consumer that do not flow: keys with a delivery that waits for its retry, or
//! that was given up. Later deliveries of such a key are parked behind it; all other keys flow
//! (reliability.md, rule 13).

use std::collections::BTreeMap;

use backbone::collection::{ColumnValue, Compare, Direction, LIMIT_MAX, Query};
use backbone::journal::{self, Journal};
use backbone::system::{DEAD_LETTERS, DeadLetter, PARKED, Parked};
use kernel::Timestamp;

/// A lane that does not flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lane {
    /// How many deliveries are parked.
    pub(crate) parked: usize,
    /// When its first one is due; `None` behind a dead letter.
    pub(crate) due: Option<Timestamp>,
    /// When its first delivery was parked.
    pub(crate) since: Option<Timestamp>,
}

/// All lanes of a consumer that do not flow, by subject.
#[derive(Default, Debug)]
pub(crate) struct Lanes {
    pub(crate) blocked: BTreeMap<String, Lane>,
    /// The highest place in the order of keys that was ever given and is still taken.
    highest: u64,
}

/// Places are given in so many classes, one for each partition: no two give the same.
const PARTITIONS_MAX: u64 = 1_024;

impl Lanes {
    pub(crate) fn is_blocked(&self, subject: &str) -> bool {
        self.blocked.contains_key(subject)
    }

    /// How many deliveries are parked.
    pub(crate) fn parked(&self) -> usize {
        self.blocked.values().map(|lane| lane.parked).sum()
    }

    /// The next due time.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.blocked.values().filter_map(|lane| lane.due).min()
    }

    /// Since when the first parked delivery waits that waits for no scheduled retry; in the future
    /// where all do, `None` where none is parked.
    pub(crate) fn waits_since(&self) -> Option<Timestamp> {
        self.blocked.values().filter(|lane| lane.parked > 0).filter_map(|lane| lane.due.or(lane.since)).min()
    }

    /// Subjects whose first delivery is due, those that have waited longest first.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<String> {
        let due = self.blocked.iter().filter_map(|(subject, lane)| Some((lane.due?, subject)));
        let mut due: Vec<(Timestamp, &String)> = due.filter(|(due, _)| *due <= now).collect();
        due.sort_unstable();
        due.into_iter().map(|(_, subject)| subject.clone()).collect()
    }

    /// A place in the order of keys, after all that were given before: by the time of arrival, where
    /// the bus has no positions that last. A broker that lost its storage numbers from 1 again.
    pub(crate) fn next_place(&mut self, partition: u32, now: Timestamp) -> u64 {
        let by_time = u64::try_from(now.as_micros()).unwrap_or(0);
        let step = by_time.max(self.highest / PARTITIONS_MAX + 1);
        self.highest = step * PARTITIONS_MAX + u64::from(partition) % PARTITIONS_MAX;
        self.highest
    }

    /// Notes a parked delivery.
    pub(crate) fn park(&mut self, subject: &str, due: Option<Timestamp>, now: Timestamp) {
        let since = Some(now);
        let lane = self.blocked.entry(subject.to_owned()).or_insert(Lane { parked: 0, due, since });
        lane.since = lane.since.or(since);
        lane.parked += 1;
    }

    /// Notes a dead letter: nothing of the lane is due until an operator acts.
    pub(crate) fn bury(&mut self, subject: &str) {
        let lane =
            self.blocked.entry(subject.to_owned()).or_insert(Lane { parked: 0, due: None, since: None });
        lane.due = None;
    }

    /// Reads them from the journal: at the start, and after an operator acted.
    pub(crate) async fn load(journal: &dyn Journal, consumer: &str) -> Result<Self, journal::Error> {
        let mut lanes = Self::default();
        // Everything between "<consumer>/" and "<consumer>0" begins with "<consumer>/".
        let (from, to) = (format!("{consumer}/"), format!("{consumer}0"));
        let range = |collection| {
            Query::all(collection)
                .with("lane", Compare::AtLeast, from.as_str())
                .with("lane", Compare::Below, to.as_str())
                .sorted("lane", Direction::Ascending)
        };
        for body in pages(journal, range(&PARKED)).await? {
            let parked: Parked = read(&body)?;
            lanes.highest = lanes.highest.max(parked.position);
            let subject = parked.event.subject.clone();
            let due = Some(parked.due);
            let lane = lanes.blocked.entry(subject).or_insert(Lane { parked: 0, due, since: due });
            lane.parked += 1;
        }
        for body in pages(journal, range(&DEAD_LETTERS)).await? {
            let dead: DeadLetter = read(&body)?;
            lanes.highest = lanes.highest.max(dead.position);
            lanes.bury(&dead.event.subject);
        }
        Ok(lanes)
    }
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, journal::Error> {
    serde_json::from_slice(body).map_err(|e| journal::Error::Unusable(format!("a parked delivery: {e}")))
}

/// All bodies of a query sorted by lane and id (which sorts by position inside a lane).
async fn pages(journal: &dyn Journal, mut query: Query) -> Result<Vec<bytes::Bytes>, journal::Error> {
    let mut bodies = Vec::new();
    loop {
        let page = journal.find(query.clone()).await?;
        let last = page.last().map(|last| (last.body.clone(), last.id.clone()));
        let full = page.len() == LIMIT_MAX;
        bodies.extend(page.into_iter().map(|stored| stored.body));
        match last {
            Some((body, id)) if full => {
                let lane = lane_of(&body)?;
                query.after = Some((ColumnValue::Text(lane), id));
            }
            _ => return Ok(bodies),
        }
    }
}

fn lane_of(body: &[u8]) -> Result<String, journal::Error> {
    #[derive(serde::Deserialize)]
    struct Subject {
        subject: String,
    }
    #[derive(serde::Deserialize)]
    struct Head {
        consumer: String,
        event: Subject,
    }
    let head: Head = read(body)?;
    Ok(backbone::system::lane(&head.consumer, &head.event.subject))
}

/// A lane as it is in the journal; `None` where it flows.
pub(crate) async fn load_one(
    journal: &dyn Journal,
    consumer: &str,
    subject: &str,
) -> Result<Option<Lane>, journal::Error> {
    let of_lane =
        |collection| Query::all(collection).equal("lane", backbone::system::lane(consumer, subject));
    let mut lane: Option<Lane> = None;
    let mut query = of_lane(&PARKED);
    loop {
        let page = journal.find(query.clone()).await?;
        if let (None, Some(first)) = (&lane, page.first()) {
            let first: Parked = read(&first.body)?;
            lane = Some(Lane { parked: 0, due: Some(first.due), since: Some(first.due) });
        }
        if let Some(lane) = &mut lane {
            lane.parked += page.len();
        }
        match page.last() {
            Some(last) if page.len() == LIMIT_MAX => query.after = Some((ColumnValue::Null, last.id.clone())),
            _ => break,
        }
    }
    if journal.find(of_lane(&DEAD_LETTERS).limit(1)).await?.is_empty() {
        return Ok(lane);
    }
    Ok(Some(Lane { due: None, ..lane.unwrap_or(Lane { parked: 0, due: None, since: None }) }))
}

/// The first parked deliveries of a lane, in order.
pub(crate) async fn head(
    journal: &dyn Journal,
    consumer: &str,
    subject: &str,
    limit: usize,
) -> Result<Vec<Parked>, journal::Error> {
    let lane = backbone::system::lane(consumer, subject);
    // Ids end in the position with leading zeros, so the order by id is the order by position.
    let found = journal.find(Query::all(&PARKED).equal("lane", lane).limit(limit)).await?;
    found.iter().map(|stored| read(&stored.body)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_grow_whatever_the_clock_does_and_no_two_partitions_give_the_same() {
        let at = |micros| Timestamp::from_micros(micros);
        let mut first = Lanes { highest: 7, ..Lanes::default() };
        let mut second = Lanes { highest: 7, ..Lanes::default() };
        let times = [at(1_000), at(1_000), at(900), at(2_000)];
        let of = |lanes: &mut Lanes, partition| times.map(|now| lanes.next_place(partition, now));
        let (zero, one) = (of(&mut first, 0), of(&mut second, 1));
        assert!(zero.is_sorted_by(|a, b| a < b) && zero[0] > 7, "{zero:?}");
        assert!(one.iter().all(|place| !zero.contains(place)), "{zero:?} {one:?}");
    }
}
