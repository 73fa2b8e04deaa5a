//! What goes on beside a projection that follows: what operators ask for is done, and otherwise the read
//! model that a rebuild took the place of is kept up.

use std::convert::Infallible;
use std::sync::atomic::Ordering;

use backbone::system::{Aim, AskedFor, Ending, Rebuilding};
use kernel::Duration;

use super::previous::Previous;
use super::{OUTAGE, Run, records};

/// How often the record is read again where an operator may ask at another replica.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// How often a request is begun: a process that ended so often may have ended of it.
const BEGUN_MAX: u32 = 3;

impl Run<'_> {
    /// Attends to it for as long as the projection runs here.
    pub(super) async fn attend(&self) -> Infallible {
        loop {
            if let Err(reason) = self.attend_once().await {
                let (service, projection) = (self.host.service(), self.projection.name);
                tracing::warn!(service, projection, reason, "what goes on beside it pauses");
                self.host.environment().clock.sleep(OUTAGE).await;
            }
        }
    }

    async fn attend_once(&self) -> Result<(), String> {
        let record = self.look().await?;
        match (record.asked, record.previous) {
            (Some(asked), _) => {
                self.is_busy.store(true, Ordering::SeqCst);
                let done = self.perform(asked).await;
                self.is_busy.store(false, Ordering::SeqCst);
                done
            }
            (None, Some(_)) => self.keep_up().await,
            (None, None) => {
                self.rest(LOOK_AGAIN).await;
                Ok(())
            }
        }
    }

    async fn look(&self) -> Result<Rebuilding, String> {
        records::find(self.host, self.projection.name).await.map_err(|e| e.to_string())
    }

    /// Waits for the bell; where it may ring elsewhere, no longer than `most`. Gives whether it rang.
    async fn rest(&self, most: Duration) -> bool {
        let gate = self.host.gate(self.projection.name);
        let clock = self.host.environment().clock.clone();
        let most = if self.host.leases().is_shared() { most } else { most.max(Duration::from_secs(3_600)) };
        tokio::select! {
            biased;
            () = gate.bell().notified() => true,
            () = clock.sleep(most) => false,
        }
    }

    async fn perform(&self, asked: AskedFor) -> Result<(), String> {
        let (service, projection) = (self.host.service(), self.projection.name);
        if asked.begun >= BEGUN_MAX {
            let reason = format!("the process ended {} times while it was at it", asked.begun);
            return self.end(Ending::Failed { reason }).await;
        }
        self.record(|record, _| {
            if let Some(asked) = &mut record.asked {
                asked.begun += 1;
                // A rebuild takes the place of what was kept.
                record.previous = record.previous.filter(|_| asked.aim == Aim::RollBack);
            }
        })
        .await?;
        let done = match asked.aim {
            Aim::Rebuild(when) => self.rebuild(when).await,
            Aim::RollBack => self.roll_back().await,
        };
        if let Err(reason) = done {
            tracing::error!(service, projection, reason, "it was given up, and the read model is as it was");
            return self.end(Ending::Failed { reason }).await;
        }
        Ok(())
    }

    /// Notes how what was asked for ended.
    pub(super) async fn end(&self, ending: Ending) -> Result<(), String> {
        self.record(move |record, ws| {
            record.asked = None;
            record.last = Some((ws.now(), ending.clone()));
        })
        .await
    }

    /// Keeps up what served before, never further than what serves: the way back must not wait for a
    /// projection that stands still.
    async fn keep_up(&self) -> Result<(), String> {
        let Some(mut previous) = Previous::open(self).await? else {
            let (service, projection) = (self.host.service(), self.projection.name);
            tracing::warn!(service, projection, "what it was before its rebuild is no longer kept");
            return self.record(|record, _| record.previous = None).await;
        };
        let is_shared = self.host.leases().is_shared();
        let clock = self.host.environment().clock.clone();
        let gate = self.host.gate(self.projection.name);
        let mut looked = clock.now();
        loop {
            let target = self.stands().await?;
            previous.come_to(target).await?;
            tokio::select! {
                biased;
                () = gate.bell().notified() => return Ok(()),
                () = clock.sleep(super::POLL) => {}
            }
            if is_shared && clock.now().since(looked) >= LOOK_AGAIN {
                looked = clock.now();
                if self.look().await?.asked.is_some() {
                    return Ok(());
                }
            }
        }
    }

    /// Where the read model that serves stands.
    pub(super) async fn stands(&self) -> Result<u64, String> {
        let name = super::checkpoint_name(self.projection);
        self.host.journal().checkpoint(&name).await.map_err(|e| e.to_string())
    }
}
