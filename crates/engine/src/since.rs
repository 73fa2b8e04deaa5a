//! Finding a moment in a service's public events: searched for, not read through.

use backbone::journal::{Error, Sent};
use kernel::{Duration, Timestamp};

/// Clocks of replicas differ by less: an event may stand before one that is so much older.
pub(crate) const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// A position before everything that was committed at `at` or later. `next` gives the first event
/// after a position.
pub(crate) async fn position_before<R>(at: Timestamp, next: impl Fn(u64) -> R) -> Result<u64, Error>
where
    R: Future<Output = Result<Vec<Sent>, Error>>,
{
    let at = at.minus(CLOCKS_DIFFER);
    let is_there = async |position| {
        let found = next(position).await?;
        Ok::<_, Error>(found.first().is_none_or(|sent| sent.envelope.time >= at))
    };
    if is_there(0).await? {
        return Ok(0);
    }
    let (mut early, mut there) = (0, 1);
    while !is_there(there).await? {
        (early, there) = (there, there.saturating_mul(2));
    }
    while there - early > 1 {
        let middle = early + (there - early) / 2;
        if is_there(middle).await? { there = middle } else { early = middle }
    }
    Ok(there)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use kernel::Envelope;
    use uuid::Uuid;

    use super::*;

    fn sent(position: u64, seconds: u64) -> Sent {
        let time = Timestamp::from_micros(1_767_607_200_000_000).plus(Duration::from_secs(seconds));
        let envelope = Envelope {
            id: Uuid::nil().into(),
            source: "order".to_owned(),
            kind: "order.created.v1".to_owned(),
            subject: String::new(),
            time,
            correlation_id: String::new(),
            causation_id: String::new(),
            sequence: 0,
            traceparent: None,
            key_id: None,
            data: "{}".into(),
        };
        Sent { position, envelope }
    }

    #[test]
    fn a_moment_is_found_before_the_first_event_that_may_be_of_it() {
        let all: Vec<Sent> =
            [(3, 0), (4, 100), (9, 200), (10, 200), (77, 300)].map(|(p, s)| sent(p, s)).into();
        for (seconds, expected) in
            [(0, 0), (59, 0), (61, 3), (160, 3), (161, 4), (261, 10), (360, 10), (361, 77)]
        {
            let at = sent(0, seconds).envelope.time;
            let next = |after: u64| {
                let found: Vec<Sent> =
                    all.iter().filter(|sent| sent.position > after).take(1).cloned().collect();
                async move { Ok(found) }
            };
            let found = position_before(at, next).now_or_never().unwrap().unwrap();
            assert_eq!(found, expected, "{seconds} s");
        }
    }
}
