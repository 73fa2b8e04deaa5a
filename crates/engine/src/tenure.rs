//! The time for which one replica reads a consumer. On a shared store its beginning is written down
//! and its end removes that: who finds it written takes over from one that ended without a word, and
//! replays what may have been in flight one by one (reliability.md, rule 11).

use std::sync::{Mutex, MutexGuard, PoisonError};

use backbone::commit::Fence;
use backbone::journal::{Stored, Want};
use backbone::system::{ATTEMPTS, Attempt};
use uuid::Uuid;

use crate::consumer::Consumer;
use crate::recovery;

/// What a consumer knows of its tenure.
#[derive(Default)]
pub(crate) struct Tenure {
    fence: Mutex<Option<Fence>>,
    /// The token of the lease under which this process wrote its beginning down and has not ended.
    noted: Mutex<Option<u64>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether nobody can have read in between: the lease is the same, or was given back and taken
/// again.
fn goes_on(noted: Option<u64>, token: u64) -> bool {
    noted.is_some_and(|noted| token == noted || token == noted + 1)
}

impl Tenure {
    /// The lease under which the consumer reads.
    pub(crate) fn fence(&self) -> Option<Fence> {
        lock(&self.fence).clone()
    }

    /// Begins, or goes on after a pause.
    pub(crate) async fn begin(&self, consumer: &Consumer, fence: Option<Fence>) -> Result<(), String> {
        let token = fence.as_ref().map(|fence| fence.token);
        *lock(&self.fence) = fence;
        let Some(token) = token else { return Ok(()) };
        if goes_on(*lock(&self.noted), token) {
            *lock(&self.noted) = Some(token);
            return Ok(());
        }
        if is_written(consumer).await? {
            recovery::recover_one(consumer).await?;
        }
        write(consumer).await?;
        *lock(&self.noted) = Some(token);
        Ok(())
    }

    /// What a replay in mid-tenure removed is written down again.
    pub(crate) async fn note_again(&self, consumer: &Consumer) -> Result<(), String> {
        let is_noted = lock(&self.noted).is_some();
        if is_noted { write(consumer).await } else { Ok(()) }
    }

    /// Ends in order.
    pub(crate) async fn end(&self, consumer: &Consumer) -> Result<(), String> {
        let noted = lock(&self.noted).take();
        if noted.is_some() {
            recovery::forget_attempt(consumer).await?;
        }
        Ok(())
    }
}

async fn write(consumer: &Consumer) -> Result<(), String> {
    let place = consumer.place();
    consumer
        .decide("tenure", move |ws| {
            ws.overwrite(Attempt { consumer: place.clone(), position: 0, event: Uuid::nil(), attempts: 0 });
            Ok(())
        })
        .await
}

async fn is_written(consumer: &Consumer) -> Result<bool, String> {
    let want = Want::Document(&ATTEMPTS, consumer.place());
    let found = consumer.host.journal().load(vec![want]).await.map_err(|e| e.to_string())?;
    Ok(matches!(found.first(), Some(Stored::Document(Some(_)))))
}

#[cfg(test)]
mod tests {
    use super::goes_on;

    /// Another one that held the lease in between may have died: its window is replayed.
    #[test]
    fn a_tenure_goes_on_only_where_nobody_held_the_lease_in_between() {
        for (noted, token, expected) in [
            (None, 1, false),
            (Some(4), 4, true),
            (Some(4), 5, true),
            (Some(4), 6, false),
            (Some(4), 9, false),
        ] {
            assert_eq!(goes_on(noted, token), expected, "{noted:?}, then {token}");
        }
    }
}
