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

use crate::book::{Book, Settled};
use crate::bus::Inner;
use crate::error::{unavailable, within};
use crate::pump::Pump;
use crate::topology::{OPENING, Place};

const ACKNOWLEDGING: &str = "acknowledging events";

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
    pub(crate) fn end(&self, reason: String) {
        self.book().ended.get_or_insert(reason);
        self.news.notify_one();
    }
}

/// One subscription.
pub(crate) struct Link {
    pub(crate) shelf: Arc<Shelf>,
    channel: Channel,
    in_flight_max: u16,
    pump: JoinHandle<()>,
    /// Set once everything is given back.
    end: OnceCell<()>,
}

impl Link {
    /// Subscribes to a queue that is there.
    pub(crate) async fn open(inner: &Arc<Inner>, place: &Place) -> Result<Self, Error> {
        let (limit, in_flight_max) = (inner.options.answer_time_max, inner.options.in_flight_max);
        let channel = inner.reads.wire.channel(OPENING).await?;
        within(limit, OPENING, channel.basic_qos(in_flight_max, BasicQosOptions::default())).await?;
        let tag = format!("{} {}", inner.options.name, Uuid::now_v7());
        let consume = channel.basic_consume(
            place.queue.as_str().into(),
            tag.into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let messages = within(limit, OPENING, consume).await?;
        let shelf = Arc::new(Shelf::default());
        let pump = Pump::new(inner, place, channel.clone(), shelf.clone());
        let pump = tokio::spawn(pump.run(messages));
        Ok(Self { shelf, channel, in_flight_max, pump, end: OnceCell::new() })
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
            self.channel.basic_qos(self.in_flight_max, BasicQosOptions::default()).await
        };
        within(inner.options.answer_time_max, ACKNOWLEDGING, tell).await
    }

    /// Gives everything that is not settled back to the queue, and waits until it is there.
    pub(crate) async fn give_up(&self, inner: &Inner, reason: &str) {
        self.shelf.end(reason.to_owned());
        self.pump.abort();
        let close = async {
            let closing = self.channel.close(200, "done".into());
            // Where this fails the channel is gone already.
            let _ = within(inner.options.answer_time_max, OPENING, closing).await;
        };
        self.end.get_or_init(|| close).await;
    }
}

impl Drop for Link {
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
