//! Reactions: small functions from a public event to what it changes here.

use std::sync::Arc;

use kernel::{Envelope, ErrorKind, Event, EventType};

use crate::outcome::Refusal;
use crate::work::Priority;
use crate::workspace::Workspace;

/// A public event that arrived.
#[derive(Clone, Debug)]
pub struct Received<'a, E> {
    /// The payload.
    pub event: E,
    /// Its attributes.
    pub envelope: &'a Envelope,
}

impl<E> std::ops::Deref for Received<'_, E> {
    type Target = E;
    fn deref(&self) -> &E {
        &self.event
    }
}

type Run = Arc<dyn Fn(&Envelope, &mut Workspace<'_>) -> Result<(), Refusal> + Send + Sync>;
type Rank = Arc<dyn Fn(&Envelope) -> Priority + Send + Sync>;

/// What a service does on one type of event.
#[derive(Clone)]
pub struct Reaction {
    /// The type.
    pub event: &'static EventType,
    /// Decodes and runs; personal fields of the envelope's data are readable.
    pub run: Run,
    /// Who waits first among deliveries that wait together.
    pub rank: Option<Rank>,
}

/// Registers `react` for events of type `E`.
pub fn on<E: Event>(
    react: impl Fn(&Received<'_, E>, &mut Workspace<'_>) -> Result<(), Refusal> + Send + Sync + 'static,
) -> Reaction {
    let run = move |envelope: &Envelope, ws: &mut Workspace<'_>| {
        let event = decode::<E>(envelope)?;
        react(&Received { event, envelope }, ws)
    };
    Reaction { event: &E::TYPE, run: Arc::new(run), rank: None }
}

impl Reaction {
    /// Sorts deliveries that wait together (different keys only) by what the event says.
    #[must_use]
    pub fn ranked<E: Event>(mut self, rank: impl Fn(&E) -> Priority + Send + Sync + 'static) -> Self {
        self.rank = Some(Arc::new(move |envelope| {
            decode::<E>(envelope).map_or(Priority::Normal, |event| rank(&event))
        }));
        self
    }
}

/// Reads the payload, or says why it cannot be read.
pub fn decode<E: Event>(envelope: &Envelope) -> Result<E, Refusal> {
    serde_json::from_slice(&envelope.data).map_err(|e| {
        Refusal::failed(
            ErrorKind::Undecodable,
            format!("{} {} cannot be read: {e}", envelope.kind, envelope.id),
        )
    })
}
