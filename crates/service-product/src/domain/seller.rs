//! What the catalogue keeps of others: whether an artisan may sell, and what a person likes.

use backbone::Document;
use backbone::collection::{Collection, ColumnValue};
use contracts::artisan::Tier;
use kernel::{ArtisanId, Personal, ProductId, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where sellers are kept.
pub const SELLERS: Collection = Collection { name: "sellers", columns: &[], children: &[] };

/// Where rankings are kept.
pub const RANKINGS: Collection = Collection { name: "rankings", columns: &[], children: &[] };

/// An artisan as the catalogue knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seller {
    /// Who.
    pub artisan_id: ArtisanId,
    /// May not sell at present.
    pub hidden: bool,
    /// Their tier.
    pub tier: Option<Tier>,
    /// Their products: what changes here spreads to them.
    pub products: Vec<ProductId>,
}

impl Seller {
    /// Somebody of whom nothing is known: the artisan service lists products of verified artisans
    /// only, so a listing may arrive before the word that its artisan is verified.
    pub fn unknown(artisan_id: ArtisanId) -> Self {
        Self { artisan_id, hidden: false, tier: None, products: Vec::new() }
    }
}

/// True for a status with which an artisan may sell.
pub fn may_sell(status: &str) -> bool {
    matches!(status, "verified" | "active" | "reinstated")
}

impl Document for Seller {
    const COLLECTION: &'static Collection = &SELLERS;

    fn id(&self) -> String {
        self.artisan_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }
}

/// What decides the order in which a person sees the catalogue. It says what they like, so it is
/// encrypted with their key and gone with it: the catalogue hears of no erasure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ranking {
    /// Who.
    pub user_id: UserId,
    /// Categories that they say they are interested in.
    pub categories: Personal<Vec<String>>,
    /// The segments that they are in; one that bears the path of a category is an interest in it.
    pub segments: Personal<Vec<String>>,
}

impl Ranking {
    /// No preference.
    pub fn neutral(user_id: UserId) -> Self {
        Self { user_id, categories: Vec::new().into(), segments: Vec::new().into() }
    }

    /// 0 for what they say they are interested in, 1 for what their segments say, 2 for the rest:
    /// smaller comes first.
    pub fn place(&self, category: &str) -> u8 {
        let liked = |path: &String| category == path || category.starts_with(&format!("{path}/"));
        let names =
            |paths: &Personal<Vec<String>>| paths.known().is_some_and(|paths| paths.iter().any(liked));
        match () {
            () if names(&self.categories) => 0,
            () if names(&self.segments) => 1,
            () => 2,
        }
    }
}

impl Document for Ranking {
    const COLLECTION: &'static Collection = &RANKINGS;
    const PERSONAL: &'static [&'static str] = &["categories", "segments"];

    fn id(&self) -> String {
        self.user_id.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }

    fn person(&self) -> Option<Uuid> {
        Some(self.user_id.0)
    }
}
