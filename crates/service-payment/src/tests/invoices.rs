//! Invoices and their numbers.

use kernel::Money;

use super::samples::*;
use crate::commands::invoicing;
use crate::domain::invoice::{BilledTo, Invoice, InvoiceKind, InvoiceSeries};

fn of_kind(market: &Market, kind: InvoiceKind) -> Vec<Invoice> {
    market.stage.all::<Invoice>().into_iter().filter(|invoice| invoice.kind == kind).collect()
}

fn billed_to() -> BilledTo {
    BilledTo {
        name: "Ana".to_owned(),
        tax_id: "00000000T".to_owned(),
        address: "Calle Mayor 1, Úbeda".to_owned(),
    }
}

#[test]
fn each_seller_issues_a_simplified_invoice_and_together_they_are_the_payment() {
    let market = Market::paid();
    let invoices = of_kind(&market, InvoiceKind::Simplified);
    assert_eq!(invoices.len(), 3);
    assert_eq!(invoices.iter().map(|invoice| invoice.total.amount).sum::<i64>(), TOTAL);
    let potters = invoices.iter().find(|invoice| invoice.issuer.0 == POTTER.0).unwrap();
    assert_eq!(potters.number, format!("S2026-{POTTER}-000001"));
    assert_eq!((potters.lines[0].net, potters.lines[0].vat), (Money::eur(3_306), Money::eur(694)));
}

#[test]
fn a_refund_is_corrected_in_proportion_and_numbers_have_no_gaps() {
    let market = Market::paid();
    for (refund, amount) in [(1, 1_001), (2, 777), (3, TOTAL)] {
        market.stage.receive(&refund_requested(refund, amount)).unwrap();
        market.settle();
    }
    let corrective = of_kind(&market, InvoiceKind::Corrective);
    assert_eq!(corrective.iter().map(|invoice| invoice.total.amount).sum::<i64>(), -TOTAL);
    assert!(corrective.iter().all(|invoice| invoice.refers_to.is_some()));
    for series in market.stage.all::<InvoiceSeries>() {
        let mut numbers: Vec<String> = market.stage.all::<Invoice>().into_iter().map(|i| i.number).collect();
        numbers.retain(|number| number.starts_with(&series.series));
        let expected: Vec<String> = (1..=series.last).map(|n| format!("{}-{n:06}", series.series)).collect();
        assert_eq!(numbers, expected);
    }
}

#[test]
fn full_invoices_replace_simplified_ones_once_over_what_is_left() {
    let market = Market::paid();
    market.stage.receive(&refund_requested(1, 1_000)).unwrap();
    market.settle();
    let make = || market.stage.run(|ws| invoicing::make_full(ws, PAYMENT, &billed_to()));
    assert_eq!(make().unwrap().len(), 3);
    let full = of_kind(&market, InvoiceKind::Full);
    assert_eq!(full.iter().map(|invoice| invoice.total.amount).sum::<i64>(), TOTAL - 1_000);
    assert!(make().is_err());
    market.stage.receive(&refund_requested(2, TOTAL)).unwrap();
    market.settle();
    let corrected: Vec<_> = of_kind(&market, InvoiceKind::Corrective)
        .into_iter()
        .filter_map(|invoice| invoice.refers_to)
        .collect();
    assert!(full.iter().all(|invoice| corrected.contains(&invoice.number)));
}
