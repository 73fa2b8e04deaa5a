//! What each event changes. Facts only: every rule stands in the deciding files.

use contracts::inventory::Priority;
use contracts::shared::{OrderItem, OrderState};
use kernel::{ArtisanId, PaymentId, ShipmentId, Timestamp};

use super::details::Details;
use super::event::{Event, Movement, Placed};
use super::parts::{
    CalledOff, Cancelling, Change, ChangeStatus, Hold, HoldStatus, Line, Parcel, Payment, PaymentStatus,
    Refund, RefundFor, RefundStatus, Return, ReturnStatus, ShipmentStatus,
};

/// The order after `event`.
pub(super) fn apply(order: Option<Box<Details>>, event: &Event) -> Option<Box<Details>> {
    if let Event::Placed(placed) = event {
        return Some(Box::new(begin(placed)));
    }
    let mut order = order?;
    order.version += 1;
    change(&mut order, event);
    Some(order)
}

fn begin(placed: &Placed) -> Details {
    let placed = placed.clone();
    Details {
        order_id: placed.order_id,
        version: 1,
        state: OrderState::Pending,
        customer_id: placed.customer_id,
        guest: placed.guest,
        access_key_hash: placed.access_key_hash,
        quote_id: placed.quote_id,
        cart_id: placed.cart_id,
        items: placed.items.iter().map(Line::of).collect(),
        deliveries: placed.deliveries,
        total: placed.total,
        estimated_delivery: placed.estimated_delivery,
        delivery_address: placed.delivery_address,
        guest_email: placed.guest_email,
        guest_name: placed.guest_name,
        metadata: placed.metadata,
        payment_method_id: Some(placed.payment_method_id),
        priority: Priority::Normal,
        hold: Hold { id: placed.reservation_id, status: HoldStatus::Planned, expires_at: None, reason: None },
        payment: Payment::planned(placed.payment_id, placed.total),
        shipments: Vec::new(),
        refunds: Vec::new(),
        changes: Vec::new(),
        returns: Vec::new(),
        cancelling: None,
        called_off: None,
        created_at: placed.at,
        updated_at: placed.at,
        confirmed_at: None,
        delivered_at: None,
    }
}

/// Takes in one more event.
pub(super) fn change(order: &mut Details, event: &Event) {
    match event {
        Event::Placed(_) => {}
        Event::ReservationAsked { .. }
        | Event::ReservationHeld { .. }
        | Event::ReservationRefused { .. }
        | Event::ReservationExtended { .. }
        | Event::StockMoved { .. }
        | Event::ReleaseAsked { .. }
        | Event::ReservationReleased { .. } => stock(order, event),
        Event::PaymentValidated { .. }
        | Event::PaymentAsked { .. }
        | Event::PaymentInitiated { .. }
        | Event::PaymentProcessing { .. }
        | Event::PaymentFailed { .. }
        | Event::PaymentTaken { .. } => payment(order, event),
        Event::AwaitingCustomer { .. }
        | Event::Confirmed { .. }
        | Event::Preparing { .. }
        | Event::Shipped { .. }
        | Event::Delivered { .. }
        | Event::Cancelled { .. }
        | Event::Failed { .. }
        | Event::CancellationAsked { .. }
        | Event::CancellationRefused { .. } => life(order, event),
        Event::ShipmentScheduled { .. }
        | Event::ShipmentDispatched { .. }
        | Event::ShipmentDelivered { .. }
        | Event::ShipmentCancellationAsked { .. }
        | Event::ShipmentsCancelled { .. } => shipment(order, event),
        Event::RefundAsked { .. } | Event::RefundProcessed { .. } | Event::RefundFailed { .. } => {
            refund(order, event);
        }
        Event::ChangeAsked { .. }
        | Event::ChangeReservationAsked { .. }
        | Event::ChangeAccepted { .. }
        | Event::ChangeDropped { .. }
        | Event::ItemsModified { .. } => items(order, event),
        Event::ReturnAsked { .. }
        | Event::ReturnReceived { .. }
        | Event::ReturnInspected { .. }
        | Event::ReturnClosed { .. }
        | Event::ReturnRejected { .. }
        | Event::ReturnDropped { .. } => returns(order, event),
    }
}

fn stock(order: &mut Details, event: &Event) {
    match event {
        Event::ReservationAsked { until, priority, at } => {
            order.hold.status = HoldStatus::Requested;
            order.hold.expires_at = Some(*until);
            order.priority = *priority;
            order.updated_at = *at;
        }
        Event::ReservationHeld { until, at } => {
            order.hold.status = HoldStatus::Held;
            order.hold.expires_at = Some(*until);
            order.updated_at = *at;
        }
        Event::ReservationRefused { reason, at, .. } => {
            order.hold.status = HoldStatus::Refused;
            order.hold.reason = Some(reason.clone());
            order.updated_at = *at;
        }
        Event::ReservationExtended { until, at } => {
            order.hold.expires_at = Some(*until);
            order.updated_at = *at;
        }
        Event::ReservationReleased { reason, at } => {
            order.hold.status = HoldStatus::Released;
            order.hold.reason = Some(reason.as_str().to_owned());
            order.updated_at = *at;
        }
        Event::StockMoved { movement, product_id, variant_id, quantity, at, .. } => {
            order.updated_at = *at;
            let Some(line) = order.items.iter_mut().find(|line| line.is(*product_id, *variant_id)) else {
                return;
            };
            match movement {
                Movement::Reserved => line.reserved += quantity,
                Movement::Confirmed => line.confirmed += quantity,
                Movement::Released => line.released += quantity,
            }
        }
        Event::ReleaseAsked { at, .. } => order.updated_at = *at,
        _ => {}
    }
}

fn payment_of(order: &mut Details, id: PaymentId) -> Option<&mut Payment> {
    let changes = order.changes.iter_mut().map(|change| &mut change.payment);
    std::iter::once(&mut order.payment).chain(changes).find(|payment| payment.id == id)
}

fn payment(order: &mut Details, event: &Event) {
    if let Event::PaymentValidated { method, awaits_customer, at, .. } = event {
        order.updated_at = *at;
        order.payment.method = Some(*method);
        order.payment.awaits_customer = *awaits_customer;
        if order.payment.status == PaymentStatus::Planned {
            order.payment.status = PaymentStatus::Validated;
        }
        return;
    }
    let (id, at) = match event {
        Event::PaymentAsked { payment_id, at, .. }
        | Event::PaymentInitiated { payment_id, at, .. }
        | Event::PaymentProcessing { payment_id, at, .. }
        | Event::PaymentFailed { payment_id, at, .. }
        | Event::PaymentTaken { payment_id, at, .. } => (*payment_id, *at),
        _ => return,
    };
    order.updated_at = at;
    let Some(payment) = payment_of(order, id) else { return };
    match event {
        Event::PaymentAsked { attempt, deadline, .. } => {
            payment.status = PaymentStatus::Requested;
            payment.attempt = *attempt;
            payment.deadline = Some(*deadline);
            payment.error = None;
        }
        Event::PaymentInitiated { method, .. } => {
            payment.status = PaymentStatus::Initiated;
            payment.method = Some(*method);
        }
        Event::PaymentProcessing { gateway, .. } => {
            payment.status = PaymentStatus::Processing;
            payment.gateway = Some(gateway.clone());
        }
        Event::PaymentFailed { code, message, .. } => {
            payment.status = PaymentStatus::Failed;
            payment.error = Some(format!("{message} ({code})"));
        }
        Event::PaymentTaken { reference, gateway, amount, .. } => {
            payment.status = PaymentStatus::Paid;
            payment.reference = Some(reference.clone());
            payment.gateway = Some(gateway.clone());
            payment.amount = *amount;
            payment.paid_at = Some(at);
            payment.error = None;
        }
        _ => {}
    }
}

fn life(order: &mut Details, event: &Event) {
    let (state, at) = match event {
        Event::AwaitingCustomer { at, .. } => (OrderState::AwaitingCustomer, *at),
        Event::Confirmed { at, .. } => {
            order.confirmed_at = Some(*at);
            order.hold.status = HoldStatus::Sold;
            (OrderState::Confirmed, *at)
        }
        Event::Preparing { at, .. } => (OrderState::Preparing, *at),
        Event::Shipped { at, .. } => (OrderState::Shipped, *at),
        Event::Delivered { at, .. } => {
            order.delivered_at = Some(*at);
            (OrderState::Delivered, *at)
        }
        Event::Cancelled { reason, by, at, .. } => {
            settle_cancellation(order);
            order.called_off = Some(CalledOff { reason: reason.clone(), by: *by, at: *at });
            (OrderState::Cancelled, *at)
        }
        Event::Failed { reason, at, .. } => {
            let by = contracts::order::CancelledBy::System;
            order.called_off = Some(CalledOff { reason: reason.clone(), by, at: *at });
            (OrderState::Failed, *at)
        }
        Event::CancellationAsked { refund_id, reason, by, asked_by, at } => {
            let (reason, asked_by) = (reason.clone(), asked_by.clone());
            let refund_id = *refund_id;
            order.cancelling =
                Some(Cancelling { refund_id, reason, by: *by, asked_by, settled: false, at: *at });
            (order.state, *at)
        }
        Event::CancellationRefused { at, .. } => {
            settle_cancellation(order);
            (order.state, *at)
        }
        _ => return,
    };
    order.state = state;
    order.updated_at = at;
}

fn settle_cancellation(order: &mut Details) {
    if let Some(cancelling) = &mut order.cancelling {
        cancelling.settled = true;
    }
}

fn shipment(order: &mut Details, event: &Event) {
    let parcel = |parcels: &mut Vec<Parcel>, id: ShipmentId, change: &dyn Fn(&mut Parcel)| {
        parcels.iter_mut().filter(|parcel| parcel.shipment_id == id).for_each(change);
    };
    match event {
        Event::ShipmentScheduled { parcel, at } => {
            order.shipments.push(parcel.clone());
            order.updated_at = *at;
        }
        Event::ShipmentDispatched { shipment_id, carrier, tracking_number, at } => {
            parcel(&mut order.shipments, *shipment_id, &|parcel| {
                parcel.status = ShipmentStatus::Dispatched;
                parcel.carrier.clone_from(carrier);
                parcel.tracking_number = Some(tracking_number.clone());
                parcel.dispatched_at = Some(*at);
            });
            order.updated_at = *at;
        }
        Event::ShipmentDelivered { shipment_id, on_time, at } => {
            parcel(&mut order.shipments, *shipment_id, &|parcel| {
                parcel.status = ShipmentStatus::Delivered;
                parcel.delivered_at = Some(*at);
                parcel.on_time = Some(*on_time);
            });
            order.updated_at = *at;
        }
        Event::ShipmentCancellationAsked { at, .. } => order.updated_at = *at,
        Event::ShipmentsCancelled { shipment_ids, at, .. } => {
            for id in shipment_ids {
                parcel(&mut order.shipments, *id, &|parcel| parcel.status = ShipmentStatus::Cancelled);
            }
            order.updated_at = *at;
        }
        _ => {}
    }
}

fn refund(order: &mut Details, event: &Event) {
    match event {
        Event::RefundAsked { refund_id, purpose, amount, reason, at } => {
            order.updated_at = *at;
            match order.refunds.iter_mut().find(|refund| refund.refund_id == *refund_id) {
                Some(refund) => refund.status = RefundStatus::Requested,
                None => order.refunds.push(Refund {
                    refund_id: *refund_id,
                    purpose: *purpose,
                    amount: *amount,
                    reason: reason.clone(),
                    status: RefundStatus::Requested,
                    error: None,
                    requested_at: *at,
                    settled_at: None,
                }),
            }
        }
        Event::RefundProcessed { refund_id, amount, reason, at } => {
            order.updated_at = *at;
            match order.refunds.iter_mut().find(|refund| refund.refund_id == *refund_id) {
                Some(refund) => {
                    refund.status = RefundStatus::Processed;
                    refund.amount = *amount;
                    refund.error = None;
                    refund.settled_at = Some(*at);
                }
                None => order.refunds.push(Refund {
                    refund_id: *refund_id,
                    purpose: RefundFor::Other,
                    amount: *amount,
                    reason: reason.clone(),
                    status: RefundStatus::Processed,
                    error: None,
                    requested_at: *at,
                    settled_at: Some(*at),
                }),
            }
        }
        Event::RefundFailed { refund_id, error, at, .. } => {
            order.updated_at = *at;
            let refund = order.refunds.iter_mut().find(|refund| refund.refund_id == *refund_id);
            if let Some(refund) = refund {
                refund.status = RefundStatus::Failed;
                refund.error = Some(error.clone());
            }
        }
        _ => {}
    }
}

fn items(order: &mut Details, event: &Event) {
    let settle = |changes: &mut Vec<Change>, id, status, reason: Option<&String>| {
        for change in changes.iter_mut().filter(|change| change.change_id == id) {
            change.status = status;
            change.reason = reason.cloned();
        }
    };
    match event {
        Event::ChangeAsked { change } => {
            order.updated_at = change.asked_at;
            order.changes.push(change.as_ref().clone());
        }
        Event::ChangeReservationAsked { at, .. } => order.updated_at = *at,
        Event::ChangeAccepted { change_id, at } => {
            order.updated_at = *at;
            settle(&mut order.changes, *change_id, ChangeStatus::Accepted, None);
        }
        Event::ChangeDropped { change_id, reason, at } => {
            order.updated_at = *at;
            settle(&mut order.changes, *change_id, ChangeStatus::Dropped, Some(reason));
        }
        Event::ItemsModified { change_id, items, without_delivery, total, at, .. } => {
            order.updated_at = *at;
            order.total = *total;
            order.deliveries.retain(|delivery| !without_delivery.contains(&delivery.artisan_id));
            relist(order, items);
            if let Some(id) = change_id {
                settle(&mut order.changes, *id, ChangeStatus::Applied, None);
            } else {
                settle_cancellation(order);
            }
        }
        _ => {}
    }
}

/// The lines as `items` has them; removed ones stay, with no pieces and their history.
fn relist(order: &mut Details, items: &[OrderItem]) {
    for line in &mut order.items {
        let item = items.iter().find(|item| line.is(item.product_id, item.variant_id));
        line.quantity = item.map_or(0, |item| item.quantity);
    }
    for item in items {
        if !order.items.iter().any(|line| line.is(item.product_id, item.variant_id)) {
            order.items.push(Line { reserved: item.quantity, ..Line::of(item) });
        }
    }
}

fn returns(order: &mut Details, event: &Event) {
    let settle = |returns: &mut Vec<Return>, id, change: &dyn Fn(&mut Return)| {
        returns.iter_mut().filter(|back| back.return_id == id).for_each(change);
    };
    match event {
        Event::ReturnAsked { back } => {
            order.updated_at = back.asked_at;
            order.returns.push(back.as_ref().clone());
        }
        Event::ReturnReceived { return_id, at, .. } => {
            order.updated_at = *at;
            settle(&mut order.returns, *return_id, &|back| back.status = ReturnStatus::Received);
        }
        Event::ReturnInspected { return_id, items, refund, note, at, .. } => {
            order.updated_at = *at;
            settle(&mut order.returns, *return_id, &|back| {
                back.status = ReturnStatus::Inspected;
                back.items.clone_from(items);
                back.refund = *refund;
                back.note.clone_from(note);
            });
        }
        Event::ReturnClosed { return_id, whole, at, .. } => {
            settle(&mut order.returns, *return_id, &closed(ReturnStatus::Closed, *at));
            take_back(order, *return_id);
            order.updated_at = *at;
            if *whole {
                order.state = OrderState::Returned;
            }
        }
        Event::ReturnRejected { return_id, at } => {
            order.updated_at = *at;
            settle(&mut order.returns, *return_id, &closed(ReturnStatus::Rejected, *at));
        }
        Event::ReturnDropped { return_id, at, .. } => {
            order.updated_at = *at;
            settle(&mut order.returns, *return_id, &closed(ReturnStatus::Dropped, *at));
        }
        _ => {}
    }
}

fn closed(status: ReturnStatus, at: Timestamp) -> impl Fn(&mut Return) {
    move |back| {
        back.status = status;
        back.closed_at = Some(at);
    }
}

fn take_back(order: &mut Details, return_id: kernel::ReturnId) {
    let back = order.returns.iter().find(|back| back.return_id == return_id);
    for item in back.map(|back| back.items.clone()).unwrap_or_default() {
        let line = order.items.iter_mut().find(|line| line.is(item.product_id, item.variant_id));
        if let Some(line) = line {
            line.returned += item.accepted;
        }
    }
}

impl Details {
    /// The artisans of the lines, each once, in the order of the lines.
    pub fn artisans(&self) -> Vec<ArtisanId> {
        let mut artisans = Vec::new();
        for line in self.items.iter().filter(|line| line.quantity > 0) {
            if !artisans.contains(&line.artisan_id) {
                artisans.push(line.artisan_id);
            }
        }
        artisans
    }
}
