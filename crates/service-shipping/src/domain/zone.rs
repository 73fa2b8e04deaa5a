//! Where a postal code lies, as carriers see it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ZoneName {
    /// The province of Jaén: 23xxx.
    Jaen,
    /// The rest of mainland Spain.
    Peninsula,
    /// 07xxx.
    Balearics,
    /// 35xxx and 38xxx.
    Canaries,
    /// 51xxx.
    Ceuta,
    /// 52xxx.
    Melilla,
    /// The other states of the European Union.
    EuropeanUnion,
}

/// The European Union without Spain, ISO 3166-1 alpha-2.
const EUROPEAN_UNION: [&str; 26] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU",
    "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// The zone of an address; none where it lies in no zone, or the postal code is none of its
/// country's.
pub fn zone_of(country: &str, postal_code: &str) -> Option<ZoneName> {
    match country {
        "ES" => spanish(postal_code),
        other if EUROPEAN_UNION.contains(&other) && !postal_code.is_empty() => Some(ZoneName::EuropeanUnion),
        _ => None,
    }
}

/// The first two of five digits are the province's number, 01 to 52.
fn spanish(postal_code: &str) -> Option<ZoneName> {
    if postal_code.len() != 5 || !postal_code.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match postal_code.get(..2)?.parse::<u32>().ok()? {
        23 => Some(ZoneName::Jaen),
        7 => Some(ZoneName::Balearics),
        35 | 38 => Some(ZoneName::Canaries),
        51 => Some(ZoneName::Ceuta),
        52 => Some(ZoneName::Melilla),
        1..=50 => Some(ZoneName::Peninsula),
        _ => None,
    }
}
