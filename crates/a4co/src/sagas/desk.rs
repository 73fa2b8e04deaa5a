//! `a4co sagas`: the same over the command line, as tables and timelines.

use serde_json::Value;

use super::{LIST, Listed, Shown};
use crate::cli::sagas::{Act, SagaFilter, Sagas};
use crate::client::{Api, Call, Reply, ask};
use crate::dead_letters::with;
use crate::listing::{self, Listing};
use crate::table::Table;

/// The longest reason in a table.
const REASON_CHARS_MAX: usize = 60;

/// What an operator of a market asks with.
pub(crate) struct Desk<'a> {
    /// The market.
    pub(crate) api: &'a dyn Api,
    /// An operator's token.
    pub(crate) token: String,
}

impl Desk<'_> {
    /// Does what was asked; gives what is said about it.
    pub(crate) async fn perform(&self, command: &Sagas) -> anyhow::Result<String> {
        match command {
            Sagas::List { filter, .. } => self.list(filter).await,
            Sagas::Show { id, .. } => {
                let shown: Shown = self.ask(Call::get(format!("{LIST}/{id}"))).await?.read()?;
                Ok(told(&shown))
            }
            Sagas::Retry { id, dry_run, .. } => {
                let done = "what was blocked is tried again";
                self.act(("retry", id), None, (*dry_run, done)).await
            }
            Sagas::Skip(act) => self.act_of("skip", act, "what was blocked is passed over").await,
            Sagas::Done(act) => self.act_of("done", act, "what was blocked counts as done").await,
            Sagas::Compensate(act) => self.act_of("compensate", act, "it is being undone").await,
        }
    }

    async fn act_of(&self, name: &str, act: &Act, done: &str) -> anyhow::Result<String> {
        self.act((name, &act.id), Some(&act.reason), (act.dry_run, done)).await
    }

    async fn act(
        &self,
        (name, id): (&str, &str),
        reason: Option<&str>,
        (dry_run, done): (bool, &str),
    ) -> anyhow::Result<String> {
        let query = reason.map_or_else(String::new, |reason| with(String::new(), "reason", reason));
        let query = if dry_run { with(query, "dryRun", "true") } else { query };
        // The key makes it safe to ask again where an answer was lost.
        let key = uuid::Uuid::now_v7().to_string();
        let reply = self.ask(Call::post(format!("{LIST}/{id}/{name}{query}")).key(&key)).await?;
        match dry_run {
            true => Ok(serde_json::to_string_pretty(&reply.read::<Value>()?)?),
            false => Ok(done.to_owned()),
        }
    }

    async fn ask(&self, call: Call) -> anyhow::Result<Reply> {
        Ok(ask(self.api, call.by(&self.token)).await?.good()?)
    }

    async fn list(&self, filter: &SagaFilter) -> anyhow::Result<String> {
        let mut table = Table::new(["id", "phase", "step", "attempt", "changed", "deadline", "reason"]);
        let (caller, query) = ((self.api, self.token.as_str()), query_of(filter));
        let Listing { items, notes } = listing::read::<Listed>(caller, LIST, &query, filter.limit).await?;
        if items.is_empty() {
            return Ok(format!("there are no such sagas{notes}"));
        }
        items.into_iter().for_each(|row| table.row(row_of(row)));
        Ok(format!("{table}{notes}"))
    }
}

fn row_of(row: Listed) -> [String; 7] {
    let reason = row.reason.unwrap_or_default().chars().take(REASON_CHARS_MAX).collect();
    let deadline = row.next_deadline.map(|at| at.to_string()).unwrap_or_default();
    let deadline = if row.is_late { format!("{deadline} (late)") } else { deadline };
    [row.id, row.phase, row.step, row.attempt.to_string(), row.updated_at.to_string(), deadline, reason]
}

/// A saga as text: what it is, what is open, and what happened.
fn told(shown: &Shown) -> String {
    let Listed { id, phase, step, attempt, correlation_id, started_at, .. } = &shown.listed;
    let mut text = format!("{id}\n{phase} · step {step} ({}) · attempt {attempt}\n", shown.step_state);
    let mut say = |name: &str, what: String| text.push_str(&format!("  {name:<10} {what}\n"));
    say("flow", correlation_id.clone());
    say("steps", shown.steps.join(", "));
    if let Some(reason) = &shown.listed.reason {
        say("reason", reason.clone());
    }
    if let Some(due) = shown.listed.next_deadline {
        say("deadline", format!("{due}{}", if shown.listed.is_late { ", late" } else { "" }));
    }
    for ask in &shown.asks {
        say("asks", ask.key.clone());
    }
    for undo in &shown.undo {
        say("undo", format!("{} {} (attempt {})", undo.step, undo.status, undo.attempts));
    }
    if !shown.acts.is_empty() {
        say("you can", shown.acts.join(", "));
    }
    text.push('\n');
    for line in &shown.timeline {
        let after = line.at.since(*started_at).as_secs_f64();
        let detail = line.detail.as_deref().unwrap_or_default();
        let line = format!("  {after:>10.3} s  {:<24} {:<14} {detail}", line.step, line.what);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The filter as a query.
fn query_of(filter: &SagaFilter) -> String {
    let SagaFilter { service, state, saga, step, from, to, .. } = filter;
    let all =
        [("service", service), ("state", state), ("saga", saga), ("step", step), ("from", from), ("to", to)];
    let given = all.into_iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value)));
    given.fold(String::new(), |query, (name, value)| with(query, name, value))
}
