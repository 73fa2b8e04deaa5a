//! Reservations: what an order or a cart holds of several items, all or none, until it is confirmed
//! or released or its time is over.

mod announce;
mod decide;
mod event;

use backbone::{Aggregate, Announcements, Rejection};
use contracts::inventory::{Priority, ReleaseReason};
use contracts::shared::Shortage;
use kernel::{ProductId, ReservationId, Timestamp, VariantId, WarehouseId};
use serde::{Deserialize, Serialize};

use super::stock::Pick;
use super::{ItemKey, Owner};
use crate::views::ReservationView;

pub use decide::Command;
pub use event::Event;

/// A reservation, keyed by its id.
pub enum Reservation {}

/// Where a reservation is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Nobody asked for it yet.
    #[default]
    Requested,
    /// Its pieces are held.
    Reserved,
    /// Its pieces are sold.
    Confirmed,
    /// Its pieces are free again, or its release came first.
    Released,
    /// It was refused: nothing is held.
    Refused,
}

impl Status {
    /// Its name in columns and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Requested => "requested",
            Status::Reserved => "reserved",
            Status::Confirmed => "confirmed",
            Status::Released => "released",
            Status::Refused => "refused",
        }
    }
}

/// The pieces of one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// The product.
    pub product_id: ProductId,
    /// The variant of it.
    pub variant_id: Option<VariantId>,
    /// The warehouse where its pieces usually lie.
    pub warehouse_id: WarehouseId,
    /// Pieces that lie in stock, and where.
    pub picks: Vec<Pick>,
    /// Pieces beyond stock.
    pub waiting: u32,
    /// When those are promised.
    pub promised_at: Option<Timestamp>,
}

impl Line {
    /// Its item.
    pub fn key(&self) -> ItemKey {
        ItemKey::new(self.product_id, self.variant_id)
    }

    /// Pieces in all.
    pub fn pieces(&self) -> u32 {
        self.picks.iter().map(|pick| pick.quantity).sum::<u32>() + self.waiting
    }
}

/// What decisions need to know.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Its id.
    pub id: ReservationId,
    /// Where it is in its life.
    pub status: Status,
    /// Whose it is.
    pub owner: Option<Owner>,
    /// Who is served first.
    pub priority: Option<Priority>,
    /// What it holds, held or sold.
    pub lines: Vec<Line>,
    /// When the hold ends.
    pub expires_at: Timestamp,
    /// What it lacked when it was refused.
    pub shortages: Vec<Shortage>,
    /// Why it was refused.
    pub refused_for: Option<String>,
    /// Why it was released.
    pub released_for: Option<ReleaseReason>,
    /// What was given back.
    pub given_back: Vec<Line>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Aggregate for Reservation {
    const NAME: &'static str = "reservation";

    type State = State;
    type Event = Event;
    type Command = Command;
    type View = ReservationView;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        decide::decide(state, command)
    }

    fn evolve(state: State, event: &Event) -> State {
        event::evolve(state, event)
    }

    fn event_name(event: &Event) -> &'static str {
        event.name()
    }

    fn announce(state: &State, event: &Event, out: &mut Announcements) {
        announce::announce(state, event, out);
    }

    fn view(id: &str, state: &State) -> Option<ReservationView> {
        Some(ReservationView::of(id, state))
    }
}
