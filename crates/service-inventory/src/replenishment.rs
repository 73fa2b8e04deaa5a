//! The saga that fills an item's stock again: analyse-demand → check-supplier-availability →
//! create-purchase-order (only where auto-restock is on) → notify-artisan → schedule-restock,
//! compensated in reverse. At most one runs for an item, and none while a purchase order is open.

mod effect;
mod steps;

use backbone::collection::Query;
use backbone::saga::{Answer, CallFailure, Definition, Outcome, Saga};
use backbone::workspace::Key;
use backbone::{Context, Refusal, Workspace};
use contracts::inventory::ThresholdReached;
use kernel::{ArtisanId, Duration, PurchaseOrderId, SupplierId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::catalogue::ArtisanSettings;
use crate::config::Config;
use crate::demand::Demand;
use crate::domain::ItemKey;
use crate::domain::stock::Item;
use crate::purchasing::{PurchaseOrder, Replenishing, SUPPLIERS, Supplier};

pub use effect::Effect;

/// Its deadline's timer.
pub const TIMER: &str = "saga:replenishment";

/// The saga.
pub enum Replenishment {}

/// Somebody who can supply the item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// Who.
    pub supplier_id: SupplierId,
    /// Days until the pieces come in.
    pub lead_days: u32,
    /// The fewest pieces.
    pub quantity_min: u32,
    /// The most pieces.
    pub quantity_max: Option<u32>,
}

/// What it remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Data {
    /// The item.
    pub item: ItemKey,
    /// Who sells it.
    pub artisan_id: ArtisanId,
    /// Pieces available when it began.
    pub available: u32,
    /// Pieces that somebody waits for.
    pub waiting: u32,
    /// The limit at which it is ordered again.
    pub reorder: u32,
    /// The fewest pieces that the artisan orders.
    pub reorder_quantity: u32,
    /// For how many days it provides.
    pub restock_days: u32,
    /// A purchase order is made without asking.
    pub auto_restock: bool,
    /// Whom the artisan buys from, where that is settled.
    pub preferred: Option<SupplierId>,
    /// Pieces that are needed, once the demand is known.
    pub quantity: u32,
    /// Who supplies, once that is known.
    pub offer: Option<Offer>,
    /// When the pieces should come in, once they are ordered.
    pub expected_at: Option<Timestamp>,
}

impl Data {
    /// Enough for some days of sales above the limit, and for those who wait; never less than the
    /// artisan or the supplier orders at once, never more than the supplier has.
    fn needed(&self, average_daily_milli: u64) -> u32 {
        let sales = (average_daily_milli * u64::from(self.restock_days)).div_ceil(1_000);
        let wanted = sales + u64::from(self.reorder) + u64::from(self.waiting);
        let lacking = wanted.saturating_sub(u64::from(self.available)).max(1);
        u32::try_from(lacking).unwrap_or(u32::MAX).max(self.reorder_quantity)
    }

    /// What is ordered of `offer`.
    fn ordered(&self, offer: &Offer) -> u32 {
        self.quantity.max(offer.quantity_min).min(offer.quantity_max.unwrap_or(u32::MAX))
    }
}

/// What it asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum Call {
    /// How much of the item is sold?
    AnalyseDemand {
        /// The item.
        item: ItemKey,
    },
    /// Who can supply it?
    CheckSuppliers {
        /// The item.
        item: ItemKey,
        /// Who sells it.
        artisan_id: ArtisanId,
        /// Whom the artisan buys from, where that is settled.
        preferred: Option<SupplierId>,
    },
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum Reply {
    /// Pieces sold in a day, times a thousand.
    Demand {
        /// So many.
        average_daily_milli: u64,
    },
    /// Who can supply it.
    Supplier {
        /// Nobody where absent.
        offer: Option<Offer>,
    },
}

impl Saga for Replenishment {
    const NAME: &'static str = "replenishment";

    type Data = Data;
    type Effect = Effect;
    type Call = Call;
    type Reply = Reply;

    fn definition(version: u32) -> Option<&'static Definition<Self>> {
        (version == 1).then(steps::definition)
    }

    fn absorb(data: &mut Data, reply: &Reply) -> Answer {
        match reply {
            Reply::Demand { average_daily_milli } => {
                data.quantity = data.needed(*average_daily_milli);
                Answer::to(steps::ANALYSE_DEMAND, Outcome::Succeeded)
            }
            Reply::Supplier { offer } => {
                data.offer.clone_from(offer);
                // Where the artisan orders by hand, that nobody is known to supply it is no obstacle.
                let outcome = if offer.is_some() || !data.auto_restock {
                    Outcome::Succeeded
                } else {
                    let reason = "no active supplier sells it: add one or order by hand".to_owned();
                    Outcome::Failed { reason, retryable: false }
                };
                Answer::to(steps::CHECK_SUPPLIER, outcome)
            }
        }
    }

    fn effect(id: Uuid, effect: Effect, data: &Data, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
        effect::perform(PurchaseOrderId(id), effect, data, ws)
    }
}

/// Starts the saga for an item that fell to a limit, unless one runs or pieces are on their way.
pub fn begin(ws: &mut Workspace<'_>, config: &Config, event: &ThresholdReached) -> Result<(), Refusal> {
    let key = ItemKey::new(event.product_id, event.variant_id);
    ws.need([
        Key::aggregate::<Item>(key),
        Key::document::<Replenishing>(key),
        Key::document::<ArtisanSettings>(event.artisan_id),
    ])?;
    let state = ws.state::<Item>(key)?;
    let replenishing = ws.get::<Replenishing>(key)?;
    let busy = replenishing.as_ref().is_some_and(|r| r.saga_id.is_some() || r.purchase_order_id.is_some());
    if busy || state.discontinued || state.description.is_none() {
        return Ok(());
    }
    let settings = ws.get::<ArtisanSettings>(event.artisan_id)?;
    let by_artisan = settings.as_ref().is_some_and(|settings| settings.auto_restock);
    let rules = state.rules;
    let data = Data {
        item: key,
        artisan_id: event.artisan_id,
        available: state.available(),
        waiting: state.waiting(),
        reorder: rules.thresholds.reorder,
        reorder_quantity: rules.reorder_quantity.unwrap_or(0),
        restock_days: config.restock_days,
        auto_restock: rules.auto_restock.unwrap_or(by_artisan),
        preferred: rules.supplier_id.or(settings.and_then(|settings| settings.supplier_id)),
        quantity: 0,
        offer: None,
        expected_at: None,
    };
    let saga_id = ws.uuid();
    ws.put(Replenishing { item: key, saga_id: Some(saga_id), purchase_order_id: None })?;
    ws.start_saga::<Replenishment>(saga_id, data)
}

/// Makes the saga's calls: questions to the service's own read models.
pub async fn perform(context: &Context, call: Call) -> Result<Reply, CallFailure> {
    let unread = |e: backbone::journal::Error| CallFailure::Failed { reason: e.to_string(), retryable: true };
    match call {
        Call::AnalyseDemand { item } => {
            let demand = context.get::<Demand>(item).await.map_err(unread)?;
            let now = context.now();
            let average_daily_milli = demand.map_or(0, |found| found.document.average_daily_milli(now));
            Ok(Reply::Demand { average_daily_milli })
        }
        Call::CheckSuppliers { item, artisan_id, preferred } => {
            let query = Query::all(&SUPPLIERS).equal("artisan_id", artisan_id.0).equal("active", true);
            let found = context.find::<Supplier>(query).await.map_err(unread)?;
            let suppliers = found.into_iter().map(|found| found.document);
            // The one that the artisan chose; else the quickest.
            let best = suppliers
                .filter(|supplier| supplier.supplies(item.product_id))
                .min_by_key(|s| (Some(s.supplier_id) != preferred, s.lead_days, s.supplier_id));
            let offer = best.map(|supplier| Offer {
                supplier_id: supplier.supplier_id,
                lead_days: supplier.lead_days,
                quantity_min: supplier.quantity_min,
                quantity_max: supplier.quantity_max,
            });
            Ok(Reply::Supplier { offer })
        }
    }
}

const DAY_SECONDS: u64 = 24 * 60 * 60;

fn after_days(now: Timestamp, days: u32) -> Timestamp {
    now.plus(Duration::from_secs(u64::from(days) * DAY_SECONDS))
}

/// The purchase order that a saga makes has the saga's id: made twice it is the same.
pub fn purchase_order(id: PurchaseOrderId, data: &Data, now: Timestamp) -> Option<PurchaseOrder> {
    let offer = data.offer.as_ref()?;
    Some(PurchaseOrder {
        purchase_order_id: id,
        product_id: data.item.product_id,
        variant_id: data.item.variant_id,
        artisan_id: data.artisan_id,
        supplier_id: offer.supplier_id,
        quantity: data.ordered(offer),
        received: 0,
        status: crate::purchasing::PurchaseStatus::Created,
        expected_at: data.expected_at.unwrap_or(after_days(now, offer.lead_days)),
        created_at: now,
    })
}
