//! One artisan's parcel of an order.

use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use backbone::{Document, Rejection};
use contracts::shared::DateRange;
use kernel::{ArtisanId, OrderId, ShipmentId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where shipments are kept.
pub const SHIPMENTS: Collection = Collection {
    name: "shipments",
    columns: &[
        Column::indexed("order_id", ColumnKind::Uuid),
        Column::indexed("artisan", ColumnKind::Uuid),
        Column::indexed("tracking", ColumnKind::Text),
        Column::plain("status", ColumnKind::Text),
    ],
    children: &[],
};

/// How far a shipment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The carrier will collect it.
    Scheduled,
    /// It is on its way.
    Dispatched,
    /// It has arrived.
    Delivered,
    /// It was called off before it left.
    Cancelled,
}

/// A shipment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shipment {
    /// Its id.
    pub shipment_id: ShipmentId,
    /// The order.
    pub order_id: OrderId,
    /// Who sends it.
    pub artisan_id: ArtisanId,
    /// How far it is.
    pub status: Status,
    /// Who carries it.
    pub carrier: String,
    /// The carrier's number for following it, once it has left.
    pub tracking_number: Option<String>,
    /// When the carrier collects it.
    pub pickup: DateRange,
    /// When it should arrive.
    pub estimated_delivery: DateRange,
    /// When it left.
    pub dispatched_at: Option<Timestamp>,
    /// When it arrived.
    pub delivered_at: Option<Timestamp>,
    /// The carrier's reference of the signature or photograph.
    pub proof: Option<String>,
}

/// How a parcel leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// The carrier's number for following it.
    pub tracking_number: String,
    /// Who carries it, where it is not the carrier that was planned.
    pub carrier: Option<String>,
}

impl Document for Shipment {
    const COLLECTION: &'static Collection = &SHIPMENTS;

    fn id(&self) -> String {
        self.shipment_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        let status = match self.status {
            Status::Scheduled => "scheduled",
            Status::Dispatched => "dispatched",
            Status::Delivered => "delivered",
            Status::Cancelled => "cancelled",
        };
        vec![
            self.order_id.0.into(),
            self.artisan_id.0.into(),
            self.tracking_number.clone().into(),
            status.into(),
        ]
    }
}

impl Shipment {
    /// The parcel leaves. `None` where it already left with this number.
    pub fn dispatched(&self, how: &Dispatch, now: Timestamp) -> Result<Option<Self>, Rejection> {
        match self.status {
            Status::Scheduled => Ok(Some(Self {
                status: Status::Dispatched,
                carrier: how.carrier.clone().unwrap_or_else(|| self.carrier.clone()),
                tracking_number: Some(how.tracking_number.clone()),
                dispatched_at: Some(now),
                ..self.clone()
            })),
            Status::Cancelled => {
                Err(Rejection::conflict("shipment-cancelled", "this shipment was called off: do not send it"))
            }
            _ if self.tracking_number.as_ref() == Some(&how.tracking_number) => Ok(None),
            _ => Err(Rejection::conflict(
                "shipment-dispatched",
                "this shipment left with another tracking number: check which one is right",
            )),
        }
    }

    /// The parcel has arrived; with it whether that was within the estimate. `None` where it had.
    pub fn delivered(&self, proof: Option<&str>, now: Timestamp) -> Result<Option<(Self, bool)>, Rejection> {
        match self.status {
            Status::Dispatched => {
                let delivered = Self {
                    status: Status::Delivered,
                    delivered_at: Some(now),
                    proof: proof.map(str::to_owned),
                    ..self.clone()
                };
                Ok(Some((delivered, now <= self.estimated_delivery.to)))
            }
            Status::Delivered => Ok(None),
            Status::Scheduled => Err(Rejection::conflict(
                "shipment-not-dispatched",
                "this shipment has not left: dispatch it first",
            )),
            Status::Cancelled => {
                Err(Rejection::conflict("shipment-cancelled", "this shipment was called off"))
            }
        }
    }

    /// The parcel is called off, where it has not left.
    pub fn cancelled(&self) -> Option<Self> {
        (self.status == Status::Scheduled).then(|| Self { status: Status::Cancelled, ..self.clone() })
    }
}
