//! Parcels, for the customer.

use std::sync::Arc;

use backbone::reaction::Reaction;
use backbone::{Refusal, Workspace};
use contracts::shipping::{ShipmentCancelled, ShipmentDelivered, ShipmentDispatched, ShipmentScheduled};
use kernel::OrderId;

use super::orders::parties;
use super::{day, says, short};
use crate::config::Config;
use crate::outbox::Message;

pub(super) fn reactions(config: &Arc<Config>) -> Vec<Reaction> {
    vec![
        says::<ShipmentScheduled>(config, |parcel, ws| {
            let with = [
                ("order", short(parcel.order_id)),
                ("carrier", parcel.carrier.clone()),
                ("from", day(parcel.estimated_delivery.from)),
                ("to", day(parcel.estimated_delivery.to)),
            ];
            to_customer(ws, parcel.order_id, "parcel-scheduled", with)
        }),
        says::<ShipmentDispatched>(config, |parcel, ws| {
            let with = [
                ("order", short(parcel.order_id)),
                ("carrier", parcel.carrier.clone()),
                ("tracking", parcel.tracking_number.clone()),
            ];
            to_customer(ws, parcel.order_id, "parcel-dispatched", with)
        }),
        says::<ShipmentDelivered>(config, |parcel, ws| {
            to_customer(ws, parcel.order_id, "parcel-delivered", [("order", short(parcel.order_id))])
        }),
        says::<ShipmentCancelled>(config, |parcels, ws| {
            // An answer that nothing was called off is for order alone.
            if parcels.shipment_ids.is_empty() {
                return Ok(Vec::new());
            }
            let with = [("order", short(parcels.order_id)), ("reason", parcels.reason.clone())];
            to_customer(ws, parcels.order_id, "parcel-cancelled", with)
        }),
    ]
}

fn to_customer<const N: usize>(
    ws: &mut Workspace<'_>,
    order: OrderId,
    template: &'static str,
    with: [(&str, String); N],
) -> Result<Vec<Message>, Refusal> {
    let parties = parties(ws, order)?;
    Ok(parties.map(|parties| Message::new(parties.customer_id, template, with)).into_iter().collect())
}
