//! One reader of one consumer. What is not settled when its channel ends goes back to the queue;
//! what is given back while it lives stays here.

use std::sync::Arc;

use async_trait::async_trait;
use backbone::bus::{Consumer, Delivery, Error};

use crate::bus::Inner;
use crate::link::{Link, ended};
use crate::topology::Place;

const FETCHING: &str = "fetching events";

/// One reader of one consumer.
pub(crate) struct Reader {
    inner: Arc<Inner>,
    place: Place,
    link: Arc<Link>,
}

impl Reader {
    pub(crate) fn new(inner: Arc<Inner>, place: Place, link: Arc<Link>) -> Self {
        Self { inner, place, link }
    }
}

#[async_trait]
impl Consumer for Reader {
    async fn fetch(&mut self, limit: usize) -> Result<Vec<Delivery>, Error> {
        loop {
            {
                let mut book = self.link.shelf.book();
                // After the end, what is here is on its way to somebody else.
                if let Some(reason) = &book.ended {
                    return Err(ended(FETCHING, &self.place, reason));
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
        let (inner, link, queue) = (self.inner.clone(), self.link.clone(), self.place.queue.clone());
        // Where nothing runs any more, the connection ends as well.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                link.give_up(&inner, "its reader went away").await;
                inner.forget_reader(&queue, &link);
            });
        }
    }
}
