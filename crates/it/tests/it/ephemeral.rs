//! Two markets that share a Redis and nothing else, but the keys that their tokens are signed with:
//! what one counted and saw, the other one has counted and seen.

use std::net::SocketAddr;
use std::path::Path;

use a4co::config::{Engines, Limits, Settings};
use a4co::market::{self, Market};
use axum::extract::ConnectInfo;
use backbone::tokens::Tokens as _;
use http::Method;
use http_kit::testing::{Reply, request, send};
use kernel::Secret;
use testservers::{RedisServer, skip};
use uuid::Uuid;

/// The key that development makes.
const KEY: &str = "token-keys/development.pem";

async fn open(directory: &Path, redis: &RedisServer) -> Market {
    let engines = Engines { redis: Some(Secret::new(redis.url())), ..Engines::default() };
    let limits = Limits { address_per_minute: 3, ..Limits::default() };
    let settings = Settings { engines, limits, ..Settings::on(directory) };
    market::open_with(&settings, None).await.expect("the market starts on its Redis")
}

/// What order asks of user.
async fn ask(market: &Market, token: &str, id: &str) -> Reply {
    let path = format!("/api/users/{}/standing", Uuid::from_u128(7));
    let mut request = request(Method::GET, &path, Some(token), None);
    request.headers_mut().insert("x-request-id", id.parse().unwrap());
    send(&market.router, request).await
}

/// There is no such person; that is for the handler to say.
fn is_let_in(reply: &Reply) -> bool {
    ![401, 403, 503].contains(&reply.status.as_u16())
}

/// How often somebody at an address is let in before it is too often.
async fn visits(markets: [&Market; 2], address: &str) -> usize {
    let peer: SocketAddr = address.parse().unwrap();
    let mut count = 0;
    for market in markets.into_iter().cycle().take(20) {
        let mut request = request(Method::GET, "/api/products", None, None);
        request.extensions_mut().insert(ConnectInfo(peer));
        let reply = send(&market.router, request).await;
        if reply.status == 429 {
            assert!(reply.headers.contains_key("retry-after"));
            return count;
        }
        count += 1;
    }
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn markets_on_one_redis_share_what_they_counted_and_saw_and_refuse_replays_while_it_is_away() {
    let redis = match RedisServer::start() {
        Ok(redis) => redis,
        Err(missing) => return skip(&missing),
    };
    let [here, there] = [(); 2].map(|()| tempfile::tempdir().expect("a place for the market"));
    let one = open(here.path(), &redis).await;
    open(there.path(), &redis).await.close().await.unwrap();
    std::fs::copy(here.path().join(KEY), there.path().join(KEY)).unwrap();
    let other = open(there.path(), &redis).await;

    let token = one.tokens.for_service("order", "user").unwrap();
    assert!(is_let_in(&ask(&one, &token, "r-1").await));
    for market in [&one, &other] {
        assert_eq!(ask(market, &token, "r-1").await.code(), "token-replayed");
    }
    assert!(is_let_in(&ask(&other, &token, "r-2").await));

    assert_eq!(visits([&one, &other], "192.0.2.1:1").await, 3, "on both together");
    assert_eq!(visits([&other, &one], "192.0.2.2:1").await, 3, "another address");

    redis.kill();
    assert_eq!(ask(&one, &token, "r-3").await.status, 503, "it may be a replay");
    assert_eq!(visits([&one, &other], "192.0.2.3:1").await, 6, "each for itself");
    one.close().await.unwrap();
    other.close().await.unwrap();
}
