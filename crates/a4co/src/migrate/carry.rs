//! One service from one store to the other: whoever reads is a few pages ahead of whoever writes,
//! never more.

use std::sync::Arc;

use adapter_postgres::{Import, ServiceImport};
use adapter_sqlite::Export;
use backbone::journal::{Error, Schema};
use backbone::moving::{Counts, KeptClaim, KeptDocument, Page, WrappedKey};
use backbone::system::STANDINGS;
use indicatif::ProgressBar;
use kernel::Timestamp;
use tokio::sync::mpsc;

use super::known::{Known, Reader};
use super::plan::Plan;

/// Pages on their way.
const PAGES_MAX: usize = 4;
/// The most claims of a page.
const CLAIMS_MAX: usize = 5_000;
/// The most keys of a page.
const KEYS_MAX: usize = 5_000;
/// Whose checkpoints mean the same on every bus: positions of the service's own events.
const PROJECTION: &str = "projection:";
/// The checkpoint of a producer's relay.
const RELAY: &str = "relay";

/// What moves.
pub(super) struct Carrier<'c> {
    pub(super) export: &'c Arc<Export>,
    pub(super) plan: &'c Arc<Plan>,
    pub(super) partitions: u32,
    pub(super) now: Timestamp,
    pub(super) bar: &'c ProgressBar,
}

/// What was written of a service.
pub(super) struct Carried {
    /// Rows, by table.
    pub(super) counts: Counts,
    /// How many of its public events the relay has before it.
    pub(super) waiting: u64,
}

impl Carried {
    pub(super) fn rows(&self) -> u64 {
        self.counts.values().sum()
    }
}

impl Carrier<'_> {
    /// How many rows a service will have, roughly: for the bar.
    pub(super) fn expected(&self, known: &Known) -> Result<u64, Error> {
        let rows: u64 = self.export.counts(&known.schema)?.values().sum();
        let taken = |reader: &Reader| self.plan.standings.get(&reader.name).map_or(0, |stand| stand.taken);
        Ok(rows + known.consumers.iter().map(taken).sum::<u64>())
    }

    /// Carries a service over.
    pub(super) async fn service(&self, known: &Known, into: &mut Import) -> anyhow::Result<Carried> {
        let ends = self.export.ends(&known.schema)?;
        let relay = self.plan.relay(known.schema.service, ends);
        let mut import = into.service(&known.schema).await?;
        let mut carried = Carried { counts: Counts::new(), waiting: 0 };
        let (reading, mut pages) = self.read(known);
        while let Some(page) = pages.recv().await {
            self.bar.inc(page.rows() as u64);
            if let Page::Published(sent) = &page {
                carried.waiting += sent.iter().filter(|sent| sent.position > relay).count() as u64;
            }
            take(&mut import, &mut carried.counts, translated(page)).await?;
        }
        reading.await??;
        let standings = self.standings(known)?;
        take(&mut import, &mut carried.counts, Page::Documents(&STANDINGS, standings)).await?;
        if relay > 0 {
            let stands = vec![(RELAY.to_owned(), relay)];
            take(&mut import, &mut carried.counts, Page::Checkpoints(stands)).await?;
        }
        import.finish(ends).await?;
        Ok(carried)
    }

    /// What says where its consumers stand, for those that a broker may lose something of.
    fn standings(&self, known: &Known) -> Result<Vec<KeptDocument>, Error> {
        self.plan.standings(known, self.partitions, self.now)
    }

    /// Reads all pages of a service on a thread that may block.
    fn read(&self, known: &Known) -> (tokio::task::JoinHandle<Result<(), Error>>, mpsc::Receiver<Page>) {
        let (give, pages) = mpsc::channel(PAGES_MAX);
        let (export, plan, now) = (self.export.clone(), self.plan.clone(), self.now);
        let (schema, consumers): (Schema, Vec<Reader>) = (known.schema.clone(), known.consumers.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let mut each = |page| give.blocking_send(page).is_ok();
            export.read(&schema, &mut each)?;
            consumers.iter().try_for_each(|reader| claims(&export, (&plan, reader), now, &mut each))
        });
        (reading, pages)
    }

    /// Carries the keys of persons over, wrapped as they are; gives how many, and how many of them
    /// were destroyed.
    pub(super) async fn keys(&self, into: &mut Import) -> anyhow::Result<(u64, u64)> {
        let (give, mut pages) = mpsc::channel::<Vec<WrappedKey>>(PAGES_MAX);
        let export = self.export.clone();
        let reading = tokio::task::spawn_blocking(move || {
            export.keys(KEYS_MAX, &mut |page| give.blocking_send(page).is_ok())
        });
        let (mut count, mut erased) = (0, 0);
        while let Some(page) = pages.recv().await {
            count += page.len() as u64;
            erased += page.iter().filter(|key| key.erased_at.is_some()).count() as u64;
            into.keys(&page).await?;
        }
        reading.await??;
        Ok((count, erased))
    }
}

async fn take(import: &mut ServiceImport<'_>, counts: &mut Counts, page: Page) -> Result<(), Error> {
    let table = match &page {
        Page::Events(_) => "events".to_owned(),
        Page::Snapshots(_) => "snapshots".to_owned(),
        Page::Documents(collection, _) => format!("c_{}", collection.name),
        Page::Answers(_) => "answers".to_owned(),
        Page::Published(_) => "log".to_owned(),
        Page::Claims(_) => "inbox".to_owned(),
        Page::Checkpoints(_) => "checkpoints".to_owned(),
    };
    *counts.entry(table).or_default() += import.take(&page).await?;
    Ok(())
}

/// A consumer's place in the embedded log means nothing to a broker: it becomes claims. What a
/// consumer of a broker noted for itself is noted anew.
fn translated(page: Page) -> Page {
    match page {
        Page::Checkpoints(mut stands) => {
            stands.retain(|(consumer, _)| consumer.starts_with(PROJECTION));
            Page::Checkpoints(stands)
        }
        Page::Documents(collection, _) if collection.name == STANDINGS.name => {
            Page::Documents(collection, Vec::new())
        }
        other => other,
    }
}

/// Hands on what a consumer has taken in, as claims of its inbox. They count from now on: what lies
/// in a broker may be given again for as long as after any other delivery.
fn claims(
    export: &Export,
    (plan, reader): (&Plan, &Reader),
    at: Timestamp,
    each: &mut (dyn FnMut(Page) -> bool + Send),
) -> Result<(), Error> {
    let upto = plan.standings.get(&reader.name).map_or(0, |stand| stand.upto);
    let mut page = Vec::new();
    let mut wanted = true;
    export.passed(reader.context, (0, upto), |event| {
        if reader.takes(&event.kind) {
            page.push(KeptClaim { consumer: reader.name.clone(), event: event.id, at });
        }
        if page.len() >= CLAIMS_MAX {
            wanted = each(Page::Claims(std::mem::take(&mut page)));
        }
        wanted
    })?;
    if wanted && !page.is_empty() {
        each(Page::Claims(page));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_projection_moves_and_that_of_a_consumer_becomes_claims() {
        let stands = ["order-payment", "projection:ledger"].map(|name| (name.to_owned(), 7));
        let expected = Page::Checkpoints(vec![("projection:ledger".to_owned(), 7)]);
        assert_eq!(translated(Page::Checkpoints(stands.into())), expected);
    }
}
