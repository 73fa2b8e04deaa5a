//! `a4co dlq`: the same over the command line, as tables.

use std::time::Duration;

use anyhow::bail;
use http::Method;
use serde_json::Value;

use super::{LIST, Listed, SWEEP};
use crate::cli::{Dlq, DlqFilter};
use crate::client::{Api, Call, ask};
use crate::listing::{self, Listing};
use crate::table::Table;

/// How often it is looked how the retry of many goes.
const LOOK: Duration = Duration::from_millis(500);

/// The longest error in a table.
const ERROR_CHARS_MAX: usize = 60;

/// What an operator of a market asks with.
pub(crate) struct Desk<'a> {
    /// The market.
    pub(crate) api: &'a dyn Api,
    /// An operator's token.
    pub(crate) token: String,
}

impl Desk<'_> {
    /// Does what was asked; gives what is said about it.
    pub(crate) async fn perform(&self, command: &Dlq) -> anyhow::Result<String> {
        match command {
            Dlq::List { filter, .. } => self.list(filter).await,
            Dlq::Show { id, .. } => self.json(Call::get(format!("{LIST}/{id}"))).await,
            Dlq::Retry { id: Some(id), dry_run: true, .. } => {
                self.json(Call::post(format!("{LIST}/{id}/retry?dryRun=true"))).await
            }
            Dlq::Retry { id: Some(id), .. } => {
                self.ask(Call::post(format!("{LIST}/{id}/retry"))).await?;
                Ok("it was put back at the head of its key".to_owned())
            }
            Dlq::Retry { all: false, .. } => bail!("say which: an id as `a4co dlq list` shows it, or --all"),
            Dlq::Retry { filter, dry_run: true, .. } => {
                let query = with(query_of(filter), "dryRun", "true");
                self.json(Call::post(format!("{SWEEP}{query}"))).await
            }
            Dlq::Retry { filter, .. } => self.retry_all(filter).await,
            Dlq::Discard { id, reason, .. } => {
                let query = with(String::new(), "reason", reason);
                self.ask(Call::new(Method::DELETE, format!("{LIST}/{id}{query}"))).await?;
                Ok("it never takes effect; what waited behind it flows".to_owned())
            }
        }
    }

    async fn ask(&self, call: Call) -> anyhow::Result<crate::client::Reply> {
        Ok(ask(self.api, call.by(&self.token)).await?.good()?)
    }

    async fn json(&self, call: Call) -> anyhow::Result<String> {
        let value: Value = self.ask(call).await?.read()?;
        Ok(serde_json::to_string_pretty(&value)?)
    }

    async fn list(&self, filter: &DlqFilter) -> anyhow::Result<String> {
        let mut table = Table::new(["id", "consumer", "type", "kind", "attempts", "died", "error"]);
        let (caller, query) = ((self.api, self.token.as_str()), query_of(filter));
        let Listing { items, notes } = listing::read::<Listed>(caller, LIST, &query, filter.limit).await?;
        if items.is_empty() {
            return Ok(format!("there are no dead letters{notes}"));
        }
        for row in items {
            let error: String = row.error.chars().take(ERROR_CHARS_MAX).collect();
            let (attempts, died) = (row.attempts.to_string(), row.moved_at.to_string());
            table.row([row.id, row.consumer, row.kind, row.error_kind, attempts, died, error]);
        }
        Ok(format!("{table}{notes}"))
    }

    async fn retry_all(&self, filter: &DlqFilter) -> anyhow::Result<String> {
        let query = query_of(filter);
        let mut sweeps: Value = self.ask(Call::post(format!("{SWEEP}{query}"))).await?.read()?;
        let begun = sweeps["matching"].as_u64().unwrap_or(0);
        while sweeps["items"].as_array().into_iter().flatten().any(|sweep| sweep["ended"].is_null()) {
            tokio::time::sleep(LOOK).await;
            sweeps = self.ask(Call::get(SWEEP)).await?.read()?;
        }
        let mut table = Table::new(["service", "matching", "retried", "succeeded", "failed", "ended"]);
        for sweep in sweeps["items"].as_array().into_iter().flatten().filter(|sweep| sweep["matching"] != 0) {
            let cell = |name: &str| match &sweep[name] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            table.row(["service", "matching", "retried", "succeeded", "failed", "ended"].map(cell));
        }
        Ok(if begun == 0 { "there is nothing to retry".to_owned() } else { table.to_string() })
    }
}

/// The filter as a query.
fn query_of(filter: &DlqFilter) -> String {
    let DlqFilter { service, consumer, kind, subject, error_kind, from, to, .. } = filter;
    let all = [
        ("service", service),
        ("consumer", consumer),
        ("type", kind),
        ("subject", subject),
        ("errorKind", error_kind),
        ("from", from),
        ("to", to),
    ];
    let given = all.into_iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value)));
    given.fold(String::new(), |query, (name, value)| with(query, name, value))
}

/// A query with one more value.
pub(crate) fn with(query: String, name: &str, value: &str) -> String {
    let mark = if query.is_empty() { '?' } else { '&' };
    let coded: String = value
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect();
    format!("{query}{mark}{name}={coded}")
}

#[cfg(test)]
mod tests {
    use super::with;

    #[test]
    fn whatever_an_operator_says_travels_in_a_query() {
        let query = with(with(String::new(), "from", "2026-01-05T10:00:00+01:00"), "reason", "año & paz");
        assert_eq!(query, "?from=2026-01-05T10%3A00%3A00%2B01%3A00&reason=a%C3%B1o%20%26%20paz");
    }
}
