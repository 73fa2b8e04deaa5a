//! A service is a value: everything it registers, in one place.

use kernel::{Duration, EventType};

use crate::calls::CallSpec;
use crate::collection::Collection;
use crate::projection::Projection;
use crate::reaction::Reaction;
use crate::route::Route;
use crate::saga::SagaRegistration;
use crate::timer::TimerHandler;

/// The waits before the retries of a failed delivery: N retries after the first delivery.
pub const RETRIES: &[Duration] = &[Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// Notification's waits.
pub const NOTIFICATION_RETRIES: &[Duration] = &[
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
];

/// Where a new consumer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// At the beginning of the stream.
    Stream,
    /// With what is published from now on.
    Now,
}

/// A service.
pub struct Module {
    /// Its name.
    pub service: &'static str,
    /// The public events it publishes; anything else is refused.
    pub publishes: Vec<&'static EventType>,
    /// Public events of its own that this version does not publish yet: others may react to them
    /// already. What is reacted to and stands in neither list is a start-up error.
    pub later: Vec<&'static EventType>,
    /// What it does on public events.
    pub reactions: Vec<Reaction>,
    /// Its sagas.
    pub sagas: Vec<SagaRegistration>,
    /// Its timers.
    pub timers: Vec<TimerHandler>,
    /// Its asynchronous projections.
    pub projections: Vec<Projection>,
    /// Its documents.
    pub collections: Vec<&'static Collection>,
    /// Those of them whose changes are told to whoever listens (`Context::listen`).
    pub told: Vec<&'static Collection>,
    /// What it offers over HTTP.
    pub routes: Vec<Route>,
    /// What it asks of other services.
    pub calls: Vec<&'static CallSpec>,
    /// The waits before the retries of a failed delivery.
    pub retries: &'static [Duration],
    /// Where its consumers begin.
    pub beginning: Beginning,
}

impl Module {
    /// A service that registers nothing yet.
    pub fn new(service: &'static str) -> Self {
        Self {
            service,
            publishes: Vec::new(),
            later: Vec::new(),
            reactions: Vec::new(),
            sagas: Vec::new(),
            timers: Vec::new(),
            projections: Vec::new(),
            collections: Vec::new(),
            told: Vec::new(),
            routes: Vec::new(),
            calls: Vec::new(),
            retries: RETRIES,
            beginning: Beginning::Stream,
        }
    }
}
