//! What is good once.

use adapter_memory::Capacity;
use backbone::tokens::{Once, TokenError, Verified};
use kernel::{Duration, Timestamp};

use super::*;
use crate::testing::PlainTokens;

/// Plain tokens, of which each is good once for a request id.
struct GoodOnce(PlainTokens);

impl Tokens for GoodOnce {
    fn for_service(&self, from: &str, to: &str) -> Result<String, TokenError> {
        self.0.for_service(from, to)
    }

    fn for_person(&self, id: Uuid, role: Role, lifetime: Duration) -> Result<String, TokenError> {
        self.0.for_person(id, role, lifetime)
    }

    fn verify(&self, token: &str, target: &str, request_id: Option<&str>) -> Result<Verified, TokenError> {
        let verified = self.0.verify(token, target, request_id)?;
        let once = Once { key: format!("{token} {request_id:?}"), until: Timestamp::from_micros(i64::MAX) };
        Ok(Verified { once: verified.caller.is_service().then_some(once), ..verified })
    }
}

/// A replica; `claims` is what all of them share.
fn replica(claims: Arc<dyn Claims>) -> Router {
    let tokens = GoodOnce(PlainTokens::permitting(["call:GET /services".to_owned()]));
    let gate = Gate { claims, ..Gate::new(Arc::new(tokens), HandMade::running().environment()) };
    router([("thing", routes())], &gate).unwrap()
}

async fn asked(replica: &Router, path: &str, id: &str) -> (u16, String) {
    let token = service("order", "thing");
    let mut request = request(Method::GET, path, Some(&token), None);
    request.headers_mut().insert("x-request-id", id.parse().unwrap());
    let reply = send(replica, request).await;
    (reply.status.as_u16(), reply.code().to_owned())
}

#[tokio::test]
async fn a_request_that_one_replica_let_in_is_a_replay_on_every_other() {
    let claims = adapter_memory::ephemeral(&HandMade::running().environment(), Capacity::default()).claims;
    let (one, other) = (replica(claims.clone()), replica(claims));
    assert_eq!(asked(&one, "/services", "r-1").await.0, 200);
    for replica in [&one, &other] {
        assert_eq!(asked(replica, "/services", "r-1").await, (401, "token-replayed".to_owned()));
    }
    assert_eq!(asked(&other, "/services", "r-2").await.0, 200);
    assert_eq!(asked(&one, "/both", "r-3").await, (403, "permission-missing".to_owned()));
}

#[tokio::test]
async fn without_the_memory_nothing_passes_that_is_good_once_and_people_are_let_in() {
    let replica = replica(Arc::new(NoClaims));
    assert_eq!(asked(&replica, "/services", "r-1").await, (503, "unavailable".to_owned()));
    let person = request(Method::GET, "/people", Some(&buyer()), None);
    assert_eq!(send(&replica, person).await.status, 200);
}
