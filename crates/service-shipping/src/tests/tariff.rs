//! Zones and rates.

use kernel::{ArtisanId, Currency, Money};
use proptest::prelude::*;
use uuid::Uuid;

use super::{MILL, NOON, POTTER};
use crate::Config;
use crate::domain::{Destination, ZoneName, rates, zone_of};

#[test]
fn the_postal_code_says_the_zone() {
    for (country, postal_code, zone) in [
        ("ES", "23001", Some(ZoneName::Jaen)),
        ("ES", "28013", Some(ZoneName::Peninsula)),
        ("ES", "07001", Some(ZoneName::Balearics)),
        ("ES", "35001", Some(ZoneName::Canaries)),
        ("ES", "38001", Some(ZoneName::Canaries)),
        ("ES", "51001", Some(ZoneName::Ceuta)),
        ("ES", "52001", Some(ZoneName::Melilla)),
        ("ES", "53001", None),
        ("ES", "00001", None),
        ("ES", "2300", None),
        ("ES", "2300a", None),
        ("PT", "1000-001", Some(ZoneName::EuropeanUnion)),
        ("PT", "", None),
        ("GB", "SW1A 1AA", None),
    ] {
        assert_eq!(zone_of(country, postal_code), zone, "{country} {postal_code}");
    }
}

/// Given this destination and these parcels, when a rate is asked for, then these prices.
#[track_caller]
fn check(postal_code: &str, (artisans, pieces): (&[ArtisanId], u32), then: &[i64]) {
    let destination = Destination { country: "ES", postal_code };
    let found = rates(&Config::default(), NOON, destination, (artisans, pieces)).unwrap();
    assert_eq!(found.rates.iter().map(|rate| rate.price.amount).collect::<Vec<_>>(), then);
    assert_eq!(found.total, Money::eur(then.iter().sum()));
    assert!(
        found.estimated_delivery.from > NOON && found.estimated_delivery.from <= found.estimated_delivery.to
    );
}

#[test]
fn each_artisan_sends_a_parcel_and_further_pieces_cost_less() {
    check("23001", (&[MILL], 1), &[390]);
    check("23001", (&[MILL], 4), &[540]);
    check("28013", (&[MILL, POTTER], 3), &[630, 550]);
    check("35001", (&[MILL, POTTER], 1), &[1_290, 1_290]);
}

#[test]
fn outside_the_vat_area_delivery_bears_none() {
    for (postal_code, rate) in [("23001", 2_100), ("07001", 2_100), ("38001", 0), ("51001", 0), ("52001", 0)]
    {
        let destination = Destination { country: "ES", postal_code };
        let found = rates(&Config::default(), NOON, destination, (&[MILL], 1)).unwrap();
        assert_eq!(found.rates[0].vat_rate, rate, "{postal_code}");
    }
}

#[test]
fn where_nothing_is_delivered_the_postal_code_is_to_blame() {
    let destination = Destination { country: "US", postal_code: "10001" };
    let no = rates(&Config::default(), NOON, destination, (&[MILL], 1)).unwrap_err();
    assert_eq!((no.code, no.field.as_deref()), ("not-served", Some("postalCode")));
    let mut config = Config::default();
    config.zones.retain(|zone| zone.name != ZoneName::Canaries);
    let destination = Destination { country: "ES", postal_code: "35001" };
    assert!(rates(&config, NOON, destination, (&[MILL], 1)).is_err());
}

proptest! {
    #[test]
    fn the_total_is_the_sum_of_one_rate_for_each_artisan(count in 1usize..20, pieces in 1u32..10_000) {
        let artisans: Vec<ArtisanId> = (0..count).map(|n| ArtisanId(Uuid::from_u128(n as u128))).collect();
        let destination = Destination { country: "ES", postal_code: "28013" };
        let found = rates(&Config::default(), NOON, destination, (&artisans, pieces)).unwrap();
        prop_assert_eq!(found.rates.iter().map(|rate| rate.artisan_id).collect::<Vec<_>>(), artisans);
        let sum = Money::sum(Currency::EUR, found.rates.iter().map(|rate| rate.price));
        prop_assert_eq!(sum, Ok(found.total));
    }
}
