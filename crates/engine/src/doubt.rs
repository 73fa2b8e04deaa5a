//! A commit whose answer was lost is not a failure (reliability.md, rule 25): it may stand, with
//! timers and calls that nobody was told of. They are rows: after such a commit the rows are read
//! again. A timer that is known already, or a call that is being made, is not doubled.

use std::sync::Arc;

use backbone::journal;
use backbone::saga::SagaRegistration;
use kernel::Duration;

use crate::host::Host;
use crate::shutdown::Shutdown;
use crate::{sagas, timers};

/// How long after the doubt the rows are read, and how soon again where they cannot be.
const LATER: Duration = Duration::from_secs(1);

/// Reads the rows whenever a commit's outcome is in doubt, until shutdown.
pub(crate) async fn run(host: Arc<Host>, sagas: Arc<Vec<SagaRegistration>>, mut shutdown: Shutdown) {
    let clock = host.environment().clock.clone();
    loop {
        tokio::select! {
            biased;
            () = shutdown.wait() => return,
            () = host.doubts().notified() => {}
        }
        loop {
            tokio::select! {
                biased;
                () = shutdown.wait() => return,
                () = clock.sleep(LATER) => {}
            }
            match read(&host, &sagas).await {
                Ok(()) => break,
                Err(error) => {
                    tracing::warn!(service = host.service(), %error, "a commit stays in doubt for now");
                }
            }
        }
    }
}

async fn read(host: &Host, registrations: &[SagaRegistration]) -> Result<(), journal::Error> {
    timers::load(host).await?;
    sagas::resume(host, registrations).await
}
