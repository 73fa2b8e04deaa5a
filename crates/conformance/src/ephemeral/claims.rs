//! What one may have and nobody else.

use backbone::ephemeral::{Claim, Ephemeral};
use futures::future::try_join_all;
use kernel::{Duration, Timestamp};

use super::{LONG, LONGER, Replicas, SHORT};
use crate::expect::{Shown, ensure, equal};

/// The clock of those who ask need not be the memory's: what ends, ends some time from now.
async fn sees(replica: &Ephemeral, key: &str, until: Timestamp) -> Result<bool, String> {
    replica.claims.once(key, until).await.shown("seeing something once")
}

async fn claims(replica: &Ephemeral, key: &str, lasts: Duration) -> Result<Option<Claim>, String> {
    replica.claims.claim(key, lasts).await.shown("claiming a key")
}

async fn release(replica: &Ephemeral, claim: Claim) -> Result<(), String> {
    replica.claims.release(claim).await.shown("releasing a key")
}

pub(super) async fn seen(replicas: Replicas) -> Result<(), String> {
    let until = replicas.memory.now().plus(LONG);
    let mut said = Vec::new();
    for replica in replicas.in_turn(4) {
        said.push(sees(replica, "token/1", until).await?);
    }
    equal("who was the first", said, vec![true, false, false, false])?;
    // A memory that keeps ends together must not look at one of them only.
    equal("with another end", sees(&replicas.other, "token/1", until.plus(LONG)).await?, false)?;
    equal("another thing", sees(&replicas.other, "token/2", until).await?, true)
}

pub(super) async fn seen_at_once(replicas: Replicas) -> Result<(), String> {
    let until = replicas.memory.now().plus(LONG);
    for round in 0..20 {
        let key = format!("token/{round}");
        let all = try_join_all(replicas.in_turn(20).map(|replica| sees(replica, &key, until))).await?;
        equal("how many were the first", all.into_iter().filter(|first| *first).count(), 1)?;
    }
    Ok(())
}

pub(super) async fn forgotten(replicas: Replicas) -> Result<(), String> {
    let now = replicas.memory.now();
    sees(&replicas.one, "soon", now.plus(SHORT)).await?;
    sees(&replicas.one, "late", now.plus(LONG)).await?;
    replicas.memory.pass(LONGER).await;
    equal("what has ended", sees(&replicas.other, "soon", now.plus(LONG)).await?, true)?;
    equal("what has not", sees(&replicas.other, "late", now.plus(LONG)).await?, false)
}

pub(super) async fn held(replicas: Replicas) -> Result<(), String> {
    let Some(claim) = claims(&replicas.one, "order/1", LONG).await? else {
        return Err("a key that nobody holds was not to be had".to_owned());
    };
    equal("the key", claim.key.as_str(), "order/1")?;
    for replica in replicas.in_turn(2) {
        equal("a second claim", claims(replica, "order/1", LONG).await?, None)?;
    }
    ensure(claims(&replicas.other, "order/2", LONG).await?.is_some(), "another key was not to be had")?;
    release(&replicas.one, claim).await?;
    ensure(claims(&replicas.other, "order/1", LONG).await?.is_some(), "what was released is still held")
}

pub(super) async fn held_at_once(replicas: Replicas) -> Result<(), String> {
    for round in 0..20 {
        let key = format!("order/{round}");
        let all = try_join_all(replicas.in_turn(20).map(|replica| claims(replica, &key, LONG))).await?;
        equal("how many hold it", all.into_iter().flatten().count(), 1)?;
    }
    Ok(())
}

pub(super) async fn ends(replicas: Replicas) -> Result<(), String> {
    claims(&replicas.one, "order/1", SHORT).await?;
    replicas.memory.pass(LONGER).await;
    ensure(claims(&replicas.other, "order/1", LONG).await?.is_some(), "a claim outlived its time")
}

pub(super) async fn late_release(replicas: Replicas) -> Result<(), String> {
    let Some(first) = claims(&replicas.one, "order/1", SHORT).await? else {
        return Err("a key that nobody holds was not to be had".to_owned());
    };
    replicas.memory.pass(LONGER).await;
    let second = claims(&replicas.other, "order/1", LONG).await?;
    release(&replicas.one, first).await?;
    equal("a third claim", claims(&replicas.one, "order/1", LONG).await?, None)?;
    release(&replicas.other, second.ok_or("a claim outlived its time")?).await?;
    ensure(claims(&replicas.one, "order/1", LONG).await?.is_some(), "what was released is still held")
}

pub(super) async fn apart(replicas: Replicas) -> Result<(), String> {
    ensure(claims(&replicas.one, "same", LONG).await?.is_some(), "it was not to be had")?;
    equal("seen", sees(&replicas.other, "same", replicas.memory.now().plus(LONG)).await?, true)
}
