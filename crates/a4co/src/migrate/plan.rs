//! What becomes of the places where consumers stand. On the embedded bus a consumer stands at a
//! position of the log; on a broker it has an inbox, and each producer a relay that stands where
//! everything before was published. So a relay stands before the first event that somebody has not
//! taken in, and whoever has taken something in has claimed it.

use std::collections::BTreeMap;

use adapter_sqlite::Export;
use backbone::Document;
use backbone::journal::{Error, StoredDocument};
use backbone::moving::{Ends, KeptDocument, Passed};
use backbone::system::Standing;
use kernel::Timestamp;

use super::known::{Known, Reader};

/// Where everybody stands.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Consumers, by name.
    pub(super) standings: BTreeMap<String, Stand>,
    /// The first position that somebody has not taken in, by producer.
    first_open: BTreeMap<String, u64>,
}

/// Where one consumer stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stand {
    /// It has had everything up to there.
    pub(super) upto: u64,
    /// How many events it has taken in.
    pub(super) taken: u64,
    /// When the first event was committed that it has not taken in.
    oldest_open: Option<Timestamp>,
}

impl Plan {
    /// Reads who has taken in what.
    pub(super) fn make(export: &Export, services: &[Known]) -> Result<Self, Error> {
        let mut plan = Self::default();
        for known in services {
            for reader in &known.consumers {
                let upto = export.checkpoint(&known.schema, &reader.name)?;
                plan.standings.insert(reader.name.clone(), Stand { upto, ..Stand::default() });
                export.passed(reader.context, (0, i64::MAX.cast_unsigned()), |event| {
                    plan.note(reader, &event);
                    true
                })?;
            }
        }
        Ok(plan)
    }

    fn note(&mut self, reader: &Reader, event: &Passed) {
        let stand = self.standings.entry(reader.name.clone()).or_default();
        if !reader.takes(&event.kind) {
            return;
        }
        if event.position <= stand.upto {
            stand.taken += 1;
            return;
        }
        let oldest = stand.oldest_open.map_or(event.time, |oldest| oldest.min(event.time));
        stand.oldest_open = Some(oldest);
        match self.first_open.get_mut(&event.source) {
            Some(first) => *first = event.position.min(*first),
            None => drop(self.first_open.insert(event.source.clone(), event.position)),
        }
    }

    /// Where a producer's relay stands: 0 where it has everything before it.
    pub(super) fn relay(&self, producer: &str, ends: Ends) -> u64 {
        self.first_open.get(producer).map_or(ends.log, |first| first.saturating_sub(1))
    }

    /// Since when a consumer is to be caught up with, should the broker lose what it is given: from
    /// the first event on that it has not had.
    pub(super) fn standings(
        &self,
        known: &Known,
        partitions: u32,
        now: Timestamp,
    ) -> Result<Vec<KeptDocument>, Error> {
        let mut documents = Vec::new();
        for reader in &known.consumers {
            let open = self.standings.get(&reader.name).and_then(|stand| stand.oldest_open);
            for partition in 0..partitions.max(1) {
                let place = match partition {
                    0 => reader.name.clone(),
                    partition => format!("{}/{partition}", reader.name),
                };
                let since = open.map_or(now, |open| open.min(now));
                let standing = Standing { place, since, had: BTreeMap::new(), catching_up: None };
                documents.push(kept(&standing)?);
            }
        }
        Ok(documents)
    }
}

fn kept<D: Document>(document: &D) -> Result<KeptDocument, Error> {
    let body = serde_json::to_vec(document).map_err(|e| Error::Unusable(e.to_string()))?;
    let columns = document.columns();
    let document = StoredDocument { id: document.id(), version: 1, person: None, body: body.into() };
    Ok(KeptDocument { document, columns })
}

#[cfg(test)]
mod tests {
    use backbone::journal::Schema;
    use uuid::Uuid;

    use super::*;

    const KIND: &str = "order.created.v1";
    const OTHER: &str = "order.confirmed.v1";

    fn event(position: u64, source: &str, kind: &str) -> Passed {
        let time = Timestamp::from_micros(position.cast_signed() * 10);
        let (id, kind, source) = (Uuid::from_u128(u128::from(position)), kind.to_owned(), source.to_owned());
        Passed { position, id, kind, source, time }
    }

    fn plan(stands: &[(&Reader, u64)], events: &[Passed]) -> Plan {
        let mut plan = Plan::default();
        for (reader, upto) in stands {
            plan.standings.insert(reader.name.clone(), Stand { upto: *upto, ..Stand::default() });
            events.iter().for_each(|event| plan.note(reader, event));
        }
        plan
    }

    #[test]
    fn a_relay_stands_before_the_first_event_that_somebody_has_not_taken_in() {
        let fast = Reader::of("payment-order", "order", &[KIND]);
        let slow = Reader::of("shipping-order", "order", &[KIND, OTHER]);
        let events = [event(3, "order", KIND), event(5, "order", OTHER), event(9, "other", KIND)];
        let ends = Ends { events: 0, log: 9 };
        for (fast_at, slow_at, order, other) in [
            (9, 9, 9, 9),
            (9, 4, 4, 8),
            // What it does not take in does not hold the relay up.
            (4, 9, 9, 8),
            (0, 9, 2, 8),
            (9, 0, 2, 8),
            (0, 0, 2, 8),
        ] {
            let plan = plan(&[(&fast, fast_at), (&slow, slow_at)], &events);
            let stands = (plan.relay("order", ends), plan.relay("other", ends));
            assert_eq!(stands, (order, other), "with {fast_at} and {slow_at}");
            assert_eq!(plan.relay("silent", ends), 9, "it has published nothing that is open");
        }
    }

    #[test]
    fn what_was_passed_is_claimed_where_it_was_taken_in() {
        let reader = Reader::of("payment-order", "order", &[KIND]);
        let unknown = event(4, "order", "order.created.v9");
        let events = [event(1, "order", KIND), event(2, "order", OTHER), unknown, event(7, "order", KIND)];
        let plan = plan(&[(&reader, 5)], &events);
        let stand = plan.standings["payment-order"];
        // Of what no program knew, nobody can say whether it is held in the dead letters.
        assert_eq!((stand.taken, stand.oldest_open), (2, Some(Timestamp::from_micros(70))));
    }

    #[test]
    fn a_consumer_is_caught_up_with_from_the_first_event_that_it_has_not_had() {
        let [behind, done] =
            ["payment-order", "payment-user"].map(|name| Reader::of(name, &name[8..], &[KIND]));
        let plan = plan(&[(&behind, 1), (&done, 9)], &[event(1, "order", KIND), event(7, "order", KIND)]);
        let schema = Schema { service: "payment", collections: Vec::new() };
        let known = Known { schema, consumers: vec![behind, done] };
        let documents = plan.standings(&known, 2, Timestamp::from_micros(500)).unwrap();
        let read = |kept: &KeptDocument| -> (String, i64) {
            let standing: Standing = serde_json::from_slice(&kept.document.body).unwrap();
            (standing.place, standing.since.as_micros())
        };
        let found: Vec<_> = documents.iter().map(read).collect();
        let expected =
            [("payment-order", 70), ("payment-order/1", 70), ("payment-user", 500), ("payment-user/1", 500)];
        assert_eq!(found, expected.map(|(place, since)| (place.to_owned(), since)));
    }
}
