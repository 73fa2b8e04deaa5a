//! One reader of one consumer. What is not settled when its channel ends goes back to the queue;
//! what is given back while it lives stays here.

use std::sync::Arc;

use async_trait::async_trait;
use backbone::bus::{Consumer, Delivery, Error};
use tokio::task::JoinHandle;

use crate::book::End;
use crate::bus::Inner;
use crate::error::unavailable;
use crate::link::{Link, ended};
use crate::topology::Place;

const FETCHING: &str = "fetching events";

/// One reader of one consumer.
pub(crate) struct Reader {
    inner: Arc<Inner>,
    place: Place,
    link: Arc<Link>,
    /// A wider one is on its way.
    widening: Option<JoinHandle<Result<Arc<Link>, Error>>>,
}

impl Reader {
    pub(crate) fn new(inner: Arc<Inner>, place: Place, link: Arc<Link>) -> Self {
        Self { inner, place, link, widening: None }
    }

    /// Goes on by a subscription that holds more. The wait may be dropped and begun again.
    async fn widen(&mut self) -> Result<(), Error> {
        let (link, inner, place) = (&self.link, &self.inner, &self.place);
        let widening = self
            .widening
            .get_or_insert_with(|| tokio::spawn(link.clone().widened(inner.clone(), place.clone())));
        let opened = widening.await;
        self.widening = None;
        self.link = opened.map_err(|error| unavailable(FETCHING, error))??;
        Ok(())
    }
}

#[async_trait]
impl Consumer for Reader {
    async fn fetch(&mut self, limit: usize) -> Result<Vec<Delivery>, Error> {
        loop {
            if self.widening.is_some() || self.link.shelf.book().ended == Some(End::TooNarrow) {
                self.widen().await?;
            }
            {
                let mut book = self.link.shelf.book();
                match &book.ended {
                    // After the end, what is here is on its way to somebody else.
                    Some(End::Over(reason)) => return Err(ended(FETCHING, &self.place, reason)),
                    Some(End::TooNarrow) => continue,
                    None => {}
                }
                let deliveries = book.hand_out(limit.max(1));
                if !deliveries.is_empty() {
                    return Ok(deliveries);
                }
            }
            self.link.shelf.news.notified().await;
        }
    }

    async fn acknowledge(&mut self, positions: &[u64]) -> Result<(), Error> {
        self.link.settle(&self.inner, positions).await
    }

    async fn give_back(&mut self) -> Result<(), Error> {
        self.link.shelf.book().give_back();
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let (inner, mut link, queue) = (self.inner.clone(), self.link.clone(), self.place.queue.clone());
        let widening = self.widening.take();
        // Where nothing runs any more, the connection ends as well.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Some(widening) = widening
                    && let Ok(Ok(wider)) = widening.await
                {
                    link = wider;
                }
                link.give_up(&inner, "its reader went away").await;
                inner.forget_reader(&queue, &link);
            });
        }
    }
}
