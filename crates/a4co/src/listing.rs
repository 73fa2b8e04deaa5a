//! Lists of an operator's over the command line: read page by page, and put together over several
//! processes by whichever of them was asked.

use std::fmt::Write as _;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::client::{Api, Call, ask};
use crate::dead_letters::with;

/// The routes give no more at a time.
const PAGE_MAX: usize = 100;

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
    /// Another process has a next page.
    #[serde(default)]
    more: bool,
    #[serde(default)]
    unreachable: Vec<String>,
}

/// What was found.
pub(crate) struct Listing<T> {
    /// In the order of the route.
    pub(crate) items: Vec<T>,
    /// What is to be said below them: that there are more, and who gave no answer. Each a line of its
    /// own, with its break before it.
    pub(crate) notes: String,
}

/// Reads a list, with its filter as a query, until there are so many items or no more.
pub(crate) async fn read<T: DeserializeOwned>(
    (api, token): (&dyn Api, &str),
    list: &str,
    query: &str,
    limit: usize,
) -> anyhow::Result<Listing<T>> {
    let mut found = Listing { items: Vec::new(), notes: String::new() };
    let mut cursor: Option<String> = None;
    loop {
        let most = limit.saturating_sub(found.items.len()).clamp(1, PAGE_MAX).to_string();
        let mut asked = with(query.to_owned(), "limit", &most);
        if let Some(cursor) = &cursor {
            asked = with(asked, "cursor", cursor);
        }
        let page: Page<T> = ask(api, Call::get(format!("{list}{asked}")).by(token)).await?.read()?;
        found.items.extend(page.items);
        match page.next {
            Some(next) if found.items.len() < limit => cursor = Some(next),
            next => {
                if next.is_some() || page.more {
                    found.notes.push_str("\nthere are more: say --limit, --service or another filter");
                }
                for address in page.unreachable {
                    write!(found.notes, "\n{address} gave no answer")?;
                }
                return Ok(found);
            }
        }
    }
}
