use std::collections::VecDeque;
use std::sync::Mutex;

use axum::routing::get;
use backbone::route::{Access, Route};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};

use super::*;
use crate::environment::HandMade;
use crate::testing::{PlainTokens, stand};

static STANDING: CallSpec = CallSpec {
    from: "order",
    to: "user",
    method: Method::GET,
    path: "/api/users/{id}/standing",
    limit: Duration::from_secs(1),
    retries: 3,
};

static HOLD: CallSpec = CallSpec {
    from: "order",
    to: "user",
    method: Method::POST,
    path: "/api/users/holds",
    limit: Duration::from_secs(1),
    retries: 2,
};

/// What the target does with an attempt.
#[derive(Clone, Copy)]
enum Does {
    Answer(u16),
    RefuseConnection,
    Break,
    Hang,
}

#[derive(Default)]
struct Fake {
    script: Mutex<VecDeque<Does>>,
    seen: Mutex<Vec<HeaderMap>>,
}

#[async_trait]
impl Transport for Fake {
    async fn send(
        &self,
        _: &'static str,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, TransportError> {
        self.seen.lock().unwrap().push(request.headers().clone());
        let does = self.script.lock().unwrap().pop_front().unwrap_or(Does::Answer(200));
        match does {
            Does::Answer(status) => Ok(Response::builder().status(status).body(Bytes::new()).unwrap()),
            Does::RefuseConnection => Err(TransportError::Connect("refused".to_owned())),
            Does::Break => Err(TransportError::Broken("cut".to_owned())),
            Does::Hang => std::future::pending().await,
        }
    }
}

struct Scene {
    clock: Arc<HandMade>,
    fake: Arc<Fake>,
    client: Arc<Client>,
}

fn scene_with(clock: Arc<HandMade>, limits: CallLimits) -> Scene {
    let fake = Arc::new(Fake::default());
    let tokens = Arc::new(PlainTokens::permitting([]));
    let transport: Arc<dyn Transport> = fake.clone();
    let client = Arc::new(Client::new(transport, tokens, clock.environment(), limits));
    Scene { clock, fake, client }
}

fn scene(script: &[Does]) -> Scene {
    let scene = scene_with(HandMade::running(), CallLimits::default());
    scene.fake.script.lock().unwrap().extend(script);
    scene
}

fn call(spec: &'static CallSpec, key: Option<&str>) -> CallRequest {
    CallRequest {
        spec,
        path_and_query: spec.path.replace("{id}", "1"),
        body: (spec.method == Method::POST).then(|| Bytes::from_static(b"{}")),
        idempotency_key: key.map(str::to_owned),
        correlation_id: "01941f29-7c00-7000-8000-000000000001".to_owned(),
    }
}

impl Scene {
    async fn call(&self, spec: &'static CallSpec, key: Option<&str>) -> String {
        match self.client.call(call(spec, key)).await {
            Ok(reply) => reply.status.as_u16().to_string(),
            Err(CallError::Unreachable { .. }) => "unreachable".to_owned(),
            Err(CallError::Unknown { .. }) => "unknown".to_owned(),
            Err(CallError::Answered { .. }) => "answered".to_owned(),
        }
    }

    fn attempts(&self) -> usize {
        self.fake.seen.lock().unwrap().len()
    }
}

/// What the target does, the call, its key, the outcome, how many attempts.
type Row<'a> = (&'a [Does], &'static CallSpec, Option<&'a str>, &'a str, usize);

#[tokio::test]
async fn only_what_may_be_repeated_is_repeated() {
    use Does::{Answer, Break, Hang, RefuseConnection};
    #[rustfmt::skip]
    let table: &[Row<'_>] = &[
        (&[Answer(200)], &STANDING, None, "200", 1),
        (&[Answer(503), Answer(502), Answer(504), Answer(200)], &STANDING, None, "200", 4),
        (&[Answer(503); 9], &STANDING, None, "503", 4),
        (&[Answer(500)], &STANDING, None, "500", 1),
        (&[Answer(404)], &STANDING, None, "404", 1),
        (&[RefuseConnection, Hang, Break, Answer(200)], &STANDING, None, "200", 4),
        (&[RefuseConnection; 9], &STANDING, None, "unreachable", 4),
        (&[Hang; 9], &STANDING, None, "unknown", 4),
        (&[Answer(503), Answer(200)], &HOLD, None, "503", 1),
        (&[Hang], &HOLD, None, "unknown", 1),
        (&[Break, Answer(200)], &HOLD, None, "unknown", 1),
        (&[RefuseConnection, Answer(200)], &HOLD, None, "200", 2),
        (&[Answer(503), Hang, Answer(201)], &HOLD, Some("k"), "201", 3),
    ];
    for (place, (script, spec, key, outcome, attempts)) in table.iter().enumerate() {
        let scene = scene(script);
        assert_eq!(scene.call(spec, *key).await, *outcome, "row {place}");
        assert_eq!(scene.attempts(), *attempts, "row {place}");
        let took = scene.client.now().as_micros() - 1_000_000;
        assert!(took <= 1_000_000, "row {place} took {took} µs, the limit is a second");
    }
}

#[tokio::test]
async fn a_retry_has_a_new_request_id_and_the_same_idempotency_key() {
    let scene = scene(&[Does::Answer(503), Does::Answer(200)]);
    assert_eq!(scene.call(&HOLD, Some("group-1")).await, "200");
    let seen = scene.fake.seen.lock().unwrap();
    assert_eq!(seen[0]["idempotency-key"], "group-1");
    assert_eq!(seen[1]["idempotency-key"], "group-1");
    assert_ne!(seen[0]["x-request-id"], seen[1]["x-request-id"]);
    for headers in seen.iter() {
        assert_eq!(headers["authorization"], "Bearer service|order|user");
        assert!(headers["authorization"].is_sensitive());
        assert_eq!(headers["x-correlation-id"], "01941f29-7c00-7000-8000-000000000001");
        let traceparent = headers["traceparent"].to_str().unwrap();
        assert!(traceparent.starts_with("00-01941f297c0070008000000000000001-"), "{traceparent}");
    }
}

#[tokio::test]
async fn a_failing_target_is_left_alone_and_then_asked_once() {
    let scene = scene(&[Does::Answer(500); 10]);
    for _ in 0..10 {
        assert_eq!(scene.call(&HOLD, None).await, "500");
    }
    assert_eq!(scene.call(&HOLD, None).await, "unreachable");
    assert_eq!(scene.attempts(), 10, "an open breaker lets nothing through");
    scene.clock.advance(Duration::from_secs(5));
    assert_eq!(scene.call(&HOLD, None).await, "200");
    assert_eq!(scene.call(&HOLD, None).await, "200");
    assert_eq!(scene.attempts(), 12);
}

#[tokio::test]
async fn while_the_probe_is_under_way_nobody_else_is_let_through() {
    let scene = scene_with(HandMade::standing(), CallLimits::default());
    scene.fake.script.lock().unwrap().extend([Does::Answer(500); 10]);
    for _ in 0..10 {
        scene.call(&HOLD, None).await;
    }
    scene.clock.advance(Duration::from_secs(5));
    scene.fake.script.lock().unwrap().push_back(Does::Hang);
    let mut probe = Box::pin(scene.call(&HOLD, None));
    assert!(futures::poll!(&mut probe).is_pending());
    assert_eq!(scene.call(&HOLD, None).await, "unreachable");
    assert_eq!(scene.attempts(), 11);
    drop(probe);
    assert_eq!(scene.call(&HOLD, None).await, "200", "a probe given up leaves its place to the next call");
}

#[tokio::test]
async fn a_slow_target_holds_so_many_calls_and_so_many_wait() {
    let limits = CallLimits { concurrent: 1, waiting: 1, ..CallLimits::default() };
    let scene = scene_with(HandMade::standing(), limits);
    scene.fake.script.lock().unwrap().push_back(Does::Hang);
    let mut first = Box::pin(scene.call(&HOLD, None));
    assert!(futures::poll!(&mut first).is_pending());
    let mut second = Box::pin(scene.call(&HOLD, None));
    assert!(futures::poll!(&mut second).is_pending());
    assert_eq!(scene.attempts(), 1);
    assert_eq!(scene.call(&HOLD, None).await, "unreachable", "the queue is full");
    drop(first);
    assert_eq!(second.await, "200");
    assert_eq!(scene.call(&HOLD, None).await, "200", "places are given back");
}

#[tokio::test]
async fn a_call_that_finds_no_turn_within_its_limit_is_unreachable() {
    let limits = CallLimits { concurrent: 0, ..CallLimits::default() };
    let scene = scene_with(HandMade::running(), limits);
    assert_eq!(scene.call(&STANDING, None).await, "unreachable");
    assert_eq!(scene.attempts(), 0);
}

#[tokio::test]
async fn in_one_process_a_call_goes_through_the_gate() {
    let environment = HandMade::running().environment();
    let access = Access::Services(&["order"]);
    let handler = get(async |crate::Origin(origin): crate::Origin| origin.correlation_id);
    let route = Route::new(Method::GET, "/api/users/{userId}/standing", access, "Says", handler);
    let transport = Arc::new(InMemory::new());
    let reached: Arc<dyn Transport> = transport.clone();
    let tokens = Arc::new(PlainTokens::permitting([]));
    let client = Client::new(reached, tokens, environment.clone(), CallLimits::default());
    assert!(matches!(client.call(call(&STANDING, None)).await, Err(CallError::Unreachable { .. })));
    transport.bind(stand("user", vec![route], environment));
    let reply = client.call(call(&STANDING, None)).await.unwrap();
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.body, "01941f29-7c00-7000-8000-000000000001");
}
