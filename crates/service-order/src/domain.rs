//! The order: the only place where the rules of an order's life stand. Pure and synchronous.

use backbone::{Aggregate, Announcements, Rejection};
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error;

mod announce;
mod cancel;
mod change;
mod details;
mod event;
mod evolve;
mod life;
mod parts;
mod payment;
mod returns;
mod shares;
mod shipment;
mod stock;

pub use details::*;
pub use event::{Event, Movement, Placed};
pub use life::{FINAL_STATES, allows};
pub use parts::*;
pub use shares::{change_shares, order_shares};

pub use cancel::Cancel;
pub use change::{ChangeIds, ChangeItems, Reshaped, reshape};
pub use payment::Pay;
pub use returns::{Inspected, SendBack};
pub use shipment::Ship;
pub use stock::Keep;

/// The aggregate.
pub enum Order {}

/// What decisions need to know: nothing, until it is placed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State(pub Option<Box<Details>>);

/// What is asked, and when.
#[derive(Clone, Debug)]
pub struct Command {
    /// Now, by the store's clock.
    pub at: Timestamp,
    /// What.
    pub act: Act,
}

/// What can be asked of an order, by subject.
#[derive(Clone, Debug)]
pub enum Act {
    /// Place it.
    Place(Box<Placed>),
    /// The hold on its stock.
    Stock(Keep),
    /// Its money.
    Payment(Pay),
    /// Paid and held: confirm it.
    Confirm,
    /// Its parcels.
    Shipment(Ship),
    /// Calling it off.
    Cancel(Cancel),
    /// Changing its items.
    Change(ChangeItems),
    /// Sending goods back.
    Return(SendBack),
}

impl State {
    /// The order, where it was placed.
    pub fn order(&self) -> Result<&Details, Rejection> {
        self.0.as_deref().ok_or_else(error::no_such_order)
    }
}

impl Aggregate for Order {
    const NAME: &'static str = "order";
    const PERSONAL: &'static [&'static str] = PERSONAL;

    type State = State;
    type Event = Event;
    type Command = Command;
    type View = Details;

    fn decide(state: &State, Command { at, act }: Command) -> Result<Vec<Event>, Rejection> {
        let act = match act {
            Act::Place(_) if state.0.is_some() => return Err(error::already_placed()),
            Act::Place(placed) => return Ok(vec![Event::Placed(placed)]),
            act => act,
        };
        let order = state.order()?;
        match act {
            Act::Place(_) => Err(error::already_placed()),
            Act::Stock(act) => stock::decide(order, act, at),
            Act::Payment(act) => payment::decide(order, act, at),
            Act::Confirm => life::confirm(order, at),
            Act::Shipment(act) => shipment::decide(order, act, at),
            Act::Cancel(act) => cancel::decide(order, act, at),
            Act::Change(act) => change::decide(order, act, at),
            Act::Return(act) => returns::decide(order, act, at),
        }
    }

    fn evolve(state: State, event: &Event) -> State {
        State(evolve::apply(state.0, event))
    }

    fn event_name(event: &Event) -> &'static str {
        event.name()
    }

    fn announce(state: &State, event: &Event, out: &mut Announcements) {
        if let Some(order) = &state.0 {
            announce::announce(order, event, out);
        }
    }

    fn view(_id: &str, state: &State) -> Option<Details> {
        state.0.as_deref().cloned()
    }

    fn person(state: &State) -> Option<Uuid> {
        state.0.as_ref().map(|order| order.customer_id.0)
    }
}
