//! Context `cms`: pages and stories, told by the content service.

use kernel::{ContentId, Timestamp};

use crate::event_macro::event;
use crate::shared::Locale;

event! {
    "cms.content.published.v1" by "cms", to ["analytics"], keyed by content_id;
    /// A page or article went public in one language.
    pub struct ContentPublished {
        /// The page or article.
        content_id: ContentId,
        /// Its place in addresses: `aceite-de-jaen`.
        slug: String,
        /// The language.
        locale: Locale,
        /// Its heading.
        title: String,
        /// When.
        published_at: Timestamp,
    }
}
