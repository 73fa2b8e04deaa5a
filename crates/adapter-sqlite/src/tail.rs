//! The end of the log in memory, so that a consumer that keeps up reads no SQL, and the hint that
//! wakes it. Filled by the writer after the sync, in order: whatever stands here is durable.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backbone::bus::{BACKLOG_COUNTED_MAX, Backlog, Delivery};
use kernel::Envelope;
use tokio::sync::watch;

/// Most events kept per context.
const EVENTS_MAX: usize = 4_096;
/// Most bytes kept per context, roughly.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// What an event takes besides its payload, roughly.
const ATTRIBUTES_BYTES: usize = 400;

/// The tails of all contexts.
#[derive(Debug)]
pub(crate) struct Tails {
    by_context: Mutex<HashMap<String, Arc<Tail>>>,
    /// Everything at or below is durable and can be read.
    durable: AtomicU64,
    /// Where the log ended when it was opened: what came later went through a tail.
    opened_at: u64,
}

impl Tails {
    /// Tails of a log that ends at `end`. Where another process writes it, `opened_at` is
    /// beyond every position, so that everything is read from the file.
    pub(crate) fn new(end: u64, written_here: bool) -> Self {
        let opened_at = if written_here { end } else { u64::MAX };
        Self { by_context: Mutex::default(), durable: AtomicU64::new(end), opened_at }
    }

    pub(crate) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// The tail of a context. A new one holds nothing and misses nothing: had an event of its
    /// context come since the log was opened, there would be a tail.
    pub(crate) fn of(&self, context: &str) -> Arc<Tail> {
        self.find_or_begin(&mut self.lock(), context)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Tail>>> {
        self.by_context.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find_or_begin(&self, tails: &mut HashMap<String, Arc<Tail>>, context: &str) -> Arc<Tail> {
        if let Some(tail) = tails.get(context) {
            return tail.clone();
        }
        let tail = Arc::new(Tail::new(self.opened_at));
        tails.insert(context.to_owned(), tail.clone());
        tail
    }

    /// Adds what just became durable, in order; `end` is the log's end with it.
    pub(crate) fn push(&self, events: Vec<(u64, Envelope)>, end: u64) {
        self.durable.store(end, Ordering::Release);
        let mut woken: Vec<Arc<Tail>> = Vec::new();
        let mut tails = self.lock();
        for (position, envelope) in events {
            let tail = self.find_or_begin(&mut tails, envelope.context());
            tail.push(position, Arc::new(envelope));
            if !woken.iter().any(|other| Arc::ptr_eq(other, &tail)) {
                woken.push(tail);
            }
        }
        drop(tails);
        for tail in woken {
            tail.wake.send_replace(end);
        }
    }
}

/// The last events of one context.
#[derive(Debug)]
pub(crate) struct Tail {
    ring: Mutex<Ring>,
    /// Changes when events came.
    pub(crate) wake: watch::Sender<u64>,
}

#[derive(Debug)]
struct Ring {
    /// Every event of the context that was pushed and stands after this position is held.
    floor: u64,
    events: VecDeque<(u64, Arc<Envelope>)>,
    bytes: usize,
}

impl Tail {
    fn new(floor: u64) -> Self {
        let ring = Ring { floor, events: VecDeque::new(), bytes: 0 };
        Self { ring: Mutex::new(ring), wake: watch::Sender::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, position: u64, envelope: Arc<Envelope>) {
        let mut ring = self.lock();
        ring.bytes += size(&envelope);
        ring.events.push_back((position, envelope));
        while ring.events.len() > EVENTS_MAX || ring.bytes > BYTES_MAX {
            let Some((position, oldest)) = ring.events.pop_front() else { break };
            ring.floor = position;
            ring.bytes -= size(&oldest);
        }
    }

    /// At most `limit` events after `position`, perhaps none; `None` where the tail no longer
    /// reaches back so far and the file must be read.
    pub(crate) fn after(&self, position: u64, limit: usize) -> Option<Vec<Delivery>> {
        let ring = self.lock();
        if position < ring.floor {
            return None;
        }
        let first = ring.events.partition_point(|(held, _)| *held <= position);
        let wanted = ring.events.range(first..).take(limit);
        let delivery = |(position, envelope): &(u64, Arc<Envelope>)| Delivery {
            envelope: envelope.clone(),
            position: *position,
        };
        Some(wanted.map(delivery).collect())
    }
}

impl Tail {
    /// What stands after `position`; `None` where the tail no longer reaches back so far.
    pub(crate) fn backlog(&self, position: u64) -> Option<Backlog> {
        let ring = self.lock();
        if position < ring.floor {
            return None;
        }
        let first = ring.events.partition_point(|(held, _)| *held <= position);
        let waiting = (ring.events.len() - first) as u64;
        let oldest = ring.events.get(first).map(|(_, envelope)| envelope.time);
        Some(Backlog { waiting: waiting.min(BACKLOG_COUNTED_MAX), oldest })
    }
}

fn size(envelope: &Envelope) -> usize {
    envelope.data.len() + ATTRIBUTES_BYTES
}
