//! What took effect, in the order in which it became durable: noted where commits are written, so
//! that a run can be judged by it afterwards.

use backbone::commit::{Commit, Source};
use backbone::system::{DEAD_LETTERS, DeadLetter, PARKED, Parked};
use kernel::EventId;
use serde::de::DeserializeOwned;

use crate::disk::Service;

/// A consumer took an event in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// `order-inventory`.
    pub consumer: String,
    /// Which event.
    pub event: EventId,
}

/// What a commit that claims deliveries, or settles those that were parked, lets take effect. To be
/// asked before it is written: what it removes is still there.
pub(crate) fn of(service: &Service, commit: &Commit) -> Vec<Effect> {
    let dead: Vec<DeadLetter> = written(commit, DEAD_LETTERS.name);
    let is_dead = |effect: &Effect| {
        dead.iter().any(|dead| dead.consumer == effect.consumer && dead.event.id == effect.event.0)
    };
    let mut effects = Vec::new();
    for delete in commit.deletes.iter().filter(|delete| delete.collection.name == PARKED.name) {
        let row = service.tables.get(PARKED.name).and_then(|table| table.get(&delete.id));
        if let Some(Parked { consumer, event, .. }) = row.and_then(|row| read(&row.body)) {
            effects.push(Effect { consumer, event: event.id.into() });
        }
    }
    if let Some(Source::Inbox { consumer, events }) = &commit.source {
        let parked: Vec<Parked> = written(commit, PARKED.name);
        let taken = events.iter().filter(|event| !parked.iter().any(|parked| parked.event.id == **event));
        effects.extend(taken.map(|event| Effect { consumer: consumer.clone(), event: (*event).into() }));
    }
    effects.retain(|effect| !is_dead(effect));
    effects
}

fn written<T: DeserializeOwned>(commit: &Commit, collection: &str) -> Vec<T> {
    let puts = commit.puts.iter().filter(|put| put.collection.name == collection);
    puts.filter_map(|put| read(&put.body)).collect()
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}
