//! Several replicas on one database: what one of them alone never shows.

use std::time::Duration;

use backbone::commit::{Commit, Expected, Fence, Guard, Outcome, Target};
use backbone::journal::LeaseRequest;
use futures::future::{join, join_all};
use uuid::Uuid;

use crate::sample::{
    Handle, append, appending, beside, committed, guard_note, is_committed, journal, noting, public,
    stream_length, take_turn, until_one_waits,
};
use crate::server::{open, server};

const WRITERS: u128 = 6;
const COMMITS: u128 = 25;

/// One commits few large units, the next many small ones, so that they finish out of step.
async fn write(journal: &Handle, writer: u128) {
    let stream = format!("order-{writer}");
    let mut version = 0;
    for number in 0..COMMITS {
        let count = if writer.is_multiple_of(2) { 1 } else { 1 + number % 12 };
        let first = (writer * COMMITS + number) * 100;
        let outgoing = (first + 1..=first + count).map(public).collect();
        let appends = vec![append(&stream, version, count as u64)];
        committed(journal, Commit { appends, outgoing, ..Commit::default() }).await;
        version += count as u64;
    }
}

fn written() -> usize {
    let of = |writer: u128| {
        (0..COMMITS).map(move |number| if writer.is_multiple_of(2) { 1 } else { 1 + number % 12 })
    };
    (0..WRITERS).flat_map(of).sum::<u128>() as usize
}

/// Reliability.md, rule 3.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_page_throughout_the_writing_of_two_replicas_miss_nothing() {
    let Some(server) = server() else { return };
    let address = server.database();
    let replicas = [journal(&open(&address).await).await, journal(&open(&address).await).await];
    let reader = journal(&open(&address).await).await;
    let published = async {
        let mut seen: Vec<(u64, Uuid)> = Vec::new();
        while seen.len() < written() {
            let page = reader.outgoing(seen.last().map_or(0, |last| last.0), 7).await.unwrap();
            seen.extend(page.iter().map(|sent| (sent.position, sent.envelope.id.0)));
        }
        seen
    };
    let fed = async {
        let mut seen: Vec<(u64, (String, u64))> = Vec::new();
        while seen.len() < written() {
            let page = reader.feed(seen.last().map_or(0, |last| last.0), 7).await.unwrap();
            seen.extend(page.into_iter().map(|found| (found.position, (found.stream, found.event.version))));
        }
        seen
    };
    let writers = join_all((0..WRITERS).map(|writer| write(&replicas[writer as usize % 2], writer)));
    let limit = Duration::from_secs(60);
    let all = tokio::time::timeout(limit, join(writers, join(published, fed))).await;
    let (_, (published, fed)) = all.expect("a reader that missed an event waits for ever");
    assert!(published.is_sorted() && fed.is_sorted());
    let mut events: Vec<Uuid> = published.into_iter().map(|(_, id)| id).collect();
    let mut facts: Vec<(String, u64)> = fed.into_iter().map(|(_, fact)| fact).collect();
    events.sort_unstable();
    events.dedup();
    facts.sort_unstable();
    facts.dedup();
    assert_eq!((events.len(), facts.len()), (written(), written()));
}

/// The other one began first, numbers its rows first, and commits last.
#[tokio::test]
async fn nobody_passes_a_replica_that_is_slow_to_commit() {
    let Some(server) = server() else { return };
    let address = server.database();
    let journal = journal(&open(&address).await).await;
    let slow = beside(&address).await;
    take_turn(&slow).await;
    slow.batch_execute(
        "UPDATE \"order\".positions SET log = log + 1; INSERT INTO \"order\".log SELECT log, \
         '00000000-0000-0000-0000-000000000001', 'order.created.v1', '', 'order', 1, '', '', 1, NULL, NULL, '' \
         FROM \"order\".positions",
    )
    .await
    .unwrap();
    let fast = journal.submit(Commit { outgoing: vec![public(2)], ..Commit::default() });
    until_one_waits(&beside(&address).await).await;
    assert!(journal.outgoing(0, 10).await.unwrap().is_empty());
    slow.batch_execute("COMMIT").await.unwrap();
    assert_eq!(fast.await.unwrap().unwrap(), Outcome::Committed { position: 2 });
    let seen = journal.outgoing(0, 10).await.unwrap();
    let seen: Vec<(u64, u128)> =
        seen.iter().map(|sent| (sent.position, sent.envelope.id.0.as_u128())).collect();
    assert_eq!(seen, [(1, 1), (2, 2)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_replicas_that_append_to_one_stream_one_has_a_conflict() {
    let Some(server) = server() else { return };
    let address = server.database();
    let (first, second) = (journal(&open(&address).await).await, journal(&open(&address).await).await);
    for number in 0..20 {
        let (one, other) =
            join(first.submit(appending("order-1", number)), second.submit(appending("order-1", number)))
                .await;
        let answers = [one.unwrap(), other.unwrap()];
        assert_eq!(answers.iter().filter(|answer| is_committed(answer)).count(), 1, "{answers:?}");
        assert!(answers.iter().any(|answer| matches!(answer, Ok(Outcome::Conflict { .. }))), "{answers:?}");
    }
    assert_eq!(stream_length(&first, "order-1").await, 20);
}

fn on_stream(version: u64) -> Guard {
    Guard { target: Target::Stream("order-1".to_owned()), version }
}

/// What another replica did between the reading and the writing of a batch: a commit that was
/// decided on what was before is not written.
#[tokio::test]
async fn what_changes_between_reading_and_writing_is_noticed() {
    const EVENT: &str = "INSERT INTO \"order\".events SELECT 1000, 'order-1', 1, '', 1, 1, '', '', NULL, ''";
    const NOTE: &str = "INSERT INTO \"order\".c_notes (id, version, body) VALUES ('a', 1, '')";
    const CHANGED: &str = "UPDATE \"order\".c_notes SET version = 2 WHERE id = 'there'";
    const GONE: &str = "DELETE FROM \"order\".c_notes WHERE id = 'there'";
    const MOVED: &str = "INSERT INTO \"order\".checkpoints VALUES ('c', 7)";
    let Some(server) = server() else { return };
    let guarding = |guard| Commit { guards: vec![guard], ..noting("mine", Expected::Any) };
    let moving = crate::sample::checkpoint("c", 0, 5);
    let cases = [
        (EVENT, appending("order-1", 0), "order-1"),
        (EVENT, guarding(on_stream(0)), "order-1"),
        (NOTE, noting("a", Expected::Version(0)), "a"),
        (NOTE, guarding(guard_note("a", 0)), "a"),
        (CHANGED, noting("there", Expected::Version(1)), "there"),
        (CHANGED, guarding(guard_note("there", 1)), "there"),
        (GONE, noting("there", Expected::Version(1)), "there"),
        (MOVED, moving, "c"),
    ];
    let address = server.database();
    let (journal, other) = (journal(&open(&address).await).await, beside(&address).await);
    for (meanwhile, commit, names) in cases {
        let empty =
            "DELETE FROM \"order\".events; DELETE FROM \"order\".c_notes; DELETE FROM \"order\".checkpoints";
        other.batch_execute(empty).await.unwrap();
        committed(&journal, noting("there", Expected::Any)).await;
        take_turn(&other).await;
        let answer = journal.submit(commit);
        until_one_waits(&beside(&address).await).await;
        other.batch_execute(&format!("{meanwhile}; COMMIT")).await.unwrap();
        match answer.await.unwrap() {
            Ok(Outcome::Conflict { which }) => assert!(which.contains(names), "{meanwhile}: {which}"),
            answer => panic!("{meanwhile}: {answer:?}"),
        }
        assert_eq!(journal.feed(0, 10).await.unwrap().len(), usize::from(meanwhile == EVENT));
    }
}

/// Reliability.md, rule 2: however late a paused leader comes.
#[tokio::test]
async fn a_lease_taken_over_while_a_batch_is_on_its_way_fences_it() {
    let Some(server) = server() else { return };
    let address = server.database();
    let (old, new) = (journal(&open(&address).await).await, journal(&open(&address).await).await);
    let ask = |owner: u128, lasts: u64| LeaseRequest {
        name: "relay".to_owned(),
        owner: Uuid::from_u128(owner),
        lasts: Duration::from_millis(lasts),
    };
    let token = old.lease(ask(1, 1)).await.unwrap().unwrap();
    let slow = beside(&address).await;
    take_turn(&slow).await;
    // The batch is read and decided, and waits for its turn; the new leader waits behind nobody.
    let fence = Some(Fence { lease: "relay".to_owned(), token });
    let late = old.submit(Commit { fence, ..appending("order-1", 0) });
    let beside_it = old.submit(appending("order-2", 0));
    until_one_waits(&beside(&address).await).await;
    slow.batch_execute("UPDATE \"order\".leases SET token = token + 1, until = 0").await.unwrap();
    slow.batch_execute("COMMIT").await.unwrap();
    assert_eq!(late.await.unwrap().unwrap(), Outcome::Fenced { lease: "relay".to_owned() });
    assert!(is_committed(&beside_it.await.unwrap()));
    assert_eq!(stream_length(&new, "order-1").await, 0);
    let taken = new.lease(ask(2, 60_000)).await.unwrap().unwrap();
    assert!(taken > token + 1, "{taken} after {token}");
}

/// Between a batch's look at its lease and its end nobody takes the lease over.
#[tokio::test]
async fn a_lease_is_taken_over_before_a_batch_or_after_it() {
    let Some(server) = server() else { return };
    let address = server.database();
    let journal = journal(&open(&address).await).await;
    let batch = beside(&address).await;
    take_turn(&batch).await;
    let (name, owner, lasts) = ("relay".to_owned(), Uuid::from_u128(1), Duration::from_secs(60));
    let mut taking = journal.lease(LeaseRequest { name, owner, lasts });
    tokio::select! {
        taken = &mut taking => panic!("{taken:?} in the middle of a batch"),
        _ = async { until_one_waits(&beside(&address).await).await } => {}
    }
    batch.batch_execute("COMMIT").await.unwrap();
    assert_eq!(taking.await.unwrap(), Some(1));
}

/// Small numbers with a long period, different for each seed.
fn dice(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_that_write_the_same_keys_in_any_order_never_wait_for_each_other_for_ever() {
    const NAMES: u64 = 8;
    let Some(server) = server() else { return };
    let address = server.database();
    let write = async |seed: u64| {
        let storage = open(&address).await;
        let journal = journal(&storage).await;
        let mut below = dice(seed);
        let mut written = vec![0u64; NAMES as usize];
        for _ in 0..30 {
            let commits = (0..12).map(|_| {
                let names: Vec<u64> = (0..1 + below(4)).map(|_| below(NAMES)).collect();
                let mut commit = Commit::default();
                for name in &names {
                    commit.puts.extend(noting(&name.to_string(), Expected::Any).puts);
                    commit.guards.push(guard_note(&below(NAMES).to_string(), below(40)));
                }
                commit.guards.truncate(below(2) as usize);
                (names, journal.submit(commit))
            });
            for (names, answer) in commits.collect::<Vec<_>>() {
                match answer.await.unwrap() {
                    Ok(Outcome::Committed { .. }) => {
                        names.iter().for_each(|name| written[*name as usize] += 1)
                    }
                    Ok(Outcome::Conflict { .. }) => {}
                    answer => panic!("{answer:?}"),
                }
            }
        }
        written
    };
    let both = tokio::time::timeout(Duration::from_secs(60), join(write(1), write(2))).await;
    let (first, second) = both.expect("they wait for each other");
    let journal = journal(&open(&address).await).await;
    let notes = journal.find(backbone::collection::Query::all(&crate::sample::NOTES)).await.unwrap();
    for note in notes {
        let name: usize = note.id.parse().unwrap();
        assert_eq!(note.version, first[name] + second[name], "every write of {name} counts once");
    }
}
