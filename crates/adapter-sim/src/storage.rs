//! Opens journals of the process that runs.

use std::sync::Arc;

use async_trait::async_trait;
use backbone::journal::{Error, Journal, Schema, Sent, Storage};

use crate::journal::{SimJournal, reading};
use crate::plight::Side;
use crate::process::Process;
use crate::shared::Shared;
use crate::writer;

pub(crate) struct SimStorage {
    pub(crate) shared: Arc<Shared>,
    pub(crate) process: Arc<Process>,
}

#[async_trait]
impl Storage for SimStorage {
    async fn open(&self, schema: Schema) -> Result<Arc<dyn Journal>, Error> {
        let Self { shared, process } = self;
        if process.is_dead() {
            return Err(reading("opening a journal", "the process is dead"));
        }
        let mut inside = shared.lock();
        let service = inside.disk.services.entry(schema.service).or_default();
        for collection in schema.collections {
            service.declared.insert(collection.name, collection);
            service.tables.entry(collection.name).or_default();
        }
        drop(inside);
        if process.needs_writer() {
            process.spawn_outside(writer::run(shared.clone(), process.clone()));
        }
        let (shared, process) = (shared.clone(), process.clone());
        Ok(Arc::new(SimJournal { shared, process, service: schema.service }))
    }

    async fn published_by(&self, service: &str, after: u64, limit: usize) -> Result<Vec<Sent>, Error> {
        let Self { shared, process } = self;
        let reached = shared.request(process, Side::Store, &shared.settings.read_time_ms).await;
        reached.map_err(|reason| reading("reading what a service published", reason))?;
        let inside = shared.lock();
        let Some(service) = inside.disk.services.get(service) else { return Ok(Vec::new()) };
        let start = service.outgoing.partition_point(|sent| sent.position <= after);
        Ok(service.outgoing[start..].iter().take(limit).cloned().collect())
    }

    fn is_shared(&self) -> bool {
        self.shared.settings.replicas > 1
    }
}
