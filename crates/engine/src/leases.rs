//! What one replica of a service may do alone, it does while it holds a lease: its commits carry
//! the lease's token, so whoever was paused and comes back late can finish nothing (reliability.md,
//! rule 2). On a store that one process alone may write there is nobody to keep out.

use backbone::commit::Fence;
use backbone::journal::LeaseRequest;
use kernel::Duration;
use uuid::Uuid;

use crate::host::Host;
use crate::shutdown::Shutdown;

/// For how long a lease is taken: a replica that dies holds its work up for so long.
const LASTS: Duration = Duration::from_secs(15);

/// How often it is renewed.
const RENEWED_EVERY: Duration = Duration::from_secs(4);

/// How often somebody who waits for it asks.
const ASKED_EVERY: Duration = Duration::from_secs(2);

/// A pause after work that failed: the store or the bus is down.
const OUTAGE: Duration = Duration::from_millis(500);

/// Who asks, and whether anybody else could.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leases {
    owner: Uuid,
    is_shared: bool,
}

impl Leases {
    /// Leases of one run of a process.
    pub(crate) fn new(owner: Uuid, is_shared: bool) -> Self {
        Self { owner, is_shared }
    }

    /// True where other replicas may run on the same store.
    pub(crate) fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Does `work` again and again, whenever the lease `name` is held, until it ends by itself
    /// (`Ok`, at shutdown). Work that fails, or whose lease is lost, begins again.
    pub(crate) async fn hold<W>(
        &self,
        host: &Host,
        name: &str,
        shutdown: &Shutdown,
        mut work: impl FnMut(Option<Fence>) -> W,
    ) where
        W: Future<Output = Result<(), String>>,
    {
        let mut stopped = shutdown.clone();
        loop {
            let (wait, reason) = match self.once(host, name, &mut work).await {
                Ok(true) => return,
                Ok(false) => (ASKED_EVERY, None),
                Err(reason) => (OUTAGE, Some(reason)),
            };
            if let Some(reason) = reason {
                let service = host.service();
                tracing::warn!(service, name, reason, "it pauses and begins again");
            }
            tokio::select! {
                biased;
                () = stopped.wait() => return,
                () = host.environment().clock.sleep(wait) => {}
            }
        }
    }

    /// Does the work once, if the lease can be had; gives whether it ended.
    async fn once<W>(
        &self,
        host: &Host,
        name: &str,
        work: &mut impl FnMut(Option<Fence>) -> W,
    ) -> Result<bool, String>
    where
        W: Future<Output = Result<(), String>>,
    {
        if !self.is_shared {
            return work(None).await.map(|()| true);
        }
        let Some(token) = host.journal().lease(self.request(name)).await.map_err(|e| e.to_string())? else {
            return Ok(false);
        };
        tracing::debug!(service = host.service(), name, token, "holds the lease");
        let fence = Fence { lease: name.to_owned(), token };
        let ended = tokio::select! {
            biased;
            ended = work(Some(fence.clone())) => ended,
            reason = self.until_lost(host, &fence) => Err(reason),
        };
        // Where this fails the lease runs out by itself.
        if let Err(error) = host.journal().release(fence).await {
            tracing::debug!(service = host.service(), name, %error, "a lease could not be given back");
        }
        ended.map(|()| true)
    }

    fn request(&self, name: &str) -> LeaseRequest {
        LeaseRequest { name: name.to_owned(), owner: self.owner, lasts: LASTS }
    }

    /// Renews a lease until that fails, and says why it did.
    async fn until_lost(&self, host: &Host, fence: &Fence) -> String {
        let clock = host.environment().clock.clone();
        let mut renewed = clock.now();
        loop {
            clock.sleep(RENEWED_EVERY).await;
            match host.journal().lease(self.request(&fence.lease)).await {
                Ok(Some(token)) if token == fence.token => renewed = clock.now(),
                Ok(_) => return format!("the lease {} was taken over", fence.lease),
                Err(error) if clock.now().since(renewed) > LASTS => {
                    return format!("the lease {} could not be renewed: {error}", fence.lease);
                }
                Err(_) => {}
            }
        }
    }
}
