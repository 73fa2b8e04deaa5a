//! Suppliers and purchase orders as artisans and operators see them.

use axum::extract::State;
use backbone::Work;
use backbone::collection::{ColumnValue, Direction, Query};
use garde::Validate;
use http::StatusCode;
use http_kit::page::Page;
use http_kit::{
    Answer, Body, CallerIs, Execute, Idempotency as IdempotencyHeader, IfMatch, Origin as RequestOrigin,
    PageQuery, Problem, UrlPath, UrlQuery,
};
use kernel::{ArtisanId, ProductId, PurchaseOrderId, SupplierId, WarehouseId};
use schemars::JsonSchema;
use serde::Deserialize;

use super::Counter;
use super::stock::{own, whose};
use crate::commands::{self, Delivery};
use crate::domain::stock::QUANTITY_MAX;
use crate::purchasing::{PURCHASE_ORDERS, PurchaseOrder, PurchaseStatus, SUPPLIERS, Supplier};

/// Whose suppliers are wanted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ArtisanQuery {
    /// The artisan; for artisans it is themselves.
    pub artisan_id: Option<ArtisanId>,
    /// How many at most: 1 to 100, 20 where nothing is said.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// Which purchase orders are wanted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PurchaseOrdersQuery {
    /// The artisan; for artisans it is themselves.
    pub artisan_id: Option<ArtisanId>,
    /// Where they are in their life.
    pub status: Option<PurchaseStatus>,
    /// How many at most: 1 to 100, 20 where nothing is said.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// On which terms a supplier sells.
#[derive(Clone, Debug, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[garde(allow_unvalidated)]
pub struct SupplierTerms {
    /// The business's name.
    #[garde(length(chars, min = 1, max = 200))]
    pub name: String,
    /// Days from an order until its pieces come in.
    #[garde(range(max = 3_650))]
    pub lead_days: u32,
    /// The fewest pieces that it sells at once; 1 where nothing is said.
    #[garde(range(min = 1, max = QUANTITY_MAX))]
    pub quantity_min: Option<u32>,
    /// The most pieces that it sells at once; absent where there is no limit.
    #[garde(range(min = 1, max = QUANTITY_MAX))]
    pub quantity_max: Option<u32>,
    /// The products that it supplies; empty where all.
    #[serde(default)]
    #[garde(length(max = 1_000))]
    pub products: Vec<ProductId>,
    /// Whether it sells at present; it does where nothing is said.
    pub active: Option<bool>,
}

/// A new supplier.
#[derive(Clone, Debug, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[garde(allow_unvalidated)]
pub struct NewSupplier {
    /// Whose; for artisans it is their own.
    pub artisan_id: Option<ArtisanId>,
    /// On which terms it sells.
    #[garde(dive)]
    pub terms: SupplierTerms,
}

/// Pieces that came in.
#[derive(Clone, Debug, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[garde(allow_unvalidated)]
pub struct Receive {
    /// Pieces; absent for all that are open.
    #[garde(range(min = 1, max = QUANTITY_MAX))]
    pub quantity: Option<u32>,
    /// Where they went; absent for the item's own warehouse.
    pub warehouse_id: Option<WarehouseId>,
    /// The shelf or bin there; absent where it stays.
    #[garde(length(chars, min = 1, max = 100))]
    pub location: Option<String>,
}

impl SupplierTerms {
    fn checked(self) -> Result<Self, Problem> {
        let least = self.quantity_min.unwrap_or(1);
        if self.quantity_max.is_some_and(|most| most < least) {
            return Err(Problem::invalid("quantityMax", "not below quantityMin"));
        }
        Ok(self)
    }

    fn of(self, supplier_id: SupplierId, artisan_id: ArtisanId) -> Supplier {
        Supplier {
            supplier_id,
            artisan_id,
            name: self.name,
            lead_days: self.lead_days,
            quantity_min: self.quantity_min.unwrap_or(1),
            quantity_max: self.quantity_max,
            products: self.products,
            active: self.active.unwrap_or(true),
        }
    }
}

pub(super) async fn suppliers(
    State(counter): State<Counter>,
    CallerIs(caller): CallerIs,
    UrlQuery(query): UrlQuery<ArtisanQuery>,
) -> Result<Answer, Problem> {
    let artisan = whose(&caller, query.artisan_id)?;
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    let mut find = Query::all(&SUPPLIERS).equal("artisan_id", artisan.0).limit(page.limit() + 1);
    find.after = page.after()?;
    let found = counter.context.find::<Supplier>(find).await?;
    let rows = found.into_iter().map(|found| found.document).collect();
    let place = |row: &Supplier| (ColumnValue::Null, row.supplier_id.to_string());
    Ok(Answer::ok(&Page::cut(rows, page.limit(), place)))
}

pub(super) async fn supplier(
    State(counter): State<Counter>,
    CallerIs(caller): CallerIs,
    UrlPath(id): UrlPath<SupplierId>,
) -> Result<Answer, Problem> {
    let found = counter.context.get::<Supplier>(id).await?;
    let found = found.ok_or_else(|| Problem::not_found(format!("supplier {id}")))?;
    own(&caller, found.document.artisan_id)?;
    Ok(Answer::ok(&found.document).etag(found.version))
}

pub(super) async fn add_supplier(
    State(counter): State<Counter>,
    CallerIs(caller): CallerIs,
    RequestOrigin(origin): RequestOrigin,
    idempotency: IdempotencyHeader,
    body: Body<NewSupplier>,
) -> Result<Answer, Problem> {
    let key = idempotency.scoped("POST /api/inventory/suppliers", &caller, body.fingerprint);
    let NewSupplier { artisan_id, terms } = body.value;
    let artisan_id = whose(&caller, artisan_id)?;
    let terms = terms.checked()?;
    let work = Work::new("add-supplier", origin, move |ws| {
        let supplier = terms.clone().of(SupplierId(ws.uuid()), artisan_id);
        ws.create(supplier.clone());
        Ok(serde_json::to_value(supplier).expect("documents are JSON"))
    });
    let done = counter.context.run(work.idempotent(key)).await?;
    let supplier: Supplier = serde_json::from_slice(&done.answer).map_err(Problem::defect)?;
    let location = format!("/api/inventory/suppliers/{}", supplier.supplier_id);
    Ok(Answer::json_bytes(StatusCode::CREATED, done.answer).located(&location).etag(1))
}

pub(super) async fn change_supplier(
    State(counter): State<Counter>,
    CallerIs(caller): CallerIs,
    RequestOrigin(origin): RequestOrigin,
    UrlPath(id): UrlPath<SupplierId>,
    (if_match, body): (IfMatch, Body<SupplierTerms>),
) -> Result<Answer, Problem> {
    let found = counter.context.get::<Supplier>(id).await?;
    let known = found.ok_or_else(|| Problem::not_found(format!("supplier {id}")))?.document;
    own(&caller, known.artisan_id)?;
    let seen = if_match.required()?;
    let supplier = body.value.checked()?.of(id, known.artisan_id);
    let work = Work::new("change-supplier", origin, move |ws| {
        let settled = commands::put_supplier(ws, &supplier, seen)?;
        Ok(serde_json::to_value(settled.document).expect("documents are JSON"))
    });
    let done = counter.context.run(work).await?;
    Ok(Answer::json_bytes(StatusCode::OK, done.answer).etag(seen + 1))
}

pub(super) async fn orders(
    State(counter): State<Counter>,
    CallerIs(caller): CallerIs,
    UrlQuery(query): UrlQuery<PurchaseOrdersQuery>,
) -> Result<Answer, Problem> {
    let artisan = whose(&caller, query.artisan_id)?;
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    let mut find = Query::all(&PURCHASE_ORDERS)
        .equal("artisan_id", artisan.0)
        .sorted("created_at", Direction::Descending)
        .limit(page.limit() + 1);
    if let Some(status) = query.status {
        find = find.equal("status", status.as_str());
    }
    find.after = page.after()?;
    let found = counter.context.find::<PurchaseOrder>(find).await?;
    let rows = found.into_iter().map(|found| found.document).collect();
    let place = |row: &PurchaseOrder| (row.created_at.into(), row.purchase_order_id.to_string());
    Ok(Answer::ok(&Page::cut(rows, page.limit(), place)))
}

pub(super) async fn order(
    State(counter): State<Counter>,
    CallerIs(caller): CallerIs,
    UrlPath(id): UrlPath<PurchaseOrderId>,
) -> Result<Answer, Problem> {
    let found = counter.context.get::<PurchaseOrder>(id).await?;
    let found = found.ok_or_else(|| Problem::not_found(format!("purchase order {id}")))?;
    own(&caller, found.document.artisan_id)?;
    Ok(Answer::ok(&found.document).etag(found.version))
}

pub(super) async fn receive(
    State(counter): State<Counter>,
    CallerIs(caller): CallerIs,
    RequestOrigin(origin): RequestOrigin,
    UrlPath(id): UrlPath<PurchaseOrderId>,
    (idempotency, body): (IdempotencyHeader, Body<Receive>),
) -> Result<Answer, Problem> {
    let scope = format!("POST /api/inventory/purchase-orders/{id}/receive");
    let key = idempotency.scoped(&scope, &caller, body.fingerprint);
    let found = counter.context.get::<PurchaseOrder>(id).await?;
    let found = found.ok_or_else(|| Problem::not_found(format!("purchase order {id}")))?;
    own(&caller, found.document.artisan_id)?;
    let Receive { quantity, warehouse_id, location } = body.value;
    let delivery = Delivery { quantity, warehouse_id, location };
    let work = Work::new("receive-purchase-order", origin, move |ws| {
        let order = commands::receive(ws, id, &delivery)?;
        Ok(serde_json::to_value(order).expect("documents are JSON"))
    });
    let done = counter.context.run(work.idempotent(key)).await?;
    Ok(Answer::json_bytes(StatusCode::OK, done.answer))
}
