//! Commands: decisions on a workspace, from wherever they were asked.

use backbone::workspace::Key;
use backbone::{Refusal, Rejection, Workspace};
use contracts::artisan::Verified;
use contracts::calls::{OfferProduct, ProductOffered};
use contracts::shared::BusinessInfo;
use kernel::{ArtisanId, Personal};

use crate::domain::{Artisan, Listing, Status, listed, listing_id};

/// An artisan whom an operator takes in.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The person who signs in; a new id where there is none yet.
    pub artisan_id: Option<ArtisanId>,
    /// The business.
    pub business_info: BusinessInfo,
    /// What they are good at.
    pub specialties: Vec<String>,
    /// The operator.
    pub verified_by: String,
}

/// Takes in an artisan, verified; gives the id.
pub fn admit(ws: &mut Workspace<'_>, new: &Admission) -> Result<ArtisanId, Refusal> {
    let artisan_id = new.artisan_id.unwrap_or_else(|| ArtisanId(ws.uuid()));
    if ws.get::<Artisan>(artisan_id)?.is_some() {
        return Err(Rejection::conflict("artisan-exists", "this artisan is registered already").into());
    }
    let info = &new.business_info;
    let artisan = Artisan {
        artisan_id,
        business_name: info.business_name.clone(),
        location: info.address.clone(),
        specialties: new.specialties.clone(),
        status: Status::Verified,
        business_info: Personal::Known(info.clone()),
        verified_at: ws.now(),
    };
    ws.publish(Verified {
        artisan_id,
        business_name: artisan.business_name.clone(),
        contact_email: Personal::Known(info.email.clone()),
        location: artisan.location.clone(),
        specialties: artisan.specialties.clone(),
        verified_by: new.verified_by.clone(),
        verified_at: artisan.verified_at,
    });
    ws.put(artisan)?;
    Ok(artisan_id)
}

/// Lists a product of a verified artisan, once for each SKU.
pub fn list(
    ws: &mut Workspace<'_>,
    artisan: ArtisanId,
    offer: &OfferProduct,
) -> Result<ProductOffered, Refusal> {
    let id = listing_id(artisan, &offer.sku);
    ws.need([Key::document::<Artisan>(artisan), Key::document::<Listing>(&id)])?;
    if let Some(known) = ws.get::<Listing>(&id)? {
        return Ok(ProductOffered { product_id: known.product_id, listed: false });
    }
    if ws.get::<Artisan>(artisan)?.is_none() {
        return Err(Rejection::not_found("no-such-artisan", "there is no such artisan").into());
    }
    let listed_at = ws.now();
    let event = listed(artisan, offer, listed_at)?;
    let product_id = event.product_id;
    ws.put(Listing { artisan_id: artisan, sku: offer.sku.clone(), product_id, listed_at })?;
    ws.publish(event);
    Ok(ProductOffered { product_id, listed: true })
}
