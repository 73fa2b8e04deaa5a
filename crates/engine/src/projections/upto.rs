//! Facts up to a place and none beyond it: what is to be swapped must stand exactly where the other one
//! does.

use std::collections::VecDeque;

use super::POLL;
use super::feed::{Feed, Owned};
use crate::host::Host;

/// How often facts that must be there are looked for.
const LOOKS: usize = 20;

/// Facts in order, with those that were read and not given yet.
pub(super) struct Upto {
    feed: Feed,
    held: VecDeque<Owned>,
    /// Everything up to here was given.
    position: u64,
}

impl Upto {
    pub(super) fn new(feed: Feed, position: u64) -> Self {
        Self { feed, held: VecDeque::new(), position }
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next facts up to `target`, at which there must be one; none where it stands there.
    pub(super) async fn next(&mut self, host: &Host, target: u64) -> Result<Vec<Owned>, String> {
        let mut looks = 0;
        while self.position < target {
            if self.held.is_empty() {
                self.held.extend(self.feed.next(host, POLL).await?);
                looks += 1;
                if self.held.is_empty() && looks > LOOKS {
                    return Err(format!("the facts from {} to {target} do not come", self.position));
                }
                continue;
            }
            let count = self.held.partition_point(|fact| fact.position() <= target);
            let facts: Vec<Owned> = self.held.drain(..count).collect();
            self.position = match self.held.is_empty() {
                true => facts.last().map_or(self.position, Owned::position),
                false => target,
            };
            if !facts.is_empty() {
                return Ok(facts);
            }
        }
        Ok(Vec::new())
    }
}
