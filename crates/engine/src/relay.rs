//! The relay: publishes what commits hold, in commit order, on a bus that commits do not write
//! themselves. It holds no transaction while it talks to the broker, and one replica of a service
//! does it at a time: the commit that notes how far it is checks the lease (reliability.md, rules 2
//! and 4). What was published and not noted is published again under the same ids.

use std::sync::Arc;

use backbone::bus::Bus;
use backbone::commit::{Commit, Fence, Outcome, Source};
use kernel::Duration;

use crate::host::Host;
use crate::shutdown::Shutdown;

mod again;

pub(crate) use again::find as last_request;
pub use again::{Beginning, RepublishError, Republished, Republisher};

/// The checkpoint that says how far it is, and the lease under which it runs.
pub const RELAY: &str = "relay";

/// How many events are published at a time.
const BATCH: usize = 256;

/// How often it looks whether something is to be published again.
const LOOK_BACK: Duration = Duration::from_secs(2);

/// How long to wait before looking again: wake-ups are hints, polling is the truth. Commits of
/// other replicas wake nobody here.
const POLL: Duration = Duration::from_millis(100);

/// Publishes until shutdown, and then what is left.
pub(crate) async fn run(host: Arc<Host>, bus: Arc<dyn Bus>, shutdown: Shutdown) {
    let publish = |fence| {
        let relay = Relay { host: &host, bus: &*bus, fence };
        relay.publish(shutdown.clone())
    };
    host.leases().hold(&host, RELAY, &shutdown, publish).await;
}

/// A relay that holds its lease.
struct Relay<'r> {
    host: &'r Host,
    bus: &'r dyn Bus,
    fence: Option<Fence>,
}

impl Relay<'_> {
    async fn publish(self, mut shutdown: Shutdown) -> Result<(), String> {
        let (host, clock) = (self.host, self.host.environment().clock.clone());
        let mut position = host.journal().checkpoint(RELAY).await.map_err(|e| e.to_string())?;
        let mut looks_back = clock.now();
        loop {
            if clock.now() >= looks_back || host.signs().was_asked_again() {
                // Nothing newer goes out before what is older.
                if !self.come_forward(position, &shutdown).await? {
                    return Ok(());
                }
                looks_back = clock.now().plus(LOOK_BACK);
            }
            let seen = host.commits();
            let batch = host.journal().outgoing(position, BATCH).await.map_err(|e| e.to_string())?;
            let age = batch.first().map_or(Duration::ZERO, |first| clock.now().since(first.envelope.time));
            host.signs().relays(batch.first().map(|first| first.envelope.time), clock.now());
            metrics::gauge!("a4co_outbox_age_seconds", "service" => host.service()).set(age.as_secs_f64());
            metrics::gauge!("a4co_outbox_depth", "service" => host.service()).set(batch.len() as f64);
            let Some(to) = batch.last().map(|last| last.position) else {
                if shutdown.is_on() {
                    return Ok(());
                }
                tokio::select! {
                    biased;
                    () = shutdown.wait() => {}
                    () = host.commits_beyond(seen) => {}
                    () = clock.sleep(POLL) => {}
                }
                continue;
            };
            if host.signs().is_asked_again() {
                continue;
            }
            self.bus.relay(batch, false).await.map_err(|e| e.to_string())?;
            position = self.note(position, to).await?;
        }
    }

    /// Notes that everything up to `to` is published.
    async fn note(&self, from: u64, to: u64) -> Result<u64, String> {
        let (consumer, fence) = (RELAY.to_owned(), self.fence.clone());
        let source = Some(Source::Checkpoint { consumer, from, to });
        match self.host.journal().submit(Commit { source, fence, ..Commit::default() }).await {
            Ok(Ok(Outcome::Committed { .. })) => Ok(to),
            Ok(Ok(other)) => Err(format!("{other:?}")),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the journal went away".to_owned()),
        }
    }
}
