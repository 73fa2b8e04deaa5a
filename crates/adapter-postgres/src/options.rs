//! How a store is opened.

use std::time::Duration;

/// How a store is opened; the defaults are for a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// The most commits of one service that wait; more are answered with an error at once.
    pub queue_max: usize,
    /// The most commits in one transaction.
    pub commits_per_transaction_max: usize,
    /// Connections for reads, shared by all services. Each service has one more that writes.
    pub readers: usize,
    /// How long a statement may wait for a lock.
    pub lock_time_max: Duration,
    /// How long a statement may run.
    pub statement_time_max: Duration,
    /// How long commits wait for a database that is away before they are answered with an error.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue_max: 65_536,
            commits_per_transaction_max: 256,
            readers: 6,
            lock_time_max: Duration::from_secs(5),
            statement_time_max: Duration::from_secs(30),
            patience: Duration::from_secs(3),
        }
    }
}
