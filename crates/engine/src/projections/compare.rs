//! What serves against what was rebuilt, both at the same fact: read side by side in the order of the
//! keys, a page of each at a time.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};

use backbone::collection::{Collection, ColumnValue, LIMIT_MAX, Query};
use backbone::journal::StoredDocument;
use backbone::projection::Projection;
use backbone::system::{Compared, Found};
use serde_json::Value;

use crate::documents::reveal;
use crate::host::Host;

/// So many keys are named of each kind of difference.
const NAMED: usize = 20;

/// The personal fields of collections, by name: encrypted, no two images of a value are the same.
pub(super) type Personal = BTreeMap<&'static str, &'static [&'static str]>;

/// Compares all collections of a projection; nobody writes to them meanwhile.
pub(super) async fn compare(
    host: &Host,
    projection: &Projection,
    personal: &Personal,
) -> Result<Vec<Compared>, String> {
    let mut all = Vec::with_capacity(projection.collections.len());
    for collection in projection.collections {
        let fields = personal.get(collection.name).copied().unwrap_or_default();
        let side =
            |shadow| Pages { host, collection, shadow, fields, page: VecDeque::new(), after: Some(None) };
        all.push(side_by_side(side(false), side(true), collection.name).await?);
    }
    Ok(all)
}

async fn side_by_side(mut live: Pages<'_>, mut rebuilt: Pages<'_>, name: &str) -> Result<Compared, String> {
    let mut compared = Compared { collection: name.to_owned(), ..Compared::default() };
    loop {
        live.fill().await?;
        rebuilt.fill().await?;
        let order = match (live.page.front(), rebuilt.page.front()) {
            (None, None) => return Ok(compared),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(live), Some(rebuilt)) => live.id.cmp(&rebuilt.id),
        };
        let live = if order == Ordering::Greater { None } else { live.page.pop_front() };
        let rebuilt = if order == Ordering::Less { None } else { rebuilt.page.pop_front() };
        compared.live += u64::from(live.is_some());
        compared.rebuilt += u64::from(rebuilt.is_some());
        match (live, rebuilt) {
            (Some(live), None) => note(&mut compared.only_live, live.id),
            (None, Some(rebuilt)) => note(&mut compared.only_rebuilt, rebuilt.id),
            (Some(live), Some(rebuilt)) if !is_same(&live, &rebuilt) => {
                note(&mut compared.differing, live.id);
            }
            _ => {}
        }
    }
}

fn note(found: &mut Found, id: String) {
    found.count += 1;
    if found.first.len() < NAMED {
        found.first.push(id);
    }
}

/// Whether two documents say the same. How often each was written is another matter.
fn is_same(live: &StoredDocument, rebuilt: &StoredDocument) -> bool {
    if live.person != rebuilt.person {
        return false;
    }
    let read = |found: &StoredDocument| serde_json::from_slice::<Value>(&found.body).ok();
    live.body == rebuilt.body || matches!((read(live), read(rebuilt)), (Some(a), Some(b)) if a == b)
}

/// One side of a collection, by key.
struct Pages<'h> {
    host: &'h Host,
    collection: &'static Collection,
    shadow: bool,
    fields: &'static [&'static str],
    page: VecDeque<StoredDocument>,
    /// Behind which key the next page begins; `None` where there is no next one.
    after: Option<Option<String>>,
}

impl Pages<'_> {
    /// Reads the next page where this one is used up.
    async fn fill(&mut self) -> Result<(), String> {
        let say = |error: backbone::journal::Error| error.to_string();
        if !self.page.is_empty() {
            return Ok(());
        }
        let Some(after) = self.after.take() else { return Ok(()) };
        let after = after.map(|id| (ColumnValue::Null, id));
        let query = Query { shadow: self.shadow, after, ..Query::all(self.collection) };
        let mut page = self.host.journal().find(query).await.map_err(say)?;
        if page.len() == LIMIT_MAX {
            self.after = page.last().map(|last| Some(last.id.clone()));
        }
        if !self.fields.is_empty() {
            let persons = page.iter().filter_map(|found| found.person).collect();
            let keys = self.host.keys_of(persons).await.map_err(say)?;
            page.iter_mut().for_each(|found| reveal(found, self.collection, self.fields, &keys));
        }
        self.page = page.into();
        Ok(())
    }
}
