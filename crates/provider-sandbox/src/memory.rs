//! What the sandbox remembers, so that it cannot forget a charge: its own store, as a real gateway
//! has one, apart from the market's.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::record::{Book, Record};

/// What is decided about a key by all that is remembered: what becomes of it, or nothing new.
pub type Decision = Box<dyn FnOnce(&Book) -> Option<Record> + Send>;

/// How a key stands after a decision.
#[derive(Clone, Debug)]
pub struct Settled {
    /// What is remembered of it; nothing where it is unknown.
    pub record: Option<Record>,
    /// The decision made it so.
    pub is_new: bool,
}

/// Where the sandbox remembers.
///
/// Promises: decisions are made one after another, each on all that was decided before, here or by
/// others who share the memory; what became of a key is durable when `decide` returns, and `load`
/// gives it again after any crash, in order.
#[async_trait]
pub trait Memory: Send + Sync + 'static {
    /// Everything, in order.
    fn load(&self) -> io::Result<Vec<Record>>;

    /// Has something decided about a key, and remembers it.
    async fn decide(&self, key: &str, decision: Decision) -> io::Result<Settled>;
}

/// Makes a decision.
pub(crate) fn settle(book: &mut Book, key: &str, decision: Decision) -> Settled {
    match decision(book) {
        None => Settled { record: book.of(key).cloned(), is_new: false },
        Some(record) => {
            book.keep(record.clone());
            Settled { record: Some(record), is_new: true }
        }
    }
}

/// A memory that lasts as long as its clones: for tests and simulations.
#[derive(Clone, Default)]
pub struct InMemory(Arc<Mutex<(Book, Vec<Record>)>>);

impl InMemory {
    fn lock(&self) -> MutexGuard<'_, (Book, Vec<Record>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Memory for InMemory {
    fn load(&self) -> io::Result<Vec<Record>> {
        Ok(self.lock().1.clone())
    }

    async fn decide(&self, key: &str, decision: Decision) -> io::Result<Settled> {
        let mut memory = self.lock();
        let (book, records) = &mut *memory;
        let settled = settle(book, key, decision);
        if settled.is_new {
            records.extend(settled.record.clone());
        }
        Ok(settled)
    }
}
