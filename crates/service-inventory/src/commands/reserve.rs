//! Reserving: all pieces of all items, or none; asked twice, answered twice the same.

use std::collections::BTreeMap;

use backbone::workspace::Key;
use backbone::{Refusal, Workspace};
use contracts::inventory::{Priority, ReleaseReason, StockFailed};
use contracts::shared::Shortage;
use kernel::{Duration, ReservationId, Timestamp};

use super::{RESERVATION_EXPIRY, item};
use crate::book::OrderBook;
use crate::config::Config;
use crate::domain::reservation::{self, Command, Line, Reservation, Status};
use crate::domain::stock::{self, HoldRequest};
use crate::domain::{ItemKey, Owner};
use crate::error;

/// What is to be reserved.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The reservation, named by whoever asks.
    pub reservation_id: ReservationId,
    /// For whom.
    pub owner: Owner,
    /// Items and pieces; the same item twice is added up.
    pub items: Vec<(ItemKey, u32)>,
    /// When the hold ends; absent for the owner's usual time.
    pub expires_at: Option<Timestamp>,
    /// Who is served first.
    pub priority: Priority,
}

impl Asked {
    fn pieces(&self) -> BTreeMap<ItemKey, u32> {
        let mut pieces = BTreeMap::new();
        for (item, quantity) in self.items.iter().filter(|(_, quantity)| *quantity > 0) {
            let sum: &mut u32 = pieces.entry(*item).or_insert(0);
            *sum = sum.saturating_add(*quantity);
        }
        pieces
    }

    /// When the hold ends: as asked, but never after the longest hold.
    fn ends(&self, config: &Config, now: Timestamp) -> Timestamp {
        let usual = match self.owner {
            Owner::Order { .. } => config.reservation_limit,
            Owner::Cart { .. } => config.cart_hold,
        };
        self.expires_at.unwrap_or(now.plus(usual)).min(now.plus(config.hold_max))
    }
}

/// How a request ended. A refusal is an answer as well: whoever asked by an event is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Everything is held until then.
    Reserved(Timestamp),
    /// Nothing is held.
    Refused {
        /// What was lacking; empty where the reason is another.
        shortages: Vec<Shortage>,
        /// Why.
        reason: String,
    },
}

/// Reserves, or says why not.
pub fn reserve(ws: &mut Workspace<'_>, config: &Config, asked: &Asked) -> Result<Verdict, Refusal> {
    let pieces = asked.pieces();
    let order = asked.owner.order_id();
    ws.need(
        std::iter::once(Key::aggregate::<Reservation>(asked.reservation_id))
            .chain(order.map(Key::document::<OrderBook>))
            .chain(pieces.keys().map(|item| item::key(*item))),
    )?;
    let before = ws.state::<Reservation>(asked.reservation_id)?;
    if let Some(verdict) = known(ws, asked, &before)? {
        return Ok(verdict);
    }
    let expires_at = asked.ends(config, ws.now());
    let book = order.map(|order| ws.get::<OrderBook>(order)).transpose()?.flatten();
    let refusal = if book.as_ref().is_some_and(|book| book.closed_at.is_some()) {
        Some((Vec::new(), error::ORDER_CLOSED))
    } else if pieces.is_empty() {
        Some((Vec::new(), error::EMPTY))
    } else if expires_at <= ws.now() {
        Some((Vec::new(), error::TOO_LATE))
    } else {
        lacking(ws, asked.reservation_id, &pieces)?
    };
    match refusal {
        Some((shortages, reason)) => refuse(ws, asked, shortages, reason),
        None => {
            give_up_other_items(ws, &before, &pieces)?;
            hold(ws, asked, &pieces, expires_at)
        }
    }
}

/// The answer to a request whose reservation is known already; `None` where it may begin.
fn known(
    ws: &mut Workspace<'_>,
    asked: &Asked,
    before: &reservation::State,
) -> Result<Option<Verdict>, Refusal> {
    let (Some(owner), id) = (before.owner, asked.reservation_id) else { return Ok(None) };
    if !owner.is_same(&asked.owner) {
        // A cart that became an order hands its hold over.
        let hand_over = matches!(owner, Owner::Cart { .. }) && asked.owner.order_id().is_some();
        if hand_over && before.status != Status::Confirmed {
            return Ok(None);
        }
        if let Some(order_id) = asked.owner.order_id() {
            let reason = error::ID_TAKEN.to_owned();
            let failed_at = ws.now();
            ws.publish(StockFailed {
                reservation_id: id,
                order_id,
                shortages: Vec::new(),
                reason,
                failed_at,
            });
        }
        return Ok(Some(refused(Vec::new(), error::ID_TAKEN)));
    }
    let at = ws.now();
    ws.execute::<Reservation>(id, Command::AskAgain(at))?;
    Ok(Some(match before.status {
        Status::Reserved | Status::Confirmed => Verdict::Reserved(before.expires_at),
        Status::Refused => {
            refused(before.shortages.clone(), before.refused_for.as_deref().unwrap_or(error::SHORT))
        }
        Status::Requested | Status::Released => refused(Vec::new(), error::RELEASED_BEFORE),
    }))
}

fn refused(shortages: Vec<Shortage>, reason: &str) -> Verdict {
    Verdict::Refused { shortages, reason: reason.to_owned() }
}

/// Looks at all items before any is touched.
fn lacking(
    ws: &mut Workspace<'_>,
    id: ReservationId,
    pieces: &BTreeMap<ItemKey, u32>,
) -> Result<Option<(Vec<Shortage>, &'static str)>, Refusal> {
    let mut shortages = Vec::new();
    let mut reason = error::SHORT;
    for (key, requested) in pieces {
        let state = item::state(ws, *key)?;
        if let Err(available) = state.taking(id, *requested, ws.now()) {
            if state.discontinued {
                reason = error::DISCONTINUED;
            }
            let ItemKey { product_id, variant_id } = *key;
            shortages.push(Shortage { product_id, variant_id, requested: *requested, available });
        }
    }
    Ok((!shortages.is_empty()).then_some((shortages, reason)))
}

fn refuse(
    ws: &mut Workspace<'_>,
    asked: &Asked,
    shortages: Vec<Shortage>,
    reason: &'static str,
) -> Result<Verdict, Refusal> {
    let Asked { reservation_id, owner, .. } = *asked;
    if ws.state::<Reservation>(reservation_id)?.status == Status::Reserved {
        // What the cart held goes with it: the order that it became is refused.
        super::release::give_back(ws, reservation_id, ReleaseReason::OrderChanged)?;
        ws.clear_timer(RESERVATION_EXPIRY, reservation_id);
    }
    let verdict = refused(shortages.clone(), reason);
    let at = ws.now();
    ws.execute::<Reservation>(
        reservation_id,
        Command::Refuse { reservation_id, owner, shortages, reason, at },
    )?;
    Ok(verdict)
}

/// A cart that became an order may have held items that the order does not want.
fn give_up_other_items(
    ws: &mut Workspace<'_>,
    before: &reservation::State,
    pieces: &BTreeMap<ItemKey, u32>,
) -> Result<(), Refusal> {
    if before.status != Status::Reserved {
        return Ok(());
    }
    for line in before.lines.iter().filter(|line| !pieces.contains_key(&line.key())) {
        let at = ws.now();
        item::ask(ws, line.key(), stock::Command::Release(before.id, ReleaseReason::OrderChanged, at))?;
    }
    Ok(())
}

fn hold(
    ws: &mut Workspace<'_>,
    asked: &Asked,
    pieces: &BTreeMap<ItemKey, u32>,
    expires_at: Timestamp,
) -> Result<Verdict, Refusal> {
    let Asked { reservation_id, owner, priority, .. } = *asked;
    let mut lines: Vec<Line> = Vec::with_capacity(pieces.len());
    for (key, quantity) in pieces {
        let moment = item::moment(ws, *key, *quantity)?;
        let request = HoldRequest { reservation_id, owner, quantity: *quantity, expires_at };
        let events = item::ask(ws, *key, stock::Command::Hold(request, moment))?;
        let state = item::state(ws, *key)?;
        lines.extend(item::line(*key, &state, &events));
    }
    let at = ws.now();
    let command = Command::Reserve { reservation_id, owner, priority, lines, expires_at, at };
    ws.execute::<Reservation>(reservation_id, command)?;
    ws.set_timer(RESERVATION_EXPIRY, reservation_id, expires_at, 0);
    if let Owner::Order { order_id, customer_id } = owner {
        let book = ws.get::<OrderBook>(order_id)?;
        let mut book = book.map_or_else(|| OrderBook::new(order_id), std::sync::Arc::unwrap_or_clone);
        book.customer_id = book.customer_id.or(customer_id);
        book.reservations.push(reservation_id);
        ws.put(book)?;
    }
    Ok(Verdict::Reserved(expires_at))
}

/// Until when a reservation is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extended {
    /// The reservation.
    pub reservation_id: ReservationId,
    /// Until when it is kept: the later of what it was and what was asked.
    pub expires_at: Timestamp,
}

/// Keeps a reservation longer, never shorter.
pub fn extend(
    ws: &mut Workspace<'_>,
    reservation_id: ReservationId,
    until: Timestamp,
    hold_max: Duration,
) -> Result<Extended, Refusal> {
    if ws.state::<Reservation>(reservation_id)?.status == Status::Requested {
        return Err(error::no_such_reservation(reservation_id).into());
    }
    let at = ws.now();
    let events =
        ws.execute::<Reservation>(reservation_id, Command::Extend { until, latest: at.plus(hold_max), at })?;
    let expires_at = ws.state::<Reservation>(reservation_id)?.expires_at;
    if !events.is_empty() {
        ws.set_timer(RESERVATION_EXPIRY, reservation_id, expires_at, 0);
    }
    Ok(Extended { reservation_id, expires_at })
}
