//! Commands: decisions on a workspace, from wherever they were asked.

use backbone::workspace::Key;
use backbone::{Refusal, Rejection, RejectionKind, Workspace};
use contracts::product::{PriceChanged, Status, Updated};
use kernel::{ArtisanId, ProductId, Timestamp};
use std::sync::Arc;

use crate::domain::{Availability, Category, Edited, Offer, Product, Seller};

/// The timer that spreads what changed of an artisan to the rest of their products.
pub const SPREAD_TIMER: &str = "seller-spread";

/// Products that one commit touches when something of their artisan changes.
pub const SPREAD_STEP: usize = 200;

/// Who changes a product, and which version of it they saw.
#[derive(Clone, Debug)]
pub struct Editor {
    /// For the record: a user's id or a service's name.
    pub name: String,
    /// The artisan whose products alone they may touch; none for operators.
    pub only: Option<ArtisanId>,
    /// The version that they saw.
    pub version: u64,
}

/// Takes a product into the catalogue.
pub fn create(
    ws: &mut Workspace<'_>,
    id: ProductId,
    artisan: ArtisanId,
    offer: Offer,
) -> Result<(), Refusal> {
    let now = ws.now();
    ws.need([Key::document::<Seller>(artisan), Key::document::<Product>(id)])?;
    if ws.get::<Product>(id)?.is_some() {
        return Err(Rejection::conflict("product-exists", "there is such a product already").into());
    }
    let seller = enrol(ws, artisan, id)?;
    let product = offer.product_of(id, &seller, now)?;
    let fields = ["name", "description", "category", "price", "status", "variants"];
    announce(ws, &product, fields.map(str::to_owned).to_vec());
    ws.put(product)
}

/// Puts an offer in place of what was said of a product.
pub fn edit(ws: &mut Workspace<'_>, id: ProductId, editor: &Editor, offer: Offer) -> Result<(), Refusal> {
    let before = open(ws, id, editor)?;
    let now = ws.now();
    let Edited { product, fields, prices } = before.edited(offer, now)?;
    if fields.is_empty() && prices.is_empty() {
        return Ok(());
    }
    ws.put(product.clone())?;
    for (variant_id, previous_price, price) in prices {
        ws.publish(PriceChanged {
            product_id: id,
            variant_id,
            previous_price,
            price,
            changed_by: editor.name.clone(),
            changed_at: now,
        });
    }
    if !fields.is_empty() {
        announce(ws, &product, fields);
    }
    Ok(())
}

/// Removes a product with all that belongs to it; others hear that it is discontinued.
pub fn remove(ws: &mut Workspace<'_>, id: ProductId, editor: &Editor) -> Result<(), Refusal> {
    let mut product = open(ws, id, editor)?.as_ref().clone();
    product.status = Status::Discontinued;
    product.updated_at = ws.now();
    if let Some(seller) = ws.get::<Seller>(product.artisan_id)? {
        let mut seller = Arc::unwrap_or_clone(seller);
        seller.products.retain(|known| *known != id);
        ws.put(seller)?;
    }
    ws.delete::<Product>(id);
    ws.delete::<Availability>(id);
    announce(ws, &product, vec!["status".to_owned()]);
    Ok(())
}

/// A product that `editor` may change and has seen as it is.
fn open(ws: &mut Workspace<'_>, id: ProductId, editor: &Editor) -> Result<Arc<Product>, Refusal> {
    let missing = || Rejection::not_found("no-such-product", "there is no such product");
    let product = ws.get::<Product>(id)?.ok_or_else(missing)?;
    if editor.only.is_some_and(|own| own != product.artisan_id) {
        let message = "this product is another artisan's";
        return Err(Rejection::new(RejectionKind::Forbidden, "not-your-product", message).into());
    }
    if ws.document_version::<Product>(id)? != editor.version {
        return Err(stale("product-changed", "the product").into());
    }
    Ok(product)
}

fn stale(code: &'static str, what: &str) -> Rejection {
    let message = format!("{what} was changed in between: read it again and repeat the change");
    Rejection::new(RejectionKind::Stale, code, message)
}

fn announce(ws: &mut Workspace<'_>, product: &Product, changed_fields: Vec<String>) {
    let updated_at = ws.now();
    ws.publish(Updated {
        product_id: product.product_id,
        artisan_id: product.artisan_id,
        changed_fields,
        status: product.status,
        updated_at,
    });
}

/// Notes that a product is an artisan's; gives the artisan.
pub fn enrol(ws: &mut Workspace<'_>, artisan: ArtisanId, id: ProductId) -> Result<Seller, Refusal> {
    let mut seller = seller(ws, artisan)?;
    if !seller.products.contains(&id) {
        seller.products.push(id);
        ws.put(seller.clone())?;
    }
    Ok(seller)
}

fn seller(ws: &mut Workspace<'_>, artisan: ArtisanId) -> Result<Seller, Refusal> {
    Ok(ws.get::<Seller>(artisan)?.map_or_else(|| Seller::unknown(artisan), Arc::unwrap_or_clone))
}

/// Changes what is known of an artisan, and lets their products follow.
pub fn change_seller(
    ws: &mut Workspace<'_>,
    artisan: ArtisanId,
    change: impl FnOnce(&mut Seller),
) -> Result<(), Refusal> {
    let before = seller(ws, artisan)?;
    let mut after = before.clone();
    change(&mut after);
    if after == before {
        return Ok(());
    }
    ws.put(after.clone())?;
    spread(ws, &after, 0)
}

/// Brings a seller's products, from the `from`-th on, in line with what is known of the seller:
/// some now, the rest by timer, so that no commit grows with the size of a shop.
pub fn spread(ws: &mut Workspace<'_>, seller: &Seller, from: usize) -> Result<(), Refusal> {
    let step: Vec<ProductId> = seller.products.iter().skip(from).take(SPREAD_STEP).copied().collect();
    ws.need(step.iter().map(Key::document::<Product>))?;
    for id in step {
        let Some(product) = ws.get::<Product>(id)? else { continue };
        if product.shown == seller.hidden || product.tier != seller.tier {
            let mut product = Arc::unwrap_or_clone(product);
            product.shown = !seller.hidden;
            product.tier = seller.tier;
            ws.put(product)?;
        }
    }
    let next = from + SPREAD_STEP;
    if next < seller.products.len() {
        let now = ws.now();
        ws.set_timer(SPREAD_TIMER, seller.artisan_id, now, next as u64);
    }
    Ok(())
}

/// A draft that an import made; what is there already stays as it is.
pub fn draft(ws: &mut Workspace<'_>, drafts: &[(ProductId, ArtisanId, Offer)]) -> Result<(), Refusal> {
    let now: Timestamp = ws.now();
    ws.need(drafts.iter().map(|(id, ..)| Key::document::<Product>(id)))?;
    ws.need(drafts.iter().map(|(_, artisan, _)| Key::document::<Seller>(artisan)))?;
    for (id, artisan, offer) in drafts {
        if ws.get::<Product>(id)?.is_none() {
            let seller = enrol(ws, *artisan, *id)?;
            let product = offer.clone().product_of(*id, &seller, now)?;
            ws.put(product)?;
        }
    }
    Ok(())
}

/// Adds a category below one that exists.
pub fn add_category(ws: &mut Workspace<'_>, category: Category) -> Result<(), Refusal> {
    if ws.get::<Category>(&category.path)?.is_some() {
        return Err(Rejection::conflict("category-exists", "there is such a category already")
            .at("path")
            .into());
    }
    if let Some(parent) = category.parent()
        && ws.get::<Category>(parent)?.is_none()
    {
        let message = format!("there is no category {parent:?}: add it first");
        return Err(Rejection::invalid("no-parent-category", message).at("path").into());
    }
    ws.put(category)
}

/// Changes a category's names and attributes; its path stays.
pub fn edit_category(ws: &mut Workspace<'_>, category: Category, version: u64) -> Result<(), Refusal> {
    match ws.document_version::<Category>(&category.path)? {
        0 => Err(Rejection::not_found("no-such-category", "there is no such category").into()),
        found if found != version => Err(stale("category-changed", "the category").into()),
        _ => ws.put(category),
    }
}
