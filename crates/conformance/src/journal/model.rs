//! Random commits against a model: a journal in a page of code, without durability, concurrency
//! or speed.

use std::collections::{BTreeMap, BTreeSet};

use backbone::commit::{Answer, Commit, Delete, Expected, Guard, Outcome, Source, Target};
use kernel::Duration;
use uuid::Uuid;

use super::look::{Handle, document, ids, stream_version, whole_feed};
use crate::World;
use crate::bus::collect;
use crate::dice::Dice;
use crate::expect::{Shown, equal, outcome};
use crate::sample::{self, NOTES, answer, append, checkpoint, claiming, id, note};

const SEEDS: std::ops::Range<u64> = 0..12;
const BURSTS: u64 = 25;
const BURST_MAX: u64 = 12;
const STREAMS: [&str; 4] = ["order-1", "order-2", "order-3", "order-4"];
const DOCUMENTS: [&str; 5] = ["a", "b", "c", "d", "e"];
const KEYS: [&str; 8] = ["k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8"];
const CONSUMERS: [&str; 2] = ["order-payment", "order-inventory"];

#[derive(Default)]
struct Model {
    streams: BTreeMap<String, u64>,
    documents: BTreeMap<String, (u64, bytes::Bytes)>,
    answers: BTreeMap<String, Answer>,
    checkpoints: BTreeMap<String, u64>,
    inbox: BTreeSet<(String, Uuid)>,
    feed: Vec<(String, u64)>,
    outgoing: Vec<Uuid>,
    failed: BTreeSet<u64>,
}

#[derive(Debug, PartialEq)]
enum End {
    Committed,
    Conflict,
    Duplicate(Answer),
    Taken(Vec<Uuid>),
}

impl Model {
    fn stream(&self, name: &str) -> u64 {
        self.streams.get(name).copied().unwrap_or(0)
    }

    fn document(&self, id: &str) -> u64 {
        self.documents.get(id).map_or(0, |(version, _)| *version)
    }

    fn checkpoint(&self, consumer: &str) -> u64 {
        self.checkpoints.get(consumer).copied().unwrap_or(0)
    }

    fn commit(&mut self, commit: &Commit) -> End {
        let end = self.end_of(commit);
        if end == End::Committed {
            self.write(commit);
        } else {
            self.failed.insert(commit.ticket);
        }
        end
    }

    fn end_of(&self, commit: &Commit) -> End {
        if let Some(first) = commit.answer.as_ref().and_then(|answer| self.answers.get(&answer.key)) {
            return End::Duplicate(first.clone());
        }
        let as_expected = |id: &str, expected| match expected {
            Expected::Any => true,
            Expected::Version(version) => self.document(id) == version,
        };
        if commit.built_on.iter().any(|ticket| self.failed.contains(ticket)) {
            return End::Conflict;
        }
        let source_holds = match &commit.source {
            None => true,
            Some(Source::Checkpoint { consumer, from, .. }) => self.checkpoint(consumer) == *from,
            Some(Source::Inbox { consumer, events }) => {
                let is_taken = |event: &&Uuid| self.inbox.contains(&(consumer.clone(), **event));
                let taken: Vec<Uuid> = events.iter().filter(is_taken).copied().collect();
                if !taken.is_empty() {
                    return End::Taken(taken);
                }
                true
            }
        };
        let guard_holds = |guard: &Guard| match &guard.target {
            Target::Stream(name) => self.stream(name) == guard.version,
            Target::Document(_, id) => self.document(id) == guard.version,
        };
        let holds = source_holds
            && commit.appends.iter().all(|append| self.stream(&append.stream) == append.expected)
            && commit.puts.iter().all(|put| as_expected(&put.id, put.expected))
            && commit.deletes.iter().all(|delete| as_expected(&delete.id, delete.expected))
            && commit.guards.iter().all(guard_holds);
        if holds { End::Committed } else { End::Conflict }
    }

    fn write(&mut self, commit: &Commit) {
        for append in &commit.appends {
            self.feed.extend(append.events.iter().map(|event| (append.stream.clone(), event.version)));
            *self.streams.entry(append.stream.clone()).or_default() += append.events.len() as u64;
        }
        for put in &commit.puts {
            let version = self.document(&put.id) + 1;
            self.documents.insert(put.id.clone(), (version, put.body.clone()));
        }
        for delete in &commit.deletes {
            self.documents.remove(&delete.id);
        }
        if let Some(answer) = &commit.answer {
            self.answers.insert(answer.key.clone(), answer.clone());
        }
        match &commit.source {
            None => {}
            Some(Source::Checkpoint { consumer, to, .. }) => {
                self.checkpoints.insert(consumer.clone(), *to);
            }
            Some(Source::Inbox { consumer, events }) => {
                self.inbox.extend(events.iter().map(|event| (consumer.clone(), *event)));
            }
        }
        self.outgoing.extend(commit.outgoing.iter().map(|event| event.id.0));
    }
}

/// Makes commits most of whose parts hold; `ticket` counts them.
struct Maker {
    dice: Dice,
    ticket: u64,
}

impl Maker {
    /// The version, or now and then another one.
    fn about(&mut self, version: u64) -> u64 {
        match self.dice.below(24) {
            0 => version + 1,
            1 => version.saturating_sub(1),
            _ => version,
        }
    }

    fn expected(&mut self, version: u64) -> Expected {
        if self.dice.once_in(4) { Expected::Any } else { Expected::Version(self.about(version)) }
    }

    fn commit(&mut self, model: &Model, burst_start: u64) -> Commit {
        self.ticket += 1;
        let mut commit = Commit { ticket: self.ticket, ..self.source(model) };
        for name in STREAMS {
            match self.dice.below(8) {
                0 | 1 => {
                    let expected = self.about(model.stream(name));
                    commit.appends.push(append(name, expected, 1 + self.dice.below(3)));
                }
                2 => {
                    let version = self.about(model.stream(name));
                    commit.guards.push(Guard { target: Target::Stream(name.to_owned()), version });
                }
                _ => {}
            }
        }
        for id in DOCUMENTS {
            let version = model.document(id);
            match self.dice.below(10) {
                0 | 1 => commit.puts.push(note(id, self.expected(version), &self.ticket.to_string())),
                2 => {
                    let expected = self.expected(version);
                    commit.deletes.push(Delete { collection: &NOTES, id: id.to_owned(), expected });
                }
                3 => commit.guards.push(sample::guard_note(id, self.about(version))),
                _ => {}
            }
        }
        if self.dice.once_in(6) {
            let key = KEYS[self.dice.below(KEYS.len() as u64) as usize];
            commit.answer = Some(answer(key, self.ticket));
        }
        for index in 0..self.dice.below(3) {
            let number = u128::from(self.ticket * 10 + index);
            commit.outgoing.push(sample::public("order", 1, number));
        }
        // Of a used key and a broken chain, which one shows is nobody's promise.
        if commit.answer.is_none() && self.ticket > burst_start && self.dice.once_in(4) {
            commit.built_on.push(burst_start + self.dice.below(self.ticket - burst_start));
        }
        commit
    }

    fn source(&mut self, model: &Model) -> Commit {
        let consumer = CONSUMERS[self.dice.below(2) as usize];
        match self.dice.below(8) {
            0 => {
                let from = self.about(model.checkpoint(consumer));
                checkpoint(consumer, from, from + 1 + self.dice.below(5))
            }
            1 => claiming(consumer, vec![id(u128::from(self.dice.below(40)))]),
            _ => Commit::default(),
        }
    }
}

pub(super) async fn random_commits(mut world: World) -> Result<(), String> {
    // One journal for all seeds would mix their states, and a fixture is one set of data: each
    // seed has a service of its own.
    const SERVICES: [&str; 12] = [
        "order", "seed_b", "seed_c", "seed_d", "seed_e", "seed_f", "seed_g", "seed_h", "seed_i", "seed_j",
        "seed_k", "seed_l",
    ];
    for (seed, service) in SEEDS.zip(SERVICES) {
        world = play(world, service, seed).await?;
    }
    Ok(())
}

/// Plays random commits of `seed` on fresh ports; for whoever wants more seeds than the suite
/// has. The error names the seed.
pub async fn random_commits_agree_with_the_model(world: World, seed: u64) -> Result<(), String> {
    play(world, "order", seed).await.map(|_| ())
}

async fn play(world: World, service: &'static str, seed: u64) -> Result<World, String> {
    let tell = |found: String| format!("seed {seed}: {found}");
    let journal = world.journal(service).await?;
    let mut model = Model::default();
    let mut maker = Maker { dice: Dice(seed), ticket: 0 };
    for _ in 0..BURSTS {
        burst(&journal, &mut model, &mut maker).await.map_err(tell)?;
    }
    same_state(&journal, &model).await.map_err(tell)?;
    if service == "order" && world.ports().bus.capabilities().publishes_in_commit {
        let mut consumer = world.consumer("inventory-order", "order").await?;
        let found = collect(&mut *consumer, model.outgoing.len()).await.map_err(tell)?;
        let found: Vec<Uuid> = found.iter().map(|delivery| delivery.envelope.id.0).collect();
        equal("the public events", found, model.outgoing.clone()).map_err(tell)?;
    }
    drop(journal);
    let world = world.reopen().await?;
    let journal = world.journal(service).await?;
    same_state(&journal, &model).await.map_err(|found| tell(format!("after a restart: {found}")))?;
    drop(journal);
    Ok(world)
}

async fn burst(journal: &Handle, model: &mut Model, maker: &mut Maker) -> Result<(), String> {
    let start = maker.ticket + 1;
    let submissions: Vec<_> = (0..1 + maker.dice.below(BURST_MAX))
        .map(|_| {
            let commit = maker.commit(model, start);
            let expected = model.commit(&commit);
            (expected, commit.clone(), journal.submit(commit))
        })
        .collect();
    if maker.dice.once_in(3) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for (expected, commit, submission) in submissions {
        let found = match outcome(submission.await)? {
            Outcome::Committed { .. } => End::Committed,
            Outcome::Conflict { .. } => End::Conflict,
            Outcome::Duplicate(answer) => End::Duplicate(answer),
            Outcome::Taken { events } => End::Taken(events),
            Outcome::Fenced { .. } => return Err(format!("{commit:?} was fenced without a lease")),
        };
        if found != expected {
            return Err(format!("{commit:?} ended as {found:?}, the model says {expected:?}"));
        }
    }
    Ok(())
}

async fn same_state(journal: &Handle, model: &Model) -> Result<(), String> {
    for name in STREAMS {
        equal(name, stream_version(journal, name).await?, model.stream(name))?;
    }
    for id in DOCUMENTS {
        let found = document(journal, &NOTES, id).await?.map(|found| (found.version, found.body));
        equal(id, found, model.documents.get(id).cloned())?;
    }
    let all = ids(journal, backbone::collection::Query::all(&NOTES)).await?;
    equal("the documents", all, model.documents.keys().cloned().collect())?;
    for key in KEYS {
        let found = journal.answer(key).await.shown("asking for an answer")?;
        equal(key, found, model.answers.get(key).cloned())?;
    }
    for consumer in CONSUMERS {
        let found = journal.checkpoint(consumer).await.shown("asking for a checkpoint")?;
        equal(consumer, found, model.checkpoint(consumer))?;
    }
    let feed = whole_feed(journal).await?;
    let feed: Vec<_> = feed.into_iter().map(|recorded| (recorded.stream, recorded.event.version)).collect();
    equal("the feed", feed, model.feed.clone())
}
