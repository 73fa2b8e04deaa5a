//! Personal data: nowhere in clear on disk, redacted everywhere once the person is erased.

use std::sync::Arc;

use backbone::keyring::KeyRing;
use kernel::Personal;
use uuid::Uuid;

use super::probe::{Bench, Orders, Seen};

fn holds(directory: &std::path::Path, text: &str) -> bool {
    std::fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[tokio::test]
async fn a_secret_is_on_disk_only_encrypted_and_unreadable_once_its_person_is_erased() {
    let directory = tempfile::tempdir().unwrap();
    let orders = Arc::new(Orders::default());
    let bench = Bench::probe(directory.path(), &orders).await;
    let key = Uuid::now_v7();
    let secret = format!("secret of {key}");
    bench.ping(&[(key, 1)]).await;
    bench.until_seen(key, &[1]).await;
    let seen = bench.context.get::<Seen>(key).await.unwrap().unwrap().document;
    assert_eq!(seen.last_secret, Some(Personal::Known(secret.clone())));
    assert!(!holds(directory.path(), &secret));

    bench.keys.erase(key).await.unwrap();
    bench.engine_keys.forget(key);
    let seen = bench.context.get::<Seen>(key).await.unwrap().unwrap().document;
    assert_eq!(seen.last_secret, Some(Personal::Redacted));
    assert_eq!(seen.order, [1], "the rest stays");

    // A late event about an erased person is handled, redacted, and poisons nothing.
    bench.ping(&[(key, 2)]).await;
    bench.until_seen(key, &[1, 2]).await;
    assert!(!holds(directory.path(), &secret));
    bench.stop().await;
}
