//! Commands: decisions on a workspace, from wherever they were asked.

use std::sync::Arc;

use backbone::system::Claim;
use backbone::{Refusal, Rejection, RejectionKind, Workspace};
use contracts::Object;
use contracts::shared::{Address, UserPreferences};
use contracts::user::{PreferencesChanged, ProfileUpdated, Registered};
use kernel::{Personal, UserId};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::config::HashKey;
use crate::domain::{
    ADDRESSES_MAX, Account, SavedAddress, Standing, Status, StoredMethod, Wallet, check_preferences,
    default_preferences,
};
use crate::erasure::{Data, UserErasure};

/// The kind of claim that an account has on its mail address.
pub const EMAIL_CLAIM: &str = "email";

/// Somebody who wants an account.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Where they read mail.
    pub email: String,
    /// First name.
    pub first_name: String,
    /// Family names.
    pub last_name: String,
    /// Where they live, if they said.
    pub location: Option<Address>,
    /// What they want, if they said.
    pub preferences: Option<UserPreferences>,
}

/// Opens an account; gives its id. One mail address, one account.
pub fn register(ws: &mut Workspace<'_>, key: &HashKey, new: &Registration) -> Result<UserId, Refusal> {
    let preferences = new.preferences.clone().unwrap_or_else(default_preferences);
    check_preferences(&preferences)?;
    let user_id = UserId(ws.uuid());
    let claim = key.email(&new.email);
    claim_email(ws, &claim, user_id)?;
    let account = Account {
        user_id,
        status: Status::Active,
        email: new.email.trim().to_owned().into(),
        email_claim: Some(claim),
        first_name: new.first_name.clone().into(),
        last_name: new.last_name.clone().into(),
        location: new.location.clone().map(Personal::Known),
        addresses: Personal::Known(Vec::new()),
        preferences,
        registered_at: ws.now(),
    };
    ws.publish(Registered {
        user_id,
        email: account.email.clone(),
        first_name: account.first_name.clone(),
        last_name: account.last_name.clone(),
        location: account.location.clone(),
        preferences: account.preferences.clone(),
        registered_at: account.registered_at,
    });
    ws.create(account);
    ws.create(Standing::fresh(user_id));
    Ok(user_id)
}

fn claim_email(ws: &mut Workspace<'_>, hash: &str, owner: UserId) -> Result<(), Refusal> {
    let claim = Claim { name: EMAIL_CLAIM.to_owned(), value: hash.to_owned(), owner: owner.to_string() };
    match ws.get::<Claim>(claim_id(hash))? {
        Some(_) => {
            let message = "there is an account with this address: sign in, or reset its password";
            Err(Rejection::conflict("email-taken", message).at("email").into())
        }
        None => ws.put(claim),
    }
}

/// The id of the claim on an address with this hash.
pub fn claim_id(hash: &str) -> String {
    format!("{EMAIL_CLAIM}/{hash}")
}

/// A living account.
fn living(ws: &mut Workspace<'_>, id: UserId) -> Result<Arc<Account>, Refusal> {
    let found = ws.get::<Account>(id)?.filter(|account| account.status == Status::Active);
    found.ok_or_else(|| Rejection::not_found("no-such-user", "there is no such account").into())
}

/// A living account that its editor saw as it is.
fn seen(ws: &mut Workspace<'_>, id: UserId, version: u64) -> Result<Account, Refusal> {
    let account = living(ws, id)?;
    if ws.document_version::<Account>(id)? != version {
        let message = "the account was changed in between: read it again and repeat the change";
        return Err(Rejection::new(RejectionKind::Stale, "account-changed", message).into());
    }
    Ok(Arc::unwrap_or_clone(account))
}

/// Sets what a person wants of the market.
pub fn prefer(
    ws: &mut Workspace<'_>,
    id: UserId,
    version: u64,
    preferences: UserPreferences,
) -> Result<(), Refusal> {
    check_preferences(&preferences)?;
    let mut account = seen(ws, id, version)?;
    if account.preferences == preferences {
        return Ok(());
    }
    account.preferences = preferences.clone();
    let updated_at = ws.now();
    ws.put(account)?;
    ws.publish(PreferencesChanged { user_id: id, preferences, updated_at });
    Ok(())
}

/// What a person says of themselves.
#[derive(Clone, Debug)]
pub struct Profile {
    /// First name.
    pub first_name: String,
    /// Family names.
    pub last_name: String,
    /// Where they live, if they say.
    pub location: Option<Address>,
}

/// Sets what a person says of themselves.
pub fn introduce(ws: &mut Workspace<'_>, id: UserId, version: u64, said: &Profile) -> Result<(), Refusal> {
    let before = seen(ws, id, version)?;
    let mut account = before.clone();
    account.first_name = said.first_name.clone().into();
    account.last_name = said.last_name.clone().into();
    account.location = said.location.clone().map(Personal::Known);
    let mut change = Change::default();
    change.of("firstName", &before.first_name, &account.first_name);
    change.of("lastName", &before.last_name, &account.last_name);
    change.of("location", &before.location, &account.location);
    save(ws, account, change)
}

/// Keeps an address; gives its id.
pub fn keep_address(
    ws: &mut Workspace<'_>,
    id: UserId,
    label: &str,
    address: &Address,
) -> Result<Uuid, Refusal> {
    let address_id = ws.uuid();
    let before = living(ws, id)?;
    let mut addresses = before.addresses.known().cloned().unwrap_or_default();
    if addresses.len() >= ADDRESSES_MAX {
        let message = "remove an address first: 20 can be kept";
        return Err(Rejection::conflict("too-many-addresses", message).into());
    }
    addresses.push(SavedAddress { address_id, label: label.to_owned(), address: address.clone() });
    change_addresses(ws, &before, addresses)?;
    Ok(address_id)
}

/// Forgets an address.
pub fn forget_address(ws: &mut Workspace<'_>, id: UserId, address_id: Uuid) -> Result<(), Refusal> {
    let before = living(ws, id)?;
    let mut addresses = before.addresses.known().cloned().unwrap_or_default();
    let count = addresses.len();
    addresses.retain(|address| address.address_id != address_id);
    if addresses.len() == count {
        return Err(Rejection::not_found("no-such-address", "there is no such address").into());
    }
    change_addresses(ws, &before, addresses)
}

fn change_addresses(
    ws: &mut Workspace<'_>,
    before: &Account,
    addresses: Vec<SavedAddress>,
) -> Result<(), Refusal> {
    let mut account = before.clone();
    account.addresses = Personal::Known(addresses);
    let mut change = Change::default();
    change.of("addresses", &before.addresses, &account.addresses);
    save(ws, account, change)
}

/// What changed of a profile.
#[derive(Default)]
struct Change {
    fields: Vec<String>,
    before: Object,
    after: Object,
}

impl Change {
    fn of<T: Serialize + PartialEq>(&mut self, field: &str, before: &T, after: &T) {
        if before != after {
            let value = |value: &T| serde_json::to_value(value).unwrap_or(Value::Null);
            self.fields.push(field.to_owned());
            self.before.insert(field.to_owned(), value(before));
            self.after.insert(field.to_owned(), value(after));
        }
    }
}

fn save(ws: &mut Workspace<'_>, account: Account, change: Change) -> Result<(), Refusal> {
    if change.fields.is_empty() {
        return Ok(());
    }
    let (user_id, updated_at) = (account.user_id, ws.now());
    ws.put(account)?;
    ws.publish(ProfileUpdated {
        user_id,
        changed_fields: change.fields,
        previous_values: Personal::Known(change.before),
        new_values: Personal::Known(change.after),
        updated_at,
    });
    Ok(())
}

/// Stores a payment method.
pub fn store_method(ws: &mut Workspace<'_>, id: UserId, method: StoredMethod) -> Result<(), Refusal> {
    living(ws, id)?;
    let wallet = wallet(ws, id)?.with(method)?;
    ws.put(wallet)
}

/// Removes a stored payment method.
pub fn remove_method(ws: &mut Workspace<'_>, id: UserId, method: &str) -> Result<(), Refusal> {
    let wallet = wallet(ws, id)?.without(method)?;
    ws.put(wallet)
}

fn wallet(ws: &mut Workspace<'_>, id: UserId) -> Result<Arc<Wallet>, Refusal> {
    Ok(ws.get::<Wallet>(id)?.unwrap_or_else(|| Arc::new(Wallet::empty(id))))
}

/// Erases a person. Operators erase guests too, who have no account but whose orders hold
/// personal fields. Erasing twice is harmless.
pub fn erase(ws: &mut Workspace<'_>, id: UserId, guest_allowed: bool) -> Result<(), Refusal> {
    if ws.saga::<UserErasure>(id.0)?.is_some() {
        return Ok(());
    }
    if ws.get::<Account>(id)?.is_none() && !guest_allowed {
        return Err(Rejection::not_found("no-such-user", "there is no such account").into());
    }
    ws.start_saga::<UserErasure>(id.0, Data { user_id: id })
}
