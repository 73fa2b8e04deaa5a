//! Keys that a projection does not fold: one of their facts was poisonous. The record is a dead
//! letter of the projection; it counts the later facts of the key, which stay in the log
//! (reliability.md, rule 22).

use std::collections::BTreeMap;

use backbone::collection::{ColumnValue, LIMIT_MAX, Query};
use backbone::journal::{self, Journal};
use backbone::system::DeadLetter;
use backbone::work::Origin;
use backbone::workspace::{Draft, Key, Slot, States, Workspace};

use super::side::Side;
use crate::host::Host;

/// How many keys may be in quarantine before the projection stops: then it is the projection that
/// is wrong, not the facts.
pub(super) const KEYS_MAX: usize = 1_000;

/// Keys in quarantine, each with its record.
#[derive(Clone, Default)]
pub(super) struct Quarantine {
    letters: BTreeMap<String, DeadLetter>,
}

impl Quarantine {
    /// Reads it from the records of a side.
    pub(super) async fn load(
        journal: &dyn Journal,
        side: Side,
        consumer: &str,
    ) -> Result<Self, journal::Error> {
        let mut quarantine = Self::default();
        for letter in records(journal, side, consumer).await? {
            // The records come in the order of their positions: a key's first one counts.
            quarantine.letters.entry(letter.event.subject.clone()).or_insert(letter);
        }
        Ok(quarantine)
    }

    pub(super) fn is_full(&self) -> bool {
        self.letters.len() >= KEYS_MAX
    }

    pub(super) fn of(&self, key: &str) -> Option<&DeadLetter> {
        self.letters.get(key)
    }

    /// Takes in new and changed records.
    pub(super) fn take(&mut self, letters: BTreeMap<String, DeadLetter>) {
        self.letters.extend(letters);
    }

    pub(super) fn letters(&self) -> impl Iterator<Item = &DeadLetter> {
        self.letters.values()
    }
}

/// All records of one side of a projection, by position.
pub(super) async fn records(
    journal: &dyn Journal,
    side: Side,
    consumer: &str,
) -> Result<Vec<DeadLetter>, journal::Error> {
    let mut letters = Vec::new();
    let mut query = Query::all(side.records()).equal("consumer", consumer);
    loop {
        let page = journal.find(query.clone()).await?;
        let full = page.len() == LIMIT_MAX;
        query.after = page.last().map(|last| (ColumnValue::Null, last.id.clone()));
        for stored in page {
            let letter: DeadLetter = serde_json::from_slice(&stored.body)
                .map_err(|e| journal::Error::Unusable(format!("dead letter {}: {e}", stored.id)))?;
            letters.push(letter);
        }
        if !full {
            return Ok(letters);
        }
    }
}

/// No state is at hand: records are written without looking.
struct Nothing;

impl States for Nothing {
    fn get(&self, _: &Key) -> Option<Slot> {
        None
    }
}

/// Records to write and records to remove, as a draft; one in both is written.
pub(super) fn draft<'l>(
    host: &Host,
    side: Side,
    removed: impl IntoIterator<Item = &'l DeadLetter>,
    written: impl IntoIterator<Item = &'l DeadLetter>,
) -> Draft {
    let environment = host.environment();
    let mut ws = Workspace::new(&Nothing, &*environment.ids, environment.clock.now(), Origin::default());
    removed.into_iter().for_each(|letter| side.remove(letter, &mut ws));
    written.into_iter().for_each(|letter| side.write(letter, &mut ws));
    ws.into_draft()
}

/// Tells the operators that a key is quarantined from now on.
pub(super) fn alert(host: &Host, letter: &DeadLetter) {
    let (service, consumer) = (host.service(), letter.consumer.as_str());
    let (key, position, reason) = (letter.event.subject.as_str(), letter.position, letter.error.as_str());
    tracing::error!(service, consumer, key, position, reason, "a fact is poisonous: its key is quarantined");
    metrics::counter!("a4co_events_dead_total", "consumer" => format!("{service}-{consumer}")).increment(1);
}
