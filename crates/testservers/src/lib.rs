//! Real servers for tests: each starts its own, on a free port of the loopback, with its data in a
//! temporary directory, and ends with the process that started it, however that ends.
//!
//! What this crate must not know: any adapter, any client. It starts programs and says where they
//! listen. One file a server.

mod nats;
mod postgres;
mod program;
mod rabbit;
mod redis;
mod supervised;
mod way;

pub use nats::NatsServer;
pub use postgres::PostgresServer;
pub use program::Missing;
pub use rabbit::RabbitServer;
pub use redis::RedisServer;
pub use way::Way;

use std::io::Write;

/// Says loudly that a test proves nothing here because a server is missing. Where `CI=true` that
/// is a failure.
pub fn skip(missing: &Missing) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
    // Not through the test's captured output: it must be seen where the test passes.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {missing}");
}
