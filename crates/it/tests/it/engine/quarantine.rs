//! A poisonous event in a projection quarantines its key with a record, the same way live and in
//! a rebuild (reliability.md, rule 22).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backbone::collection::{Collection, ColumnValue};
use backbone::projection::Projection;
use backbone::system::{Ending, SwapWhen};
use backbone::{Document, Module, Refusal};
use engine::{By, DeadLetterError};
use kernel::ErrorKind;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::probe::{Bench, Orders, Ping, probe_module};

/// The numbers of a key that were folded, in order.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Folded {
    key: Uuid,
    numbers: Vec<u64>,
}

const FOLDED: Collection = Collection { name: "folded", columns: &[], children: &[] };

impl Document for Folded {
    const COLLECTION: &'static Collection = &FOLDED;

    fn id(&self) -> String {
        self.key.to_string()
    }

    fn columns(&self) -> Vec<ColumnValue> {
        Vec::new()
    }
}

/// Which numbers of which keys cannot be folded, and how it ends.
#[derive(Clone, Default)]
struct Poison(Arc<Mutex<BTreeSet<(Uuid, u64)>>>);

impl Poison {
    const PANICS: u64 = 666;

    fn put(&self, key: Uuid, n: u64) {
        self.0.lock().unwrap().insert((key, n));
    }

    fn mend(&self) {
        self.0.lock().unwrap().clear();
    }

    fn projection(&self) -> Projection {
        let poison = self.0.clone();
        Projection::on::<Ping>("folds", &[&FOLDED], move |ping, view| {
            let key = ping.key;
            // Let go of before it may panic: a poisoned lock is another matter.
            let is_poisonous = poison.lock().unwrap().contains(&(key, ping.n));
            assert!(!(is_poisonous && ping.n == Self::PANICS), "told to panic");
            if is_poisonous {
                return Err(Refusal::failed(ErrorKind::Permanent, "told to be poisonous"));
            }
            let begin = || Folded { key, numbers: Vec::new() };
            view.update(key, begin, |folded| folded.numbers.push(ping.n))
        })
    }

    async fn bench(&self, directory: &Path) -> Bench {
        let mut module: Module = probe_module(Arc::new(Orders::default()));
        module.collections.push(&FOLDED);
        module.projections.push(self.projection());
        Bench::start(directory, Arc::default(), |_| module).await
    }

    async fn rebuild(bench: &Bench) {
        let projections = bench.running.projections();
        let asked = (SwapWhen::Always, &By::new("ana"));
        projections.rebuild("probe", "folds", asked).await.unwrap();
        for _ in 0..1_000 {
            let record = projections.list().await.unwrap().remove(0).rebuilding;
            if let (None, Some((_, ended))) = (record.asked, record.last) {
                assert!(matches!(ended, Ending::Swapped { .. }), "{ended:?}");
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the rebuild never ended");
    }
}

async fn folded(bench: &Bench, key: Uuid) -> Vec<u64> {
    bench.context.get::<Folded>(key).await.unwrap().map_or_else(Vec::new, |found| found.document.numbers)
}

async fn until_folded(bench: &Bench, key: Uuid, wanted: &[u64]) {
    for _ in 0..1_000 {
        if folded(bench, key).await == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?} of {key} are folded, not {wanted:?}", folded(bench, key).await);
}

/// The one record there is, once it counts so many facts behind it.
async fn until_behind(bench: &Bench, behind: u64) -> String {
    for _ in 0..1_000 {
        let found = bench.until_dead(1).await.remove(0);
        if found.1.behind == behind {
            return found.0;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never {behind} facts behind: {:?}", bench.until_dead(1).await);
}

/// A key whose second fact is poisonous and another, with facts of both behind it.
async fn poisoned(poison: &Poison, directory: &Path) -> (Bench, Uuid, Uuid) {
    let bench = poison.bench(directory).await;
    let (bad, good) = (Uuid::now_v7(), Uuid::now_v7());
    poison.put(bad, 2);
    bench.ping(&[(bad, 1), (bad, 2), (good, 1), (bad, 3)]).await;
    bench.ping(&[(good, 2), (bad, 4)]).await;
    until_folded(&bench, good, &[1, 2]).await;
    until_behind(&bench, 2).await;
    (bench, bad, good)
}

#[tokio::test]
async fn a_poisonous_event_quarantines_its_key_and_the_others_flow() {
    let directory = tempfile::tempdir().unwrap();
    let (bench, bad, good) = poisoned(&Poison::default(), directory.path()).await;
    assert_eq!(folded(&bench, bad).await, [1], "neither the poison nor what comes after it");
    let (_, letter) = bench.until_dead(1).await.remove(0);
    assert_eq!(letter.consumer, "projection:folds");
    assert_eq!(letter.event.subject, bad.to_string());
    assert!(letter.error.contains("told to be poisonous"), "{}", letter.error);

    bench.ping(&[(bad, 5), (good, 3)]).await;
    until_folded(&bench, good, &[1, 2, 3]).await;
    until_behind(&bench, 3).await;
    assert_eq!(folded(&bench, bad).await, [1]);
    // The service's reactions to the same events are another matter.
    bench.until_seen(bad, &[1, 2, 3, 4, 5]).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_fold_that_panics_is_poisonous_and_the_projection_goes_on() {
    let (directory, poison) = (tempfile::tempdir().unwrap(), Poison::default());
    let bench = poison.bench(directory.path()).await;
    let (bad, good) = (Uuid::now_v7(), Uuid::now_v7());
    poison.put(bad, Poison::PANICS);
    bench.ping(&[(bad, Poison::PANICS), (good, 1)]).await;
    until_folded(&bench, good, &[1]).await;
    let (_, letter) = bench.until_dead(1).await.remove(0);
    assert!(letter.error.contains("told to panic"), "{}", letter.error);
    bench.stop().await;
}

#[tokio::test]
async fn a_quarantined_key_stays_so_after_a_restart() {
    let (directory, poison) = (tempfile::tempdir().unwrap(), Poison::default());
    let (bench, bad, good) = poisoned(&poison, directory.path()).await;
    bench.stop().await;

    poison.mend();
    let bench = poison.bench(directory.path()).await;
    bench.ping(&[(bad, 5), (good, 3)]).await;
    until_folded(&bench, good, &[1, 2, 3]).await;
    until_behind(&bench, 3).await;
    assert_eq!(folded(&bench, bad).await, [1]);
    bench.stop().await;
}

#[tokio::test]
async fn a_rebuild_quarantines_the_same_key_in_the_same_way() {
    let (directory, poison) = (tempfile::tempdir().unwrap(), Poison::default());
    let (bench, bad, good) = poisoned(&poison, directory.path()).await;
    Poison::rebuild(&bench).await;
    assert_eq!((folded(&bench, bad).await, folded(&bench, good).await), (vec![1], vec![1, 2]));
    until_behind(&bench, 2).await;

    bench.ping(&[(bad, 5), (good, 3)]).await;
    until_folded(&bench, good, &[1, 2, 3]).await;
    until_behind(&bench, 3).await;
    assert_eq!(folded(&bench, bad).await, [1]);
    bench.stop().await;
}

#[tokio::test]
async fn a_rebuild_starts_with_a_clean_slate_and_keeps_what_it_quarantines_itself() {
    let (directory, poison) = (tempfile::tempdir().unwrap(), Poison::default());
    let (bench, bad, good) = poisoned(&poison, directory.path()).await;
    poison.mend();
    poison.put(good, 2);
    Poison::rebuild(&bench).await;
    assert_eq!((folded(&bench, bad).await, folded(&bench, good).await), (vec![1, 2, 3, 4], vec![1]));
    assert_eq!(bench.until_dead(1).await[0].1.event.subject, good.to_string());

    // The first fact after the swap, of this key alone: the running projection must know at once.
    bench.ping(&[(bad, 5)]).await;
    until_folded(&bench, bad, &[1, 2, 3, 4, 5]).await;
    bench.ping(&[(good, 3)]).await;
    until_behind(&bench, 1).await;
    assert_eq!(folded(&bench, good).await, [1]);
    bench.stop().await;
}

#[tokio::test]
async fn retrying_the_record_of_a_mended_projection_folds_all_that_its_key_missed() {
    let (directory, poison) = (tempfile::tempdir().unwrap(), Poison::default());
    let (bench, bad, _) = poisoned(&poison, directory.path()).await;
    let id = until_behind(&bench, 2).await;
    let letters = bench.running.dead_letters();
    let Err(DeadLetterError::Work(refused)) = letters.retry("probe", &id).await else {
        panic!("the projection is not mended yet")
    };
    assert!(refused.to_string().contains("still poisonous"), "{refused}");
    assert_eq!(bench.until_dead(1).await[0].1.attempts, 2);
    assert_eq!(folded(&bench, bad).await, [1]);

    poison.mend();
    letters.retry("probe", &id).await.unwrap();
    assert_eq!(folded(&bench, bad).await, [1, 2, 3, 4]);
    bench.until_dead(0).await;
    bench.ping(&[(bad, 5)]).await;
    until_folded(&bench, bad, &[1, 2, 3, 4, 5]).await;
    assert!(letters.retry("probe", &id).await.is_err(), "there is nothing to retry any more");
    bench.stop().await;
}

#[tokio::test]
async fn discarding_the_record_passes_over_the_poison_alone() {
    let (directory, poison) = (tempfile::tempdir().unwrap(), Poison::default());
    let (bench, bad, _) = poisoned(&poison, directory.path()).await;
    let id = until_behind(&bench, 2).await;
    bench.running.dead_letters().discard("probe", &id).await.unwrap();
    assert_eq!(folded(&bench, bad).await, [1, 3, 4]);
    bench.until_dead(0).await;
    bench.ping(&[(bad, 5)]).await;
    until_folded(&bench, bad, &[1, 3, 4, 5]).await;
    bench.stop().await;
}
