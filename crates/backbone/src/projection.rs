//! Asynchronous projections: read models that combine aggregates or follow other services. A
//! projection only writes its own documents, so it can be rebuilt at any time (reliability.md,
//! rules 20–22).

use std::sync::Arc;

use kernel::{Envelope, Event, Timestamp};

use crate::aggregate::Aggregate;
use crate::collection::Collection;
use crate::document::Document;
use crate::journal::Recorded;
use crate::outcome::Refusal;
use crate::reaction::decode;
use crate::workspace::{AggregateKind, Workspace};

/// What a projection follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// The service's own private events.
    Own,
    /// Public events of a context.
    Context {
        /// The context.
        context: &'static str,
        /// The service whose events of it are folded.
        producer: &'static str,
    },
}

/// A fact to fold.
#[derive(Clone, Copy, Debug)]
pub enum Fact<'a> {
    /// A private event of the service; personal fields readable.
    Own(&'a Recorded),
    /// A public event; personal fields readable.
    Public(&'a Envelope),
}

/// What a projection may do: read and write its own documents, nothing else.
pub struct View<'a, 'b>(pub &'a mut Workspace<'b>);

impl View<'_, '_> {
    /// A document of the projection.
    pub fn get<D: Document>(&mut self, id: impl ToString) -> Result<Option<Arc<D>>, Refusal> {
        self.0.get::<D>(id)
    }

    /// Writes a document of the projection.
    pub fn put<D: Document>(&mut self, document: D) -> Result<(), Refusal> {
        self.0.put(document)
    }

    /// Reads a document, or begins one, changes it, and writes it.
    pub fn update<D: Document>(
        &mut self,
        id: impl ToString,
        begin: impl FnOnce() -> D,
        change: impl FnOnce(&mut D),
    ) -> Result<(), Refusal> {
        let mut document = self.get::<D>(id)?.map_or_else(begin, Arc::unwrap_or_clone);
        change(&mut document);
        self.put(document)
    }
}

type Fold = Arc<dyn Fn(Fact<'_>, &mut View<'_, '_>) -> Result<(), Refusal> + Send + Sync>;

/// A projection.
#[derive(Clone)]
pub struct Projection {
    /// Its name, unique in the service; its checkpoint's too.
    pub name: &'static str,
    /// What it follows.
    pub follows: Follows,
    /// The collections it writes, and nobody else does.
    pub collections: &'static [&'static Collection],
    /// Takes in a fact.
    pub fold: Fold,
}

impl Projection {
    /// A projection of an aggregate's private events: `fold(id, event, when, view)`.
    pub fn of<A: Aggregate>(
        name: &'static str,
        collections: &'static [&'static Collection],
        fold: impl Fn(&str, &A::Event, Timestamp, &mut View<'_, '_>) -> Result<(), Refusal>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let fold = move |fact: Fact<'_>, view: &mut View<'_, '_>| {
            let Fact::Own(recorded) = fact else { return Ok(()) };
            let id = recorded.stream.strip_prefix(A::NAME).and_then(|rest| rest.strip_prefix('-'));
            let Some(id) = id else { return Ok(()) };
            let event = AggregateKind::<A>::lifted(&recorded.event)
                .map_err(|e| Refusal::failed(kernel::ErrorKind::Undecodable, e))?;
            fold(id, &event, recorded.event.at, view)
        };
        Self { name, follows: Follows::Own, collections, fold: Arc::new(fold) }
    }

    /// A projection of a context's public events of one type.
    pub fn on<E: Event>(
        name: &'static str,
        collections: &'static [&'static Collection],
        fold: impl Fn(&E, &mut View<'_, '_>) -> Result<(), Refusal> + Send + Sync + 'static,
    ) -> Self {
        let fold = move |fact: Fact<'_>, view: &mut View<'_, '_>| match fact {
            Fact::Public(envelope) if envelope.kind == E::TYPE.name => fold(&decode::<E>(envelope)?, view),
            _ => Ok(()),
        };
        let context = E::TYPE.name.split('.').next().unwrap_or(E::TYPE.name);
        let follows = Follows::Context { context, producer: E::TYPE.producer };
        Self { name, follows, collections, fold: Arc::new(fold) }
    }
}
