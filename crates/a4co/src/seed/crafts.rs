//! What Jaén's artisans make: word tables from which the demonstration's catalogue is put together.
//! Every kind reads well after every good of its craft, whatever the good's gender.

mod food;
mod handwork;

/// A craft.
#[derive(Debug)]
pub(crate) struct Craft {
    /// Begins its artisans' SKUs.
    pub(crate) code: &'static str,
    /// Its category's path in the catalogue.
    pub(crate) category: &'static str,
    /// The category's name in Spanish and in English.
    pub(crate) names: [&'static str; 2],
    /// What its workshops are called: `Alfarería`.
    pub(crate) workshop: &'static str,
    /// A sentence for descriptions.
    pub(crate) told: &'static str,
    /// VAT in basis points (Ley 37/1992 as of 2026: olive oil and cheese 4 %, other food 10 %).
    pub(crate) vat_rate: u32,
    /// Where its artisans work.
    pub(crate) towns: &'static [&'static str],
    /// What they make.
    pub(crate) goods: &'static [Good],
    /// How they make it.
    pub(crate) kinds: &'static [&'static str],
    /// The sizes that it comes in; none where each piece is its own.
    pub(crate) sizes: &'static [Size],
}

/// Something that a craft makes.
#[derive(Debug)]
pub(crate) struct Good {
    pub(crate) name: &'static str,
    /// The usual price, VAT included; of the first size where there are sizes.
    pub(crate) cents: i64,
    /// The weight of a piece, packed; of the first size where there are sizes.
    pub(crate) grams: u32,
}

/// A size, compared with the first one.
#[derive(Debug)]
pub(crate) struct Size {
    pub(crate) label: &'static str,
    pub(crate) price_percent: i64,
    pub(crate) weight_percent: u32,
}

const fn good(name: &'static str, cents: i64, grams: u32) -> Good {
    Good { name, cents, grams }
}

const fn size(label: &'static str, price_percent: i64, weight_percent: u32) -> Size {
    Size { label, price_percent, weight_percent }
}

/// All of them, in the order of the catalogue.
pub(crate) const CRAFTS: &[&Craft] = &[
    &food::OLIVE_OIL,
    &food::HONEY,
    &food::CHEESE,
    &food::SAUSAGES,
    &food::PRESERVES,
    &food::PASTRY,
    &handwork::CERAMICS,
    &handwork::ESPARTO,
    &handwork::LEATHER,
    &handwork::TEXTILES,
    &handwork::IRON,
    &handwork::WOOD,
    &handwork::SOAP,
    &handwork::JEWELLERY,
];

/// Categories above those of the crafts: path, Spanish, English.
pub(crate) const TRUNKS: &[[&str; 3]] = &[
    ["alimentacion", "Alimentación", "Food"],
    ["artesania", "Artesanía", "Crafts"],
    ["cosmetica", "Cosmética", "Cosmetics"],
];
