//! The demonstration's artisans: forty workshops in the towns of Jaén. Invented, every one.

use kernel::{ArtisanId, derived_id};
use uuid::Uuid;

use super::crafts::{CRAFTS, Craft};
use super::towns::{self, Town};

/// What all ids of the demonstration follow from: a UUIDv7 of the first moment of 2026.
pub(crate) const ROOT: Uuid = Uuid::from_u128(0x019b_76da_a800_7000_8000_0000_0000_a4c0);

/// An artisan of the demonstration.
#[derive(Clone, Debug)]
pub(crate) struct Artisan {
    pub(crate) id: ArtisanId,
    /// From 0, in the order of the crafts.
    pub(crate) number: usize,
    pub(crate) craft: &'static Craft,
    pub(crate) business_name: String,
    pub(crate) town: Town,
    pub(crate) street: String,
    pub(crate) email: String,
    pub(crate) phone: String,
}

/// What sets a workshop's name apart from the others'.
const NAMES: [&str; 40] = [
    "El Acebuche",
    "La Lechuza",
    "Cerro Lindero",
    "Fuente del Alcaudón",
    "La Cuerda Larga",
    "La Peña Rubia",
    "El Romeral Alto",
    "Los Avellanares",
    "La Majada Vieja",
    "El Cortijuelo",
    "La Umbría",
    "El Quejigal",
    "Tres Encinas",
    "La Huerta de Abajo",
    "El Molinillo",
    "La Acequia Honda",
    "Santa Rita",
    "La Campana",
    "El Arco Chico",
    "La Rueda Lenta",
    "Barro Vivo",
    "El Horno Moruno",
    "Las Cuatro Manos",
    "La Pleita",
    "El Atochar",
    "Las Trenzas",
    "El Lazo",
    "La Hebilla",
    "El Becerro",
    "La Lanzadera",
    "El Hilo Blanco",
    "La Urdimbre",
    "El Yunque Viejo",
    "La Fragua Nueva",
    "El Nogal",
    "La Gubia",
    "El Serrín",
    "La Alhucema",
    "El Caldero",
    "La Filigrana",
];

const STREETS: [&str; 8] = [
    "Calle Real",
    "Calle de los Hornos",
    "Calle Alta",
    "Plaza del Mercado",
    "Calle del Agua",
    "Camino de la Ermita",
    "Calle Olivar",
    "Polígono Los Llanos",
];

/// All of them, always the same.
pub(crate) fn all() -> Vec<Artisan> {
    let places = CRAFTS.iter().flat_map(|craft| craft.towns.iter().map(move |town| (*craft, *town)));
    places
        .zip(NAMES)
        .enumerate()
        .map(|(number, ((craft, town), name))| artisan(number, craft, town, name))
        .collect()
}

fn artisan(number: usize, craft: &'static Craft, town: &'static str, name: &str) -> Artisan {
    Artisan {
        id: ArtisanId(derived_id(ROOT, &format!("artisan/{number}"))),
        number,
        craft,
        business_name: format!("{} {name}", craft.workshop),
        town: towns::named(town),
        street: format!("{}, {}", STREETS[number % STREETS.len()], number * 7 % 60 + 1),
        // The domain is reserved: no mail ever leaves for it (RFC 2606).
        email: format!("taller{:02}@artesanos.example", number + 1),
        phone: format!("+34953555{number:03}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{NAMES, all};

    #[test]
    fn forty_artisans_work_in_towns_of_jaen_under_names_of_their_own() {
        let artisans = all();
        assert_eq!(artisans.len(), 40);
        assert_eq!(NAMES.len(), artisans.len());
        let names: BTreeSet<_> = artisans.iter().map(|artisan| &artisan.business_name).collect();
        let ids: BTreeSet<_> = artisans.iter().map(|artisan| artisan.id).collect();
        assert_eq!((names.len(), ids.len()), (40, 40));
        let towns: BTreeSet<_> = artisans.iter().map(|artisan| artisan.town.name).collect();
        assert!(towns.len() >= 30, "{} towns", towns.len());
    }
}
