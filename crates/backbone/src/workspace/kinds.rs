//! Typed at the edge, erased once: here.

use std::marker::PhantomData;
use std::sync::Arc;

use kernel::stable_hash;
use serde_json::Value;
use uuid::Uuid;

use super::{Change, DraftDocument, Kind, Payload, Slot, Unrestored, Writes};
use crate::aggregate::Aggregate;
use crate::document::Document;
use crate::journal::{Stored, Want};

/// How an aggregate is read and written.
pub struct AggregateKind<A>(PhantomData<fn() -> A>);

impl<A: Aggregate> AggregateKind<A> {
    /// The one instance.
    pub const fn kind() -> &'static dyn Kind {
        &AggregateKind::<A>(PhantomData)
    }
}

/// How a document is read and written.
pub struct DocumentKind<D>(PhantomData<fn() -> D>);

impl<D: Document> DocumentKind<D> {
    /// The one instance.
    pub const fn kind() -> &'static dyn Kind {
        &DocumentKind::<D>(PhantomData)
    }
}

impl<D: Document> Kind for DocumentKind<D> {
    fn name(&self) -> &'static str {
        D::COLLECTION.name
    }

    fn want(&self, id: &str) -> Want {
        Want::Document(D::COLLECTION, id.to_owned())
    }

    fn restore(&self, stored: Stored) -> Result<Slot, Unrestored> {
        let Stored::Document(document) = stored else {
            let reason = format!("the journal gave a stream for a document of {}", self.name());
            return Err(Unrestored::Unreadable(reason));
        };
        let (version, document) = match document {
            None => (0, None),
            Some(found) => {
                let document: D = serde_json::from_slice(&found.body).map_err(|e| {
                    let place = format!("{}/{}", self.name(), found.id);
                    Unrestored::Unreadable(format!("document {place} cannot be read: {e}"))
                })?;
                (found.version, Some(document))
            }
        };
        Ok(Slot { version, state: Arc::new(document) })
    }

    fn personal(&self) -> &'static [&'static str] {
        D::PERSONAL
    }

    fn write(&self, id: &str, change: &Change) -> Writes {
        let document = change.slot.state.downcast_ref::<Option<D>>().and_then(Option::as_ref);
        let body = document.map(image);
        let written = DraftDocument { collection: D::COLLECTION, id: id.to_owned(), body, base: change.base };
        Writes { documents: vec![written], ..Writes::default() }
    }
}

fn image<D: Document>(document: &D) -> (Payload, Vec<crate::collection::ColumnValue>, Option<Uuid>) {
    let person = document.person().filter(|_| !D::PERSONAL.is_empty());
    (Payload::new(document, D::PERSONAL, person), document.columns(), person)
}

impl<A: Aggregate> AggregateKind<A> {
    /// The shape of the state, so that a snapshot of another shape is replayed, not misread.
    fn shape() -> u64 {
        let blank = serde_json::to_vec(&A::State::default()).unwrap_or_default();
        stable_hash(&blank) ^ u64::from(A::SCHEMA)
    }

    /// A stored event as its type, lifted from an older schema; `Err` says why it cannot be read.
    pub fn lifted(event: &crate::commit::StoredEvent) -> Result<A::Event, String> {
        let unreadable = |e: serde_json::Error| {
            format!("event {} {} of {} cannot be read: {e}", event.version, event.name, A::NAME)
        };
        if event.schema == A::SCHEMA {
            return serde_json::from_slice(&event.data).map_err(unreadable);
        }
        if event.schema > A::SCHEMA {
            return Err(format!(
                "event {} of {} has schema {}, newer than this program's {}: run a newer version",
                event.name,
                A::NAME,
                event.schema,
                A::SCHEMA
            ));
        }
        let mut data: Value = serde_json::from_slice(&event.data).map_err(unreadable)?;
        for schema in event.schema..A::SCHEMA {
            data = A::lift(&event.name, schema, data);
        }
        serde_json::from_value(data).map_err(unreadable)
    }

    fn state(change: &Change) -> &A::State {
        change.slot.state.downcast_ref::<A::State>().expect("a change of this kind holds its state")
    }
}

impl<A: Aggregate> Kind for AggregateKind<A> {
    fn name(&self) -> &'static str {
        A::NAME
    }

    fn want(&self, id: &str) -> Want {
        Want::Stream(A::stream(id))
    }

    fn restore(&self, stored: Stored) -> Result<Slot, Unrestored> {
        let Stored::Stream { snapshot, events } = stored else {
            let reason = format!("the journal gave a document for a stream of {}", A::NAME);
            return Err(Unrestored::Unreadable(reason));
        };
        // Behind a snapshot only what came after it was loaded.
        let is_whole = events.first().map_or(snapshot.is_none(), |first| first.version == 1);
        let usable = snapshot.filter(|s| s.schema == Self::shape());
        let (mut version, mut state) = match &usable {
            None => (0, A::State::default()),
            Some(snapshot) => match serde_json::from_slice::<A::State>(&snapshot.data) {
                Ok(state) => (snapshot.version, state),
                Err(_) => return Err(Unrestored::Replay),
            },
        };
        if usable.is_none() && !is_whole {
            return Err(Unrestored::Replay);
        }
        let covered = version;
        for event in events.iter().filter(|event| event.version > covered) {
            let typed = Self::lifted(event).map_err(Unrestored::Unreadable)?;
            state = A::evolve(state, &typed);
            version = event.version;
        }
        Ok(Slot { version, state: Arc::new(state) })
    }

    fn personal(&self) -> &'static [&'static str] {
        A::PERSONAL
    }

    fn write(&self, id: &str, change: &Change) -> Writes {
        let state = Self::state(change);
        let version = change.slot.version;
        let mut writes = Writes { stream: Some(A::stream(id)), ..Writes::default() };
        if change.events.is_empty() {
            return writes;
        }
        if let Some(view) = A::view(id, state) {
            writes.documents.push(DraftDocument {
                collection: <A::View as Document>::COLLECTION,
                id: view.id(),
                body: Some(image(&view)),
                base: None,
            });
        }
        let before = version - change.events.len() as u64;
        if A::SNAPSHOT_EVERY > 0 && version / A::SNAPSHOT_EVERY > before / A::SNAPSHOT_EVERY {
            let person = A::person(state).filter(|_| !A::PERSONAL.is_empty());
            let payload = Payload::new(state, A::PERSONAL, person);
            writes.snapshot = Some((version, Self::shape(), person, payload));
        }
        writes
    }
}
