//! The two read models of a projection change places, each with the records of its quarantined keys.

use backbone::journal::ShadowStep;
use backbone::system::{DeadLetter, Ending};

use super::Run;
use super::previous::Previous;
use super::quarantine;
use super::side::Side;

impl Run<'_> {
    /// Changes places; both stand at the same fact, and nobody else writes meanwhile.
    pub(super) async fn swap(&self) -> Result<(), String> {
        let Run { host, projection, fence, .. } = self;
        let step = ShadowStep::Swap {
            consumer: Side::Live.checkpoint(projection),
            shadow: Side::Aside.checkpoint(projection),
            fence: fence.clone(),
        };
        host.journal().shadow(projection.collections, step).await.map_err(|e| e.to_string())
    }

    /// After a swap, never before it: a key must not be let out while the documents are those that miss
    /// its facts. `found` are the records of what serves now; those of what served before go aside.
    pub(super) async fn swapped(&self, found: Vec<DeadLetter>, ending: Ending) -> Result<(), String> {
        let before = self.records(Side::Live).await?;
        let aside = self.records(Side::Aside).await?;
        found.iter().for_each(|letter| quarantine::alert(self.host, letter));
        let settled = self.record(move |record, ws| {
            before.iter().for_each(|letter| Side::Live.remove(letter, ws));
            aside.iter().for_each(|letter| Side::Aside.remove(letter, ws));
            found.iter().for_each(|letter| Side::Live.write(letter, ws));
            before.iter().for_each(|letter| Side::Aside.write(letter, ws));
            record.asked = None;
            record.previous = Some(ws.now());
            record.last = Some((ws.now(), ending.clone()));
        });
        settled.await.map_err(|reason| {
            format!("the other read model serves, but quarantine records are left ({reason}): rebuild again")
        })
    }

    pub(super) async fn records(&self, side: Side) -> Result<Vec<DeadLetter>, String> {
        let consumer = Side::Live.checkpoint(self.projection);
        let records = quarantine::records(&**self.host.journal(), side, &consumer).await;
        records.map_err(|error| error.to_string())
    }

    /// Swaps back what served before the last swap.
    pub(super) async fn roll_back(&self) -> Result<(), String> {
        let gone = || "what it was before is no longer kept".to_owned();
        let mut previous = Previous::open(self).await?.ok_or_else(gone)?;
        previous.come_to(self.stands().await?).await?;
        // From here on the live projection stands still, so that no fact falls between the two.
        let gate = self.host.gate(self.projection.name);
        let mut turn = gate.lock().await;
        previous.come_to(self.stands().await?).await?;
        *turn += 1;
        self.swap().await?;
        self.swapped(self.records(Side::Aside).await?, Ending::RolledBack).await?;
        let (service, projection) = (self.host.service(), self.projection.name);
        tracing::info!(service, projection, "rolled back to what it was before its rebuild");
        Ok(())
    }
}
