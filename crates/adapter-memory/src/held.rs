//! Keys that are held for a while. Full, it holds nothing more: what is held is somebody's.

use std::collections::HashMap;

use backbone::ephemeral::Claim;
use kernel::{Duration, Timestamp};
use uuid::Uuid;

/// What is held, by whom, until when.
pub(crate) struct Held {
    keys: HashMap<String, (Uuid, Timestamp)>,
    count_max: usize,
}

/// Too many are held.
pub(crate) struct Full;

impl Held {
    pub(crate) fn new(count_max: usize) -> Self {
        Self { keys: HashMap::new(), count_max }
    }

    /// Holds the claim's key until `now` and `lasts`; false where somebody has it.
    pub(crate) fn hold(&mut self, claim: &Claim, lasts: Duration, now: Timestamp) -> Result<bool, Full> {
        if self.keys.get(&claim.key).is_some_and(|(_, until)| *until > now) {
            return Ok(false);
        }
        if self.keys.len() >= self.count_max {
            self.keys.retain(|_, (_, until)| *until > now);
        }
        if self.keys.len() >= self.count_max {
            return Err(Full);
        }
        self.keys.insert(claim.key.clone(), (claim.holder, now.plus(lasts)));
        Ok(true)
    }

    /// Lets go of what this claim holds.
    pub(crate) fn release(&mut self, claim: &Claim) {
        if self.keys.get(&claim.key).is_some_and(|(holder, _)| *holder == claim.holder) {
            self.keys.remove(&claim.key);
        }
    }
}
