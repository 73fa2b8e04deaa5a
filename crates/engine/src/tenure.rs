//! The time for which one replica reads a consumer. On a shared store its beginning is written down
//! and its end removes that: who finds it written takes over from one that ended without a word, and
//! replays what may have been in flight one by one (reliability.md, rule 11).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

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
    /// Written down by this process, which has not ended.
    is_noted: AtomicBool,
}

impl Tenure {
    /// The lease under which the consumer reads.
    pub(crate) fn fence(&self) -> Option<Fence> {
        self.fence.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins, or goes on after a pause.
    pub(crate) async fn begin(&self, consumer: &Consumer, fence: Option<Fence>) -> Result<(), String> {
        let is_shared = fence.is_some();
        *self.fence.lock().unwrap_or_else(PoisonError::into_inner) = fence;
        if !is_shared || self.is_noted.load(Ordering::SeqCst) {
            return Ok(());
        }
        if is_written(consumer).await? {
            recovery::recover_one(consumer).await?;
        }
        let place = consumer.place();
        consumer
            .decide("tenure", move |ws| {
                ws.overwrite(Attempt {
                    consumer: place.clone(),
                    position: 0,
                    event: Uuid::nil(),
                    attempts: 0,
                });
                Ok(())
            })
            .await?;
        self.is_noted.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Ends in order.
    pub(crate) async fn end(&self, consumer: &Consumer) -> Result<(), String> {
        if self.is_noted.swap(false, Ordering::SeqCst) {
            recovery::forget_attempt(consumer).await?;
        }
        Ok(())
    }
}

async fn is_written(consumer: &Consumer) -> Result<bool, String> {
    let want = Want::Document(&ATTEMPTS, consumer.place());
    let found = consumer.host.journal().load(vec![want]).await.map_err(|e| e.to_string())?;
    Ok(matches!(found.first(), Some(Stored::Document(Some(_)))))
}
