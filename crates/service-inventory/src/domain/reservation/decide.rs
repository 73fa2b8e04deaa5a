//! The rules of a reservation. Whether there are pieces is the items' to say: these commands come
//! with their answer, in the same decision.

use backbone::Rejection;
use contracts::inventory::{Priority, ReleaseReason};
use contracts::shared::Shortage;
use kernel::{ReservationId, Timestamp};

use super::{Event, Line, State, Status};
use crate::domain::stock::Pick;
use crate::domain::{ItemKey, Owner};
use crate::error;

/// What can be asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// The items hold these pieces.
    Reserve {
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
        /// Now.
        at: Timestamp,
    },
    /// The items cannot, or may not.
    Refuse {
        /// The reservation.
        reservation_id: ReservationId,
        /// Who asked.
        owner: Owner,
        /// What was lacking.
        shortages: Vec<Shortage>,
        /// Why.
        reason: &'static str,
        /// Now.
        at: Timestamp,
    },
    /// Keep it until then, never shorter.
    Extend {
        /// Until when.
        until: Timestamp,
        /// The latest that is allowed.
        latest: Timestamp,
        /// Now.
        at: Timestamp,
    },
    /// An item has served it.
    Serve(ItemKey, Vec<Pick>, Timestamp),
    /// The items sold these pieces.
    Confirm(Vec<Line>, Timestamp),
    /// The items gave these pieces back.
    Release {
        /// The reservation.
        reservation_id: ReservationId,
        /// Whose it is, or would have been.
        owner: Owner,
        /// What is free again.
        lines: Vec<Line>,
        /// Why.
        reason: ReleaseReason,
        /// Now.
        at: Timestamp,
    },
    /// Answer the same again.
    AskAgain(Timestamp),
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::Reserve { reservation_id, owner, priority, lines, expires_at, at } => {
            allow_start(state, reservation_id, &owner)?;
            Ok(vec![Event::Reserved { reservation_id, owner, priority, lines, expires_at, at }])
        }
        Command::Refuse { reservation_id, owner, shortages, reason, at } => {
            allow_start(state, reservation_id, &owner)?;
            Ok(vec![Event::Refused { reservation_id, owner, shortages, reason: reason.to_owned(), at }])
        }
        Command::Extend { until, latest, at } => extend(state, until, latest, at),
        Command::Serve(item, picks, at) => match state.status {
            Status::Reserved | Status::Confirmed => Ok(vec![Event::Served { item, picks, at }]),
            _ => Ok(Vec::new()),
        },
        Command::Confirm(lines, at) => confirm(state, lines, at),
        Command::Release { reservation_id, owner, lines, reason, at } => match state.status {
            Status::Released => Ok(vec![Event::ReleaseAskedAgain { at }]),
            _ => Ok(vec![Event::Released { reservation_id, owner, lines, reason, at }]),
        },
        Command::AskAgain(at) => Ok(vec![Event::AskedAgain { at }]),
    }
}

/// A reservation begins once; only a cart's may pass to the order that the cart became.
fn allow_start(state: &State, id: ReservationId, owner: &Owner) -> Result<(), Rejection> {
    match (state.status, &state.owner) {
        (Status::Requested, _) => Ok(()),
        (_, Some(Owner::Cart { .. })) if owner.order_id().is_some() => Ok(()),
        (Status::Confirmed, _) => Err(error::already_sold(id)),
        (Status::Reserved, _) => Err(error::another_owner(id)),
        (Status::Released | Status::Refused, _) => Err(error::reservation_over(id)),
    }
}

fn extend(
    state: &State,
    until: Timestamp,
    latest: Timestamp,
    at: Timestamp,
) -> Result<Vec<Event>, Rejection> {
    match state.status {
        Status::Requested => Err(error::no_such_reservation(state.id)),
        Status::Released | Status::Refused => Err(error::reservation_over(state.id)),
        // Sold for good: there is nothing to extend.
        Status::Confirmed => Ok(Vec::new()),
        Status::Reserved if state.expires_at <= at => Err(error::reservation_over(state.id)),
        Status::Reserved if until <= at || until > latest => Err(error::impossible_expiry()),
        Status::Reserved if until <= state.expires_at => Ok(Vec::new()),
        Status::Reserved => Ok(vec![Event::Extended { expires_at: until, at }]),
    }
}

fn confirm(state: &State, lines: Vec<Line>, at: Timestamp) -> Result<Vec<Event>, Rejection> {
    match (state.status, &state.owner) {
        (Status::Requested, _) => Err(error::no_such_reservation(state.id)),
        (Status::Confirmed, _) => Ok(Vec::new()),
        (_, Some(Owner::Cart { .. })) => Err(error::not_an_orders(state.id)),
        (Status::Reserved, _) => Ok(vec![Event::Confirmed { lines, at }]),
        // The order was paid while its hold ran out: what is still there is sold to it.
        (Status::Released, _) if state.released_for != Some(ReleaseReason::OrderCancelled) => {
            Ok(vec![Event::Confirmed { lines, at }])
        }
        (Status::Released | Status::Refused, _) => Err(error::reservation_over(state.id)),
    }
}
