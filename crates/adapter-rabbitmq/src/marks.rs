//! Which queues their consumers have read from the beginning on. A queue that was made a moment ago
//! holds nothing of what was published before: that is a gap, whether the consumer is new, somebody
//! deleted its queue, or the broker lost its storage.
//!
//! A mark is an exchange that nobody publishes to. It is bound to the queue and goes with it
//! (auto-delete), so whoever makes the queue again, be it a process, the definitions or an operator,
//! makes it without. `<queue>.new` says that the consumer was told of its gap, `<queue>.known` that it
//! has caught up since. Two, because a queue that is made anew once more meanwhile is another gap.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use backbone::bus::Lost;
use kernel::Timestamp;

use crate::error::StartError;
use crate::options::Options;
use crate::topology::{Maker, Part, Place};
use crate::wire::Wire;

/// The ends of their names.
pub(crate) const NAMES: [&str; 2] = ["new", "known"];

fn names(place: &Place) -> [String; 2] {
    NAMES.map(|name| format!("{}.{name}", place.queue))
}

/// Whether the consumer of a queue has read it from the beginning on, or has caught up with what it
/// does not hold. Where not, that is noted: `caught_up` counts only after that.
pub(crate) async fn admits(
    wire: &Wire,
    options: &Options,
    place: &Place,
    caught_up: bool,
) -> Result<bool, StartError> {
    let mut maker = Maker::new(wire, options);
    let [new, known] = names(place);
    if maker.is_there(&Part::Mark(&known)).await? {
        // Whoever set it may have ended before it was bound.
        set(&mut maker, place, &known).await?;
        return Ok(true);
    }
    if caught_up && maker.is_there(&Part::Mark(&new)).await? {
        set(&mut maker, place, &known).await?;
        return Ok(true);
    }
    set(&mut maker, place, &new).await?;
    Ok(false)
}

async fn set(maker: &mut Maker<'_>, place: &Place, mark: &str) -> Result<(), StartError> {
    maker.make(&Part::Mark(mark)).await?;
    maker.make(&Part::Binding { queue: &place.queue, exchange: mark, key: "" }).await
}

/// What a look at a queue finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    is_there: bool,
    is_known: bool,
}

/// Looks at all queues of the deployment, also those of other services.
pub(crate) async fn look(wire: &Wire, options: &Options) -> Result<Vec<(Place, Found)>, StartError> {
    let mut maker = Maker::new(wire, options);
    let mut all = Vec::new();
    for place in Place::all(options) {
        let [_, known] = names(&place);
        let is_there = maker.is_there(&Part::Queue(&place.queue, Vec::new())).await?;
        let is_known = is_there && maker.is_there(&Part::Mark(&known)).await?;
        all.push((place, Found { is_there, is_known }));
    }
    Ok(all)
}

#[derive(Default)]
struct Seen {
    made: BTreeSet<String>,
    known: BTreeSet<String>,
    lost: Vec<Lost>,
}

/// What this process has seen of the broker's storage.
#[derive(Default)]
pub(crate) struct Losses(Mutex<Seen>);

impl Losses {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was lost since the start.
    pub(crate) fn lost(&self) -> Vec<Lost> {
        self.lock().lost.clone()
    }

    /// The consumer of this queue has caught up.
    pub(crate) fn knows(&self, place: &Place) {
        self.lock().known.insert(place.queue.clone());
    }

    /// These queues are there now.
    pub(crate) fn made(&self, found: &[(Place, Found)]) {
        self.lock().made.extend(found.iter().map(|(place, _)| place.queue.clone()));
    }

    /// Compares what is there on a new connection, before anything is made, with what was.
    pub(crate) fn compare(&self, found: &[(Place, Found)], now: Timestamp) {
        let mut seen = self.lock();
        let is_lost = |(place, found): &&(Place, Found)| {
            !found.is_there && seen.made.contains(&place.queue)
                || !found.is_known && seen.known.contains(&place.queue)
        };
        let contexts: BTreeSet<String> =
            found.iter().filter(is_lost).map(|(place, _)| place.context.clone()).collect();
        // What is missing is not told again where making it fails.
        let there = found.iter().filter(|(_, found)| found.is_there);
        seen.made = there.map(|(place, _)| place.queue.clone()).collect();
        let known = found.iter().filter(|(_, found)| found.is_known);
        seen.known = known.map(|(place, _)| place.queue.clone()).collect();
        if contexts.is_empty() {
            return;
        }
        tracing::error!(
            ?contexts,
            "the broker lost its storage: queues are made anew; their consumers catch up from the \
             journals, and what others read is to be published again (a4co republish)"
        );
        seen.lost.extend(contexts.into_iter().map(|context| Lost { context, at: now }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_what_was_there_before_and_is_told_once_for_each_context() {
        let order = |partition| Place::new("payment", "order", partition, 2);
        let payment = Place::new("order", "payment", 0, 1);
        let nothing = Found { is_there: false, is_known: false };
        let (fresh, known) = (Found { is_there: true, ..nothing }, Found { is_there: true, is_known: true });
        let all = |found: [Found; 3]| {
            [order(0), order(1), payment.clone()].into_iter().zip(found).collect::<Vec<_>>()
        };
        let losses = Losses::default();
        let told = |found, at| {
            losses.compare(&all(found), Timestamp::from_micros(at));
            // The first attempt to make them fails.
            losses.compare(&all(found), Timestamp::from_micros(at + 100));
            losses.made(&all(found));
            losses.lost().into_iter().map(|lost| (lost.context, lost.at.as_micros())).collect::<Vec<_>>()
        };
        assert_eq!(told([nothing; 3], 1), [], "they were never there");
        assert_eq!(told([known, fresh, fresh], 2), [], "they are new");
        assert_eq!(told([known, known, fresh], 3), []);
        let order_at = |at| ("order".to_owned(), at);
        assert_eq!(told([fresh, fresh, fresh], 4), [order_at(4)], "made anew by the broker's definitions");
        assert_eq!(told([fresh, fresh, fresh], 5), [order_at(4)]);
        losses.knows(&payment);
        let again = [order_at(4), order_at(6), ("payment".to_owned(), 6)];
        assert_eq!(told([nothing; 3], 6), again);
    }
}
