//! Floor 2: the ports of `backbone::ephemeral` in the memory of one process.
//!
//! What this crate must not know: services, networks, the wall clock. Time and ids come from the
//! environment; everything is bounded in size, and what it forgets when it is full is said in each file.
//!
//! - `rates`: the rate limiter (GCRA). `seen` and `held`: what one may have and nobody else.
//! - `sessions`: who is signed in. `hints`: what to look at again.

mod claims;
mod held;
mod hints;
mod rates;
mod seen;
mod sessions;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backbone::environment::Environment;
use backbone::ephemeral::Ephemeral;

pub use claims::MemoryClaims;
pub use hints::MemoryHints;
pub use rates::MemoryRates;
pub use sessions::MemorySessions;

/// What is remembered at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Keys that are counted.
    pub rates: NonZeroUsize,
    /// Things seen once: eight bytes each, and about twice that while the memory grows.
    pub seen: usize,
    /// Keys that are held.
    pub held: usize,
    /// Sessions.
    pub sessions: NonZeroUsize,
}

impl Default for Capacity {
    fn default() -> Self {
        let hundred_thousand = NonZeroUsize::new(100_000).expect("not zero");
        // 6 million requests in five and a half minutes, the life of a token, are 18,000 a second.
        Self { rates: hundred_thousand, seen: 6_000_000, held: 100_000, sessions: hundred_thousand }
    }
}

/// All ports, in memory.
pub fn ephemeral(environment: &Environment, capacity: Capacity) -> Ephemeral {
    Ephemeral {
        limits: Arc::new(MemoryRates::new(environment.clock.clone(), capacity.rates)),
        claims: Arc::new(MemoryClaims::new(environment, capacity)),
        sessions: Arc::new(MemorySessions::new(environment.clock.clone(), capacity.sessions)),
        hints: Arc::new(MemoryHints::default()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
