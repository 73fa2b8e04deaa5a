//! Shutdown: a word that all tasks hear, and a count of those that are still running.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, mpsc};

/// A flag that can be waited for. Not a `watch`: that one wakes its waiters in an order drawn from
/// the runtime's own random numbers, which no seed of a simulation reaches.
#[derive(Default)]
struct Word {
    given: AtomicBool,
    news: Notify,
}

impl Word {
    fn give(&self) {
        self.given.store(true, Ordering::SeqCst);
        self.news.notify_waiters();
    }

    async fn wait(&self) {
        // Before looking: a word that is given in between wakes it.
        let news = self.news.notified();
        if !self.given.load(Ordering::SeqCst) {
            news.await;
        }
    }
}

/// Whoever is gone can give no word any more: the tasks take it as given.
struct Giver(Arc<Word>);

impl Drop for Giver {
    fn drop(&mut self) {
        self.0.give();
    }
}

/// What a task holds: it hears the word, and while it lives it is waited for.
#[derive(Clone)]
pub(crate) struct Shutdown {
    word: Arc<Word>,
    _alive: mpsc::Sender<()>,
}

impl Shutdown {
    /// Waits for the word.
    pub(crate) async fn wait(&mut self) {
        self.word.wait().await;
    }

    /// True once the word was given.
    pub(crate) fn is_on(&self) -> bool {
        self.word.given.load(Ordering::SeqCst)
    }
}

/// Gives the word.
pub(crate) struct Switch {
    word: Giver,
    alive: mpsc::Sender<()>,
    gone: mpsc::Receiver<()>,
}

impl Switch {
    pub(crate) fn new() -> Self {
        let (alive, gone) = mpsc::channel(1);
        Self { word: Giver(Arc::default()), alive, gone }
    }

    pub(crate) fn handle(&self) -> Shutdown {
        Shutdown { word: self.word.0.clone(), _alive: self.alive.clone() }
    }

    /// Gives the word and waits for all tasks.
    pub(crate) async fn shut_down(self) {
        let Self { word, alive, mut gone } = self;
        drop(alive);
        drop(word);
        let _ = gone.recv().await;
    }
}
