//! The demonstration's goods: ten or so of each artisan, put together from the craft's words,
//! always the same, as the CSV file that an artisan would import.

use kernel::ProductId;

use super::artisans::Artisan;
use super::crafts::{Craft, Size};
use crate::dice::Dice;

/// Which of all possible markets this is.
const SEED: u64 = 23;

/// How many products an artisan has.
const PRODUCTS_EACH: usize = 10;

/// A product of the demonstration.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    /// Follows from its artisan and its SKU, as the import has it.
    pub(crate) id: ProductId,
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) description: String,
    /// One where the product has no sizes.
    pub(crate) offers: Vec<Offer>,
}

/// What can be bought of a product: itself, or one of its sizes.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) sku: String,
    pub(crate) size: Option<&'static str>,
    pub(crate) cents: i64,
    pub(crate) grams: u32,
    pub(crate) stock: u32,
}

/// The products of an artisan.
pub(crate) fn of(artisan: &Artisan) -> Vec<Product> {
    let craft = artisan.craft;
    let mut dice = Dice::nth(SEED, artisan.number as u64);
    let combinations = craft.goods.len() * craft.kinds.len();
    let chosen = dice.different(PRODUCTS_EACH, combinations);
    chosen.into_iter().enumerate().map(|(place, which)| product(artisan, place, which, &mut dice)).collect()
}

fn product(artisan: &Artisan, place: usize, which: usize, dice: &mut Dice) -> Product {
    let craft = artisan.craft;
    let good = &craft.goods[which / craft.kinds.len()];
    let kind = craft.kinds[which % craft.kinds.len()];
    let sku = format!("{}-{:02}-{:02}", craft.code, artisan.number + 1, place + 1);
    let name = format!("{} {kind}", good.name);
    let percent = dice.between(88, 125) as i64;
    let first = Size { label: "", price_percent: 100, weight_percent: 100 };
    let sizes: Vec<(&Size, Option<&'static str>)> = match craft.sizes {
        [] => vec![(&first, None)],
        sizes => sizes.iter().map(|size| (size, Some(size.label))).collect(),
    };
    let single = sizes.len() == 1;
    let offers = sizes.into_iter().enumerate().map(|(number, (size, label))| Offer {
        sku: if single { sku.clone() } else { format!("{sku}-{}", number + 1) },
        size: label,
        cents: to_five_cents(good.cents * percent * size.price_percent / 10_000),
        grams: good.grams * size.weight_percent / 100,
        stock: stock(dice),
    });
    let offers: Vec<Offer> = offers.collect();
    let description = describe(artisan, &name, &offers);
    Product { id: ProductId(kernel::derived_id(artisan.id.0, &sku)), sku, name, description, offers }
}

/// Prices end in 0 or 5.
fn to_five_cents(cents: i64) -> i64 {
    (cents + 2) / 5 * 5
}

/// Few pieces of some, many of most: 20 to 2,000.
fn stock(dice: &mut Dice) -> u32 {
    let (low, high) = *dice.weighted(&[(1, (20, 60)), (3, (61, 300)), (6, (301, 2_000))]);
    dice.between(low, high) as u32
}

fn describe(artisan: &Artisan, name: &str, offers: &[Offer]) -> String {
    let weight = match offers {
        [only] => format!(" Peso: {}.", kilograms(only.grams)),
        _ => String::new(),
    };
    let (workshop, town) = (&artisan.business_name, artisan.town.name);
    format!("{name}. {} {workshop}, {town} (Jaén).{weight}", artisan.craft.told)
}

/// Grams as people read weights: `520 g`, `1,25 kg`.
fn kilograms(grams: u32) -> String {
    if grams < 1_000 {
        return format!("{grams} g");
    }
    let hundredths = grams % 1_000 / 10;
    format!("{},{hundredths:02} kg", grams / 1_000)
}

fn euros(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// The file that an artisan imports (docs/import.md).
pub(crate) fn file(artisan: &Artisan, products: &[Product]) -> Vec<u8> {
    let craft: &Craft = artisan.craft;
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut columns =
        vec!["artisanId", "sku", "product", "name", "description", "category", "price", "vatRate", "stock"];
    columns.extend(["attribute.formato", "attribute.peso"]);
    let written = "writing into memory does not fail";
    writer.write_record(&columns).expect(written);
    for product in products {
        for offer in &product.offers {
            let sized = offer.size.is_some();
            let row = [
                artisan.id.to_string(),
                offer.sku.clone(),
                if sized { product.sku.clone() } else { String::new() },
                product.name.clone(),
                product.description.clone(),
                craft.category.to_owned(),
                euros(offer.cents),
                craft.vat_rate.to_string(),
                offer.stock.to_string(),
                offer.size.unwrap_or_default().to_owned(),
                if sized { kilograms(offer.grams) } else { String::new() },
            ];
            writer.write_record(&row).expect(written);
        }
    }
    writer.into_inner().expect(written)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::artisans;
    use super::*;

    #[test]
    fn four_hundred_products_with_ids_prices_weights_and_stock_of_their_own() {
        let all: Vec<Product> = artisans::all().iter().flat_map(of).collect();
        assert_eq!(all.len(), 400);
        let ids: BTreeSet<_> = all.iter().map(|product| product.id).collect();
        let skus: BTreeSet<_> = all.iter().map(|product| &product.sku).collect();
        assert_eq!((ids.len(), skus.len()), (400, 400));
        for offer in all.iter().flat_map(|product| &product.offers) {
            assert!((20..=2_000).contains(&offer.stock), "{offer:?}");
            assert!((100..50_000).contains(&offer.cents) && offer.cents % 5 == 0, "{offer:?}");
            assert!((20..20_000).contains(&offer.grams), "{offer:?}");
        }
    }

    #[test]
    fn an_artisan_makes_nothing_twice_and_the_same_each_time() {
        for artisan in artisans::all() {
            let products = of(&artisan);
            let names: BTreeSet<_> = products.iter().map(|product| &product.name).collect();
            assert_eq!(names.len(), products.len(), "{}", artisan.business_name);
            let again = of(&artisan);
            assert_eq!(file(&artisan, &products), file(&artisan, &again));
        }
    }

    #[test]
    fn the_file_is_one_that_the_catalogue_takes_whole() {
        for artisan in artisans::all() {
            let products = of(&artisan);
            let file = file(&artisan, &products);
            let importer = service_product::import::Importer { only: None, rows_max: 1_000 };
            let (imports, rejected) = service_product::import::read(&file, importer);
            assert_eq!(rejected, [], "{}", String::from_utf8_lossy(&file));
            let ids: Vec<_> = imports.iter().map(|import| import.product_id).collect();
            assert_eq!(ids, products.iter().map(|product| product.id).collect::<Vec<_>>());
        }
    }

    #[test]
    fn weights_are_written_as_people_read_them() {
        assert_eq!([kilograms(520), kilograms(1_250), kilograms(3_000)], ["520 g", "1,25 kg", "3,00 kg"]);
    }
}
