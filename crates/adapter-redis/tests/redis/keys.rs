//! What stands on the server.

use backbone::ephemeral::{Quota, Session};
use uuid::Uuid;

use crate::replica::{LONG, now, replica_on, server};

/// The first key that does not begin as ours or would stay for ever, or else how many there are.
const LOOK: &str = "EVAL \"for _, k in ipairs(redis.call('KEYS', '*')) do \
                    if redis.call('PTTL', k) < 0 or string.sub(k, 1, 5) ~= 'a4co:' then return k end end \
                    return redis.call('DBSIZE')\" 0";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_key_is_ours_expires_and_hides_what_it_is_about() {
    let Some(server) = server() else { return };
    let replica = replica_on(&server).await;
    let person = Some(Uuid::from_u128(7));
    let (quota, until) = (Quota::a_minute(10), now().plus(LONG));
    replica.limits.allow("address|192.0.2.7", quota).await;
    replica.claims.once("token|192.0.2.7", until).await.unwrap();
    replica.claims.claim("order|192.0.2.7", LONG).await.unwrap();
    for person in [None, person] {
        let session = Session { person, data: "x".into() };
        replica.sessions.put("192.0.2.7-secret", session, LONG).await.unwrap();
    }
    replica.sessions.touch("192.0.2.7-secret", LONG * 2).await.unwrap();
    replica.hints.tell("orders/1");
    assert_eq!(server.say(LOOK).unwrap(), ":5", "a rate, a token, a claim, a session, a person's list");
    let keys = server.say("KEYS *").unwrap();
    assert!(!keys.contains("192.0.2.7") && !keys.contains("secret"), "{keys}");
    replica.sessions.delete("192.0.2.7-secret").await.unwrap();
    assert_eq!(server.say(LOOK).unwrap(), ":3", "an ended session leaves nothing");
}
