//! Where a new consumer begins on a log that is read by position. A broker notes it when the consumer is
//! declared there; here it is noted in the journal, before anything is published.

use std::collections::BTreeMap;

use backbone::commit::Source;
use backbone::module::Beginning;
use backbone::system::Standing;
use backbone::workspace::Workspace;

use super::{Consumer, standing};
use crate::decider::{Job, PartOutcome};

impl Consumer {
    /// Notes that one which takes what is published from now on is there, and where the log ended then.
    /// Nothing for one that began before, or begins with the first event.
    pub(crate) async fn begin(&self) -> Result<(), String> {
        if self.beginning == Beginning::Stream || !self.capabilities().reads_by_position {
            return Ok(());
        }
        let stands = self.host.journal().checkpoint(&self.name).await.map_err(|e| e.to_string())?;
        if stands > 0 || standing::find(self).await?.is_some() {
            return Ok(());
        }
        let to = self.bus.end().await.map_err(|e| e.to_string())?;
        let (place, since) = (self.place(), self.host.environment().clock.now());
        let new = Standing { place, since, had: BTreeMap::new(), catching_up: None };
        // Both in one commit: one without the other would begin again, later or too early.
        let source = Source::Checkpoint { consumer: self.name.clone(), from: 0, to };
        let finish = move |_: &[PartOutcome], ws: &mut Workspace<'_>| {
            ws.overwrite(new.clone());
            Ok(())
        };
        let finish = Some(Box::new(finish) as _);
        let job = Job { source: (to > 0).then_some(source), finish, ..Job::default() };
        match self.host.perform(job).await {
            Ok(_) => Ok(()),
            // Another replica was faster.
            Err(_) if standing::find(self).await?.is_some() => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}
