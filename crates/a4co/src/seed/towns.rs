//! Jaén's towns: positions from GeoNames (`data/README.md`), postal codes of those that the
//! demonstration uses.

/// A town.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Town {
    pub(crate) name: &'static str,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
    pub(crate) postal_code: &'static str,
}

const POSITIONS: &str = include_str!("../../data/jaen-municipalities.csv");

const POSTAL_CODES: &[(&str, &str)] = &[
    ("Alcalá la Real", "23680"),
    ("Alcaudete", "23660"),
    ("Andújar", "23740"),
    ("Arjonilla", "23750"),
    ("Baeza", "23440"),
    ("Bailén", "23710"),
    ("Beas de Segura", "23280"),
    ("Cabra del Santo Cristo", "23550"),
    ("Castillo de Locubín", "23670"),
    ("Cazorla", "23470"),
    ("Frailes", "23690"),
    ("Huelma", "23560"),
    ("Jaén", "23001"),
    ("Jódar", "23500"),
    ("La Carolina", "23200"),
    ("Linares", "23700"),
    ("Mancha Real", "23100"),
    ("Marmolejo", "23770"),
    ("Martos", "23600"),
    ("Mengíbar", "23620"),
    ("Navas de San Juan", "23240"),
    ("Orcera", "23370"),
    ("Peal de Becerro", "23460"),
    ("Pozo Alcón", "23485"),
    ("Quesada", "23480"),
    ("Santa Elena", "23213"),
    ("Santiago de Calatrava", "23612"),
    ("Segura de la Sierra", "23379"),
    ("Siles", "23380"),
    ("Torredelcampo", "23640"),
    ("Torredonjimeno", "23650"),
    ("Torreperogil", "23320"),
    ("Úbeda", "23400"),
    ("Valdepeñas de Jaén", "23150"),
    ("Villacarrillo", "23300"),
    ("Villanueva del Arzobispo", "23330"),
];

/// The town with this name.
///
/// # Panics
/// Where the tables above have no such town: a defect of the demonstration's own tables, which
/// their tests find.
pub(crate) fn named(name: &str) -> Town {
    let row = POSITIONS.lines().skip(1).find_map(|line| {
        let mut fields = line.split(',');
        let town = fields.next().filter(|town| *town == name)?;
        let latitude = fields.next()?.parse().ok()?;
        let longitude = fields.next()?.parse().ok()?;
        Some((town, latitude, longitude))
    });
    let (name, latitude, longitude) = row.unwrap_or_else(|| panic!("{name} has no position"));
    let code = POSTAL_CODES.iter().find(|(town, _)| *town == name);
    let (_, postal_code) = code.unwrap_or_else(|| panic!("{name} has no postal code"));
    Town { name, latitude, longitude, postal_code }
}

#[cfg(test)]
mod tests {
    use super::{POSITIONS, POSTAL_CODES, named};

    #[test]
    fn every_line_of_the_file_is_a_town_in_the_province() {
        let lines: Vec<&str> = POSITIONS.lines().skip(1).collect();
        assert_eq!(lines.len(), 87);
        for line in lines {
            let fields: Vec<&str> = line.split(',').collect();
            let [_, latitude, longitude] = fields[..] else { panic!("{line}") };
            assert!((37.3..38.6).contains(&latitude.parse::<f64>().unwrap()), "{line}");
            assert!((-4.4..-2.4).contains(&longitude.parse::<f64>().unwrap()), "{line}");
        }
    }

    #[test]
    fn every_postal_code_is_of_the_province_and_of_a_town_of_the_file() {
        for (name, code) in POSTAL_CODES {
            assert!(code.len() == 5 && code.starts_with("23"), "{name} {code}");
            assert_eq!(named(name).postal_code, *code);
        }
    }
}
