//! `Claims` in memory.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use backbone::environment::{Clock, Environment, Ids};
use backbone::ephemeral::{Claim, Claims, Error};
use kernel::{Duration, Timestamp};

use crate::held::{Full, Held};
use crate::seen::{Seen, SeenOnce};
use crate::{Capacity, lock};

const MICROS: i64 = 1_000_000;

/// Claims of one process; full, it says so.
pub struct MemoryClaims {
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    seen: Mutex<SeenOnce>,
    held: Mutex<Held>,
}

impl MemoryClaims {
    /// Nothing seen and nothing held.
    pub fn new(environment: &Environment, capacity: Capacity) -> Self {
        Self {
            clock: environment.clock.clone(),
            ids: environment.ids.clone(),
            seen: Mutex::new(SeenOnce::new(capacity.seen)),
            held: Mutex::new(Held::new(capacity.held)),
        }
    }
}

fn full(operation: &'static str) -> Error {
    Error { operation, reason: "there are too many to remember".to_owned() }
}

#[async_trait]
impl Claims for MemoryClaims {
    async fn once(&self, key: &str, until: Timestamp) -> Result<bool, Error> {
        let now = self.clock.now().as_micros().div_euclid(MICROS);
        match lock(&self.seen).see(key, until.as_micros().div_euclid(MICROS), now) {
            Seen::First => Ok(true),
            Seen::Again => Ok(false),
            Seen::Full => Err(full("seeing something once")),
        }
    }

    async fn claim(&self, key: &str, lasts: Duration) -> Result<Option<Claim>, Error> {
        let claim = Claim { key: key.to_owned(), holder: self.ids.uuid() };
        let held = lock(&self.held).hold(&claim, lasts, self.clock.now());
        held.map(|is_held| is_held.then_some(claim)).map_err(|Full| full("claiming a key"))
    }

    async fn release(&self, claim: Claim) -> Result<(), Error> {
        lock(&self.held).release(&claim);
        Ok(())
    }
}
