//! A consumer that the broker does not know any more, because somebody deleted it there or the
//! storage is new: it would begin anew, and what it had not had would be passed over in silence, or what
//! it had had long ago come again. So it is a gap, and closed like one (communication.md, Consumers).

use backbone::bus::{self, Consumer as Reader, Subscription};
use backbone::system::Standing;

use super::{Consumer, standing};
use crate::since::CLOCKS_DIFFER;

impl Consumer {
    /// Opens a reader; where the broker has forgotten a consumer that has read before, that is a gap up
    /// to what it certainly had.
    pub(super) async fn open_at(&self, subscription: Subscription) -> Result<Box<dyn Reader>, bus::Error> {
        if subscription.after.is_none()
            && let Some(to) = self.forgotten_to(&subscription).await?
        {
            let consumer = self.name.clone();
            tracing::error!(consumer, "the broker does not know a consumer that has read before");
            return Err(bus::Error::Gap { consumer, from: to.min(1), to });
        }
        self.bus.open(subscription).await
    }

    /// Up to where a consumer that the broker has forgotten need not read; `None` where it is known, or
    /// has never read.
    async fn forgotten_to(&self, subscription: &Subscription) -> Result<Option<u64>, bus::Error> {
        if self.capabilities().reads_by_position || self.bus.knows(subscription).await? {
            return Ok(None);
        }
        let found = standing::find(self).await.map_err(|reason| bus::Error::Unavailable {
            operation: "looking how far a consumer has come",
            reason,
        })?;
        let Some(Standing { since, had, .. }) = found else { return Ok(None) };
        // It reads in the broker's order: with the latest that it had, it had all that stood before.
        let had = had.into_values().max().unwrap_or(since);
        self.bus.position_before(subscription, had.minus(CLOCKS_DIFFER)).await.map(Some)
    }
}
