//! The price of a basket.

use contracts::calls::{BasketLine, BasketQuote, QuoteBasket, RefusedLine};
use contracts::shared::OrderItem;
use kernel::QuoteId;

use super::Product;
use crate::config::VatTable;

/// The most pieces of one line.
const QUANTITY_MAX: u32 = 10_000;

/// Prices a basket: `products` holds what was found for each line, in the basket's order.
pub fn quote(vat: &VatTable, id: QuoteId, basket: &QuoteBasket, products: &[Option<Product>]) -> BasketQuote {
    let mut quote = BasketQuote { quote_id: id, items: Vec::new(), refused: Vec::new() };
    for (line, product) in basket.lines.iter().zip(products) {
        match price(vat, line, product.as_ref()) {
            Ok(item) => quote.items.push(item),
            Err(reason) => quote.refused.push(RefusedLine {
                product_id: line.product_id,
                variant_id: line.variant_id,
                reason: reason.to_owned(),
            }),
        }
    }
    quote
}

fn price(vat: &VatTable, line: &BasketLine, product: Option<&Product>) -> Result<OrderItem, &'static str> {
    let product = product.ok_or("there is no such product")?;
    if !product.is_visible() {
        return Err("the product is not for sale");
    }
    if !(1..=QUANTITY_MAX).contains(&line.quantity) {
        return Err("a line has between 1 and 10,000 pieces");
    }
    let variant = product.variant(line.variant_id)?;
    Ok(OrderItem {
        product_id: product.product_id,
        variant_id: variant.map(|variant| variant.variant_id),
        artisan_id: product.artisan_id,
        name: product.name.clone(),
        category: product.category.clone(),
        quantity: line.quantity,
        unit_price: variant.map_or(product.price, |variant| variant.price),
        vat_rate: product.vat_rate.unwrap_or_else(|| vat.rate(&product.category)),
    })
}
