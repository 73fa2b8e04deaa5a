//! What a person can say of a product, and what follows from it.

use backbone::Rejection;
use contracts::artisan::Tier;
use contracts::product::Status;
use kernel::{ArtisanId, Money, ProductId, Timestamp, VariantId};
use serde_json::{Map, Value};

use super::{Attribute, Image, Product, Seller, VARIANTS_MAX, Variant, check_price};

/// All that a person says of a product.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Its category's path.
    pub category: String,
    /// The price of one piece, VAT included.
    pub price: Money,
    /// VAT in basis points where it differs from its category's.
    pub vat_rate: Option<u32>,
    /// Whether it is for sale.
    pub status: Status,
    /// Its variants.
    pub variants: Vec<OfferedVariant>,
    /// Pictures.
    pub images: Vec<Image>,
    /// What else is to be said of it.
    pub attributes: Vec<Attribute>,
}

/// A variant as a person describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct OfferedVariant {
    /// The artisan's stock-keeping unit: it names the variant for ever.
    pub sku: String,
    /// The price of one piece, VAT included.
    pub price: Money,
    /// What sets it apart.
    pub attributes: Map<String, Value>,
}

/// An edited product and what changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Edited {
    /// The product now.
    pub product: Product,
    /// Fields that changed, prices apart.
    pub fields: Vec<String>,
    /// Prices that changed: which variant's, from, to.
    pub prices: Vec<(Option<VariantId>, Money, Money)>,
}

impl Offer {
    fn check(&self) -> Result<(), Rejection> {
        check_price(self.price, "price")?;
        if self.vat_rate.is_some_and(|rate| rate > 10_000) {
            let message = "VAT is given in basis points, at most 10000";
            return Err(Rejection::invalid("vat-rate-invalid", message).at("vatRate"));
        }
        if self.variants.len() > VARIANTS_MAX {
            let message = "a product has at most 100 variants: make it two products";
            return Err(Rejection::invalid("too-many-variants", message).at("variants"));
        }
        for (index, variant) in self.variants.iter().enumerate() {
            check_price(variant.price, &format!("variants[{index}].price"))?;
            if self.variants[..index].iter().any(|earlier| earlier.sku == variant.sku) {
                let message = format!("two variants have the SKU {:?}: each has its own", variant.sku);
                return Err(Rejection::invalid("sku-twice", message).at(format!("variants[{index}].sku")));
            }
        }
        Ok(())
    }

    /// The product that this offer makes.
    pub fn product(self, id: ProductId, artisan: ArtisanId, now: Timestamp) -> Result<Product, Rejection> {
        let seller = Seller::unknown(artisan);
        self.product_of(id, &seller, now)
    }

    /// The product that this offer of a known seller makes.
    pub fn product_of(self, id: ProductId, seller: &Seller, now: Timestamp) -> Result<Product, Rejection> {
        self.check()?;
        let tier: Option<Tier> = seller.tier;
        Ok(Product {
            product_id: id,
            artisan_id: seller.artisan_id,
            name: self.name,
            description: self.description,
            category: self.category,
            price: self.price,
            vat_rate: self.vat_rate,
            status: self.status,
            shown: !seller.hidden,
            tier,
            variants: self.variants.into_iter().map(|variant| variant.of(id)).collect(),
            images: self.images,
            attributes: self.attributes,
            listed_at: now,
            updated_at: now,
        })
    }
}

impl OfferedVariant {
    /// The variant's id follows from its product and SKU, so that saying it again changes nothing.
    fn of(self, product: ProductId) -> Variant {
        Variant {
            variant_id: kernel::derived_id(product.0, &self.sku).into(),
            sku: self.sku,
            price: self.price,
            attributes: self.attributes,
        }
    }
}

impl Product {
    /// This product with an offer in place of what was said of it.
    pub fn edited(&self, offer: Offer, now: Timestamp) -> Result<Edited, Rejection> {
        if self.status == Status::Discontinued {
            let message = "a discontinued product stays so: offer a new one";
            return Err(Rejection::conflict("product-discontinued", message));
        }
        let mut product = offer.product(self.product_id, self.artisan_id, self.listed_at)?;
        product.shown = self.shown;
        product.tier = self.tier;
        product.updated_at = now;
        // A variant that came with another id keeps it.
        for variant in &mut product.variants {
            if let Some(known) = self.variants.iter().find(|known| known.sku == variant.sku) {
                variant.variant_id = known.variant_id;
            }
        }
        let fields = self.differing_fields(&product);
        let prices = self.differing_prices(&product);
        Ok(Edited { product, fields, prices })
    }

    fn differing_fields(&self, other: &Product) -> Vec<String> {
        let said = |product: &Product| -> Vec<(VariantId, Map<String, Value>)> {
            product.variants.iter().map(|v| (v.variant_id, v.attributes.clone())).collect()
        };
        let differs = [
            ("name", self.name != other.name),
            ("description", self.description != other.description),
            ("category", self.category != other.category),
            ("vatRate", self.vat_rate != other.vat_rate),
            ("status", self.status != other.status),
            ("variants", said(self) != said(other)),
            ("images", self.images != other.images),
            ("attributes", self.attributes != other.attributes),
        ];
        differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.to_owned()).collect()
    }

    fn differing_prices(&self, other: &Product) -> Vec<(Option<VariantId>, Money, Money)> {
        let own = (self.price != other.price).then_some((None, self.price, other.price));
        let of_variants = other.variants.iter().filter_map(|now| {
            let before = self.variants.iter().find(|before| before.variant_id == now.variant_id)?;
            (before.price != now.price).then_some((Some(now.variant_id), before.price, now.price))
        });
        own.into_iter().chain(of_variants).collect()
    }
}
