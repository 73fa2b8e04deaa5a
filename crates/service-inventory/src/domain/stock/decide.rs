//! The rules of an item.

use backbone::Rejection;
use contracts::shared::Shortage;
use kernel::{OrderId, ReservationId, Timestamp, UserId};

use super::evolve::evolve;
use super::state::pieces;
use super::{
    Command, Count, Description, Event, HoldRequest, Moment, Opening, QUANTITY_MAX, Receipt, Rules, Sale,
    State, TakeBack, Taking,
};
use crate::domain::Owner;
use crate::error;

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
    let mut draft = Draft { state: state.clone(), events: Vec::new() };
    match command {
        Command::Open(opening, at) => draft.open(opening, at)?,
        Command::Count(count, moment) => draft.count(count, moment)?,
        Command::Receive(receipt, at) => draft.receive(receipt, at)?,
        Command::Hold(request, moment) => draft.hold(&request, moment)?,
        Command::Release(id, reason, at) => draft.release(id, reason, at),
        Command::Sell(id, order_id, at) => draft.sell(id, order_id, at),
        Command::SellFree(sale, moment) => draft.sell_free(&sale, moment)?,
        Command::TakeBack(taken, at) => draft.take_back(&taken, at)?,
        Command::SetRules(rules, seen, moment) => draft.set_rules(rules, seen, moment)?,
        Command::Discontinue(at) if draft.is_open() && !state.discontinued => {
            draft.push(Event::Discontinued { at });
        }
        Command::Resume(at) if state.discontinued => draft.push(Event::Resumed { at }),
        Command::Reassign(artisan_id, at) => {
            if state.description.as_ref().is_some_and(|known| known.artisan_id != artisan_id) {
                draft.push(Event::Reassigned { artisan_id, at });
            }
        }
        Command::Discontinue(_) | Command::Resume(_) => {}
    }
    Ok(draft.events)
}

/// Who took pieces, for those who are told that the last ones are gone.
#[derive(Default)]
struct Taker {
    order_id: Option<OrderId>,
    user_id: Option<UserId>,
    quantity: u32,
}

impl Taker {
    fn new(owner: &Owner, quantity: u32) -> Self {
        Self { order_id: owner.order_id(), user_id: owner.customer_id().map(UserId::from), quantity }
    }
}

/// The events so far, and the state that they lead to.
struct Draft {
    state: State,
    events: Vec<Event>,
}

impl Draft {
    fn push(&mut self, event: Event) {
        self.state = evolve(std::mem::take(&mut self.state), &event);
        self.events.push(event);
    }

    fn is_open(&self) -> bool {
        self.state.description.is_some()
    }

    fn item(&self) -> Result<&Description, Rejection> {
        self.state.description.as_ref().ok_or_else(|| error::no_such_item("this item"))
    }

    fn room_for(&self, quantity: u32) -> Result<(), Rejection> {
        let fits = self.state.quantity().checked_add(quantity).is_some_and(|sum| sum <= QUANTITY_MAX);
        if fits { Ok(()) } else { Err(error::too_many()) }
    }

    // ── what comes in ───────────────────────────────────────────────────────────────────────

    fn open(&mut self, opening: Opening, at: Timestamp) -> Result<(), Rejection> {
        if self.is_open() {
            return Ok(());
        }
        self.room_for(opening.quantity)?;
        self.push(Event::Opened {
            product_id: opening.product_id,
            variant_id: opening.variant_id,
            artisan_id: opening.artisan_id,
            product_name: opening.product_name,
            warehouse_id: opening.warehouse_id,
            location: opening.location,
            quantity: opening.quantity,
            rules: opening.rules.checked()?,
            at,
        });
        if opening.discontinued {
            self.push(Event::Discontinued { at });
        }
        Ok(())
    }

    fn count(&mut self, count: Count, moment: Moment) -> Result<(), Rejection> {
        self.item()?;
        if count.seen_revision.is_some_and(|seen| seen != self.state.stock_revision) {
            return Err(error::stale());
        }
        let before = self.state.available();
        let warehouse_id = count.warehouse_id.unwrap_or(self.state.home);
        let shelf = self.state.shelves.get(&warehouse_id).cloned().unwrap_or_default();
        if count.quantity < shelf.reserved {
            return Err(error::count_below_held(count.quantity, shelf.reserved));
        }
        self.room_for(count.quantity.saturating_sub(shelf.quantity))?;
        self.push(Event::Counted {
            warehouse_id,
            location: count.location.unwrap_or(shelf.location),
            previous: shelf.quantity,
            quantity: count.quantity,
            at: moment.at,
        });
        self.serve_waiting(moment.at);
        let missing = shelf.quantity.saturating_sub(count.quantity);
        self.tell_crossings(before, &Taker { quantity: missing, ..Taker::default() }, moment);
        Ok(())
    }

    fn receive(&mut self, receipt: Receipt, at: Timestamp) -> Result<(), Rejection> {
        self.item()?;
        self.room_for(receipt.quantity)?;
        let warehouse_id = receipt.warehouse_id.unwrap_or(self.state.home);
        let location = receipt.location.unwrap_or_else(|| self.state.location(warehouse_id).to_owned());
        self.push(Event::Received {
            purchase_order_id: receipt.purchase_order_id,
            warehouse_id,
            location,
            quantity: receipt.quantity,
            at,
        });
        self.serve_waiting(at);
        Ok(())
    }

    fn take_back(&mut self, taken: &TakeBack, at: Timestamp) -> Result<(), Rejection> {
        self.item()?;
        let owed = taken.reservation_id.and_then(|id| self.state.holds.get(&id)).filter(|hold| hold.sold);
        let waiting = owed.map_or(0, |hold| hold.waiting).min(taken.quantity);
        let quantity = taken.quantity - waiting;
        self.room_for(quantity)?;
        if taken.quantity > 0 {
            self.push(Event::TakenBack {
                why: taken.why,
                order_id: taken.order_id,
                reservation_id: taken.reservation_id,
                return_id: taken.return_id,
                warehouse_id: self.state.home,
                quantity,
                waiting,
                at,
            });
            self.serve_waiting(at);
        }
        Ok(())
    }

    /// First come, first served: pieces that are free go to those who wait.
    fn serve_waiting(&mut self, at: Timestamp) {
        let mut queue: Vec<(u64, ReservationId)> = self
            .state
            .holds
            .iter()
            .filter(|(_, hold)| hold.waiting > 0)
            .map(|(id, hold)| (hold.place, *id))
            .collect();
        queue.sort_unstable();
        for (_, reservation_id) in queue {
            let hold = &self.state.holds[&reservation_id];
            let served = hold.waiting.min(self.state.available());
            if served == 0 {
                return;
            }
            let (owner, sold) = (hold.owner, hold.sold);
            let picks = self.state.picks(served);
            self.push(Event::Served { reservation_id, owner, picks, sold, at });
        }
    }

    // ── what goes out ───────────────────────────────────────────────────────────────────────

    fn hold(&mut self, request: &HoldRequest, moment: Moment) -> Result<(), Rejection> {
        let id = request.reservation_id;
        let before = self.state.available();
        let own = self.state.holds.get(&id);
        if own.is_some_and(|hold| hold.sold) {
            return Err(error::already_sold(id));
        }
        let replaces = own.map_or(0, |hold| pieces(&hold.picks));
        let Taking { picks, waiting, promised_at } = self.taking(id, request.quantity, moment.at)?;
        self.push(Event::Held {
            reservation_id: id,
            owner: request.owner,
            picks,
            replaces,
            waiting,
            promised_at,
            expires_at: request.expires_at,
            at: moment.at,
        });
        self.serve_waiting(moment.at);
        self.tell_crossings(before, &Taker::new(&request.owner, request.quantity), moment);
        Ok(())
    }

    fn taking(&self, id: ReservationId, quantity: u32, now: Timestamp) -> Result<Taking, Rejection> {
        let item = self.item()?;
        self.state.taking(id, quantity, now).map_err(|available| {
            let (product_id, variant_id) = (item.product_id, item.variant_id);
            error::insufficient(&[Shortage { product_id, variant_id, requested: quantity, available }])
        })
    }

    fn release(&mut self, id: ReservationId, reason: contracts::inventory::ReleaseReason, at: Timestamp) {
        let Some(hold) = self.state.holds.get(&id).filter(|hold| !hold.sold).cloned() else { return };
        self.push(Event::Released {
            reservation_id: id,
            owner: hold.owner,
            picks: hold.picks,
            waiting: hold.waiting,
            reason,
            at,
        });
        self.serve_waiting(at);
    }

    fn sell(&mut self, id: ReservationId, order_id: OrderId, at: Timestamp) {
        let Some(hold) = self.state.holds.get(&id).filter(|hold| !hold.sold).cloned() else { return };
        self.push(Event::Sold {
            reservation_id: id,
            order_id,
            owner: hold.owner,
            picks: hold.picks,
            held: true,
            waiting: hold.waiting,
            at,
        });
    }

    fn sell_free(&mut self, sale: &Sale, moment: Moment) -> Result<(), Rejection> {
        let id = sale.reservation_id;
        if self.state.holds.get(&id).is_some_and(|hold| !hold.sold) {
            return Err(error::another_owner(id));
        }
        let before = self.state.available();
        let Taking { picks, waiting, .. } = self.taking(id, sale.quantity, moment.at)?;
        self.push(Event::Sold {
            reservation_id: id,
            order_id: sale.order_id,
            owner: sale.owner,
            picks,
            held: false,
            waiting,
            at: moment.at,
        });
        self.tell_crossings(before, &Taker::new(&sale.owner, sale.quantity), moment);
        Ok(())
    }

    // ── what is settled ─────────────────────────────────────────────────────────────────────

    fn set_rules(&mut self, rules: Rules, seen: Option<u64>, moment: Moment) -> Result<(), Rejection> {
        self.item()?;
        if seen.is_some_and(|seen| seen != self.state.rules_revision) {
            return Err(error::stale());
        }
        let rules = rules.checked()?;
        if rules == self.state.rules {
            return Ok(());
        }
        // A limit that is raised to what there is, or above, is reached now.
        let is_reached = |limit: u32, available: u32| limit > 0 && available <= limit;
        let old = self.state.rules.thresholds.each();
        let available = self.state.available();
        self.push(Event::RulesSet { rules, at: moment.at });
        for ((kind, threshold), (_, old)) in rules.thresholds.each().into_iter().zip(old) {
            if is_reached(threshold, available) && !is_reached(old, available) {
                self.push(reached(kind, threshold, moment));
            }
        }
        Ok(())
    }

    /// Told once per crossing: where the available pieces were above a limit and are not any more.
    fn tell_crossings(&mut self, before: u32, taker: &Taker, moment: Moment) {
        let after = self.state.available();
        let crossed: Vec<_> = self.state.crossed(before, after).collect();
        for (kind, threshold) in crossed {
            self.push(reached(kind, threshold, moment));
        }
        if before > 0 && after == 0 {
            self.push(Event::Depleted {
                order_id: taker.order_id,
                user_id: taker.user_id,
                quantity: taker.quantity,
                at: moment.at,
            });
        }
    }
}

fn reached(kind: contracts::inventory::ThresholdType, threshold: u32, moment: Moment) -> Event {
    let Moment { at, average_daily_milli } = moment;
    Event::ThresholdReached { kind, threshold, average_daily_milli, at }
}
