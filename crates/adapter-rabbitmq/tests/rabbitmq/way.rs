//! A way to the server that can go deaf (what we send arrives, and no answer comes back) and that
//! can be cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use testservers::RabbitServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) struct Way {
    /// The virtual host, by this way.
    pub(crate) host: String,
    is_deaf: Arc<AtomicBool>,
    cuts: watch::Sender<u32>,
}

impl Way {
    pub(crate) async fn to(server: &RabbitServer, host: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let (here, there) = (listener.local_addr().expect("it listens"), server.address());
        let host = host.replace(&there, &here.to_string());
        let is_deaf = Arc::new(AtomicBool::new(false));
        let (cuts, cut) = watch::channel(0);
        let deaf = is_deaf.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(&there).await else { continue };
                let (near_read, near_write) = near.into_split();
                let (far_read, far_write) = far.into_split();
                let never = Arc::new(AtomicBool::new(false));
                tokio::spawn(carry(near_read, far_write, never, cut.clone()));
                tokio::spawn(carry(far_read, near_write, deaf.clone(), cut.clone()));
            }
        });
        Self { host, is_deaf, cuts }
    }

    pub(crate) fn set_deaf(&self, is_deaf: bool) {
        self.is_deaf.store(is_deaf, Ordering::SeqCst);
    }

    /// Ends every connection that goes this way now.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    is_deaf: Arc<AtomicBool>,
    mut cut: watch::Receiver<u32>,
) {
    let mut buffer = vec![0; 64 * 1024];
    cut.mark_unchanged();
    loop {
        let count = tokio::select! {
            _ = cut.changed() => return,
            read = from.read(&mut buffer) => read.unwrap_or(0),
        };
        // A stream with a hole cannot be mended: once deaf, the connection ends when it hears again.
        if is_deaf.load(Ordering::SeqCst) {
            while is_deaf.load(Ordering::SeqCst) {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            return;
        }
        if count == 0 || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
