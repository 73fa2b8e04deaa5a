//! CSV in, offers and refused rows out: pure. The format is described in docs/import.md.

use std::collections::BTreeMap;

use contracts::product::Status;
use kernel::{ArtisanId, Money, ProductId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::{Offer, OfferedVariant, VARIANTS_MAX, check_price};

/// What became of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Rows that are in the catalogue, or on their way into it.
    pub accepted: Vec<AcceptedRow>,
    /// Rows that are not, with the reason.
    pub rejected: Vec<RejectedRow>,
}

/// A row that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedRow {
    /// Its line in the file; the header is line 1.
    pub line: u64,
    /// Its SKU.
    pub sku: String,
    /// The product that it became, or belongs to.
    pub product_id: ProductId,
}

/// A row that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RejectedRow {
    /// Its line in the file; the header is line 1.
    pub line: u64,
    /// The column to blame, where it is one.
    pub column: Option<String>,
    /// What is wrong and what to do.
    pub reason: String,
}

impl RejectedRow {
    fn new(line: u64, column: Option<&str>, reason: impl Into<String>) -> Self {
        Self { line, column: column.map(str::to_owned), reason: reason.into() }
    }
}

/// One product to be listed, from one row or from several.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// The product: follows from the artisan and the key, so that a file can be sent again.
    pub product_id: ProductId,
    /// Who sells it.
    pub artisan_id: ArtisanId,
    /// What names it for its artisan: the `product` column, or the SKU.
    pub key: String,
    /// What is said of it.
    pub offer: Offer,
    /// Pieces at the start, by SKU.
    pub stock: BTreeMap<String, u32>,
    /// Its rows: line and SKU.
    pub rows: Vec<(u64, String)>,
}

/// Whose rows are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Importer {
    /// The artisan whose rows alone are taken, and whose rows are those without `artisanId`.
    pub only: Option<ArtisanId>,
    /// The most rows.
    pub rows_max: usize,
}

struct Row {
    line: u64,
    artisan: ArtisanId,
    sku: String,
    product: Option<String>,
    name: String,
    description: String,
    category: String,
    price: Money,
    vat_rate: Option<u32>,
    stock: u32,
    attributes: Map<String, Value>,
}

/// Reads a file: products to list, in the file's order, and rows that cannot be.
pub fn read(csv: &[u8], importer: Importer) -> (Vec<Import>, Vec<RejectedRow>) {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(strip_mark(csv));
    let mut rejected = Vec::new();
    let header = match reader.headers().map(Columns::of) {
        Ok(Ok(header)) => header,
        Ok(Err(refused)) => return (Vec::new(), vec![refused]),
        Err(e) => return (Vec::new(), vec![RejectedRow::new(1, None, e.to_string())]),
    };
    let mut imports: Vec<Import> = Vec::new();
    for (index, record) in reader.records().enumerate() {
        let row = record
            .map_err(|e| RejectedRow::new(e.position().map_or(0, csv::Position::line), None, e.to_string()))
            .and_then(|record| {
                let line = record.position().map_or(0, csv::Position::line);
                if index >= importer.rows_max {
                    let reason =
                        format!("a file has at most {} rows: send the rest apart", importer.rows_max);
                    return Err(RejectedRow::new(line, None, reason));
                }
                header.row(line, &record, importer)
            })
            .and_then(|row| join(&mut imports, row));
        rejected.extend(row.err());
    }
    (imports, rejected)
}

/// Spreadsheets begin UTF-8 files with a mark.
fn strip_mark(csv: &[u8]) -> &[u8] {
    csv.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(csv)
}

/// Adds a row to the product that it belongs to, or begins one.
fn join(imports: &mut Vec<Import>, row: Row) -> Result<(), RejectedRow> {
    let key = row.product.clone().unwrap_or_else(|| row.sku.clone());
    let refuse = |column, reason: &str| Err(RejectedRow::new(row.line, Some(column), reason));
    if imports.iter().any(|import| import.artisan_id == row.artisan && import.stock.contains_key(&row.sku)) {
        return refuse("sku", "this SKU stands in an earlier row: each row has its own");
    }
    let found = imports.iter_mut().find(|import| import.artisan_id == row.artisan && import.key == key);
    let import = match found {
        None => {
            imports.push(begin(&row, key));
            return Ok(());
        }
        Some(import) => import,
    };
    if row.product.is_none() || import.offer.variants.is_empty() {
        return refuse(
            "product",
            "a row of the same product stands above without `product`: give it to both",
        );
    }
    if import.offer.name != row.name || import.offer.category != row.category {
        return refuse("name", "rows of one product have the same name and category");
    }
    if import.offer.variants.len() >= VARIANTS_MAX {
        return refuse("product", "a product has at most 100 variants: make it two products");
    }
    import.offer.price =
        if row.price.amount < import.offer.price.amount { row.price } else { import.offer.price };
    import.stock.insert(row.sku.clone(), row.stock);
    import.rows.push((row.line, row.sku.clone()));
    import.offer.variants.push(variant(row));
    Ok(())
}

fn begin(row: &Row, key: String) -> Import {
    let variants = row.product.as_ref().map(|_| variant_of(row)).into_iter().collect();
    Import {
        product_id: kernel::derived_id(row.artisan.0, &key).into(),
        artisan_id: row.artisan,
        key,
        offer: Offer {
            name: row.name.clone(),
            description: row.description.clone(),
            category: row.category.clone(),
            price: row.price,
            vat_rate: row.vat_rate,
            status: Status::Draft,
            variants,
            images: Vec::new(),
            attributes: Vec::new(),
        },
        stock: BTreeMap::from([(row.sku.clone(), row.stock)]),
        rows: vec![(row.line, row.sku.clone())],
    }
}

fn variant_of(row: &Row) -> OfferedVariant {
    OfferedVariant { sku: row.sku.clone(), price: row.price, attributes: row.attributes.clone() }
}

fn variant(row: Row) -> OfferedVariant {
    OfferedVariant { sku: row.sku, price: row.price, attributes: row.attributes }
}

/// Where each column stands.
struct Columns {
    named: BTreeMap<String, usize>,
    attributes: Vec<(String, usize)>,
}

const REQUIRED: [&str; 5] = ["sku", "name", "category", "price", "stock"];
const OPTIONAL: [&str; 4] = ["artisanId", "product", "description", "vatRate"];

impl Columns {
    fn of(header: &csv::StringRecord) -> Result<Self, RejectedRow> {
        let mut columns = Columns { named: BTreeMap::new(), attributes: Vec::new() };
        for (index, name) in header.iter().enumerate() {
            if let Some(attribute) = name.strip_prefix("attribute.").filter(|rest| !rest.is_empty()) {
                columns.attributes.push((attribute.to_owned(), index));
            } else if !REQUIRED.contains(&name) && !OPTIONAL.contains(&name) {
                let reason = format!("there is no column {name:?}: see docs/import.md for those there are");
                return Err(RejectedRow::new(1, Some(name), reason));
            } else if columns.named.insert(name.to_owned(), index).is_some() {
                return Err(RejectedRow::new(1, Some(name), "this column stands there twice"));
            }
        }
        match REQUIRED.iter().find(|name| !columns.named.contains_key(**name)) {
            Some(missing) => Err(RejectedRow::new(1, Some(missing), "this column is missing")),
            None => Ok(columns),
        }
    }

    fn text<'r>(&self, record: &'r csv::StringRecord, name: &str) -> Option<&'r str> {
        let index = self.named.get(name)?;
        record.get(*index).filter(|text| !text.is_empty())
    }

    fn row(&self, line: u64, record: &csv::StringRecord, importer: Importer) -> Result<Row, RejectedRow> {
        let refuse = |column: &str, reason: &str| RejectedRow::new(line, Some(column), reason);
        let required = |name: &str, most: usize| {
            let text = self.text(record, name).ok_or_else(|| refuse(name, "this must be given"))?;
            if text.chars().count() > most {
                return Err(refuse(name, &format!("this has at most {most} characters")));
            }
            Ok(text.to_owned())
        };
        let price = required("price", 20)?;
        let price =
            euros(&price).ok_or_else(|| refuse("price", "write euros such as 12.50, without symbol"))?;
        check_price(price, "price").map_err(|no| refuse("price", &no.message))?;
        let stock = required("stock", 10)?;
        let attributes = self.attributes.iter().filter_map(|(name, index)| {
            let value = record.get(*index).filter(|text| !text.is_empty())?;
            Some((name.clone(), Value::String(value.to_owned())))
        });
        Ok(Row {
            line,
            artisan: self.artisan(record, importer).map_err(|reason| refuse("artisanId", reason))?,
            sku: required("sku", 64)?,
            product: self.text(record, "product").map(str::to_owned),
            name: required("name", 200)?,
            description: self.text(record, "description").unwrap_or_default().chars().take(5_000).collect(),
            category: required("category", 120)?,
            price,
            vat_rate: self.vat_rate(record).map_err(|reason| refuse("vatRate", reason))?,
            stock: stock.parse().map_err(|_| refuse("stock", "write whole pieces such as 25"))?,
            attributes: attributes.collect(),
        })
    }

    fn artisan(&self, record: &csv::StringRecord, importer: Importer) -> Result<ArtisanId, &'static str> {
        let given = self.text(record, "artisanId").map(str::parse::<ArtisanId>).transpose();
        match (given.map_err(|_| "this is no artisan's id")?, importer.only) {
            (Some(given), Some(own)) if given != own => Err("only your own products can be imported"),
            (Some(given), _) => Ok(given),
            (None, Some(own)) => Ok(own),
            (None, None) => Err("operators say whose product it is"),
        }
    }

    fn vat_rate(&self, record: &csv::StringRecord) -> Result<Option<u32>, &'static str> {
        let Some(text) = self.text(record, "vatRate") else { return Ok(None) };
        let rate = text.parse::<u32>().ok().filter(|rate| *rate <= 10_000);
        rate.map(Some).ok_or("write basis points: 2100 is 21 %")
    }
}

/// Reads `12`, `12.5` or `12,50` as euros, exactly.
pub fn euros(text: &str) -> Option<Money> {
    let (whole, cents) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(cents) || cents.len() > 2 {
        return None;
    }
    let unit = if cents.len() == 1 { 10 } else { 1 };
    let cents = cents.parse::<i64>().ok()?.checked_mul(unit)?;
    whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(cents).map(Money::eur)
}
