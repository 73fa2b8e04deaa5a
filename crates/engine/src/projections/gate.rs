//! One at a time: whoever folds into a projection's read model, swaps it or lets a key out of
//! quarantine waits for its turn.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use tokio::sync::{Mutex, MutexGuard, Notify};

/// The turn at a projection.
#[derive(Default)]
pub(crate) struct Turns {
    turn: Mutex<u64>,
    bell: Notify,
}

/// The gate at which those who want a turn wait.
pub(crate) type Gate = Arc<Turns>;

impl Turns {
    /// Waits for a turn. What is inside changes whenever somebody else than the running projection
    /// wrote to its read model: what that one remembers is no longer true.
    pub(crate) async fn lock(&self) -> MutexGuard<'_, u64> {
        self.turn.lock().await
    }

    /// Rung when an operator asks something of the projection.
    pub(crate) fn bell(&self) -> &Notify {
        &self.bell
    }
}

/// The gates of a service's projections.
#[derive(Default)]
pub(crate) struct Gates(std::sync::Mutex<BTreeMap<&'static str, Gate>>);

impl Gates {
    /// The gate of a projection.
    pub(crate) fn of(&self, projection: &'static str) -> Gate {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gates.entry(projection).or_default().clone()
    }
}
