//! What a basket costs: product, inventory and shipping are asked, side by side where one does
//! not need the other's answer. Nothing is stored here.

use backbone::calls::CallError;
use contracts::calls::{Availability, BasketLine, DeliveryRates, QuoteBasket, VariantStock};
use contracts::shared::{DateRange, OrderItem};
use http::StatusCode;
use http_kit::Problem;
use kernel::{Currency, Money, MoneyError, ProductId, QuoteId};

use super::Desk;
use super::body::LineWish;
use crate::domain::{Delivery, cost};
use crate::error;
use crate::ports::{Flow, Parcels};

/// A basket and where it goes.
pub(super) struct Wanted<'a> {
    pub(super) lines: &'a [LineWish],
    pub(super) country: &'a str,
    pub(super) postal_code: &'a str,
    /// Prices that bind already.
    pub(super) prepared: Option<(QuoteId, Vec<OrderItem>)>,
    pub(super) flow: Flow,
}

/// A basket with its price.
#[derive(Clone, Debug)]
pub(super) struct Priced {
    pub(super) quote_id: QuoteId,
    pub(super) items: Vec<OrderItem>,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) goods: Money,
    pub(super) delivery: Money,
    pub(super) vat: Money,
    pub(super) total: Money,
    pub(super) estimated_delivery: DateRange,
}

impl Desk {
    /// What a basket costs, or which line cannot be had and why.
    pub(super) async fn price(&self, wanted: Wanted<'_>) -> Result<Priced, Problem> {
        let products = products(wanted.lines);
        let stock = self.ports.stock.availability(&products, &wanted.flow);
        let (stock, basket) = futures::join!(stock, self.basket(&wanted));
        let (quote_id, items, rates) = basket?;
        check_stock(wanted.lines, &items, &stock?)?;
        sum(quote_id, items, rates)
    }

    async fn basket(&self, wanted: &Wanted<'_>) -> Result<(QuoteId, Vec<OrderItem>, DeliveryRates), Problem> {
        let (quote_id, items) = match &wanted.prepared {
            Some((id, items)) => (*id, items.clone()),
            None => self.prices(wanted.lines, &wanted.flow).await?,
        };
        let mut artisans = Vec::new();
        for item in &items {
            if !artisans.contains(&item.artisan_id) {
                artisans.push(item.artisan_id);
            }
        }
        let parcels = Parcels {
            country: wanted.country.to_owned(),
            postal_code: wanted.postal_code.to_owned(),
            pieces: wanted.lines.iter().map(|line| line.quantity).sum(),
            artisans,
        };
        let rates = self.ports.rates.rates(&parcels, &wanted.flow).await.map_err(not_delivered)?;
        let served = |artisan| rates.rates.iter().any(|rate| rate.artisan_id == artisan);
        if let Some(index) = items.iter().position(|item| !served(item.artisan_id)) {
            let field = format!("items[{index}].productId");
            let message = "this artisan does not deliver to this address: take the line out";
            return Err(error::invalid("not-delivered", field, message).into());
        }
        Ok((quote_id, items, rates))
    }

    /// Prices of lines from the catalogue, in the order of the lines.
    pub(super) async fn prices(
        &self,
        lines: &[LineWish],
        flow: &Flow,
    ) -> Result<(QuoteId, Vec<OrderItem>), Problem> {
        let basket = QuoteBasket {
            lines: lines
                .iter()
                .map(|line| BasketLine {
                    product_id: line.product_id,
                    variant_id: line.variant_id,
                    quantity: line.quantity,
                })
                .collect(),
        };
        let quote = self.ports.catalogue.quote(&basket, flow).await?;
        if let Some(refused) = quote.refused.first() {
            let same = |line: &LineWish| {
                line.product_id == refused.product_id && line.variant_id == refused.variant_id
            };
            let index = lines.iter().position(same).unwrap_or(0);
            let field = format!("items[{index}].productId");
            return Err(error::invalid("product-refused", field, refused.reason.clone()).into());
        }
        let matches = |(item, line): (&OrderItem, &LineWish)| {
            item.product_id == line.product_id && item.quantity == line.quantity
        };
        if quote.items.len() != lines.len() || !quote.items.iter().zip(lines).all(matches) {
            return Err(Problem::defect("product quoted another basket than it was asked for"));
        }
        if let Some(index) = quote.items.iter().position(|item| item.unit_price.currency != Currency::EUR) {
            let field = format!("items[{index}].productId");
            return Err(error::invalid("currency", field, "this product is not sold in EUR").into());
        }
        Ok((quote.quote_id, quote.items))
    }
}

pub(super) fn products(lines: &[LineWish]) -> Vec<ProductId> {
    let mut products = Vec::new();
    for line in lines {
        if !products.contains(&line.product_id) {
            products.push(line.product_id);
        }
    }
    products
}

/// Shipping's no is about the address.
fn not_delivered(failure: CallError) -> Problem {
    match failure {
        CallError::Answered { status, detail, .. }
            if [StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY].contains(&status) =>
        {
            error::invalid("not-delivered", "deliveryAddress.postalCode", detail).into()
        }
        other => other.into(),
    }
}

/// Every line can be had now. Whether it still can be when it is reserved is inventory's to say.
pub(super) fn check_stock(
    lines: &[LineWish],
    items: &[OrderItem],
    availability: &Availability,
) -> Result<(), Problem> {
    for (index, item) in items.iter().enumerate() {
        let stock = stock_of(item, availability);
        let field = |name: &str| format!("items[{index}].{name}");
        let wanted = lines.get(index).map_or(item.quantity, |line| line.quantity);
        match stock {
            None => {
                let message = "nothing of this is in stock";
                return Err(error::out_of_stock(field("productId"), message).into());
            }
            Some(stock) if stock.available < wanted && !stock.backorder => {
                let message = format!("only {} of these are available", stock.available);
                return Err(error::out_of_stock(field("quantity"), message).into());
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// The stock of a line; a product with one variant may be named without it.
fn stock_of<'a>(item: &OrderItem, availability: &'a Availability) -> Option<&'a VariantStock> {
    let mut of_product = availability.stock.iter().filter(|stock| stock.product_id == item.product_id);
    let exact = of_product.clone().find(|stock| stock.variant_id == item.variant_id);
    exact.or_else(|| {
        let only = of_product.next();
        only.filter(|_| of_product.next().is_none() && item.variant_id.is_none())
    })
}

fn sum(quote_id: QuoteId, items: Vec<OrderItem>, rates: DeliveryRates) -> Result<Priced, Problem> {
    let deliveries: Vec<Delivery> = rates
        .rates
        .into_iter()
        .map(|rate| Delivery {
            artisan_id: rate.artisan_id,
            carrier: rate.carrier,
            price: rate.price,
            vat_rate: rate.vat_rate,
            estimated_delivery: rate.estimated_delivery,
        })
        .collect();
    let goods = cost(&items).map_err(unpayable)?;
    let delivery = Money::sum(Currency::EUR, deliveries.iter().map(|delivery| delivery.price));
    let delivery = delivery.map_err(unpayable)?;
    let total = goods.plus(delivery).map_err(unpayable)?;
    let vat = vat(&items, &deliveries).map_err(unpayable)?;
    let estimated_delivery = rates.estimated_delivery;
    Ok(Priced { quote_id, items, deliveries, goods, delivery, vat, total, estimated_delivery })
}

/// The VAT contained in the total, line by line.
pub(super) fn vat(items: &[OrderItem], deliveries: &[Delivery]) -> Result<Money, MoneyError> {
    let mut vat = Money::zero(Currency::EUR);
    for item in items {
        let gross = item.unit_price.times(i64::from(item.quantity))?;
        vat = vat.plus(gross.tax_included(i64::from(item.vat_rate)))?;
    }
    for delivery in deliveries {
        vat = vat.plus(delivery.price.tax_included(i64::from(delivery.vat_rate)))?;
    }
    Ok(vat)
}

pub(super) fn unpayable(failure: MoneyError) -> Problem {
    error::invalid("amount-impossible", "items", failure.to_string()).into()
}
