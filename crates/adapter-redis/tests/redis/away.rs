//! What each port does while the server is away, and after.

use std::time::Instant;

use backbone::ephemeral::{Ephemeral, Quota, Session, Verdict};
use kernel::Duration;

use crate::replica::{LONG, now, replica_on, server};

const TWO: Quota = Quota { requests: 2, per: LONG };

async fn is_allowed(replica: &Ephemeral, key: &str) -> bool {
    matches!(replica.limits.allow(key, TWO).await, Verdict::Allowed { .. })
}

/// Asks until it is so: the connection comes back by itself, soon.
async fn soon<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    for _ in 0..200 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}: not within ten seconds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_away_each_replica_counts_for_itself_and_they_count_together_again_after() {
    let Some(server) = server() else { return };
    let (one, other) = (replica_on(&server).await, replica_on(&server).await);
    assert!(is_allowed(&one, "ana").await && is_allowed(&other, "ana").await);
    assert!(!is_allowed(&one, "ana").await, "two in all");
    server.kill();
    for replica in [&one, &other] {
        assert!(is_allowed(replica, "ana").await && is_allowed(replica, "ana").await);
        assert!(!is_allowed(replica, "ana").await, "the local limit is a limit");
    }
    let asked = Instant::now();
    for n in 0..1_000 {
        is_allowed(&one, &n.to_string()).await;
    }
    assert!(asked.elapsed() < Duration::from_secs(10), "requests wait for nobody: {:?}", asked.elapsed());
    server.start_again();
    // Whether they count together shows at a key that is used up on the other side.
    let (one, other) = (&one, &other);
    soon("counting together", || async {
        let key = uuid::Uuid::now_v7().to_string();
        is_allowed(one, &key).await && is_allowed(other, &key).await && !is_allowed(one, &key).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_away_nothing_is_seen_or_held_and_nobody_is_signed_in() {
    let Some(server) = server() else { return };
    let replica = replica_on(&server).await;
    let until = now().plus(LONG);
    let session = Session { person: None, data: "x".into() };
    assert_eq!(replica.claims.once("token", until).await, Ok(true));
    let claim = replica.claims.claim("order", LONG).await.unwrap().unwrap();
    replica.sessions.put("s", session.clone(), LONG).await.unwrap();
    server.kill();
    for _ in 0..2 {
        assert!(replica.claims.once("token", until).await.is_err(), "neither first nor again");
        assert!(replica.claims.once("new", until).await.is_err());
        assert!(replica.claims.claim("order", LONG).await.is_err());
        assert!(replica.claims.release(claim.clone()).await.is_err());
        assert!(replica.sessions.get("s").await.is_err(), "not the same as no session");
        assert!(replica.sessions.put("s", session.clone(), LONG).await.is_err());
    }
    server.start_again();
    let claims = &replica.claims;
    soon("claims", || async { claims.once("token", until).await == Ok(true) }).await;
    assert_eq!(replica.claims.once("token", until).await, Ok(false));
    assert!(replica.claims.claim("order", LONG).await.unwrap().is_some());
    replica.claims.release(claim).await.unwrap();
    assert_eq!(replica.claims.claim("order", LONG).await, Ok(None), "the old claim is nobody's any more");
    assert_eq!(replica.sessions.get("s").await, Ok(None), "whoever was signed in signs in again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_away_hints_stay_in_the_process_and_come_through_again_after() {
    let Some(server) = server() else { return };
    let (one, other) = (replica_on(&server).await, replica_on(&server).await);
    let (mut here, mut there) = (one.hints.listen("orders/1"), other.hints.listen("orders/1"));
    server.kill();
    one.hints.tell("orders/1");
    tokio::time::timeout(Duration::from_secs(5), here.heard()).await.expect("its own replica hears it");
    let lost = tokio::time::timeout(Duration::from_millis(300), there.heard()).await;
    assert!(lost.is_err(), "nobody carries it to the other one");
    server.start_again();
    for _ in 0..200 {
        one.hints.tell("orders/1");
        if tokio::time::timeout(Duration::from_millis(50), there.heard()).await.is_ok() {
            return;
        }
    }
    panic!("the other replica hears nothing within ten seconds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_answer_costs_half_a_second_and_then_nothing() {
    let Some(server) = server() else { return };
    let replica = replica_on(&server).await;
    assert!(is_allowed(&replica, "ana").await);
    server.say("CLIENT PAUSE 4000").unwrap();
    let asked = Instant::now();
    assert!(replica.claims.once("token", now().plus(LONG)).await.is_err());
    assert!(is_allowed(&replica, "ana").await, "by its own count");
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    let asked = Instant::now();
    for n in 0..100 {
        is_allowed(&replica, &n.to_string()).await;
    }
    // Asked again once a second at most, half a second each.
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    let claims = &replica.claims;
    soon("claims", || async {
        claims.once(&uuid::Uuid::now_v7().to_string(), now().plus(LONG)).await.is_ok()
    })
    .await;
}
