//! What happens to a reservation, and what that changes.

use contracts::inventory::{Priority, ReleaseReason};
use contracts::shared::Shortage;
use kernel::{ReservationId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Line, State, Status};
use crate::domain::stock::Pick;
use crate::domain::{ItemKey, Owner};

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum Event {
    /// All its pieces are held.
    Reserved {
        /// The reservation.
        reservation_id: ReservationId,
        /// Whose it is.
        owner: Owner,
        /// Who is served first.
        priority: Priority,
        /// What is held.
        lines: Vec<Line>,
        /// When the hold ends.
        expires_at: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// Nothing is held.
    Refused {
        /// The reservation.
        reservation_id: ReservationId,
        /// Who asked.
        owner: Owner,
        /// What was lacking.
        shortages: Vec<Shortage>,
        /// Why.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// It is held longer.
    Extended {
        /// When the hold ends now.
        expires_at: Timestamp,
        /// When.
        at: Timestamp,
    },
    /// Pieces came in that it waited for.
    Served {
        /// The item.
        item: ItemKey,
        /// The pieces.
        picks: Vec<Pick>,
        /// When.
        at: Timestamp,
    },
    /// Its pieces are sold.
    Confirmed {
        /// What was sold.
        lines: Vec<Line>,
        /// When.
        at: Timestamp,
    },
    /// It ended without a sale, or its sale was taken back, or it may never begin.
    Released {
        /// The reservation.
        reservation_id: ReservationId,
        /// Whose it is, or would have been.
        owner: Owner,
        /// What is free again.
        lines: Vec<Line>,
        /// Why.
        reason: ReleaseReason,
        /// When.
        at: Timestamp,
    },
    /// It was asked for again: the same answer.
    AskedAgain {
        /// When.
        at: Timestamp,
    },
    /// Its release was asked for again: the same answer.
    ReleaseAskedAgain {
        /// When.
        at: Timestamp,
    },
}

impl Event {
    /// Its name in the store.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Reserved { .. } => "reserved",
            Event::Refused { .. } => "refused",
            Event::Extended { .. } => "extended",
            Event::Served { .. } => "served",
            Event::Confirmed { .. } => "confirmed",
            Event::Released { .. } => "released",
            Event::AskedAgain { .. } => "asked-again",
            Event::ReleaseAskedAgain { .. } => "release-asked-again",
        }
    }

    fn at(&self) -> Timestamp {
        match self {
            Event::Reserved { at, .. }
            | Event::Refused { at, .. }
            | Event::Extended { at, .. }
            | Event::Served { at, .. }
            | Event::Confirmed { at, .. }
            | Event::Released { at, .. }
            | Event::AskedAgain { at }
            | Event::ReleaseAskedAgain { at } => *at,
        }
    }
}

pub(super) fn evolve(mut state: State, event: &Event) -> State {
    state.updated_at = event.at();
    match event {
        Event::Reserved { reservation_id, owner, priority, lines, expires_at, .. } => {
            state.id = *reservation_id;
            state.status = Status::Reserved;
            state.owner = Some(*owner);
            state.priority = Some(*priority);
            state.lines.clone_from(lines);
            state.expires_at = *expires_at;
            state.given_back.clear();
            state.released_for = None;
        }
        Event::Refused { reservation_id, owner, shortages, reason, .. } => {
            state.id = *reservation_id;
            state.status = Status::Refused;
            state.owner = Some(*owner);
            state.lines.clear();
            state.shortages.clone_from(shortages);
            state.refused_for = Some(reason.clone());
        }
        Event::Extended { expires_at, .. } => state.expires_at = *expires_at,
        Event::Served { item, picks, .. } => serve(&mut state, *item, picks),
        Event::Confirmed { lines, .. } => {
            state.status = Status::Confirmed;
            state.lines.clone_from(lines);
        }
        Event::Released { reservation_id, owner, lines, reason, .. } => {
            state.id = *reservation_id;
            state.status = Status::Released;
            state.owner = Some(*owner);
            state.given_back.clone_from(lines);
            state.released_for = Some(*reason);
        }
        Event::AskedAgain { .. } | Event::ReleaseAskedAgain { .. } => {}
    }
    state
}

fn serve(state: &mut State, item: ItemKey, picks: &[Pick]) {
    let Some(line) = state.lines.iter_mut().find(|line| line.key() == item) else { return };
    for pick in picks {
        line.waiting = line.waiting.saturating_sub(pick.quantity);
        match line.picks.iter_mut().find(|held| held.warehouse_id == pick.warehouse_id) {
            Some(held) => held.quantity += pick.quantity,
            None => line.picks.push(pick.clone()),
        }
    }
}
