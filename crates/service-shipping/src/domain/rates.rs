//! What a delivery costs and when it arrives.

use backbone::Rejection;
use contracts::calls::{DeliveryRate, DeliveryRates};
use contracts::shared::DateRange;
use kernel::{ArtisanId, Currency, Money, Timestamp};

use super::zone_of;
use crate::config::{Config, Zone, days};

/// Where something goes.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    /// ISO 3166-1 alpha-2.
    pub country: &'a str,
    /// The postal code.
    pub postal_code: &'a str,
}

/// One rate for each artisan's parcel. The pieces are taken to be spread evenly: which artisan
/// sends how many is not asked.
pub fn rates(
    config: &Config,
    now: Timestamp,
    destination: Destination<'_>,
    basket: (&[ArtisanId], u32),
) -> Result<DeliveryRates, Rejection> {
    let (artisans, pieces) = basket;
    let zone = served(config, destination)?;
    let estimated_delivery = estimate(config, zone, now);
    let rates: Vec<DeliveryRate> = artisans
        .iter()
        .zip(spread(pieces, artisans.len()))
        .map(|(artisan_id, pieces)| DeliveryRate {
            artisan_id: *artisan_id,
            carrier: zone.carrier.clone(),
            price: price(zone, pieces),
            vat_rate: zone.vat_rate,
            estimated_delivery: estimated_delivery.clone(),
        })
        .collect();
    let total = Money::sum(Currency::EUR, rates.iter().map(|rate| rate.price))
        .map_err(|e| Rejection::invalid("basket-too-large", e.to_string()))?;
    Ok(DeliveryRates { rates, total, estimated_delivery })
}

fn served<'c>(config: &'c Config, destination: Destination<'_>) -> Result<&'c Zone, Rejection> {
    let zone = zone_of(destination.country, destination.postal_code).and_then(|name| config.zone(name));
    zone.ok_or_else(|| {
        let message = "nothing is delivered there: check country and postal code, or choose another address";
        Rejection::invalid("not-served", message).at("postalCode")
    })
}

/// From the earliest to the latest arrival of what is confirmed now.
fn estimate(config: &Config, zone: &Zone, now: Timestamp) -> DateRange {
    let collected = now.plus(days(config.preparation_days));
    DateRange { from: collected.plus(days(zone.days_min)), to: collected.plus(days(zone.days_max)) }
}

fn price(zone: &Zone, pieces: u32) -> Money {
    let further = i64::from(pieces.max(1) - 1);
    Money::eur(zone.first_piece_cents.saturating_add(zone.further_piece_cents.saturating_mul(further)))
}

/// `pieces` over `parcels`, at least one in each, the earlier ones taking what does not divide.
fn spread(pieces: u32, parcels: usize) -> Vec<u32> {
    let parcels = u32::try_from(parcels).unwrap_or(u32::MAX);
    let share = |index: u32| pieces / parcels + u32::from(index < pieces % parcels);
    (0..parcels).map(|index| share(index).max(1)).collect()
}
