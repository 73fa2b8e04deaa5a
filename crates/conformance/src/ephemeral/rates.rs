//! The rate limiter.

use backbone::ephemeral::{Ephemeral, Quota, Verdict};
use futures::future::join_all;

use super::{LONG, LONGER, Replicas, SHORT};
use crate::expect::{ensure, equal};

const FIVE: Quota = Quota { requests: 5, per: LONG };

async fn allowed(replica: &Ephemeral, key: &str, quota: Quota) -> Option<u32> {
    match replica.limits.allow(key, quota).await {
        Verdict::Allowed { remaining } => Some(remaining),
        Verdict::Limited { .. } => None,
    }
}

pub(super) async fn shared(replicas: Replicas) -> Result<(), String> {
    let mut said = Vec::new();
    for replica in replicas.in_turn(7) {
        said.push(allowed(replica, "ana", FIVE).await);
    }
    equal("what was said", said, vec![Some(4), Some(3), Some(2), Some(1), Some(0), None, None])
}

pub(super) async fn at_once(replicas: Replicas) -> Result<(), String> {
    let quota = Quota { requests: 20, per: LONG };
    let all = join_all(replicas.in_turn(100).map(|replica| allowed(replica, "ana", quota))).await;
    equal("how many were allowed", all.iter().flatten().count(), 20)?;
    let mut remaining: Vec<u32> = all.into_iter().flatten().collect();
    remaining.sort_unstable();
    equal("what remained", remaining, (0..20).collect())
}

pub(super) async fn comes_back(replicas: Replicas) -> Result<(), String> {
    let two = Quota { requests: 2, per: SHORT };
    // On a slow machine some may come back meanwhile: it is asked until none is left.
    let mut told = None;
    for replica in replicas.in_turn(1_000) {
        if let Verdict::Limited { retry_after } = replica.limits.allow("ana", two).await {
            told = Some(retry_after);
            break;
        }
    }
    let Some(retry_after) = told else { return Err("it never said no".to_owned()) };
    ensure(retry_after <= SHORT, format_args!("{retry_after:?} is longer than the quota's own time"))?;
    replicas.memory.pass(retry_after).await;
    ensure(allowed(&replicas.one, "ana", two).await.is_some(), "still limited after the time that was told")?;
    replicas.memory.pass(LONGER).await;
    equal("all have come back", allowed(&replicas.other, "ana", two).await, Some(1))
}

pub(super) async fn apart(replicas: Replicas) -> Result<(), String> {
    let one = Quota { requests: 1, per: LONG };
    equal("the first", allowed(&replicas.one, "ana", one).await, Some(0))?;
    let mut first = None;
    for replica in replicas.in_turn(50) {
        let Verdict::Limited { retry_after } = replica.limits.allow("ana", one).await else {
            return Err("more than the quota was allowed".to_owned());
        };
        let first = *first.get_or_insert(retry_after);
        ensure(retry_after <= first, "what was refused made the wait longer")?;
    }
    equal("somebody else", allowed(&replicas.other, "ben", one).await, Some(0))
}

pub(super) async fn nothing(replicas: Replicas) -> Result<(), String> {
    let none = Quota { requests: 0, per: LONG };
    equal("a request", allowed(&replicas.one, "ana", none).await, None)
}
