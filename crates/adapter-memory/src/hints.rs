//! `Hints` in memory: as large as the number of those who listen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use backbone::ephemeral::{Hints, Listener, Topic};

use crate::lock;

/// Fewer topics than this are not worth looking through.
const TOPICS_MIN: usize = 64;

/// Hints of one process.
#[derive(Default)]
pub struct MemoryHints(Mutex<Topics>);

#[derive(Default)]
struct Topics {
    by_name: HashMap<String, Arc<Topic>>,
    /// Topics that nobody listens to are looked for when there are so many.
    look_at: usize,
}

impl Hints for MemoryHints {
    fn tell(&self, topic: &str) {
        if let Some(topic) = lock(&self.0).by_name.get(topic) {
            topic.tell();
        }
    }

    fn listen(&self, topic: &str) -> Listener {
        let mut topics = lock(&self.0);
        if topics.by_name.len() >= topics.look_at.max(TOPICS_MIN) {
            topics.by_name.retain(|_, topic| Arc::strong_count(topic) > 1);
            topics.look_at = topics.by_name.len() * 2;
        }
        Listener::to(Arc::clone(topics.by_name.entry(topic.to_owned()).or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_that_nobody_listens_to_any_more_are_forgotten() {
        let hints = MemoryHints::default();
        let kept: Vec<Listener> = (0..10).map(|n| hints.listen(&format!("kept/{n}"))).collect();
        for n in 0..10_000 {
            drop(hints.listen(&format!("left/{n}")));
        }
        assert!(lock(&hints.0).by_name.len() <= TOPICS_MIN);
        assert_eq!(kept.len(), 10);
    }
}
