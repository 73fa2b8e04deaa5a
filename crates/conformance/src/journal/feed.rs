//! The feed of a service's own events.

use backbone::commit::{Commit, Expected};
use backbone::journal::Recorded;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::{join, join_all};
use kernel::Duration;

use super::look::{Handle, feed_after, whole_feed};
use crate::World;
use crate::expect::{Shown, committed, ensure, equal};
use crate::sample::{append, appending, event, note};

pub(super) async fn pages(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    ensure(journal.feed(0, 10).await.shown("reading the feed")?.is_empty(), "an empty journal has a feed")?;
    for version in 0..4 {
        committed(journal.submit(appending("order-1", version * 2, 2)).await)?;
        let two = vec![append("order-2", version, 1), append("order-3", version, 1)];
        let puts = vec![note("not an event", Expected::Any, "x")];
        committed(journal.submit(Commit { appends: two, puts, ..Commit::default() }).await)?;
    }
    let all = journal.feed(0, 100).await.shown("reading the feed")?;
    let order: Vec<(String, u64)> = all.iter().map(|r| (r.stream.clone(), r.event.version)).collect();
    let expected = (0..4u64).flat_map(|version| {
        [
            ("order-1", version * 2 + 1),
            ("order-1", version * 2 + 2),
            ("order-2", version + 1),
            ("order-3", version + 1),
        ]
    });
    equal(
        "the feed's order",
        order,
        expected.map(|(stream, version)| (stream.to_owned(), version)).collect(),
    )?;
    ensure(all.windows(2).all(|two| two[0].position < two[1].position), "positions do not grow")?;
    ensure(
        all.iter().all(|recorded| recorded.event == event(recorded.event.version)),
        "an event was changed",
    )?;
    for limit in [1, 3, 16] {
        let mut paged: Vec<Recorded> = Vec::new();
        while paged.len() < all.len() {
            let after = paged.last().map_or(0, |last| last.position);
            let page = feed_after(&journal, after, limit).await?;
            ensure(!page.is_empty() && page.len() <= limit, format_args!("a page of {}", page.len()))?;
            paged.extend(page);
        }
        equal("the feed by pages", paged, all.clone())?;
    }
    let end = all.last().map_or(0, |last| last.position);
    ensure(journal.feed(end, 10).await.shown("reading the feed")?.is_empty(), "there is more past the end")
}

const WRITERS: u64 = 8;
const COMMITS: u64 = 25;

/// One commits few large units, the next many small ones, so that they finish out of step.
async fn write(journal: &Handle, writer: u64) -> Result<(), String> {
    let stream = format!("order-{writer}");
    let mut version = 0;
    for number in 0..COMMITS {
        let count = if writer.is_multiple_of(2) { 1 } else { 1 + number % 40 };
        committed(journal.submit(appending(&stream, version, count)).await)?;
        version += count;
    }
    Ok(())
}

pub(super) async fn polling_reader(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let done = AtomicBool::new(false);
    let writers = async {
        let results = join_all((0..WRITERS).map(|writer| write(&journal, writer))).await;
        done.store(true, Ordering::SeqCst);
        results.into_iter().collect::<Result<Vec<()>, String>>()
    };
    let reader = async {
        let mut seen: Vec<Recorded> = Vec::new();
        loop {
            let was_done = done.load(Ordering::SeqCst);
            let after = seen.last().map_or(0, |last| last.position);
            let page = feed_after(&journal, after, 7).await?;
            if page.is_empty() && was_done {
                return Ok::<_, String>(seen);
            }
            if page.is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            seen.extend(page);
        }
    };
    let (written, seen) = join(writers, reader).await;
    written?;
    let (seen, all) = (seen?, whole_feed(&journal).await?);
    equal("how many events were seen", seen.len(), all.len())?;
    ensure(seen == all, "the reader saw another order")?;
    for writer in 0..WRITERS {
        let stream = format!("order-{writer}");
        let versions =
            all.iter().filter(|recorded| recorded.stream == stream).map(|recorded| recorded.event.version);
        ensure(
            versions.zip(1..).all(|(found, expected)| found == expected),
            format_args!("{stream} is out of order"),
        )?;
    }
    Ok(())
}
