//! Event-sourced aggregates: pure, synchronous, and the only place where the rules stand.

use kernel::Event;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use crate::document::Document;
use crate::outcome::Rejection;

/// An event-sourced aggregate. No clock, no ids made, no I/O: what a decision needs comes in
/// with the command.
pub trait Aggregate: Sized + 'static {
    /// Lower-case name; streams are called `<name>-<id>`.
    const NAME: &'static str;
    /// Number of the events' schema; raise it with each change of shape and add a step to `lift`.
    const SCHEMA: u32 = 1;
    /// A snapshot is written each so many events; 0 for never (short lives need none).
    const SNAPSHOT_EVERY: u64 = 0;
    /// Fields of events and of the state (top level) with personal data.
    const PERSONAL: &'static [&'static str] = &[];

    /// The state that decisions need.
    type State: Default + Clone + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// Private events: what happened, in the service's own words.
    type Event: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;
    /// What can be asked of it.
    type Command;
    /// The document that queries read, written in the same commit.
    type View: Document;

    /// The rules.
    fn decide(state: &Self::State, command: Self::Command) -> Result<Vec<Self::Event>, Rejection>;

    /// What an event changes.
    fn evolve(state: Self::State, event: &Self::Event) -> Self::State;

    /// The event's name in the store.
    fn event_name(event: &Self::Event) -> &'static str;

    /// Which public events tell others of this one: the one place where private becomes public.
    /// `state` is the state after the event.
    fn announce(state: &Self::State, event: &Self::Event, out: &mut Announcements);

    /// What queries see; `None` where there is nothing to see (yet).
    fn view(id: &str, state: &Self::State) -> Option<Self::View>;

    /// The person whom the personal fields are about.
    fn person(state: &Self::State) -> Option<Uuid> {
        let _ = state;
        None
    }

    /// Lifts the data of an event written under an older schema by one step, purely.
    fn lift(name: &str, schema: u32, data: Value) -> Value {
        let _ = (name, schema);
        data
    }

    /// The stream of an instance.
    fn stream(id: &str) -> String {
        format!("{}-{id}", Self::NAME)
    }
}

/// Reads a stored event, lifted to the current schema. Personal fields are as they are stored.
pub fn read_event<A: Aggregate>(stored: &crate::commit::StoredEvent) -> Result<A::Event, String> {
    crate::workspace::AggregateKind::<A>::lifted(stored)
}

/// A public event on its way into a commit.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// CloudEvents `type`.
    pub kind: &'static kernel::EventType,
    /// CloudEvents `subject`.
    pub subject: String,
    /// The person whom personal fields are about.
    pub person: Option<Uuid>,
    /// The payload.
    pub payload: crate::workspace::Payload,
}

/// Public events in the order in which they are to be published.
#[derive(Clone, Debug, Default)]
pub struct Announcements {
    pub(crate) items: Vec<Announcement>,
}

impl Announcements {
    /// Adds a public event.
    pub fn publish<E: Event>(&mut self, event: E) {
        self.items.push(Announcement {
            kind: &E::TYPE,
            subject: event.subject().to_string(),
            person: event.person(),
            payload: crate::workspace::Payload::new(&event, E::TYPE.personal, event.person()),
        });
    }

    /// Nothing was added.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// What was added, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Announcement> {
        self.items.iter()
    }
}
