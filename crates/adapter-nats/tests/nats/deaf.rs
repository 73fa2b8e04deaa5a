//! A way to the server that can go deaf (what we send arrives, and no answer comes back) and that
//! can lose what we send.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use testservers::NatsServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

pub(crate) struct Way {
    pub(crate) url: String,
    is_deaf: Arc<AtomicBool>,
    bytes_to_lose: Arc<AtomicUsize>,
}

impl Way {
    pub(crate) async fn to(server: &NatsServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("nats://{}", listener.local_addr().expect("it listens"));
        let place = server.url().trim_start_matches("nats://").to_owned();
        let is_deaf = Arc::new(AtomicBool::new(false));
        let bytes_to_lose = Arc::new(AtomicUsize::new(0));
        let (deaf, to_lose) = (is_deaf.clone(), bytes_to_lose.clone());
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(&place).await else { continue };
                let (near_read, near_write) = near.into_split();
                let (far_read, far_write) = far.into_split();
                tokio::spawn(lose(near_read, far_write, to_lose.clone()));
                tokio::spawn(carry(far_read, near_write, deaf.clone()));
            }
        });
        Self { url, is_deaf, bytes_to_lose }
    }

    /// Loses so many bytes of what is sent from now on, and then the connection.
    pub(crate) fn lose(&self, bytes: usize) {
        self.bytes_to_lose.store(bytes, Ordering::SeqCst);
    }

    pub(crate) fn set_deaf(&self, is_deaf: bool) {
        self.is_deaf.store(is_deaf, Ordering::SeqCst);
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, is_deaf: Arc<AtomicBool>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        // A stream with a hole cannot be mended: once deaf, the connection ends when it hears again.
        if is_deaf.load(Ordering::SeqCst) {
            while is_deaf.load(Ordering::SeqCst) {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            return;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

async fn lose(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, to_lose: Arc<AtomicUsize>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let left = to_lose.load(Ordering::SeqCst);
        if left > 0 {
            to_lose.store(left.saturating_sub(count), Ordering::SeqCst);
            if left <= count {
                return;
            }
        } else if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
