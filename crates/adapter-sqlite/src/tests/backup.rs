//! Back-up while the store is in use.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use backbone::commit::Expected;

use super::sample::{append, appending, committed, journal, noting, open, read_note};
use crate::Store;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_back_up_opens_and_holds_one_moment_whatever_is_written_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let opened = journal(&store).await;
    for number in 0..400u64 {
        let mut commit = noting(&number.to_string(), Expected::Any);
        commit.appends = vec![append("order-1", number * 5, 5)];
        commit.puts[0].body = vec![b' '; 50_000].into();
        committed(&opened, commit).await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let (writing, stopped) = (opened.clone(), stop.clone());
    let writer = tokio::spawn(async move {
        let mut number = 2_000;
        while !stopped.load(Ordering::Relaxed) {
            committed(&writing, appending("order-1", number)).await;
            number += 1;
        }
    });
    let copies = tempfile::tempdir().unwrap();
    let copy = copies.path().join("a4co.db");
    let (copying, to) = (store.clone(), copy.clone());
    let progress = tokio::task::spawn_blocking(move || {
        let mut progress = Vec::new();
        copying.backup(&to, |done, all| progress.push((done, all))).unwrap();
        progress
    });
    let progress = progress.await.unwrap();
    stop.store(true, Ordering::Relaxed);
    writer.await.unwrap();
    let (done, all) = *progress.last().unwrap();
    assert!(done == all && all > 4_000, "{progress:?}");
    assert!(progress.windows(2).all(|two| two[0].0 < two[1].0), "it began again: {progress:?}");
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(copies.path()).unwrap().count(), 1, "one file");

    let again = store.backup(&copy, |_, _| {}).unwrap_err();
    assert!(again.to_string().contains("is there already"), "{again}");

    let restored: Store = open(copies.path());
    assert_eq!(restored.verify().unwrap(), Vec::<String>::new());
    let restored = journal(&restored).await;
    let here = restored.history("order-1", 0, usize::MAX).await.unwrap();
    let there = opened.history("order-1", 0, here.len()).await.unwrap();
    assert!(here.len() >= 2_000 && here == there);
    assert_eq!(read_note(&restored, "399").await, read_note(&opened, "399").await);
    committed(&restored, appending("order-1", here.len() as u64)).await;
}
