//! What scenarios look at.

use std::sync::Arc;

use backbone::collection::{Collection, Query};
use backbone::commit::{Snapshot, StoredEvent};
use backbone::journal::{Journal, Recorded, Stored, StoredDocument, Want};

use crate::expect::{Shown, ensure};
use crate::sample::NOTES;

pub(super) type Handle = Arc<dyn Journal>;

/// A document.
pub(super) async fn document(
    journal: &Handle,
    collection: &'static Collection,
    id: &str,
) -> Result<Option<StoredDocument>, String> {
    let wants = vec![Want::Document(collection, id.to_owned())];
    match journal.load(wants).await.shown("loading a document")?.pop() {
        Some(Stored::Document(found)) => Ok(found),
        other => Err(format!("wanted a document, found {other:?}")),
    }
}

/// A note's version; 0 where there is none.
pub(super) async fn note_version(journal: &Handle, id: &str) -> Result<u64, String> {
    Ok(document(journal, &NOTES, id).await?.map_or(0, |found| found.version))
}

/// A stream.
pub(super) async fn stream(
    journal: &Handle,
    name: &str,
) -> Result<(Option<Snapshot>, Vec<StoredEvent>), String> {
    match journal.load(vec![Want::Stream(name.to_owned())]).await.shown("loading a stream")?.pop() {
        Some(Stored::Stream { snapshot, events }) => Ok((snapshot, events)),
        other => Err(format!("wanted a stream, found {other:?}")),
    }
}

/// How many events a stream without snapshot has; they must be numbered from 1.
pub(super) async fn stream_version(journal: &Handle, name: &str) -> Result<u64, String> {
    let (_, events) = stream(journal, name).await?;
    for (event, version) in events.iter().zip(1..) {
        ensure(
            event.version == version,
            format_args!("{name} has {} in the place of {version}", event.version),
        )?;
    }
    Ok(events.len() as u64)
}

/// The ids of the documents that match, in order.
pub(super) async fn ids(journal: &Handle, query: Query) -> Result<Vec<String>, String> {
    let found = journal.find(query).await.shown("finding")?;
    Ok(found.into_iter().map(|document| document.id).collect())
}

/// The feed's events after a position; a feed that does not move on would be read for ever.
pub(super) async fn feed_after(journal: &Handle, after: u64, limit: usize) -> Result<Vec<Recorded>, String> {
    let page = journal.feed(after, limit).await.shown("reading the feed")?;
    let moves_on = page.first().is_none_or(|first| first.position > after);
    ensure(moves_on, format_args!("the feed after {after} begins at or before it"))?;
    Ok(page)
}

/// The whole feed, page by page.
pub(super) async fn whole_feed(journal: &Handle) -> Result<Vec<Recorded>, String> {
    let mut all: Vec<Recorded> = Vec::new();
    loop {
        let after = all.last().map_or(0, |last| last.position);
        let page = feed_after(journal, after, 100).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}
