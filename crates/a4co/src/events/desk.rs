//! `a4co events`: the same over the command line, as a table or as lines of JSON.

use super::{LIST, Listed};
use crate::cli::events::Events;
use crate::client::Api;
use crate::dead_letters::with;
use crate::listing::{self, Listing};
use crate::table::Table;

/// What an operator of a market asks with.
pub(crate) struct Desk<'a> {
    /// The market.
    pub(crate) api: &'a dyn Api,
    /// An operator's token.
    pub(crate) token: String,
}

impl Desk<'_> {
    /// The events that are wanted, as text.
    pub(crate) async fn read(&self, wanted: &Events) -> anyhow::Result<String> {
        let (caller, query) = ((self.api, self.token.as_str()), query_of(wanted));
        let Listing { items: events, notes } =
            listing::read::<Listed>(caller, LIST, &query, wanted.limit).await?;
        if wanted.json {
            let lines: Result<Vec<String>, _> = events.iter().map(serde_json::to_string).collect();
            return Ok(lines?.join("\n"));
        }
        if events.is_empty() {
            return Ok(format!("there are no such events{notes}"));
        }
        let mut table = Table::new(["time", "service", "type", "about", "flow", "position"]);
        for event in events {
            let position = event.position.to_string();
            let time = event.time.to_string();
            table.row([time, event.service, event.kind, event.subject, event.correlation_id, position]);
        }
        Ok(format!("{table}{notes}"))
    }
}

/// The filter as a query.
fn query_of(wanted: &Events) -> String {
    let Events { service, kind, correlation, aggregate, from, .. } = wanted;
    let all = [
        ("service", service),
        ("type", kind),
        ("correlationId", correlation),
        ("aggregate", aggregate),
        ("from", from),
    ];
    let given = all.into_iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value)));
    given.fold(String::new(), |query, (name, value)| with(query, name, value))
}
