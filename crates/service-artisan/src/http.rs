//! What the registry offers over HTTP: a line for each.

use axum::extract::State;
use axum::routing::{MethodRouter, get, post};
use backbone::collection::{ColumnValue, Direction, Query};
use backbone::context::Versioned;
use backbone::document::Document as _;
use backbone::route::{Access, Role, Route};
use backbone::{Context, Work};
use contracts::calls::{OfferProduct, ProductOffered};
use contracts::shared::{Address, BusinessInfo};
use garde::Validate;
use http::{Method, StatusCode};
use http_kit::page::Page;
use http_kit::{
    Answer, Body, CallerIs, Execute as _, Idempotency, Origin, PageQuery, Problem, UrlPath, UrlQuery,
};
use kernel::ArtisanId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::commands::{self, Admission};
use crate::domain::{ARTISANS, Artisan, Status};

/// The list.
pub(crate) fn routes(context: &Context) -> Vec<Route> {
    let route = |method, path, access, summary, handler: MethodRouter<Context>| {
        Route::new(method, path, access, summary, handler.with_state(context.clone()))
    };
    vec![
        route(Method::GET, "/api/artisans", Access::Public, "The artisans of the market, by name", get(page))
            .query::<PageQuery>()
            .gives::<Page<Card>>(),
        route(
            Method::POST,
            "/api/artisans",
            Access::People(&[Role::Admin]),
            "Takes in an artisan, verified",
            post(admit),
        )
        .takes::<NewArtisan>()
        .gives::<Admitted>(),
        route(
            Method::POST,
            "/api/artisans/{id}/listings",
            Access::Both(&[Role::Artisan, Role::Admin], &["product"]),
            "Lists a product, once for each SKU",
            post(list),
        )
        .takes::<OfferProduct>()
        .gives::<ProductOffered>(),
    ]
}

/// An artisan as customers see them.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Card {
    artisan_id: ArtisanId,
    business_name: String,
    location: Address,
    specialties: Vec<String>,
    status: Status,
}

async fn page(
    State(context): State<Context>,
    UrlQuery(paging): UrlQuery<PageQuery>,
) -> Result<Answer, Problem> {
    let mut query = Query::all(&ARTISANS)
        .equal("status", "verified")
        .sorted("business_name", Direction::Ascending)
        .limit(paging.limit() + 1);
    if let Some((value, id)) = paging.after()? {
        query = query.after(value, id);
    }
    let rows = context.find::<Artisan>(query).await?;
    let place = |row: &Versioned<Artisan>| -> (ColumnValue, String) {
        (row.document.business_name.as_str().into(), row.document.id())
    };
    let page = Page::cut(rows, paging.limit(), place).map(|row| Card {
        artisan_id: row.document.artisan_id,
        business_name: row.document.business_name,
        location: row.document.location,
        specialties: row.document.specialties,
        status: row.document.status,
    });
    Ok(Answer::ok(&page))
}

/// An artisan whom an operator takes in.
#[derive(Clone, Debug, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewArtisan {
    /// The person who signs in, where there is an account already.
    #[garde(skip)]
    artisan_id: Option<ArtisanId>,
    /// The business.
    #[garde(custom(is_complete))]
    business_info: BusinessInfo,
    /// What they are good at.
    #[serde(default)]
    #[garde(length(max = 20), inner(length(chars, min = 1, max = 80)))]
    specialties: Vec<String>,
}

fn is_complete(info: &BusinessInfo, (): &()) -> garde::Result {
    let needed = [
        &info.business_name,
        &info.legal_name,
        &info.tax_id,
        &info.email,
        &info.address.line1,
        &info.address.city,
        &info.address.postal_code,
    ];
    if needed.iter().any(|text| text.trim().is_empty() || text.chars().count() > 200) {
        let message = "businessName, legalName, taxId, email and the workshop's line1, city and postalCode \
                       have 1 to 200 characters";
        return Err(garde::Error::new(message));
    }
    Ok(())
}

/// The answer to `NewArtisan`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Admitted {
    /// The artisan.
    artisan_id: ArtisanId,
}

async fn admit(
    State(context): State<Context>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
    idempotency: Idempotency,
    body: Body<NewArtisan>,
) -> Result<Answer, Problem> {
    let NewArtisan { artisan_id, business_info, specialties } = body.value;
    let verified_by = caller.person().map_or_else(|| caller.label(), |person| person.to_string());
    let admission = Admission { artisan_id, business_info, specialties, verified_by };
    let work = Work::new("admit-artisan", origin, move |ws| {
        let artisan_id = commands::admit(ws, &admission)?;
        Ok(json!(Admitted { artisan_id }))
    });
    let key = idempotency.scoped("POST /api/artisans", &caller, body.fingerprint);
    let done = context.run(work.idempotent(key)).await?;
    Ok(Answer::json_bytes(StatusCode::CREATED, done.answer))
}

/// An offer; the domain says which make sense.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
struct Offer(OfferProduct);

impl Validate for Offer {
    type Context = ();

    fn validate_into(&self, (): &(), _: &mut dyn FnMut() -> garde::Path, _: &mut garde::Report) {}
}

async fn list(
    State(context): State<Context>,
    UrlPath(artisan): UrlPath<ArtisanId>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
    body: Body<Offer>,
) -> Result<Answer, Problem> {
    if !caller.may_act_for(artisan.0) {
        return Err(Problem::forbidden("you can list your own products only"));
    }
    let offer = body.value.0;
    // The listing itself is the memory of what was done: artisan and SKU are its key, and the
    // caller's idempotency key adds nothing to it.
    let work = Work::new("list-product", origin, move |ws| Ok(json!(commands::list(ws, artisan, &offer)?)));
    let done = context.run(work).await?;
    Ok(Answer::json_bytes(StatusCode::OK, done.answer))
}
