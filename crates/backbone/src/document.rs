//! Documents: state that is kept as it is, with a version.

use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::collection::{Collection, ColumnValue};

/// A versioned document of a collection.
pub trait Document: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The collection it belongs to.
    const COLLECTION: &'static Collection;
    /// Fields (top level, as they are written) with personal data: encrypted wherever the
    /// document is durable. They are never columns.
    const PERSONAL: &'static [&'static str] = &[];

    /// Its key.
    fn id(&self) -> String;

    /// A value for each column, in order.
    fn columns(&self) -> Vec<ColumnValue>;

    /// The person whom the personal fields are about.
    fn person(&self) -> Option<Uuid> {
        None
    }
}
