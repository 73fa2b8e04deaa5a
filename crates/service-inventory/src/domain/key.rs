//! What stock is kept of: a variant, or a product that has none.

use std::fmt;
use std::str::FromStr;

use kernel::{ProductId, VariantId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// Names an item of stock; written `<productId>` or `<productId>.<variantId>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey {
    /// The product.
    pub product_id: ProductId,
    /// The variant of it; absent where the product has none.
    pub variant_id: Option<VariantId>,
}

impl ItemKey {
    /// The item of a product, or of a variant of it.
    pub fn new(product_id: ProductId, variant_id: Option<VariantId>) -> Self {
        Self { product_id, variant_id }
    }
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.variant_id {
            None => self.product_id.fmt(f),
            Some(variant_id) => write!(f, "{}.{variant_id}", self.product_id),
        }
    }
}

impl FromStr for ItemKey {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (product, variant) = match text.split_once('.') {
            None => (text, None),
            Some((product, variant)) => (product, Some(VariantId(Uuid::parse_str(variant)?))),
        };
        Ok(Self { product_id: ProductId(Uuid::parse_str(product)?), variant_id: variant })
    }
}

impl Serialize for ItemKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ItemKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(|e| serde::de::Error::custom(format!("{text:?} names no item of stock: {e}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_being_written_and_read_as_a_map_key_too() {
        let product = ProductId(Uuid::from_u128(1));
        for key in [ItemKey::new(product, None), ItemKey::new(product, Some(VariantId(Uuid::from_u128(2))))] {
            let map = std::collections::BTreeMap::from([(key, 3u32)]);
            let text = serde_json::to_string(&map).unwrap();
            assert_eq!(serde_json::from_str::<std::collections::BTreeMap<ItemKey, u32>>(&text).unwrap(), map);
        }
    }
}
