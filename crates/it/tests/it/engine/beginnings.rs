//! Where a new consumer of the embedded log begins.

use std::path::Path;
use std::sync::Arc;

use backbone::Module;
use backbone::module::Beginning;
use kernel::Event;
use uuid::Uuid;

use super::probe::{Bench, Orders, Ping, SEEN, probe_module};

const KEY: Uuid = Uuid::from_u128(1);

async fn bench(directory: &Path, module: Module) -> Bench {
    Bench::start(directory, Arc::default(), |_| module).await
}

/// The probe that only publishes.
fn silent() -> Module {
    Module { publishes: vec![&Ping::TYPE], collections: vec![&SEEN], ..Module::new("probe") }
}

fn beginning(beginning: Beginning) -> Module {
    Module { beginning, ..probe_module(Arc::new(Orders::default())) }
}

async fn ping(bench: &Bench, numbers: std::ops::RangeInclusive<u64>) {
    let pings: Vec<(Uuid, u64)> = numbers.map(|n| (KEY, n)).collect();
    bench.ping(&pings).await;
}

#[tokio::test]
async fn one_that_begins_now_takes_what_is_published_from_then_on() {
    for (begins, expected) in [(Beginning::Now, vec![4, 5, 6]), (Beginning::Stream, vec![1, 2, 3, 4, 5, 6])] {
        let directory = tempfile::tempdir().unwrap();
        let before = bench(directory.path(), silent()).await;
        ping(&before, 1..=3).await;
        before.stop().await;

        let reading = bench(directory.path(), beginning(begins)).await;
        ping(&reading, 4..=5).await;
        reading.until_seen(KEY, &expected[..expected.len() - 1]).await;
        reading.stop().await;

        let again = bench(directory.path(), beginning(begins)).await;
        ping(&again, 6..=6).await;
        again.until_seen(KEY, &expected).await;
        again.stop().await;
    }
}

/// It is there from its first start on: what is published while it does not run is kept for it.
#[tokio::test]
async fn one_that_began_on_an_empty_log_misses_nothing_that_came_before_its_next_start() {
    let directory = tempfile::tempdir().unwrap();
    bench(directory.path(), beginning(Beginning::Now)).await.stop().await;
    let publishing = bench(directory.path(), silent()).await;
    ping(&publishing, 1..=2).await;
    publishing.stop().await;
    let reading = bench(directory.path(), beginning(Beginning::Now)).await;
    reading.until_seen(KEY, &[1, 2]).await;
    reading.stop().await;
}
