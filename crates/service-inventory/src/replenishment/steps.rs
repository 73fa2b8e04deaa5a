//! The steps of the replenishment saga.

use std::sync::OnceLock;

use backbone::saga::{Action, Definition, Moment, Outcome, Step, Undo};
use kernel::Duration;

use super::{Call, Data, Effect, Replenishment, after_days};

pub(super) const ANALYSE_DEMAND: &str = "analyse-demand";
pub(super) const CHECK_SUPPLIER: &str = "check-supplier-availability";
const CREATE_PURCHASE_ORDER: &str = "create-purchase-order";
const NOTIFY_ARTISAN: &str = "notify-artisan";
const SCHEDULE_RESTOCK: &str = "schedule-restock";

/// The waits before a question is put again.
const RETRIES: &[Duration] = &[Duration::from_secs(1), Duration::from_secs(10), Duration::from_secs(60)];

type Actions = Vec<Action<Replenishment>>;

pub(super) fn definition() -> &'static Definition<Replenishment> {
    static DEFINITION: OnceLock<Definition<Replenishment>> = OnceLock::new();
    DEFINITION.get_or_init(|| {
        Definition::build(vec![
            Step::compensatable(ANALYSE_DEMAND, analyse_demand, Undo::nothing()).retries(RETRIES),
            Step::compensatable(CHECK_SUPPLIER, check_supplier, Undo::nothing()).retries(RETRIES),
            Step::compensatable(
                CREATE_PURCHASE_ORDER,
                create_purchase_order,
                Undo::with(cancel_purchase_order),
            ),
            Step::compensatable(NOTIFY_ARTISAN, notify_artisan, Undo::nothing()),
            Step::compensatable(SCHEDULE_RESTOCK, schedule_restock, Undo::with(unschedule_restock)),
        ])
        .expect("the steps are in an order that makes a saga")
        .on_end(|_, _| vec![Effect::End])
    })
}

fn analyse_demand(data: &mut Data, _: Moment) -> Actions {
    vec![Action::Call(Call::AnalyseDemand { item: data.item })]
}

fn check_supplier(data: &mut Data, _: Moment) -> Actions {
    let Data { item, artisan_id, preferred, .. } = *data;
    vec![Action::Call(Call::CheckSuppliers { item, artisan_id, preferred })]
}

/// Only where the artisan switched auto-restock on; the others were told by the threshold.
fn create_purchase_order(data: &mut Data, moment: Moment) -> Actions {
    match &data.offer {
        Some(offer) if data.auto_restock => {
            data.expected_at = Some(after_days(moment.now, offer.lead_days));
            vec![Action::Effect(Effect::CreatePurchaseOrder), Action::Finish(Outcome::Succeeded)]
        }
        _ => vec![Action::Finish(Outcome::Succeeded)],
    }
}

fn cancel_purchase_order(_: &mut Data, _: Moment) -> Actions {
    vec![Action::Effect(Effect::CancelPurchaseOrder), Action::Finish(Outcome::Succeeded)]
}

/// Done when inventory.purchase-order.created.v1 is durable, which it is with the step before:
/// notification and artisan react to it. What was told cannot be untold.
fn notify_artisan(_: &mut Data, _: Moment) -> Actions {
    vec![Action::Finish(Outcome::Succeeded)]
}

fn schedule_restock(data: &mut Data, _: Moment) -> Actions {
    let mut actions = Vec::new();
    if data.expected_at.is_some() {
        actions.push(Action::Effect(Effect::ScheduleRestock));
    }
    actions.push(Action::Finish(Outcome::Succeeded));
    actions
}

fn unschedule_restock(_: &mut Data, _: Moment) -> Actions {
    vec![Action::Effect(Effect::UnscheduleRestock), Action::Finish(Outcome::Succeeded)]
}
