//! What a batch of commits has to do with, as it stands in the database, and what it becomes while
//! they are decided one after another.

use std::collections::HashMap;

use backbone::commit::{Answer, Commit, Guard, Source, Target};
use tokio_postgres::{Error, Row};
use uuid::Uuid;

use crate::changes::Place;
use crate::connection::{Ask, value};
use crate::rows;
use crate::tables::{TableKey, Tables};

/// Versions of things; those that are not there have version 0.
#[derive(Default)]
pub(crate) struct Versions<'a> {
    /// As they stand in the database.
    base: HashMap<&'a str, u64>,
    /// As they are after the commits so far.
    now: HashMap<&'a str, u64>,
    /// What the current commit changed.
    undo: Vec<(&'a str, u64)>,
}

impl<'a> Versions<'a> {
    pub(crate) fn base(&self, key: &str) -> u64 {
        self.base.get(key).copied().unwrap_or(0)
    }

    pub(crate) fn now(&self, key: &str) -> u64 {
        self.now.get(key).copied().unwrap_or_else(|| self.base(key))
    }

    pub(crate) fn set(&mut self, key: &'a str, version: u64) {
        self.undo.push((key, self.now(key)));
        self.now.insert(key, version);
    }

    /// The current commit is written, or it is not.
    fn end(&mut self, written: bool) {
        for (key, version) in self.undo.drain(..).rev() {
            if !written {
                self.now.insert(key, version);
            }
        }
    }

    fn want(&mut self, key: &'a str) {
        self.base.entry(key).or_insert(0);
    }
}

/// The state that a batch is decided on.
#[derive(Default)]
pub(crate) struct Known<'a> {
    pub(crate) heads: Versions<'a>,
    pub(crate) documents: HashMap<TableKey, Versions<'a>>,
    pub(crate) checkpoints: Versions<'a>,
    /// Tokens; 0 where nobody ever took the lease.
    pub(crate) leases: Versions<'a>,
    pub(crate) answers: HashMap<&'a str, Option<Answer>>,
    /// By consumer, whether a delivery was claimed.
    pub(crate) claims: HashMap<&'a str, HashMap<Uuid, bool>>,
}

impl<'a> Known<'a> {
    /// Notes everything that a commit has to do with.
    pub(crate) fn want(&mut self, commit: &'a Commit) {
        for append in &commit.appends {
            self.heads.want(&append.stream);
        }
        for Guard { target, .. } in &commit.guards {
            match target {
                Target::Stream(stream) => self.heads.want(stream),
                Target::Document(collection, id) => self.table(TableKey::live(collection)).want(id),
            }
        }
        for put in &commit.puts {
            self.table(TableKey::of(put)).want(&put.id);
        }
        for delete in &commit.deletes {
            self.table(TableKey::live(delete.collection)).want(&delete.id);
        }
        match &commit.source {
            Some(Source::Checkpoint { consumer, .. }) => self.checkpoints.want(consumer),
            Some(Source::Inbox { consumer, events }) => {
                let claims = self.claims.entry(consumer).or_default();
                claims.extend(events.iter().map(|event| (*event, false)));
            }
            None => {}
        }
        if let Some(answer) = &commit.answer {
            self.answers.insert(&answer.key, None);
        }
        if let Some(fence) = &commit.fence {
            self.leases.want(&fence.lease);
        }
    }

    /// The documents of a table.
    pub(crate) fn table(&mut self, table: TableKey) -> &mut Versions<'a> {
        self.documents.entry(table).or_default()
    }

    /// A document's version in the database.
    pub(crate) fn document_base(&self, (table, id): Place<'_>) -> u64 {
        self.documents.get(&table).map_or(0, |versions| versions.base(id))
    }

    /// A document's version after the commits so far.
    pub(crate) fn document_now(&self, (table, id): Place<'_>) -> u64 {
        self.documents.get(&table).map_or(0, |versions| versions.now(id))
    }

    /// The current commit is written, or it is not.
    pub(crate) fn end(&mut self, written: bool) {
        let others = [&mut self.heads, &mut self.checkpoints];
        self.documents.values_mut().chain(others).for_each(|versions| versions.end(written));
    }

    /// The statements that read it: as many as there are kinds of things, however many commits.
    pub(crate) fn asks<'t>(&self, tables: &'t Tables) -> Vec<(Part, Ask<'t>)>
    where
        'a: 't,
    {
        let sql = &tables.sql.known;
        let mut asks = Vec::new();
        let mut ask = |part, sql: &'t str, keys: Vec<&'a str>| {
            if !keys.is_empty() {
                asks.push((part, Ask::new(sql, vec![value(keys)])));
            }
        };
        ask(Part::Heads, &sql.heads, sorted(self.heads.base.keys().copied()));
        ask(Part::Checkpoints, &sql.checkpoints, sorted(self.checkpoints.base.keys().copied()));
        ask(Part::Leases, &sql.leases, sorted(self.leases.base.keys().copied()));
        for (table, versions) in &self.documents {
            let ids = sorted(versions.base.keys().copied());
            ask(Part::Documents(*table), &tables.documents(*table).versions, ids);
        }
        // These outweigh a conflict, so they are read last: whoever sees the versions that another
        // replica's commit left sees its answer and its claims as well.
        ask(Part::Answers, &sql.answers, sorted(self.answers.keys().copied()));
        if !self.claims.is_empty() {
            let of = |(consumer, events): (&&'a str, &HashMap<Uuid, bool>)| {
                let consumer = *consumer;
                events.keys().map(|event| (consumer, *event)).collect::<Vec<_>>()
            };
            let (consumers, events): (Vec<&'a str>, Vec<Uuid>) = self.claims.iter().flat_map(of).unzip();
            asks.push((Part::Claims, Ask::new(&sql.claims, vec![value(consumers), value(events)])));
        }
        asks
    }

    /// Takes in what one of them found.
    pub(crate) fn learn(&mut self, part: Part, rows: &[Row]) -> Result<(), Error> {
        for row in rows {
            let key: &str = row.try_get(0)?;
            match part {
                Part::Heads => learn(&mut self.heads, key, row)?,
                Part::Checkpoints => learn(&mut self.checkpoints, key, row)?,
                Part::Leases => learn(&mut self.leases, key, row)?,
                Part::Documents(table) => learn(self.table(table), key, row)?,
                Part::Answers => {
                    if let Some(answer) = self.answers.get_mut(key) {
                        *answer = Some(rows::answer(row)?);
                    }
                }
                Part::Claims => {
                    if let Some(claims) = self.claims.get_mut(key) {
                        claims.insert(row.try_get(1)?, true);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Which part of the state a statement reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    Heads,
    Checkpoints,
    Leases,
    Answers,
    Documents(TableKey),
    Claims,
}

fn learn(versions: &mut Versions<'_>, key: &str, row: &Row) -> Result<(), Error> {
    if let Some(version) = versions.base.get_mut(key) {
        *version = rows::number(row, 1)?;
    }
    Ok(())
}

/// Neighbours in an index are looked up one after another.
fn sorted<'a>(keys: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut keys: Vec<&str> = keys.collect();
    keys.sort_unstable();
    keys
}
