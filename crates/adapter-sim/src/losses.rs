//! What a broker loses and gives up on, as a test says it.

use backbone::bus::Lost;
use bytes::Bytes;

use crate::broker::{Queue, Shelf};
use crate::disk::Disk;
use crate::world::SimWorld;

impl SimWorld {
    /// The broker loses its storage: every event, and every consumer with its mark. Whoever reads
    /// hears of it at the next call, and numbers begin at 1 again.
    pub fn lose_broker(&self) {
        let now = self.now();
        let mut inside = self.shared.lock();
        let contexts = inside.disk.log.lose();
        inside.disk.queues.values_mut().for_each(|queue| queue.lose());
        inside.disk.deliveries = 0;
        inside.lost.extend(contexts.into_iter().map(|context| Lost { context, at: now }));
        inside.trace.add(now, "the broker lost its storage");
        drop(inside);
        self.shared.news.notify_waiters();
    }

    /// Somebody deletes a consumer at the broker, with its mark, and somebody else makes it again: it
    /// would begin with what comes next.
    pub fn delete_consumer(&self, consumer: &str, context: &str) {
        let mut inside = self.shared.lock();
        let Disk { queues, log, .. } = &mut inside.disk;
        for ((name, partition), queue) in queues {
            if name == consumer {
                *queue = Queue::from_now(log.part(context, *partition).len());
            }
        }
        drop(inside);
        self.shared.news.notify_waiters();
    }

    /// The broker keeps so many events of each context from now on; `None` is all of them.
    pub fn broker_keeps(&self, events: Option<usize>) {
        self.shared.lock().disk.log.keeps = events;
        self.shared.news.notify_waiters();
    }

    /// The broker delivers nothing for now, or goes on.
    pub fn hold_deliveries(&self, is_held: bool) {
        self.shared.lock().disk.log.is_held = is_held;
        self.shared.news.notify_waiters();
    }

    /// The broker gives up on the next messages of a consumer; gives how many there were.
    pub fn broker_gives_up(&self, consumer: &str, context: &str, count: usize) -> usize {
        let now = self.now();
        let mut inside = self.shared.lock();
        let Disk { queues, log, deliveries, .. } = &mut inside.disk;
        let shelf = Shelf { events: log.part(context, 0), gone: 0, is_held: false, numbers: deliveries };
        queues.entry((consumer.to_owned(), 0)).or_default().give_up(shelf, count, now)
    }

    /// A message that nobody can read lies in the broker's own dead letters.
    pub fn broker_keeps_unreadable(&self, consumer: &str, kind: &str, body: impl Into<Bytes>) {
        let now = self.now();
        let mut inside = self.shared.lock();
        inside.disk.deliveries += 1;
        let handle = inside.disk.deliveries;
        let queue = inside.disk.queues.entry((consumer.to_owned(), 0)).or_default();
        queue.keep_unreadable(handle, kind, body.into(), now);
    }

    /// How many messages lie in the broker's own dead letters of a consumer.
    pub fn given_up(&self, consumer: &str) -> usize {
        let place = (consumer.to_owned(), 0);
        self.shared.lock().disk.queues.get(&place).map_or(0, |queue| queue.given_up.len())
    }
}
