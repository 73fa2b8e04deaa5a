//! One server a process, an empty database a test.

use std::sync::{Arc, OnceLock};

use adapter_postgres::{Options, PostgresStorage};
use testservers::{PostgresServer, skip};

/// The server that tests share; `None`, said loudly, where there is none.
pub(crate) fn server() -> Option<&'static PostgresServer> {
    static SERVER: OnceLock<Option<PostgresServer>> = OnceLock::new();
    SERVER.get_or_init(|| PostgresServer::start().inspect_err(skip).ok()).as_ref()
}

/// A server of the test's own, which it may stop.
pub(crate) fn own_server() -> Option<Arc<PostgresServer>> {
    PostgresServer::start().inspect_err(skip).ok().map(Arc::new)
}

pub(crate) async fn open(address: &str) -> PostgresStorage {
    PostgresStorage::open(address, Options::default()).await.unwrap()
}

/// The database's name in its address.
pub(crate) fn name(address: &str) -> &str {
    address.rsplit('/').next().unwrap_or(address)
}
