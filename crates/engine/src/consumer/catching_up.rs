//! A broker that lost what a consumer has not had, or that keeps nothing for one that is new: the
//! consumer stands still, and takes what it missed out of the producers' journals. It goes through the
//! same lanes, the inbox drops what was taken before, and only then the broker is read on
//! (communication.md, Consumers).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use backbone::bus::Delivery;
use backbone::module::Beginning;
use backbone::system::{CatchingUp, Standing};
use kernel::Timestamp;

use super::retrying::Pace;
use super::{Consumer, PARKED_MAX, WINDOW, standing};
use crate::lanes::Lanes;
use crate::recovery;
use crate::retention::REMEMBERED;
use crate::shutdown::Shutdown;
use crate::since::{CLOCKS_DIFFER, position_before};

/// A gap that is being closed.
struct Closing<'c> {
    consumer: &'c Consumer,
    lanes: Lanes,
    standing: Standing,
    catching_up: CatchingUp,
    /// Nobody knows whether what comes next killed the process before: one by one.
    is_resumed: bool,
}

impl Consumer {
    /// Takes what the broker lost out of the producers' journals, all that they hold by now.
    pub(crate) async fn close_gap(
        &self,
        from: u64,
        to: u64,
        shutdown: Option<&Shutdown>,
    ) -> Result<(), String> {
        let found = standing::find(self).await?;
        let (consumer, partition) = (&self.name, self.partition);
        if found.is_some() {
            tracing::error!(
                consumer,
                partition,
                from,
                to,
                "the broker has lost what this consumer has not had: it stands still and catches up from the journals"
            );
            self.signs.catches_up(true);
        } else {
            tracing::info!(
                consumer,
                partition,
                "a new consumer takes from the journals what was published before it"
            );
        }
        self.standings.pause();
        let mut closing = self.begin_closing(found, from, to).await?;
        for producer in self.producers() {
            closing.read(producer, shutdown).await?;
        }
        let position = closing.end().await?;
        self.signs.progresses(position, self.host.environment().clock.now());
        self.signs.catches_up(false);
        tracing::info!(consumer = self.name, to, "the gap is closed");
        Ok(())
    }

    /// Whoever publishes what it handles.
    fn producers(&self) -> BTreeSet<&'static str> {
        self.reactions.values().map(|reaction| reaction.event.producer).collect()
    }

    async fn begin_closing(
        &self,
        found: Option<Standing>,
        from: u64,
        to: u64,
    ) -> Result<Closing<'_>, String> {
        let now = self.host.environment().clock.now();
        let oldest = now.minus(REMEMBERED);
        let unknown = Standing {
            place: self.place(),
            since: self.begins_at(now),
            had: BTreeMap::new(),
            catching_up: None,
        };
        let standing = found.unwrap_or(unknown);
        let is_resumed = standing.catching_up.is_some();
        let begun = standing.catching_up.clone();
        let catching_up = match begun {
            // What came since then may be lost as well.
            Some(begun) => CatchingUp { to: to.max(begun.to), began_at: now, ..begun },
            None => {
                let mut positions = BTreeMap::new();
                for producer in self.producers() {
                    let had = standing.had.get(producer).copied().unwrap_or(standing.since).max(oldest);
                    positions.insert(producer.to_owned(), self.position_of(producer, had).await?);
                }
                CatchingUp { from, to, began_at: now, positions }
            }
        };
        let lanes = self.lanes().await?;
        let closing = Closing { consumer: self, lanes, standing, catching_up, is_resumed };
        closing.note(true).await?;
        Ok(closing)
    }

    /// Where a consumer without a record begins: it may be older than that, and the inbox tells what
    /// it has had. One that begins with what comes next is owed nothing from before it first read.
    pub(super) fn begins_at(&self, now: Timestamp) -> Timestamp {
        match self.beginning {
            Beginning::Stream => now.minus(REMEMBERED),
            Beginning::Now => now,
        }
    }

    async fn position_of(&self, producer: &str, had: Timestamp) -> Result<u64, String> {
        let next = |after| self.storage.published_by(producer, after, 1);
        position_before(had, next).await.map_err(|e| e.to_string())
    }
}

impl Closing<'_> {
    /// Takes what one producer published, page by page, up to the end of its journal; where it never
    /// pauses, up to what the broker has been keeping for this consumer since the gap was found.
    async fn read(&mut self, producer: &str, shutdown: Option<&Shutdown>) -> Result<(), String> {
        let consumer = self.consumer;
        loop {
            if shutdown.is_some_and(Shutdown::is_on) {
                return Err("the gap is closed at the next start".to_owned());
            }
            if self.lanes.parked() >= PARKED_MAX {
                return Err("as many deliveries are parked as may be: the gap is closed later".to_owned());
            }
            let after = self.catching_up.positions.get(producer).copied().unwrap_or(0);
            let page = consumer.storage.published_by(producer, after, WINDOW).await;
            let page = page.map_err(|e| e.to_string())?;
            let Some(last) = page.last() else { return Ok(()) };
            let (position, time) = (last.position, last.envelope.time);
            let not_before = match consumer.beginning {
                Beginning::Stream => Timestamp::default(),
                Beginning::Now => self.standing.since,
            };
            let mine = page.into_iter().map(|sent| sent.envelope).filter(|envelope| {
                envelope.time >= not_before
                    && envelope.context() == consumer.context
                    && consumer.is_mine(&envelope.subject)
                    && consumer.handles(&envelope.kind)
            });
            let mut deliveries: Vec<Delivery> =
                mine.map(|envelope| Delivery { envelope: Arc::new(envelope), position: 0 }).collect();
            let ids: Vec<_> = deliveries.iter().map(|delivery| delivery.envelope.id.0).collect();
            // Most of the first page was taken before the gap.
            let claimed = consumer.host.journal().claimed(&consumer.name, &ids).await;
            let claimed = claimed.map_err(|e| e.to_string())?;
            deliveries.retain(|delivery| !claimed.contains(&delivery.envelope.id.0));
            self.take(&deliveries).await?;
            self.catching_up.positions.insert(producer.to_owned(), position);
            let had = self.standing.had.entry(producer.to_owned()).or_insert(time);
            *had = time.max(*had);
            self.note(true).await?;
            if time >= self.catching_up.began_at.plus(CLOCKS_DIFFER) {
                return Ok(());
            }
        }
    }

    async fn take(&mut self, deliveries: &[Delivery]) -> Result<(), String> {
        let (consumer, clock) = (self.consumer, self.consumer.host.environment().clock.clone());
        if self.is_resumed && !deliveries.is_empty() {
            recovery::replay(consumer, 0, deliveries).await?;
            consumer.tenure.note_again(consumer).await?;
            self.is_resumed = false;
            self.lanes = consumer.lanes().await?;
        } else {
            consumer.take(deliveries, 0, &mut self.lanes).await?;
        }
        // What waits for its retry does not wait for the end of the gap.
        consumer.take_turn(&mut self.lanes, &mut Pace::begin(clock.now())).await
    }

    /// Notes how far it has come.
    async fn note(&self, is_under_way: bool) -> Result<(), String> {
        let catching_up = is_under_way.then(|| self.catching_up.clone());
        let standing = Standing { catching_up, ..self.standing.clone() };
        self.consumer
            .decide("catching-up", move |ws| {
                ws.overwrite(standing.clone());
                Ok(())
            })
            .await
    }

    async fn end(self) -> Result<u64, String> {
        self.note(false).await?;
        Ok(self.catching_up.to)
    }
}
