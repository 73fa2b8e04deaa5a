//! `a4co events`: the same over the command line, as a table or as lines of JSON.

use std::fmt::Write as _;

use serde::Deserialize;

use super::{LIST, Listed};
use crate::cli::events::Events;
use crate::client::{Api, Call, ask};
use crate::dead_letters::with;
use crate::table::Table;

#[derive(Deserialize)]
struct Listing {
    items: Vec<Listed>,
    next: Option<String>,
    #[serde(default)]
    unreachable: Vec<String>,
}

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
        let (mut events, mut cursor, mut notes) = (Vec::new(), None, String::new());
        loop {
            let most = wanted.limit.saturating_sub(events.len()).clamp(1, 100).to_string();
            let query = with(query_of(wanted), "limit", &most);
            let query = cursor.iter().fold(query, |query, cursor: &String| with(query, "cursor", cursor));
            let call = Call::get(format!("{LIST}{query}")).by(&self.token);
            let page: Listing = ask(self.api, call).await?.read()?;
            events.extend(page.items);
            match page.next {
                Some(next) if events.len() < wanted.limit => cursor = Some(next),
                next => {
                    if next.is_some() {
                        notes.push_str("\nthere are more: say --limit, or a filter");
                    }
                    for address in page.unreachable {
                        write!(notes, "\n{address} gave no answer")?;
                    }
                    break;
                }
            }
        }
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
