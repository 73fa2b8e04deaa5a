//! Products and categories as artisans and operators write them.

use axum::extract::State;
use backbone::Work;
use backbone::route::{Caller, Role};
use contracts::product::Status;
use garde::Validate;
use http_kit::{Answer, Body, CallerIs, Execute as _, Idempotency, IfMatch, Origin, Problem, UrlPath};
use kernel::{ArtisanId, Money, ProductId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Shop;
use crate::commands::{self, Editor};
use crate::domain::{Attribute, Category, CategoryAttribute, Image, Offer, OfferedVariant, VARIANTS_MAX};

/// All that is said of a product.
#[derive(Clone, Debug, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Said {
    /// What it is called.
    #[garde(length(chars, min = 1, max = 200))]
    name: String,
    /// What it is; plain text.
    #[serde(default)]
    #[garde(length(chars, max = 5_000))]
    description: String,
    /// Its category's path.
    #[garde(length(chars, min = 1, max = 120))]
    category: String,
    /// The price of one piece, VAT included.
    #[garde(skip)]
    price: Money,
    /// VAT in basis points where it differs from its category's.
    #[garde(skip)]
    vat_rate: Option<u32>,
    /// Whether it is for sale.
    #[garde(skip)]
    status: Status,
    /// Its variants.
    #[serde(default)]
    #[garde(length(max = VARIANTS_MAX), dive)]
    variants: Vec<SaidVariant>,
    /// Pictures, the first one for lists.
    #[serde(default)]
    #[garde(length(max = 20), dive)]
    images: Vec<Image>,
    /// What else is to be said of it.
    #[serde(default)]
    #[garde(length(max = 50), dive)]
    attributes: Vec<Attribute>,
}

/// What is said of a variant.
#[derive(Clone, Debug, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SaidVariant {
    /// The artisan's stock-keeping unit; it names the variant for ever.
    #[garde(length(chars, min = 1, max = 64))]
    sku: String,
    /// The price of one piece, VAT included.
    #[garde(skip)]
    price: Money,
    /// What sets it apart.
    #[serde(default)]
    #[garde(custom(are_few))]
    attributes: Map<String, Value>,
}

/// A new product.
#[derive(Clone, Debug, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewProduct {
    /// Whose; operators say it, for artisans it is their own.
    #[garde(skip)]
    artisan_id: Option<ArtisanId>,
    /// What is said of it.
    #[garde(dive)]
    product: Said,
}

/// The answer to `NewProduct`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Made {
    /// The product.
    product_id: ProductId,
}

/// A category.
#[derive(Clone, Debug, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewCategory {
    /// Its path: `alimentacion/miel` stands below `alimentacion`.
    #[garde(length(min = 1, max = 120), custom(is_path))]
    path: String,
    /// Its name in Spanish.
    #[garde(length(chars, min = 1, max = 100))]
    name_es: String,
    /// Its name in English.
    #[garde(length(chars, min = 1, max = 100))]
    name_en: String,
    /// What its products say of themselves.
    #[serde(default)]
    #[garde(length(max = 50), dive)]
    attributes: Vec<CategoryAttribute>,
}

fn are_few(attributes: &Map<String, Value>, (): &()) -> garde::Result {
    if attributes.len() > 20 {
        return Err(garde::Error::new("a variant has at most 20 attributes"));
    }
    Ok(())
}

fn is_path(path: &str, (): &()) -> garde::Result {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if path.split('/').all(is_word) {
        return Ok(());
    }
    Err(garde::Error::new("write words of a-z, 0-9 and - with / between them"))
}

impl From<Said> for Offer {
    fn from(said: Said) -> Self {
        let variants = said.variants.into_iter().map(|variant| OfferedVariant {
            sku: variant.sku,
            price: variant.price,
            attributes: variant.attributes,
        });
        Self {
            name: said.name,
            description: said.description,
            category: said.category,
            price: said.price,
            vat_rate: said.vat_rate,
            status: said.status,
            variants: variants.collect(),
            images: said.images,
            attributes: said.attributes,
        }
    }
}

impl From<NewCategory> for Category {
    fn from(new: NewCategory) -> Self {
        Self { path: new.path, name_es: new.name_es, name_en: new.name_en, attributes: new.attributes }
    }
}

/// The artisan whose things alone this caller may touch; none for operators.
pub(super) fn only(caller: &Caller) -> Option<ArtisanId> {
    match caller {
        Caller::Person { id, role: Role::Artisan | Role::Customer } => Some(ArtisanId(*id)),
        _ => None,
    }
}

fn editor(caller: &Caller, version: u64) -> Editor {
    let name = caller.person().map_or_else(|| caller.label(), |person| person.to_string());
    Editor { name, only: only(caller), version }
}

pub(super) async fn create(
    State(shop): State<Shop>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
    idempotency: Idempotency,
    body: Body<NewProduct>,
) -> Result<Answer, Problem> {
    let artisan = match (body.value.artisan_id, only(&caller)) {
        (None, Some(own)) => own,
        (Some(given), None) => given,
        (Some(given), Some(own)) if given == own => own,
        (Some(_), Some(_)) => return Err(Problem::forbidden("you can offer your own products only")),
        (None, None) => return Err(Problem::invalid("artisanId", "say whose product it is")),
    };
    let offer = Offer::from(body.value.product);
    let work = Work::new("create-product", origin, move |ws| {
        let id = ProductId(ws.uuid());
        commands::create(ws, id, artisan, offer.clone())?;
        Ok(json!(Made { product_id: id }))
    });
    let idempotency = idempotency.scoped("POST /api/products", &caller, body.fingerprint);
    let done = shop.context.run(work.idempotent(idempotency)).await?;
    Ok(Answer::json_bytes(http::StatusCode::CREATED, done.answer))
}

pub(super) async fn change(
    State(shop): State<Shop>,
    UrlPath(id): UrlPath<ProductId>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
    version: IfMatch,
    body: Body<Said>,
) -> Result<Answer, Problem> {
    let editor = editor(&caller, version.required()?);
    let offer = Offer::from(body.value);
    let work = Work::new("change-product", origin, move |ws| {
        commands::edit(ws, id, &editor, offer.clone())?;
        Ok(Value::Null)
    });
    shop.context.run(work).await?;
    Ok(Answer::no_content())
}

pub(super) async fn remove(
    State(shop): State<Shop>,
    UrlPath(id): UrlPath<ProductId>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
    version: IfMatch,
) -> Result<Answer, Problem> {
    let editor = editor(&caller, version.required()?);
    let work = Work::new("remove-product", origin, move |ws| {
        commands::remove(ws, id, &editor)?;
        Ok(Value::Null)
    });
    shop.context.run(work).await?;
    Ok(Answer::no_content())
}

pub(super) async fn add_category(
    State(shop): State<Shop>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
    idempotency: Idempotency,
    body: Body<NewCategory>,
) -> Result<Answer, Problem> {
    let category = Category::from(body.value);
    let answer = json!({ "path": category.path });
    let location = format!("/api/categories#{}", category.path);
    let work = Work::new("add-category", origin, move |ws| {
        commands::add_category(ws, category.clone())?;
        Ok(Value::Null)
    });
    let idempotency = idempotency.scoped("POST /api/categories", &caller, body.fingerprint);
    shop.context.run(work.idempotent(idempotency)).await?;
    Ok(Answer::created(location, &answer).etag(1))
}

pub(super) async fn change_category(
    State(shop): State<Shop>,
    Origin(origin): Origin,
    version: IfMatch,
    body: Body<NewCategory>,
) -> Result<Answer, Problem> {
    let version = version.required()?;
    let category = Category::from(body.value);
    let work = Work::new("change-category", origin, move |ws| {
        commands::edit_category(ws, category.clone(), version)?;
        Ok(Value::Null)
    });
    shop.context.run(work).await?;
    Ok(Answer::no_content().etag(version + 1))
}
