//! Work from a route.

use backbone::Context;
use backbone::work::{Done, Work};

use crate::Problem;

/// Runs work and answers in problems.
pub trait Execute {
    /// The answer given before under the work's idempotency key, or else the work itself, durably.
    fn run(&self, work: Work) -> impl Future<Output = Result<Done, Problem>> + Send;
}

impl Execute for Context {
    async fn run(&self, work: Work) -> Result<Done, Problem> {
        if let Some(idempotency) = &work.idempotency
            && let Some(done) = self.commands.answered(idempotency).await?
        {
            return Ok(done);
        }
        Ok(self.commands.execute(work).await?)
    }
}
