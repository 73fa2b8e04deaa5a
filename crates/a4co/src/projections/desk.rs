//! `a4co projections`: the same over the command line.

use std::time::Duration;

use anyhow::{Context as _, bail};

use super::{Comparison, Keys, LIST, Page, Progress, Shown};
use crate::cli::Projections;
use crate::client::{Api, Call, ask};
use crate::table::{Table, thousands};

/// How often a rebuild is asked for.
const LOOK: Duration = Duration::from_millis(200);

/// What an operator of a market asks with.
pub(crate) struct Desk<'a> {
    /// The market.
    pub(crate) api: &'a dyn Api,
    /// An operator's token.
    pub(crate) token: String,
}

impl Desk<'_> {
    /// Does what was asked; gives what is said about it.
    pub(crate) async fn perform(&self, command: &Projections) -> anyhow::Result<String> {
        match command {
            Projections::List { .. } => self.list().await,
            Projections::Rebuild { name, service, accept, compare_only, .. } => {
                let place = self.place(name, service.as_deref()).await?;
                let swap = match (accept, compare_only) {
                    (true, _) => "always",
                    (_, true) => "never",
                    _ => "equal",
                };
                match self.ask(&place, &format!("rebuild?swap={swap}")).await? {
                    Progress::Done { facts, swapped, compared } => {
                        said(&place, (facts, swapped, *compare_only), &compared)
                    }
                    Progress::Failed { reason } => {
                        bail!("{place} was not rebuilt and is as it was: {reason}")
                    }
                    _ => bail!(
                        "{place}: somebody else asked for something in between: `a4co projections list`"
                    ),
                }
            }
            Projections::Rollback { name, service, .. } => {
                let place = self.place(name, service.as_deref()).await?;
                match self.ask(&place, "rollback").await? {
                    Progress::RolledBack => {
                        Ok(format!("{place} is what it was before its rebuild, with all facts since"))
                    }
                    Progress::Failed { reason } => bail!("{place} is as it was: {reason}"),
                    _ => bail!(
                        "{place}: somebody else asked for something in between: `a4co projections list`"
                    ),
                }
            }
        }
    }

    async fn all(&self) -> anyhow::Result<Vec<Shown>> {
        let reply = ask(self.api, Call::get(LIST).by(&self.token)).await?.good()?;
        Ok(reply.read::<Page>()?.items)
    }

    /// A table of all projections.
    async fn list(&self) -> anyhow::Result<String> {
        let mut table = Table::new(["projection", "follows", "writes", "up to", "rebuild", "way back since"]);
        for shown in self.all().await? {
            let follows = shown.follows.unwrap_or_else(|| "its own".to_owned());
            let name = format!("{}/{}", shown.service, shown.name);
            let rebuild = shown.rebuild.as_ref().map_or("-", state);
            let previous = shown.previous_since.map_or_else(|| "-".to_owned(), |since| since.to_string());
            let (writes, upto) = (shown.collections.join(", "), thousands(shown.position));
            table.row([name, follows, writes, upto, rebuild.to_owned(), previous]);
        }
        Ok(table.to_string())
    }

    /// Which one is meant: `payment/ledger`.
    async fn place(&self, name: &str, service: Option<&str>) -> anyhow::Result<String> {
        let all = self.all().await?;
        let named: Vec<&Shown> = all
            .iter()
            .filter(|shown| shown.name == name && service.is_none_or(|service| shown.service == service))
            .collect();
        match named.as_slice() {
            [] => bail!("there is no projection {name}: `a4co projections list` names all"),
            [one] => Ok(format!("{}/{name}", one.service)),
            several => {
                let services: Vec<&str> = several.iter().map(|shown| shown.service.as_str()).collect();
                bail!("several services have a projection {name}: say --service {}", services.join(" or "))
            }
        }
    }

    /// Asks for something and waits until it is done.
    async fn ask(&self, place: &str, what: &str) -> anyhow::Result<Progress> {
        let call = Call::post(format!("{LIST}/{place}/{what}"));
        ask(self.api, call.by(&self.token)).await?.good()?;
        loop {
            let all = self.all().await?;
            let found = all.into_iter().find(|shown| place == format!("{}/{}", shown.service, shown.name));
            match found.context("the projection is gone")?.rebuild {
                Some(Progress::Running) => tokio::time::sleep(LOOK).await,
                Some(ended) => return Ok(ended),
                None => bail!("nothing is known of it: ask once more"),
            }
        }
    }
}

fn state(progress: &Progress) -> &'static str {
    match progress {
        Progress::Running => "running",
        Progress::Done { swapped: true, .. } => "swapped in",
        Progress::Done { swapped: false, .. } => "compared",
        Progress::RolledBack => "rolled back",
        Progress::Failed { .. } => "failed",
    }
}

/// What a rebuild came to. One that was to serve and does not is an error.
fn said(
    place: &str,
    (facts, swapped, compare_only): (u64, bool, bool),
    compared: &[Comparison],
) -> anyhow::Result<String> {
    let mut text = format!("{place} was folded again from {} facts\n", thousands(facts));
    let mut table = Table::new(["collection", "serving", "rebuilt", "gone", "new", "different"]);
    for found in compared {
        let counts = [found.live, found.rebuilt, found.only_live.count, found.only_rebuilt.count];
        let counts = counts.into_iter().chain([found.differing.count]).map(thousands);
        table.row(std::iter::once(found.collection.clone()).chain(counts));
    }
    text.push_str(&table.to_string());
    for found in compared {
        let kinds =
            [("gone", &found.only_live), ("new", &found.only_rebuilt), ("different", &found.differing)];
        for (what, Keys { count, first }) in kinds.into_iter().filter(|(_, keys)| keys.count > 0) {
            let more = if *count > first.len() as u64 { ", …" } else { "" };
            text.push_str(&format!("  {} {what}: {}{more}\n", found.collection, first.join(", ")));
        }
    }
    match (swapped, compare_only) {
        (true, _) => {
            text.push_str("it serves; `a4co projections rollback` is the way back until the next rebuild")
        }
        (false, true) => text.push_str("what served goes on serving"),
        (false, false) => {
            bail!("{text}they differ, so what served goes on serving: --accept swaps it in all the same")
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(differing: u64) -> Comparison {
        let keys =
            |count: u64| Keys { count, first: (0..count.min(2)).map(|n| format!("key-{n}")).collect() };
        let (only_live, only_rebuilt, differing) = (keys(0), keys(0), keys(differing));
        let collection = "postings".to_owned();
        Comparison { collection, live: 1_200, rebuilt: 1_200, only_live, only_rebuilt, differing }
    }

    #[test]
    fn a_rebuild_that_differs_says_where_and_is_an_error_unless_it_was_accepted() {
        let of = |swapped, compare_only, differing| {
            said("payment/ledger", (3_000, swapped, compare_only), &[compared(differing)])
        };
        let same = of(true, false, 0).unwrap();
        assert!(
            same.contains("3,000 facts") && same.contains("rollback") && !same.contains("key-"),
            "{same}"
        );
        let refused = of(false, false, 3).unwrap_err().to_string();
        assert!(refused.contains("--accept") && refused.contains("different: key-0, key-1, …"), "{refused}");
        for (swapped, compare_only) in [(true, false), (false, true)] {
            let told = of(swapped, compare_only, 2).unwrap();
            assert!(told.contains("different: key-0, key-1\n"), "{told}");
        }
    }
}
