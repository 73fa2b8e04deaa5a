//! Zones and rates, consignments and shipments, and their rules: pure values.

mod consignment;
mod rates;
mod shipment;
mod zone;

pub use consignment::{CONSIGNMENTS, Consignment, Parcel, State};
pub use rates::{Destination, rates};
pub use shipment::{Dispatch, SHIPMENTS, Shipment, Status};
pub use zone::{ZoneName, zone_of};
