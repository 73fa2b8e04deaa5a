//! Against real sockets on the loopback.

mod calls;
mod passed_on;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use axum::Router;
use backbone::environment::{Clock, Environment, Ids, Secrets, Spawner};
use futures::future::BoxFuture;
use http::Request;
use kernel::{Duration, Timestamp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use super::*;

/// The real world, where limits pass so many times as fast.
#[derive(Default)]
struct World {
    faster: u32,
    made: AtomicU32,
}

impl World {
    fn environment(faster: u32) -> Environment {
        let own = Arc::new(Self { faster, made: AtomicU32::new(0) });
        Environment { clock: own.clone(), ids: own.clone(), secrets: own.clone(), spawner: own }
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Timestamp::from_micros(since.as_micros() as i64)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration / self.faster.max(1)))
    }
}

impl Ids for World {
    fn uuid(&self) -> Uuid {
        let now = u128::from(self.now().as_micros().unsigned_abs());
        Uuid::from_u128(now << 32 | u128::from(self.made.fetch_add(1, Ordering::SeqCst)))
    }

    fn random(&self) -> u64 {
        4
    }
}

impl Secrets for World {
    fn bytes(&self) -> [u8; 32] {
        panic!("nothing here makes secrets")
    }
}

impl Spawner for World {
    fn spawn(&self, _: &'static str, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }
}

/// The way to `user`, whose replicas are at these addresses.
fn network_of(replicas: &[&str], faster: u32) -> Arc<Network> {
    let service = "user".to_owned();
    let texts = replicas.iter().map(|text| (*text).to_owned()).collect();
    let directory = Directory::new([(&service, &texts)]).unwrap();
    Arc::new(Network::new(directory, World::environment(faster)).unwrap())
}

/// A router that listens; its address.
async fn listening(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Where nobody listens.
async fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A server that writes these texts, one a request, and then closes the connection.
struct Raw {
    address: String,
    connections: Arc<AtomicU32>,
}

impl Raw {
    async fn saying(texts: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicU32::new(0));
        let counted = connections.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(say(stream, texts));
            }
        });
        Self { address, connections }
    }

    fn connections(&self) -> u32 {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn say(mut stream: TcpStream, texts: &[&str]) -> io::Result<()> {
    for text in texts {
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => heard.push(byte),
                Err(_) => return Ok(()),
            }
        }
        stream.write_all(text.as_bytes()).await?;
    }
    Ok(())
}

fn request(path: &str) -> Request<Bytes> {
    Request::builder().uri(path).body(Bytes::new()).unwrap()
}
