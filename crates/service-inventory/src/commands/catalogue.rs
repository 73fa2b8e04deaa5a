//! What is kept stock of, how much there is, and what its artisan settles.

use std::sync::Arc;

use backbone::workspace::Key;
use backbone::{Refusal, Workspace};
use kernel::{ArtisanId, ProductId};

use super::item;
use crate::catalogue::{ArtisanSettings, Product};
use crate::config::Config;
use crate::domain::ItemKey;
use crate::domain::stock::{self, Command, Count, Opening, Rules};
use crate::error;

/// A product with the items that stock is to be kept of.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The product.
    pub product_id: ProductId,
    /// Who sells it.
    pub artisan_id: ArtisanId,
    /// What it is called.
    pub name: String,
    /// Its items.
    pub items: Vec<ListedItem>,
}

/// An item that stock is to be kept of.
#[derive(Clone, Copy, Debug)]
pub struct ListedItem {
    /// The item.
    pub key: ItemKey,
    /// Pieces at the start.
    pub quantity: u32,
}

/// Opens stock for the items of a product that have none yet; the others keep theirs.
pub fn list_product(ws: &mut Workspace<'_>, config: &Config, listing: &Listing) -> Result<(), Refusal> {
    ws.need(listing.items.iter().map(|listed| item::key(listed.key)).chain([
        Key::document::<Product>(listing.product_id),
        Key::document::<ArtisanSettings>(listing.artisan_id),
    ]))?;
    let settings = settings(ws, config, listing.artisan_id)?;
    let known = ws.get::<Product>(listing.product_id)?;
    let mut product =
        known.as_deref().cloned().unwrap_or_else(|| Product::new(listing.product_id, listing.artisan_id));
    let (warehouse_id, location) = settings.place();
    for listed in &listing.items {
        let opening = Opening {
            product_id: listing.product_id,
            variant_id: listed.key.variant_id,
            artisan_id: listing.artisan_id,
            product_name: listing.name.clone(),
            warehouse_id,
            location: location.clone(),
            quantity: listed.quantity,
            rules: settings.rules(),
            discontinued: product.discontinued,
        };
        let at = ws.now();
        item::ask(ws, listed.key, Command::Open(opening, at))?;
        if !product.items.contains(&listed.key) {
            product.items.push(listed.key);
        }
    }
    if known.as_deref() != Some(&product) {
        ws.put(product)?;
    }
    Ok(())
}

fn settings(
    ws: &mut Workspace<'_>,
    config: &Config,
    artisan_id: ArtisanId,
) -> Result<ArtisanSettings, Refusal> {
    let settings = ws.get::<ArtisanSettings>(artisan_id)?;
    Ok(settings.map_or_else(|| ArtisanSettings::new(artisan_id, config.thresholds), Arc::unwrap_or_clone))
}

/// A product changed: its items follow its artisan, and refuse reservations once it is discontinued.
pub fn update_product(
    ws: &mut Workspace<'_>,
    product_id: ProductId,
    artisan_id: ArtisanId,
    discontinued: bool,
) -> Result<(), Refusal> {
    let known = ws.get::<Product>(product_id)?;
    let mut product = known.as_deref().cloned().unwrap_or_else(|| Product::new(product_id, artisan_id));
    product.artisan_id = artisan_id;
    product.discontinued = discontinued;
    if known.as_deref() == Some(&product) {
        return Ok(());
    }
    ws.need(product.items.iter().map(|item| item::key(*item)))?;
    let at = ws.now();
    for key in &product.items {
        item::ask(ws, *key, Command::Reassign(artisan_id, at))?;
        item::ask(ws, *key, if discontinued { Command::Discontinue(at) } else { Command::Resume(at) })?;
    }
    ws.put(product)
}

/// The item after a count.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    /// The item.
    pub key: ItemKey,
    /// Its state now.
    pub state: Arc<stock::State>,
}

/// A count of an item, with what it is where no stock may be kept of it yet.
#[derive(Clone, Debug)]
pub struct Stocktake {
    /// The item.
    pub key: ItemKey,
    /// What was counted.
    pub count: Count,
    /// The product, where the item may be unknown.
    pub unknown: Option<Listing>,
}

/// Corrects the pieces of an item; one that is unknown is opened with them where it is described.
pub fn count(ws: &mut Workspace<'_>, config: &Config, stocktake: &Stocktake) -> Result<Counted, Refusal> {
    let key = stocktake.key;
    if item::state(ws, key)?.description.is_some() {
        let moment = item::informed(ws, key)?;
        item::ask(ws, key, Command::Count(stocktake.count.clone(), moment))?;
    } else {
        open_counted(ws, config, stocktake)?;
    }
    Ok(Counted { key, state: item::state(ws, key)? })
}

fn open_counted(ws: &mut Workspace<'_>, config: &Config, stocktake: &Stocktake) -> Result<(), Refusal> {
    let Stocktake { key, count, unknown } = stocktake.clone();
    let mut listing = unknown.ok_or_else(|| error::no_such_item(key))?;
    let elsewhere = count.warehouse_id.is_some() || count.location.is_some();
    // Where the pieces lie elsewhere than usual, the item is opened empty and counted there.
    let quantity = if elsewhere { 0 } else { count.quantity };
    listing.items = vec![ListedItem { key, quantity }];
    list_product(ws, config, &listing)?;
    if elsewhere {
        let at = ws.now();
        item::ask(ws, key, Command::Count(Count { seen_revision: None, ..count }, at.into()))?;
    }
    Ok(())
}

/// Settles the rules of an item.
pub fn set_rules(
    ws: &mut Workspace<'_>,
    key: ItemKey,
    rules: Rules,
    seen_revision: Option<u64>,
) -> Result<Counted, Refusal> {
    ws.need([item::key(key), Key::document::<crate::demand::Demand>(key)])?;
    let moment = item::informed(ws, key)?;
    item::ask(ws, key, Command::SetRules(rules, seen_revision, moment))?;
    Ok(Counted { key, state: item::state(ws, key)? })
}

/// Settings with the version that they have now.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled<D> {
    /// How often they were written.
    pub version: u64,
    /// The settings.
    pub document: D,
}

/// Settles what holds for all items of an artisan. `seen` is the version that was read, 0 for none.
pub fn set_artisan_settings(
    ws: &mut Workspace<'_>,
    settings: &ArtisanSettings,
    seen: u64,
) -> Result<Settled<ArtisanSettings>, Refusal> {
    settings.rules().checked()?;
    let version = ws.document_version::<ArtisanSettings>(settings.artisan_id)?;
    if version != seen {
        return Err(error::stale().into());
    }
    ws.put(settings.clone())?;
    Ok(Settled { version: version + 1, document: settings.clone() })
}
