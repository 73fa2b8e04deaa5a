//! Where a scenario plays: fresh ports, and the same ports again after a restart.

use std::sync::Arc;

use async_trait::async_trait;
use backbone::bus::{Bus, Consumer, Error, Subscription};
use backbone::collection::Collection;
use backbone::journal::{Journal, Schema, Storage};
use backbone::keyring::KeyRing;
use kernel::Envelope;

use crate::expect::{Shown, committed};
use crate::sample;

/// The ports of one running process.
pub struct Ports {
    /// Opens journals.
    pub storage: Arc<dyn Storage>,
    /// Carries public events.
    pub bus: Arc<dyn Bus>,
    /// Keeps data keys.
    pub keyring: Arc<dyn KeyRing>,
}

/// How an adapter is started and stopped. One fixture is one set of data, empty when it is made
/// and gone when it is dropped.
#[async_trait]
pub trait Fixture: Send + Sync + 'static {
    /// Starts the adapter on the fixture's data: a second call is a restart.
    async fn start(&self) -> Result<Ports, String>;

    /// Stops the adapter. Scenarios have dropped the journals and consumers that they opened.
    async fn stop(&self, ports: Ports) -> Result<(), String> {
        drop(ports);
        Ok(())
    }
}

/// Fresh ports for one scenario.
pub struct World {
    fixture: Box<dyn Fixture>,
    ports: Ports,
}

impl World {
    /// Starts `fixture`.
    pub async fn start(fixture: Box<dyn Fixture>) -> Result<Self, String> {
        let ports = fixture.start().await?;
        Ok(Self { fixture, ports })
    }

    /// Stops everything and starts it again on the same data. Journals and consumers must have
    /// been dropped: what a restart does to handles of the old process is nobody's promise.
    pub async fn reopen(self) -> Result<Self, String> {
        let Self { fixture, ports } = self;
        fixture.stop(ports).await.shown("stopping")?;
        Self::start(fixture).await
    }

    /// The ports.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// The journal of `service` with the collections of the samples.
    pub(crate) async fn journal(&self, service: &'static str) -> Result<Arc<dyn Journal>, String> {
        self.journal_with(service, sample::COLLECTIONS.to_vec()).await
    }

    /// The journal of `service` with `collections`.
    pub(crate) async fn journal_with(
        &self,
        service: &'static str,
        collections: Vec<&'static Collection>,
    ) -> Result<Arc<dyn Journal>, String> {
        self.ports.storage.open(Schema { service, collections }).await.shown("opening a journal")
    }

    /// Opens a consumer of `context` from the start (or the broker's mark).
    pub(crate) async fn consumer(
        &self,
        name: &str,
        context: &'static str,
    ) -> Result<Box<dyn Consumer>, String> {
        self.consumer_after(name, context, None).await
    }

    /// Opens a consumer of `context` after `position`.
    pub(crate) async fn consumer_after(
        &self,
        name: &str,
        context: &'static str,
        after: Option<u64>,
    ) -> Result<Box<dyn Consumer>, String> {
        let subscription =
            Subscription { consumer: name.to_owned(), service: "inventory", context, partition: 0, after };
        let opened = match self.ports.bus.open(subscription.clone()).await {
            // A broker that keeps nothing for who was not there yet: there is no journal to catch up from.
            Err(Error::Gap { to, .. }) if after.is_none() => {
                self.ports.bus.open(Subscription { after: Some(to), ..subscription }).await
            }
            opened => opened,
        };
        opened.shown("opening a consumer")
    }

    /// Sends events in whichever way this bus takes them: in a commit, or by `publish`.
    pub(crate) async fn send(&self, events: Vec<Envelope>) -> Result<(), String> {
        if self.ports.bus.capabilities().publishes_in_commit {
            let journal = self.journal("order").await?;
            let outcome = journal.submit(sample::publishing(events)).await;
            return committed(outcome).map(|_| ());
        }
        self.ports.bus.publish(events).await.shown("publishing")
    }
}
