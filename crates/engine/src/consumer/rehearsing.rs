//! What a handler would do with a delivery, for whoever wants to see it before it is tried.

use std::sync::Arc;

use backbone::system::KeptEvent;
use backbone::work::Decision;
use kernel::Envelope;
use serde_json::Value;

use super::{Consumer, held};

impl Consumer {
    /// The decision that a retry of this event would make, personal fields readable.
    pub(crate) async fn decision_on(&self, event: KeptEvent) -> Result<Decision, String> {
        let envelope = self.readable(&Arc::new(Envelope::from(event))).await?;
        let reaction = self.reactions.get(envelope.kind.as_str()).map(|reaction| reaction.run.clone());
        Ok(Arc::new(move |ws| match &reaction {
            Some(reaction) => reaction(&envelope, ws).map(|()| Value::Null),
            None => Err(held(&envelope.kind)),
        }))
    }
}
