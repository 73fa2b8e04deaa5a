//! Quotes, VAT, and money read from text.

use contracts::calls::{BasketLine, QuoteBasket};
use contracts::product::Status;
use kernel::{Money, ProductId, QuoteId, VariantId};
use proptest::prelude::*;
use uuid::Uuid;

use super::{BOWL, LARGE, OIL, bowl_listed, oil_listed};
use crate::VatTable;
use crate::domain::{Product, Seller, quote};
use crate::import::euros;

fn oil() -> Product {
    Product::listed(&oil_listed(), None, &Seller::unknown(super::MILL))
}

fn bowl() -> Product {
    Product::listed(&bowl_listed(), None, &Seller::unknown(super::POTTER))
}

fn line(product_id: ProductId, variant_id: Option<VariantId>, quantity: u32) -> BasketLine {
    BasketLine { product_id, variant_id, quantity }
}

/// Given this product, when this line is asked for, then that unit price or that refusal.
#[track_caller]
fn check(given: Option<Product>, when: BasketLine, then: Result<(i64, u32), &str>) {
    let basket = QuoteBasket { lines: vec![when] };
    let answer = quote(&VatTable::default(), QuoteId::default(), &basket, &[given]);
    match then {
        Ok((cents, vat_rate)) => {
            assert_eq!(answer.refused, Vec::new());
            assert_eq!((answer.items[0].unit_price, answer.items[0].vat_rate), (Money::eur(cents), vat_rate));
        }
        Err(reason) => {
            assert_eq!(answer.items, Vec::new());
            assert!(answer.refused[0].reason.contains(reason), "{}", answer.refused[0].reason);
        }
    }
}

#[test]
fn a_line_costs_what_its_variant_costs_at_its_categorys_vat() {
    check(Some(oil()), line(OIL, Some(LARGE), 2), Ok((6_500, 400)));
    check(Some(bowl()), line(BOWL, None, 1), Ok((2_400, 2_100)));
    check(Some(Product { vat_rate: Some(1_000), ..bowl() }), line(BOWL, None, 1), Ok((2_400, 1_000)));
}

#[test]
fn what_cannot_be_sold_is_refused_with_a_reason() {
    let unknown = VariantId(Uuid::from_u128(0x99));
    check(None, line(OIL, None, 1), Err("no such product"));
    check(Some(oil()), line(OIL, None, 1), Err("choose one"));
    check(Some(oil()), line(OIL, Some(unknown), 1), Err("no such variant"));
    check(Some(bowl()), line(BOWL, None, 0), Err("between 1 and"));
    check(Some(Product { shown: false, ..bowl() }), line(BOWL, None, 1), Err("not for sale"));
    for status in [Status::Draft, Status::Inactive, Status::Discontinued] {
        check(Some(Product { status, ..bowl() }), line(BOWL, None, 1), Err("not for sale"));
    }
}

#[test]
fn the_only_variant_need_not_be_named() {
    let mut single = oil();
    single.variants.truncate(1);
    check(Some(single), line(OIL, None, 1), Ok((900, 400)));
}

#[test]
fn a_category_without_a_rate_takes_that_of_the_one_above() {
    let table = VatTable::default();
    for (category, rate) in [
        ("alimentacion", 1_000),
        ("alimentacion/miel/romero", 1_000),
        ("alimentacion/aceite/picual", 400),
        ("olive-oil", 400),
        ("honey", 1_000),
        ("crafts", 2_100),
        ("esparto", 2_100),
    ] {
        assert_eq!(table.rate(category), rate, "{category}");
    }
}

#[test]
fn euros_are_read_exactly_or_not_at_all() {
    for (text, cents) in [("12.50", 1_250), ("12,5", 1_250), ("12", 1_200), ("0.07", 7), ("19.99", 1_999)] {
        assert_eq!(euros(text), Some(Money::eur(cents)), "{text}");
    }
    for text in ["", ".", "12.", ".5", "12.505", "1e3", "-1", "+1", "12 €", "1.2.3", "99999999999999999999"]
    {
        assert_eq!(euros(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn every_amount_that_is_written_is_read_back(cents in 0i64..=100_000_000) {
        let text = format!("{}.{:02}", cents / 100, cents % 100);
        prop_assert_eq!(euros(&text), Some(Money::eur(cents)));
    }

    #[test]
    fn every_line_is_either_priced_or_refused(quantities in prop::collection::vec(0u32..20_000, 1..100)) {
        let lines: Vec<BasketLine> = quantities.iter().map(|quantity| line(BOWL, None, *quantity)).collect();
        let products = vec![Some(bowl()); lines.len()];
        let basket = QuoteBasket { lines };
        let answer = quote(&VatTable::default(), QuoteId::default(), &basket, &products);
        prop_assert_eq!(answer.items.len() + answer.refused.len(), basket.lines.len());
    }
}
