//! Which public events tell others of an order's private ones: here and nowhere else.

use backbone::Announcements;
use contracts::order::CancelledBy;
use contracts::shared::{OrderItem, OrderState, ReservationItem, ShipmentRef};
use contracts::{inventory, order as public, payment, shipping};
use kernel::Timestamp;

use super::details::Details;
use super::event::{Event, Placed};
use super::parts::{PaymentStatus, ShipmentStatus};
use super::shares::{change_shares, order_shares};

/// Who changes states where no person does.
const SELF: &str = "order";

pub(super) fn announce(order: &Details, event: &Event, out: &mut Announcements) {
    match event {
        Event::Placed(placed) => out.publish(created(placed)),
        Event::ReservationAsked { .. }
        | Event::ChangeReservationAsked { .. }
        | Event::ReleaseAsked { .. }
        | Event::PaymentAsked { .. }
        | Event::RefundAsked { .. }
        | Event::ShipmentCancellationAsked { .. } => request(order, event, out),
        Event::AwaitingCustomer { .. }
        | Event::Confirmed { .. }
        | Event::Preparing { .. }
        | Event::Shipped { .. }
        | Event::Delivered { .. }
        | Event::Cancelled { .. }
        | Event::Failed { .. } => life(order, event, out),
        Event::ItemsModified { added, removed, modified, total, by, at, .. } => {
            out.publish(public::ItemsModified {
                order_id: order.order_id,
                added_items: added.clone(),
                removed_items: removed.clone(),
                modified_items: modified.clone(),
                new_total_amount: *total,
                modified_by: by.clone(),
                modified_at: *at,
            });
        }
        Event::ReturnClosed { return_id, from, whole, at } => {
            returned(order, *return_id, *at, out);
            if *whole {
                out.publish(changed(order, *from, "everything came back", SELF, *at));
            }
        }
        _ => {}
    }
}

fn created(placed: &Placed) -> public::Created {
    public::Created {
        order_id: placed.order_id,
        customer_id: placed.customer_id,
        items: placed.items.clone(),
        quote_id: placed.quote_id,
        total_amount: placed.total,
        delivery_address: placed.delivery_address.clone(),
        estimated_delivery: placed.estimated_delivery.clone(),
        created_at: placed.at,
    }
}

/// What is asked of other services.
fn request(order: &Details, event: &Event, out: &mut Announcements) {
    let order_id = order.order_id;
    match event {
        Event::ReservationAsked { until, priority, .. } => {
            let lines = order.items.iter().map(|line| line.item(line.quantity)).collect::<Vec<_>>();
            out.publish(inventory::ReservationRequested {
                reservation_id: order.hold.id,
                order_id,
                customer_id: order.customer_id,
                items: lines.iter().map(reserved).collect(),
                expiration_time: *until,
                priority: *priority,
            });
        }
        Event::ChangeReservationAsked { change_id, until, .. } => {
            let Some(change) = order.change(*change_id) else { return };
            out.publish(inventory::ReservationRequested {
                reservation_id: change.reservation_id,
                order_id,
                customer_id: order.customer_id,
                items: order.pieces_added(change).iter().map(reserved).collect(),
                expiration_time: *until,
                priority: order.priority,
            });
        }
        Event::ReleaseAsked { reservation_id, reason, at } => out.publish(inventory::ReleaseRequested {
            reservation_id: *reservation_id,
            order_id,
            reason: *reason,
            requested_at: *at,
        }),
        Event::PaymentAsked { payment_id, attempt, amount, payment_method_id, .. } => {
            let change = order.changes.iter().find(|change| change.payment.id == *payment_id);
            let Some(payment_method_id) = payment_method_id.known().cloned() else { return };
            out.publish(payment::Requested {
                payment_id: *payment_id,
                order_id,
                customer_id: order.customer_id,
                amount: *amount,
                payment_method_id,
                attempt: *attempt,
                splits: change.map_or_else(|| order_shares(order), |change| change_shares(order, change)),
            });
        }
        Event::RefundAsked { refund_id, amount, reason, at, .. } => out.publish(payment::RefundRequested {
            refund_id: *refund_id,
            order_id,
            customer_id: order.customer_id,
            amount: *amount,
            reason: reason.clone(),
            requested_at: *at,
        }),
        Event::ShipmentCancellationAsked { reason, at } => out.publish(shipping::CancellationRequested {
            order_id,
            reason: reason.clone(),
            requested_at: *at,
        }),
        _ => {}
    }
}

fn reserved(item: &OrderItem) -> ReservationItem {
    ReservationItem {
        product_id: item.product_id,
        variant_id: item.variant_id,
        quantity: item.quantity,
        unit_price: item.unit_price,
    }
}

/// Every change of state, and what it means.
fn life(order: &Details, event: &Event, out: &mut Announcements) {
    match event {
        Event::AwaitingCustomer { from, at } => {
            out.publish(changed(order, *from, "the customer completes the payment", SELF, *at));
        }
        Event::Confirmed { from, reference, at } => {
            out.publish(public::Confirmed {
                order_id: order.order_id,
                customer_id: order.customer_id,
                payment_reference: reference.clone(),
                estimated_delivery: order.estimated_delivery.clone(),
                confirmed_at: *at,
            });
            out.publish(changed(order, *from, "paid and reserved", SELF, *at));
        }
        Event::Preparing { from, at } => {
            out.publish(changed(order, *from, "every parcel is scheduled", SELF, *at));
        }
        Event::Shipped { from, at } => {
            out.publish(public::Shipped {
                order_id: order.order_id,
                customer_id: order.customer_id,
                shipments: parcels(order),
                shipped_at: *at,
            });
            out.publish(changed(order, *from, "every parcel is on its way", SELF, *at));
        }
        Event::Delivered { from, at } => {
            out.publish(public::Delivered {
                order_id: order.order_id,
                customer_id: order.customer_id,
                delivered_at: *at,
            });
            out.publish(changed(order, *from, "every parcel has arrived", SELF, *at));
        }
        Event::Cancelled { from, reason, by, changed_by, at } => {
            out.publish(cancelled(order, reason, *by, *at));
            out.publish(changed(order, *from, reason, changed_by, *at));
        }
        // A failed order is called off as well: whoever waits for it must learn so in the same way.
        Event::Failed { from, reason, at } => {
            out.publish(cancelled(order, reason, CancelledBy::System, *at));
            out.publish(changed(order, *from, reason, SELF, *at));
        }
        _ => {}
    }
}

fn cancelled(order: &Details, reason: &str, by: CancelledBy, at: Timestamp) -> public::Cancelled {
    public::Cancelled {
        order_id: order.order_id,
        customer_id: order.customer_id,
        reason: reason.to_owned(),
        cancelled_by: by,
        refund_required: order.payment.status == PaymentStatus::Paid,
        cancelled_at: at,
    }
}

fn changed(order: &Details, from: OrderState, reason: &str, by: &str, at: Timestamp) -> public::StateChanged {
    public::StateChanged {
        order_id: order.order_id,
        previous_state: from,
        current_state: order.state,
        reason: reason.to_owned(),
        changed_by: by.to_owned(),
        changed_at: at,
    }
}

fn parcels(order: &Details) -> Vec<ShipmentRef> {
    let live = order.shipments.iter().filter(|parcel| parcel.status != ShipmentStatus::Cancelled);
    live.map(|parcel| ShipmentRef {
        shipment_id: parcel.shipment_id,
        artisan_id: parcel.artisan_id,
        carrier: parcel.carrier.clone(),
        tracking_number: parcel.tracking_number.clone().unwrap_or_default(),
    })
    .collect()
}

fn returned(order: &Details, return_id: kernel::ReturnId, at: Timestamp, out: &mut Announcements) {
    let Some(back) = order.sent_back(return_id) else { return };
    let items = back.items.iter().filter(|item| item.accepted > 0).filter_map(|item| {
        let line = order.items.iter().find(|line| line.is(item.product_id, item.variant_id));
        line.map(|line| line.item(item.accepted))
    });
    out.publish(public::Returned {
        return_id,
        order_id: order.order_id,
        customer_id: order.customer_id,
        items: items.collect(),
        reason: back.reason.clone(),
        refund_amount: back.refund,
        returned_at: at,
    });
}
