//! Items of stock: how many pieces there are, where they lie, and for whom they are held.
//!
//! At every instant `available` = `quantity` − `reserved` ≥ 0, `reserved` is the sum of the open
//! holds, and the movements sum to `quantity` (reliability.md, rule 32).

mod announce;
mod command;
mod decide;
mod event;
mod evolve;
mod movement;
mod rules;
mod state;

use backbone::{Aggregate, Announcements, Rejection};

use crate::views::StockView;

pub use command::{Command, Count, HoldRequest, Moment, Opening, Receipt, Sale, TakeBack};
pub use event::{Event, TakenBack};
pub use movement::{Cause, Movement, movement};
pub use rules::{Backorder, Rules, Thresholds};
pub use state::{Description, Hold, Pick, Shelf, State, Taking};

/// The most pieces that an item can have: sums of a few of them fit 32 bits.
pub const QUANTITY_MAX: u32 = 1_000_000_000;

/// An item of stock, keyed by [`ItemKey`](crate::domain::ItemKey).
pub enum Item {}

impl Aggregate for Item {
    const NAME: &'static str = "item";
    // A popular item gets thousands of events.
    const SNAPSHOT_EVERY: u64 = 64;

    type State = State;
    type Event = Event;
    type Command = Command;
    type View = StockView;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        decide::decide(state, command)
    }

    fn evolve(state: State, event: &Event) -> State {
        evolve::evolve(state, event)
    }

    fn event_name(event: &Event) -> &'static str {
        event.name()
    }

    fn announce(state: &State, event: &Event, out: &mut Announcements) {
        announce::announce(state, event, out);
    }

    fn view(id: &str, state: &State) -> Option<StockView> {
        StockView::of(id, state)
    }
}
