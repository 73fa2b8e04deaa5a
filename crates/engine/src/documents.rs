//! Reads a service's documents and histories, personal fields readable or redacted.

use async_trait::async_trait;
use backbone::collection::{Collection, Query};
use backbone::commit::StoredEvent;
use backbone::context::Documents;
use backbone::journal::{Error, Stored, StoredDocument, Want};
use backbone::keyring::PersonKey;

use crate::host::Host;
use crate::sealing::{self, KeyTable};

/// Makes a document's personal fields readable.
pub(crate) fn reveal(
    found: &mut StoredDocument,
    collection: &Collection,
    fields: &'static [&'static str],
    table: &KeyTable,
) {
    if let Some(person) = found.person {
        let key = table.get(&person).cloned().unwrap_or(PersonKey::Absent);
        let place = sealing::document_place(collection.name, &found.id);
        found.body = sealing::reveal(&found.body, fields, person, &place, &key);
    }
}

#[async_trait]
impl Documents for Host {
    async fn get(
        &self,
        collection: &'static Collection,
        personal: &'static [&'static str],
        ids: Vec<String>,
    ) -> Result<Vec<Option<StoredDocument>>, Error> {
        let wants = ids.into_iter().map(|id| Want::Document(collection, id)).collect();
        let stored = self.journal().load(wants).await?;
        let mut found: Vec<Option<StoredDocument>> = stored
            .into_iter()
            .map(|stored| match stored {
                Stored::Document(found) => found,
                Stored::Stream { .. } => None,
            })
            .collect();
        if !personal.is_empty() {
            let persons = found.iter().flatten().filter_map(|document| document.person).collect();
            let table = self.keys_of(persons).await?;
            found.iter_mut().flatten().for_each(|document| reveal(document, collection, personal, &table));
        }
        Ok(found)
    }

    async fn find(
        &self,
        query: Query,
        personal: &'static [&'static str],
    ) -> Result<Vec<StoredDocument>, Error> {
        let collection = query.collection;
        let mut found = self.journal().find(query).await?;
        if !personal.is_empty() {
            let table = self.keys_of(found.iter().filter_map(|document| document.person).collect()).await?;
            found.iter_mut().for_each(|document| reveal(document, collection, personal, &table));
        }
        Ok(found)
    }

    async fn history(
        &self,
        stream: &str,
        personal: &'static [&'static str],
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, Error> {
        let mut events = self.journal().history(stream, after, limit).await?;
        if !personal.is_empty() {
            let table = self.keys_of(events.iter().filter_map(|event| event.person).collect()).await?;
            for event in &mut events {
                let Some(person) = event.person else { continue };
                let key = table.get(&person).cloned().unwrap_or(PersonKey::Absent);
                let place = sealing::event_place(stream, event.version);
                event.data = sealing::reveal(&event.data, personal, person, &place, &key);
            }
        }
        Ok(events)
    }
}
