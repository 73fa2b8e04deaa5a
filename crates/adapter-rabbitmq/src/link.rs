//! A reader's place at the broker: a channel of its own with one subscription. It ends with its
//! channel, and whatever was not settled goes back to the queue.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backbone::bus::Error;
use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::sync::{Notify, OnceCell};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::book::{Book, End, Settled};
use crate::bus::Inner;
use crate::error::{unavailable, within};
use crate::pump::{Pump, Subscribed};
use crate::topology::{OPENING, Place};

const ACKNOWLEDGING: &str = "acknowledging events";
/// Why a reader ends that was taken over in the same process.
pub(crate) const ANOTHER: &str = "another one reads";

/// What reader and pump share.
#[derive(Default)]
pub(crate) struct Shelf {
    book: Mutex<Book>,
    /// Something came, or nothing more will.
    pub(crate) news: Notify,
}

impl Shelf {
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing more comes; the first reason is the one that is told.
    pub(crate) fn end(&self, end: End) {
        self.book().ended.get_or_insert(end);
        self.news.notify_one();
    }
}

/// One subscription.
pub(crate) struct Link {
    pub(crate) shelf: Arc<Shelf>,
    channel: Channel,
    /// How many messages it may hold.
    width: u16,
    pump: JoinHandle<()>,
    /// Set once everything is given back.
    end: OnceCell<()>,
}

impl Link {
    /// Subscribes to a queue that is there, to hold so many messages at most.
    pub(crate) async fn open(inner: &Arc<Inner>, place: &Place, width: u16) -> Result<Self, Error> {
        let limit = inner.options.answer_time_max;
        let channel = inner.reads.wire.channel(OPENING).await?;
        within(limit, OPENING, channel.basic_qos(width, BasicQosOptions::default())).await?;
        let tag = format!("{} {}", inner.options.name, Uuid::now_v7());
        let consume = channel.basic_consume(
            place.queue.as_str().into(),
            tag.into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let messages = within(limit, OPENING, consume).await?;
        let shelf = Arc::new(Shelf::default());
        let pump = Pump::new(inner, place, Subscribed { channel: channel.clone(), width }, shelf.clone());
        let pump = tokio::spawn(pump.run(messages));
        Ok(Self { shelf, channel, width, pump, end: OnceCell::new() })
    }

    /// Ends, and subscribes again to hold twice as many: the same reader's, if it still is the one that
    /// reads.
    pub(crate) async fn widened(
        self: Arc<Self>,
        inner: Arc<Inner>,
        place: Place,
    ) -> Result<Arc<Self>, Error> {
        let (queue, width) = (&place.queue, self.width.saturating_mul(2));
        self.give_up(&inner, "a wider one follows").await;
        tracing::info!(queue, width, "more messages come again than a reader holds: it takes more at once");
        let wider = Arc::new(Self::open(&inner, &place, width).await?);
        if inner.replace_reader(queue, &self, &wider) {
            return Ok(wider);
        }
        wider.give_up(&inner, ANOTHER).await;
        Err(ended(OPENING, &place, ANOTHER))
    }

    /// Settles deliveries; done when the broker has read it.
    pub(crate) async fn settle(&self, inner: &Inner, positions: &[u64]) -> Result<(), Error> {
        let settled = self.shelf.book().settle(positions);
        if settled.is_empty() {
            return Ok(());
        }
        let tell = async {
            tell(&self.channel, settled).await?;
            // It answers to this after it has read those. Without waiting, whoever opens the
            // consumer next might be given again what was settled.
            self.channel.basic_qos(self.width, BasicQosOptions::default()).await
        };
        within(inner.options.answer_time_max, ACKNOWLEDGING, tell).await
    }

    /// Gives everything that is not settled back to the queue, and waits until it is there.
    pub(crate) async fn give_up(&self, inner: &Inner, reason: &str) {
        self.shelf.end(End::Over(reason.to_owned()));
        let close = async {
            let closing = self.channel.close(200, "done".into());
            // Where this fails the channel is gone already.
            let _ = within(inner.options.answer_time_max, OPENING, closing).await;
            // Not before: the end of the pump cancels the subscription, and whoever reads next would be
            // given what is new before what this one held is free.
            self.pump.abort();
        };
        self.end.get_or_init(|| close).await;
    }
}

impl Drop for Link {
    /// Nobody gave it up in order: nothing runs any more.
    fn drop(&mut self) {
        self.pump.abort();
    }
}

/// Tells the broker what took effect.
pub(crate) async fn tell(channel: &Channel, settled: Vec<Settled>) -> lapin::Result<()> {
    for Settled { tag, is_all_before } in settled {
        channel.basic_ack(tag, BasicAckOptions { multiple: is_all_before }).await?;
    }
    Ok(())
}

/// The error of a subscription that has ended.
pub(crate) fn ended(operation: &'static str, place: &Place, reason: &str) -> Error {
    unavailable(operation, format!("{}: {reason}", place.queue))
}
