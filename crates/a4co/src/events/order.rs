//! Events of several logs in one order. Each log has its own, which is kept; between logs it is time
//! that counts. What may still have something older to come holds the others back.

use std::collections::BTreeMap;

use kernel::Timestamp;

use super::Listed;

/// How far each service was read.
pub(super) type Places = BTreeMap<String, u64>;

/// What was read of one log, or of several that were put in order before.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part<E> {
    /// In order.
    pub(super) events: Vec<E>,
    /// How far its services were read.
    pub(super) places: Places,
    /// Where there may be more: nothing that follows is older.
    pub(super) until: Option<Timestamp>,
}

/// At most `limit` events of all parts, in order, and how far they go.
pub(super) fn put_together(parts: Vec<Part<Listed>>, limit: usize) -> Part<Listed> {
    let (mut all, mut places, mut until): (Vec<(Timestamp, Listed)>, _, _) =
        (Vec::new(), Places::new(), None);
    for part in parts {
        // A log keeps its order where the clocks of its writers differ.
        let mut latest = None;
        for event in part.events {
            latest = latest.max(Some(event.time));
            all.push((latest.unwrap_or(event.time), event));
        }
        let horizon = part.until.map(|until| latest.map_or(until, |latest| latest.max(until)));
        until = [until, horizon].into_iter().flatten().min();
        places.extend(part.places);
    }
    let place = |event: &Listed| (event.service.clone(), event.position);
    all.sort_by_cached_key(|(time, event)| (*time, place(event)));
    // Replicas tell the same.
    all.dedup_by(|(_, one), (_, other)| place(one) == place(other));
    let within = all.iter().take_while(|(time, _)| until.is_none_or(|until| *time <= until)).count();
    let left = all.split_off(within.min(limit));
    for (_, event) in left.iter().rev() {
        places.insert(event.service.clone(), event.position - 1);
    }
    let first_left = left.first().map(|(time, _)| *time);
    Part {
        events: all.into_iter().map(|(_, event)| event).collect(),
        places,
        until: [until, first_left].into_iter().flatten().min(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use uuid::Uuid;

    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp::from_micros(1_767_607_200_000_000).plus(kernel::Duration::from_secs(second))
    }

    fn event(service: &str, position: u64, second: u64) -> Listed {
        Listed {
            service: service.to_owned(),
            position,
            id: Uuid::nil(),
            kind: "order.created.v1".to_owned(),
            subject: String::new(),
            time: at(second),
            correlation_id: String::new(),
            causation_id: String::new(),
            sequence: 0,
            key_id: None,
            data: Value::Null,
        }
    }

    fn part(service: &str, events: &[(u64, u64)], (position, until): (u64, Option<u64>)) -> Part<Listed> {
        Part {
            events: events.iter().map(|(position, second)| event(service, *position, *second)).collect(),
            places: Places::from([(service.to_owned(), position)]),
            until: until.map(at),
        }
    }

    fn shown(part: &Part<Listed>) -> (Vec<(&str, u64)>, Vec<u64>, Option<Timestamp>) {
        let events = part.events.iter().map(|event| (event.service.as_str(), event.position)).collect();
        (events, part.places.values().copied().collect(), part.until)
    }

    #[test]
    fn logs_are_told_in_the_order_of_time_and_each_in_its_own() {
        let order = part("order", &[(1, 0), (4, 20), (5, 19)], (5, None));
        let payment = part("payment", &[(1, 10), (2, 20)], (2, None));
        let all = put_together(vec![order, payment], 10);
        let expected = vec![("order", 1), ("payment", 1), ("order", 4), ("order", 5), ("payment", 2)];
        assert_eq!(shown(&all), (expected, vec![5, 2], None));
    }

    #[test]
    fn a_limit_leaves_each_log_where_it_was_read_to() {
        let parts =
            || vec![part("order", &[(1, 0), (7, 30)], (7, None)), part("payment", &[(3, 10)], (3, None))];
        assert_eq!(shown(&put_together(parts(), 1)), (vec![("order", 1)], vec![6, 2], Some(at(10))));
        assert_eq!(
            shown(&put_together(parts(), 2)),
            (vec![("order", 1), ("payment", 3)], vec![6, 3], Some(at(30)))
        );
    }

    #[test]
    fn a_log_that_may_have_more_holds_the_others_back() {
        let order = part("order", &[(1, 0)], (40, Some(15)));
        let payment = part("payment", &[(3, 10), (4, 20)], (4, None));
        let all = put_together(vec![order, payment], 10);
        assert_eq!(shown(&all), (vec![("order", 1), ("payment", 3)], vec![40, 3], Some(at(15))));
        // One whose clock went back does not hold itself back.
        let order = part("order", &[(1, 9)], (1, Some(5)));
        assert_eq!(shown(&put_together(vec![order], 10)), (vec![("order", 1)], vec![1], Some(at(9))));
    }

    #[test]
    fn what_two_processes_tell_is_told_once() {
        let one = part("order", &[(1, 0), (2, 1)], (2, None));
        let all = put_together(vec![one.clone(), one], 10);
        assert_eq!(shown(&all), (vec![("order", 1), ("order", 2)], vec![2], None));
    }
}
