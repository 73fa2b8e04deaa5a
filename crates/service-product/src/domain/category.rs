//! The tree of categories.

use std::collections::BTreeMap;

use backbone::Document;
use backbone::collection::{Collection, Column, ColumnKind, ColumnValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where categories are kept.
pub const CATEGORIES: Collection = Collection {
    name: "categories",
    columns: &[Column::indexed("parent", ColumnKind::Text)],
    children: &["attributes"],
};

/// A category.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Category {
    /// Its path, which names it: `alimentacion/miel`. The parent is what stands before the last
    /// slash, so a tree cannot have a cycle.
    pub path: String,
    /// Its name in Spanish.
    pub name_es: String,
    /// Its name in English.
    pub name_en: String,
    /// What its products say of themselves.
    pub attributes: Vec<CategoryAttribute>,
}

/// A property that products of a category have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CategoryAttribute {
    /// Which.
    #[garde(length(chars, min = 1, max = 60))]
    pub name: String,
    /// Every product must say it.
    #[garde(skip)]
    pub required: bool,
    /// What it can be; empty where anything can.
    #[garde(length(max = 100), inner(length(chars, min = 1, max = 100)))]
    pub choices: Vec<String>,
}

impl Document for Category {
    const COLLECTION: &'static Collection = &CATEGORIES;

    fn id(&self) -> String {
        self.path.clone()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![self.parent().unwrap_or_default().into()]
    }
}

impl Category {
    /// The path of the category above; none at the top.
    pub fn parent(&self) -> Option<&str> {
        self.path.rsplit_once('/').map(|(above, _)| above)
    }
}

/// A category with those below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CategoryNode {
    /// Its path.
    pub path: String,
    /// Its name in Spanish.
    pub name_es: String,
    /// Its name in English.
    pub name_en: String,
    /// What its products say of themselves.
    pub attributes: Vec<CategoryAttribute>,
    /// Those below it, by path.
    pub children: Vec<CategoryNode>,
}

/// The tree that these categories make, by path; one whose parent is missing stands at the top.
pub fn tree(categories: Vec<Category>) -> Vec<CategoryNode> {
    let mut by_path: BTreeMap<String, Category> =
        categories.into_iter().map(|category| (category.path.clone(), category)).collect();
    let mut nodes: BTreeMap<String, CategoryNode> = BTreeMap::new();
    // The longest path first: a category's children are complete before it is hung up itself.
    while let Some((path, category)) = by_path.pop_last() {
        let below = format!("{path}/");
        let children = nodes.keys().filter(|key| key.starts_with(&below)).cloned().collect::<Vec<_>>();
        let node = CategoryNode {
            path: path.clone(),
            name_es: category.name_es,
            name_en: category.name_en,
            attributes: category.attributes,
            children: children.iter().filter_map(|key| nodes.remove(key)).collect(),
        };
        nodes.insert(path, node);
    }
    nodes.into_values().collect()
}
