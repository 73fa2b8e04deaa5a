//! What an operator can set.

use garde::Validate;
use kernel::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::ZoneName;

/// The settings, each with a default that suits a market in the province of Jaén.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where parcels go, and for how much; a zone that is not here is not served.
    #[garde(dive, custom(are_once))]
    pub zones: Vec<Zone>,
    /// Days from an order's confirmation until the carrier collects.
    #[garde(range(max = 60))]
    pub preparation_days: u32,
    /// Days for which the law wants delivery addresses kept after a person is erased: six years
    /// (Código de Comercio, art. 30).
    #[garde(range(min = 1, max = 36_500))]
    pub legal_period_days: u32,
}

/// What a parcel into a zone costs and takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// Which.
    #[garde(skip)]
    pub name: ZoneName,
    /// Who carries it.
    #[garde(length(chars, min = 1, max = 100))]
    pub carrier: String,
    /// The price of a parcel with one piece, in cents of the euro, VAT included.
    #[garde(range(min = 0, max = 1_000_000))]
    pub first_piece_cents: i64,
    /// The price of each further piece in it.
    #[garde(range(min = 0, max = 1_000_000))]
    pub further_piece_cents: i64,
    /// VAT in basis points. 0 for the Canaries, Ceuta and Melilla, which are outside its area.
    #[garde(range(max = 10_000))]
    pub vat_rate: u32,
    /// Days on the way, at least.
    #[garde(range(max = 365))]
    pub days_min: u32,
    /// Days on the way, at most.
    #[garde(range(min = self.days_min, max = 365))]
    #[schemars(range(max = 365))]
    pub days_max: u32,
}

fn are_once(zones: &[Zone], (): &()) -> garde::Result {
    let mut names: Vec<ZoneName> = Vec::new();
    for zone in zones {
        if names.contains(&zone.name) {
            return Err(garde::Error::new(format!("the zone {:?} is there twice: leave one", zone.name)));
        }
        names.push(zone.name);
    }
    Ok(())
}

impl Default for Config {
    fn default() -> Self {
        let zone = |name, carrier: &str, cents: (i64, i64), vat_rate, days: (u32, u32)| Zone {
            name,
            carrier: carrier.to_owned(),
            first_piece_cents: cents.0,
            further_piece_cents: cents.1,
            vat_rate,
            days_min: days.0,
            days_max: days.1,
        };
        Self {
            zones: vec![
                zone(ZoneName::Jaen, "Correos", (390, 50), 2_100, (1, 2)),
                zone(ZoneName::Peninsula, "Correos", (550, 80), 2_100, (1, 3)),
                zone(ZoneName::Balearics, "Correos", (890, 150), 2_100, (3, 6)),
                zone(ZoneName::Canaries, "Correos", (1_290, 250), 0, (5, 10)),
                zone(ZoneName::Ceuta, "Correos", (1_090, 200), 0, (4, 8)),
                zone(ZoneName::Melilla, "Correos", (1_090, 200), 0, (4, 8)),
                zone(ZoneName::EuropeanUnion, "GLS", (1_490, 300), 2_100, (4, 9)),
            ],
            preparation_days: 2,
            legal_period_days: 6 * 365 + 2,
        }
    }
}

impl Config {
    /// A zone's row.
    pub fn zone(&self, name: ZoneName) -> Option<&Zone> {
        self.zones.iter().find(|zone| zone.name == name)
    }

    /// How long addresses are kept after an erasure.
    pub fn legal_period(&self) -> Duration {
        days(self.legal_period_days)
    }
}

/// So many days of 24 hours.
pub(crate) fn days(count: u32) -> Duration {
    Duration::from_secs(u64::from(count) * 86_400)
}
