//! Bodies of requests and answers, with the rules that need no other service.

use contracts::shared::{Address, DateRange, OrderState};
use garde::Validate;
use kernel::{CartId, CustomerId, Money, OrderId, ProductId, QuoteId, VariantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::Metadata;

/// The most lines of an order.
const LINES_MAX: usize = 100;
/// The most pieces of a line.
const PIECES_MAX: u32 = 10_000;

/// A line of a basket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LineWish {
    /// The product.
    #[garde(skip)]
    pub product_id: ProductId,
    /// The variant, where the product has several.
    #[garde(skip)]
    pub variant_id: Option<VariantId>,
    /// Pieces, at least 1.
    #[garde(range(min = 1, max = PIECES_MAX))]
    pub quantity: u32,
}

/// Where an order goes.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeliveryAddress {
    /// Who receives.
    #[garde(length(chars, min = 1, max = 120), custom(not_blank))]
    pub recipient: String,
    /// Street and number.
    #[garde(length(chars, min = 1, max = 200), custom(not_blank))]
    pub line1: String,
    /// Floor, door, care of.
    #[garde(length(chars, max = 200))]
    pub line2: Option<String>,
    /// Town.
    #[garde(length(chars, min = 1, max = 100), custom(not_blank))]
    pub city: String,
    /// Province.
    #[garde(length(chars, min = 1, max = 100), custom(not_blank))]
    pub province: String,
    /// Postal code: 5 digits in Spain.
    #[garde(length(chars, min = 2, max = 12), custom(is_postal_code(&self.country)))]
    pub postal_code: String,
    /// ISO 3166-1 alpha-2: `ES`.
    #[garde(custom(is_country))]
    pub country: String,
    /// Degrees north.
    #[garde(inner(range(min = -90.0, max = 90.0)))]
    pub latitude: Option<f64>,
    /// Degrees east.
    #[garde(inner(range(min = -180.0, max = 180.0)))]
    pub longitude: Option<f64>,
    /// For the carrier, E.164: `+34953000000`.
    #[garde(inner(custom(is_phone)))]
    pub phone: Option<String>,
}

impl From<DeliveryAddress> for Address {
    fn from(address: DeliveryAddress) -> Self {
        Self {
            recipient: address.recipient,
            line1: address.line1,
            line2: address.line2,
            city: address.city,
            province: address.province,
            postal_code: address.postal_code,
            country: address.country,
            latitude: address.latitude,
            longitude: address.longitude,
            phone: address.phone,
        }
    }
}

/// Who orders without an account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Guest {
    /// Where they read mail.
    #[garde(email, length(max = 254))]
    pub email: String,
    /// Their name.
    #[garde(length(chars, min = 1, max = 120), custom(not_blank))]
    pub name: String,
}

/// `POST /api/orders`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlaceOrder {
    /// Who orders; whoever is signed in, where nothing is said.
    #[garde(skip)]
    pub customer_id: Option<CustomerId>,
    /// Who orders without an account.
    #[garde(dive)]
    pub guest: Option<Guest>,
    /// 1 to 100 lines, one a variant.
    #[garde(length(min = 1, max = LINES_MAX), dive, custom(no_line_twice))]
    pub items: Vec<LineWish>,
    /// Where it goes.
    #[garde(dive)]
    pub delivery_address: DeliveryAddress,
    /// A stored method of the customer, or a token of the gateway; never a card number.
    #[garde(length(min = 1, max = 200))]
    pub payment_method_id: String,
    /// A quote whose prices bind.
    #[garde(skip)]
    pub quote_id: Option<QuoteId>,
    /// The cart it comes from.
    #[garde(skip)]
    pub cart_id: Option<CartId>,
    /// The currency, `EUR`.
    #[garde(inner(custom(euro)))]
    pub currency: Option<String>,
    /// A coupon (not offered yet).
    #[garde(custom(not_offered("coupons")))]
    pub coupon: Option<String>,
    /// Points to redeem (not offered yet).
    #[garde(custom(not_offered("points")))]
    pub points: Option<u32>,
    /// What the device tells of itself.
    #[garde(dive)]
    pub metadata: Option<Metadata>,
}

/// `POST /api/orders/quote`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuoteRequest {
    /// 1 to 100 lines, one a variant.
    #[garde(length(min = 1, max = LINES_MAX), dive, custom(no_line_twice))]
    pub items: Vec<LineWish>,
    /// Where it would go.
    #[garde(dive)]
    pub delivery_address: QuotePlace,
    /// A coupon (not offered yet).
    #[garde(custom(not_offered("coupons")))]
    pub coupon: Option<String>,
    /// Points to redeem (not offered yet).
    #[garde(custom(not_offered("points")))]
    pub points: Option<u32>,
}

/// As much of an address as a price needs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuotePlace {
    /// Postal code: 5 digits in Spain.
    #[garde(length(chars, min = 2, max = 12), custom(is_postal_code(&self.country)))]
    pub postal_code: String,
    /// ISO 3166-1 alpha-2: `ES`.
    #[garde(custom(is_country))]
    pub country: String,
}

/// The answer to `POST /api/orders`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlacedOrder {
    /// The order.
    pub order_id: OrderId,
    /// Who ordered.
    pub customer_id: CustomerId,
    /// The quote whose prices bind.
    pub quote_id: QuoteId,
    /// Where the order stands.
    pub state: OrderState,
    /// What the goods cost.
    pub goods: Money,
    /// What delivery costs.
    pub delivery: Money,
    /// The VAT contained in the total.
    pub vat: Money,
    /// What the customer pays: it binds.
    pub total: Money,
    /// When it should arrive.
    pub estimated_delivery: DateRange,
    /// A guest's key to the order: sent as `x-order-key`, and shown only here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub access_key: Option<String>,
}

/// `POST /api/orders/{id}/cancel`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CancelOrder {
    /// Why.
    #[garde(length(chars, min = 1, max = 500))]
    pub reason: Option<String>,
}

/// A line as it shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LineChange {
    /// The product.
    #[garde(skip)]
    pub product_id: ProductId,
    /// The variant, where the product has several.
    #[garde(skip)]
    pub variant_id: Option<VariantId>,
    /// Pieces; 0 removes the line.
    #[garde(range(max = PIECES_MAX))]
    pub quantity: u32,
}

/// `PATCH /api/orders/{id}/items`: lines that are not named stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeOrderItems {
    /// Lines as they shall be.
    #[garde(length(min = 1, max = LINES_MAX), dive)]
    pub items: Vec<LineChange>,
}

/// `POST /api/orders/{id}/returns`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReturnRequest {
    /// What comes back.
    #[garde(length(min = 1, max = LINES_MAX), dive, custom(no_line_twice))]
    pub items: Vec<LineWish>,
    /// Why; nothing personal, it is told to the artisan.
    #[garde(length(chars, min = 1, max = 500))]
    pub reason: String,
}

/// `POST /api/orders/{id}/returns/{returnId}/inspect`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Inspection {
    /// Pieces taken back; lines that are not named are taken back whole.
    #[serde(default)]
    #[garde(length(max = LINES_MAX), dive)]
    pub items: Vec<LineChange>,
    /// What was found.
    #[garde(length(chars, max = 500))]
    pub note: Option<String>,
}

fn not_blank(text: &str, (): &()) -> garde::Result {
    if text.trim().is_empty() { Err(garde::Error::new("this must not be blank")) } else { Ok(()) }
}

fn is_country(text: &str, (): &()) -> garde::Result {
    if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Ok(());
    }
    Err(garde::Error::new("two capital letters, ISO 3166-1: ES"))
}

fn is_postal_code(country: &str) -> impl FnOnce(&str, &()) -> garde::Result {
    let spanish = country == "ES";
    move |code, ()| {
        if spanish && !(code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(garde::Error::new("a Spanish postal code has five digits: 23001"));
        }
        if code.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ' || c == '-') {
            return Ok(());
        }
        Err(garde::Error::new("letters, digits, spaces and dashes only"))
    }
}

fn is_phone(text: &str, (): &()) -> garde::Result {
    let digits = text.strip_prefix('+').unwrap_or("");
    if (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(garde::Error::new("a telephone number in E.164: +34953000000"))
}

fn euro(code: &str, (): &()) -> garde::Result {
    if code == "EUR" { Ok(()) } else { Err(garde::Error::new("orders are in EUR")) }
}

fn not_offered<T>(what: &'static str) -> impl FnOnce(&Option<T>, &()) -> garde::Result {
    move |wish, ()| match wish {
        None => Ok(()),
        Some(_) => Err(garde::Error::new(format!("{what} cannot be redeemed yet: leave this out"))),
    }
}

fn no_line_twice(lines: &[LineWish], (): &()) -> garde::Result {
    let same = |a: &LineWish, b: &LineWish| a.product_id == b.product_id && a.variant_id == b.variant_id;
    let twice = (1..lines.len()).find(|at| lines[..*at].iter().any(|line| same(line, &lines[*at])));
    match twice {
        None => Ok(()),
        Some(at) => Err(garde::Error::new(format!("line {at} is there before: add its pieces up"))),
    }
}
