//! The promises of the ports, with two replicas on one server.

use async_trait::async_trait;
use backbone::ephemeral::Ephemeral;
use conformance::{SharedMemory, ephemeral_scenarios, prove_shared};
use kernel::{Duration, Timestamp};
use testservers::RedisServer;

use crate::replica::{now, replica_on, server};

struct Server(RedisServer);

#[async_trait]
impl SharedMemory for Server {
    async fn replica(&self) -> Result<Ephemeral, String> {
        Ok(replica_on(&self.0).await)
    }

    fn now(&self) -> Timestamp {
        now()
    }

    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_keeps_the_promises_of_what_replicas_share() {
    if server().is_none() {
        return;
    }
    prove_shared(ephemeral_scenarios(), || {
        Box::new(Server(RedisServer::start().expect("it was there a moment ago")))
    })
    .await;
}
