//! What artisans settle: of one item, and of all of theirs.

use axum::extract::State;
use backbone::Work;
use garde::Validate;
use http_kit::{Answer, Body, CallerIs, Execute, IfMatch, Origin as RequestOrigin, Problem, UrlPath};
use kernel::{ArtisanId, SupplierId, WarehouseId};
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::Counter;
use super::stock::{find_own, key, own};
use crate::catalogue::ArtisanSettings;
use crate::commands;
use crate::domain::stock::{Backorder, QUANTITY_MAX, Rules, Thresholds};
use crate::purchasing::Supplier;

const LEAD_DAYS_MAX: u32 = 3_650;

/// What holds for all items of an artisan.
#[derive(Clone, Debug, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[garde(allow_unvalidated)]
pub struct Settings {
    /// The limits of new items.
    #[garde(custom(are_possible))]
    pub thresholds: Thresholds,
    /// Purchase orders are made without asking.
    pub auto_restock: bool,
    /// How new items are sold beyond stock.
    #[garde(custom(is_possible))]
    pub backorder: Option<Backorder>,
    /// Whom to buy from, where an item does not say.
    pub supplier_id: Option<SupplierId>,
    /// Where pieces of new items lie; absent for the workshop.
    pub warehouse_id: Option<WarehouseId>,
    /// The shelf or bin there.
    #[garde(length(chars, min = 1, max = 100))]
    pub location: Option<String>,
}

/// The rules of an item, as a body that is checked.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct CheckedRules(Rules);

impl Validate for CheckedRules {
    type Context = ();

    fn validate_into(&self, (): &(), parent: &mut dyn FnMut() -> garde::Path, report: &mut garde::Report) {
        if let Err(error) = are_possible(&self.0.thresholds, &()) {
            report.append(parent().join("thresholds"), error);
        }
        if let Err(error) = is_possible(&self.0.backorder, &()) {
            report.append(parent().join("backorder"), error);
        }
        if self.0.reorder_quantity.is_some_and(|quantity| quantity > QUANTITY_MAX) {
            report.append(parent().join("reorderQuantity"), garde::Error::new("at most 1,000,000,000"));
        }
    }
}

fn are_possible(thresholds: &Thresholds, (): &()) -> garde::Result {
    let possible = thresholds.each().iter().all(|(_, limit)| *limit <= QUANTITY_MAX);
    if possible { Ok(()) } else { Err(garde::Error::new("each limit is at most 1,000,000,000")) }
}

fn is_possible(backorder: &Option<Backorder>, (): &()) -> garde::Result {
    let possible = backorder.is_none_or(|backorder| backorder.lead_days <= LEAD_DAYS_MAX);
    if possible { Ok(()) } else { Err(garde::Error::new("leadDays is at most 3650")) }
}

/// Nobody buys from another artisan's supplier.
async fn check_supplier(
    counter: &Counter,
    artisan: ArtisanId,
    supplier: Option<SupplierId>,
) -> Result<(), Problem> {
    let Some(id) = supplier else { return Ok(()) };
    match counter.context.get::<Supplier>(id).await? {
        Some(found) if found.document.artisan_id == artisan => Ok(()),
        _ => Err(Problem::invalid("supplierId", "this artisan has no such supplier: add it first")),
    }
}

pub(super) async fn rules(
    State(counter): State<Counter>,
    CallerIs(caller): CallerIs,
    UrlPath(id): UrlPath<Uuid>,
) -> Result<Answer, Problem> {
    let item = find_own(&counter, &caller, id).await?;
    Ok(Answer::ok(&item.rules).etag(item.rules_revision))
}

pub(super) async fn set_rules(
    State(counter): State<Counter>,
    CallerIs(caller): CallerIs,
    RequestOrigin(origin): RequestOrigin,
    UrlPath(id): UrlPath<Uuid>,
    (if_match, body): (IfMatch, Body<CheckedRules>),
) -> Result<Answer, Problem> {
    let item = find_own(&counter, &caller, id).await?;
    let (key, rules, seen) = (key(&item), body.value.0, if_match.required()?);
    check_supplier(&counter, item.artisan_id, rules.supplier_id).await?;
    let work = Work::new("set-stock-rules", origin, move |ws| {
        let settled = commands::set_rules(ws, key, rules, Some(seen))?;
        Ok(serde_json::json!([settled.state.rules_revision, settled.state.rules]))
    });
    let done = counter.context.run(work).await?;
    let (revision, rules): (u64, Rules) = serde_json::from_slice(&done.answer).map_err(Problem::defect)?;
    Ok(Answer::ok(&rules).etag(revision))
}

pub(super) async fn of_artisan(
    State(counter): State<Counter>,
    CallerIs(caller): CallerIs,
    UrlPath(artisan_id): UrlPath<ArtisanId>,
) -> Result<Answer, Problem> {
    own(&caller, artisan_id)?;
    let found = counter.context.get::<ArtisanSettings>(artisan_id).await?;
    Ok(match found {
        Some(found) => Answer::ok(&found.document).etag(found.version),
        None => Answer::ok(&ArtisanSettings::new(artisan_id, counter.config.thresholds)).etag(0),
    })
}

pub(super) async fn set_of_artisan(
    State(counter): State<Counter>,
    CallerIs(caller): CallerIs,
    RequestOrigin(origin): RequestOrigin,
    UrlPath(artisan_id): UrlPath<ArtisanId>,
    (if_match, body): (IfMatch, Body<Settings>),
) -> Result<Answer, Problem> {
    own(&caller, artisan_id)?;
    let seen = if_match.required()?;
    let Settings { thresholds, auto_restock, backorder, supplier_id, warehouse_id, location } = body.value;
    check_supplier(&counter, artisan_id, supplier_id).await?;
    let settings = ArtisanSettings {
        artisan_id,
        thresholds,
        auto_restock,
        backorder,
        supplier_id,
        warehouse_id,
        location,
    };
    let work = Work::new("set-artisan-settings", origin, move |ws| {
        let settled = commands::set_artisan_settings(ws, &settings, seen)?;
        Ok(serde_json::json!([settled.version, settled.document]))
    });
    let done = counter.context.run(work).await?;
    let (version, settings): (u64, ArtisanSettings) =
        serde_json::from_slice(&done.answer).map_err(Problem::defect)?;
    Ok(Answer::ok(&settings).etag(version))
}
