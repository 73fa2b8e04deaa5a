//! The account: opening, profile, preferences, addresses, erasure.

use axum::extract::State;
use backbone::Work;
use contracts::shared::{Address, UserPreferences};
use garde::Validate;
use http::StatusCode;
use http_kit::{Answer, Body, CallerIs, Execute as _, Idempotency, IfMatch, Origin, Problem, UrlPath};
use kernel::{Personal, Timestamp, UserId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Desk, own, unknown};
use crate::commands::{self, Profile, Registration};
use crate::domain::{Account, SavedAddress, Standing, Status};

/// Somebody who wants an account.
#[derive(Clone, Debug, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewAccount {
    /// Where they read mail.
    #[garde(email, length(max = 254))]
    email: String,
    /// First name.
    #[garde(length(chars, min = 1, max = 100))]
    first_name: String,
    /// Family names.
    #[garde(length(chars, min = 1, max = 150))]
    last_name: String,
    /// Where they live, if they say.
    #[garde(skip)]
    location: Option<Address>,
    /// What they want, if they say.
    #[garde(skip)]
    preferences: Option<UserPreferences>,
}

/// The answer to `NewAccount`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Opened {
    /// The account.
    user_id: UserId,
}

/// What a person says of themselves.
#[derive(Clone, Debug, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewProfile {
    /// First name.
    #[garde(length(chars, min = 1, max = 100))]
    first_name: String,
    /// Family names.
    #[garde(length(chars, min = 1, max = 150))]
    last_name: String,
    /// Where they live, if they say.
    #[garde(skip)]
    location: Option<Address>,
}

/// An address to keep.
#[derive(Clone, Debug, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewAddress {
    /// What the person calls it.
    #[garde(length(chars, min = 1, max = 60))]
    label: String,
    /// The address.
    #[garde(custom(is_address))]
    address: Address,
}

fn is_address(address: &Address, (): &()) -> garde::Result {
    let parts = [
        &address.recipient,
        &address.line1,
        &address.city,
        &address.province,
        &address.postal_code,
        &address.country,
    ];
    if parts.iter().any(|part| part.trim().is_empty() || part.chars().count() > 200) {
        let message = "recipient, line1, city, province, postalCode and country have 1 to 200 characters";
        return Err(garde::Error::new(message));
    }
    if address.country.len() != 2 || !address.country.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(garde::Error::new("country is two capitals such as ES"));
    }
    Ok(())
}

/// The answer to `NewAddress`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Kept {
    /// The address.
    address_id: Uuid,
}

/// A person's own view of their account.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProfileView {
    user_id: UserId,
    email: Personal<String>,
    first_name: Personal<String>,
    last_name: Personal<String>,
    location: Option<Personal<Address>>,
    addresses: Personal<Vec<SavedAddress>>,
    preferences: UserPreferences,
    /// The segments that the person is in.
    segments: Vec<String>,
    /// The balance of loyalty points.
    points: i64,
    registered_at: Timestamp,
}

impl ProfileView {
    pub(super) fn of(account: Account, standing: Option<Standing>) -> Self {
        let (segments, points) = standing.map(|s| (s.segments, s.points)).unwrap_or_default();
        Self {
            user_id: account.user_id,
            email: account.email,
            first_name: account.first_name,
            last_name: account.last_name,
            location: account.location,
            addresses: account.addresses,
            preferences: account.preferences,
            segments,
            points,
            registered_at: account.registered_at,
        }
    }
}

pub(super) async fn register(
    State(desk): State<Desk>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
    idempotency: Idempotency,
    body: Body<NewAccount>,
) -> Result<Answer, Problem> {
    let NewAccount { email, first_name, last_name, location, preferences } = body.value;
    let new = Registration { email, first_name, last_name, location, preferences };
    let config = desk.config.clone();
    let work = Work::new("register", origin, move |ws| {
        let user_id = commands::register(ws, &config.hash_key, &new)?;
        Ok(json!(Opened { user_id }))
    });
    let idempotency = idempotency.scoped("POST /api/users", &caller, body.fingerprint);
    let done = desk.context.run(work.idempotent(idempotency)).await?;
    Ok(Answer::json_bytes(StatusCode::CREATED, done.answer).located("/api/users/profile"))
}

pub(super) async fn profile(State(desk): State<Desk>, CallerIs(caller): CallerIs) -> Result<Answer, Problem> {
    let id = caller.person().map(UserId).ok_or_else(|| Problem::forbidden("only people have a profile"))?;
    let found = desk.context.get::<Account>(id).await?.ok_or_else(|| unknown(id))?;
    let standing = desk.context.get::<Standing>(id).await?;
    let view = ProfileView::of(found.document, standing.map(|found| found.document));
    Ok(Answer::ok(&view).etag(found.version))
}

pub(super) async fn introduce(
    State(desk): State<Desk>,
    UrlPath(id): UrlPath<UserId>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
    version: IfMatch,
    body: Body<NewProfile>,
) -> Result<Answer, Problem> {
    own(&caller, id)?;
    let version = version.required()?;
    let NewProfile { first_name, last_name, location } = body.value;
    let said = Profile { first_name, last_name, location };
    let work = Work::new("change-profile", origin, move |ws| {
        commands::introduce(ws, id, version, &said)?;
        Ok(Value::Null)
    });
    desk.context.run(work).await?;
    Ok(Answer::no_content())
}

/// Preferences; the domain says which make sense.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct NewPreferences(UserPreferences);

impl Validate for NewPreferences {
    type Context = ();

    fn validate_into(&self, (): &(), _: &mut dyn FnMut() -> garde::Path, _: &mut garde::Report) {}
}

pub(super) async fn prefer(
    State(desk): State<Desk>,
    UrlPath(id): UrlPath<UserId>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
    version: IfMatch,
    body: Body<NewPreferences>,
) -> Result<Answer, Problem> {
    own(&caller, id)?;
    let version = version.required()?;
    let preferences = body.value.0;
    let work = Work::new("change-preferences", origin, move |ws| {
        commands::prefer(ws, id, version, preferences.clone())?;
        Ok(Value::Null)
    });
    desk.context.run(work).await?;
    Ok(Answer::no_content())
}

pub(super) async fn keep_address(
    State(desk): State<Desk>,
    UrlPath(id): UrlPath<UserId>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
    idempotency: Idempotency,
    body: Body<NewAddress>,
) -> Result<Answer, Problem> {
    own(&caller, id)?;
    let NewAddress { label, address } = body.value;
    let work = Work::new("keep-address", origin, move |ws| {
        let address_id = commands::keep_address(ws, id, &label, &address)?;
        Ok(json!(Kept { address_id }))
    });
    let scope = format!("POST /api/users/{id}/addresses");
    let idempotency = idempotency.scoped(&scope, &caller, body.fingerprint);
    let done = desk.context.run(work.idempotent(idempotency)).await?;
    Ok(Answer::json_bytes(StatusCode::CREATED, done.answer).located("/api/users/profile"))
}

pub(super) async fn forget_address(
    State(desk): State<Desk>,
    UrlPath((id, address)): UrlPath<(UserId, Uuid)>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
) -> Result<Answer, Problem> {
    own(&caller, id)?;
    let work = Work::new("forget-address", origin, move |ws| {
        commands::forget_address(ws, id, address)?;
        Ok(Value::Null)
    });
    desk.context.run(work).await?;
    Ok(Answer::no_content())
}

/// The answer to an erasure.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Erasing {
    user_id: UserId,
    status: Status,
}

pub(super) async fn erase(
    State(desk): State<Desk>,
    UrlPath(id): UrlPath<UserId>,
    CallerIs(caller): CallerIs,
    Origin(origin): Origin,
) -> Result<Answer, Problem> {
    own(&caller, id)?;
    let guest_allowed = caller.is_admin();
    let work = Work::new("erase-user", origin, move |ws| {
        commands::erase(ws, id, guest_allowed)?;
        Ok(Value::Null)
    });
    desk.context.run(work).await?;
    Ok(Answer::json(StatusCode::ACCEPTED, &Erasing { user_id: id, status: Status::Erased }))
}
