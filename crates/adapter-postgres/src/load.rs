//! The current state of many things in one round trip: a statement for all streams and one for
//! each collection, from one state of the database.

use std::collections::HashMap;

use backbone::collection::Collection;
use backbone::commit::{Snapshot, StoredEvent};
use backbone::journal::{Error, Stored, StoredDocument, Want};
use tokio_postgres::Row;

use crate::connection::{Ask, value};
use crate::error;
use crate::readers::Readers;
use crate::rows;
use crate::tables::{TableKey, Tables};

const LOADING: &str = "loading state";

/// What was found, by collection and key.
#[derive(Default)]
struct Found {
    streams: HashMap<String, (Option<Snapshot>, Vec<StoredEvent>)>,
    documents: HashMap<TableKey, HashMap<String, StoredDocument>>,
}

/// Loads what is wanted, in order.
pub(crate) async fn load(readers: &Readers, tables: &Tables, wants: &[Want]) -> Result<Vec<Stored>, Error> {
    let mut streams: Vec<&str> = Vec::new();
    let mut ids: HashMap<TableKey, Vec<&str>> = HashMap::new();
    for want in wants {
        match want {
            Want::Stream(stream) => streams.push(stream),
            Want::Document(collection, id) | Want::Shadow(collection, id) => {
                tables.collection(collection)?;
                ids.entry(table_of(want, collection)).or_default().push(id);
            }
        }
    }
    // Whatever is named twice is read once.
    streams.sort_unstable();
    streams.dedup();
    let places: Vec<TableKey> = ids.keys().copied().collect();
    let mut asks: Vec<Ask<'_>> = ids
        .into_iter()
        .map(|(place, ids)| Ask::new(&tables.documents(place).read, vec![value(ids)]))
        .collect();
    let with_streams = !streams.is_empty();
    if with_streams {
        asks.push(Ask::new(&tables.sql.read.streams, vec![value(streams)]));
    }
    if asks.is_empty() {
        return Ok(Vec::new());
    }
    let mut answers = readers.all(LOADING, &asks).await?;
    let mut found = Found::default();
    let failed = |e: tokio_postgres::Error| error::journal(LOADING, &e);
    if with_streams {
        found.take_streams(&answers.pop().unwrap_or_default()).map_err(failed)?;
    }
    for (place, rows) in places.into_iter().zip(answers) {
        let documents: Result<Vec<_>, _> = rows.iter().map(rows::document).collect();
        let by_id = documents.map_err(failed)?.into_iter().map(|document| (document.id.clone(), document));
        found.documents.insert(place, by_id.collect());
    }
    Ok(wants.iter().map(|want| found.give(want)).collect())
}

fn table_of(want: &Want, collection: &'static Collection) -> TableKey {
    TableKey { collection: collection.name, shadow: matches!(want, Want::Shadow(..)) }
}

impl Found {
    fn take_streams(&mut self, rows: &[Row]) -> Result<(), tokio_postgres::Error> {
        for row in rows {
            let stream = self.streams.entry(row.try_get(0)?).or_default();
            let is_snapshot = row.try_get::<_, Option<&str>>(2)?.is_none();
            if is_snapshot {
                stream.0 = Some(rows::snapshot(row)?);
            } else {
                stream.1.push(rows::event(row)?);
            }
        }
        for (_, events) in self.streams.values_mut() {
            events.sort_unstable_by_key(|event| event.version);
        }
        Ok(())
    }

    fn give(&self, want: &Want) -> Stored {
        match want {
            Want::Stream(stream) => {
                let (snapshot, events) = self.streams.get(stream).cloned().unwrap_or_default();
                Stored::Stream { snapshot, events }
            }
            Want::Document(collection, id) | Want::Shadow(collection, id) => {
                let documents = self.documents.get(&table_of(want, collection));
                let found = documents.and_then(|documents| documents.get(id));
                Stored::Document(found.cloned())
            }
        }
    }
}
