//! A cable that can be cut, stretched or clamped: a TCP connection goes through it to a server.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How much is carried at a time.
const CHUNK: usize = 16 * 1024;

/// How the cable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cable {
    /// As it should be.
    Whole,
    /// What is sent arrives so much later.
    Slow(Duration),
    /// Nothing arrives and nobody is told: whoever sent waits.
    Clamped,
    /// All connections end, and no new one is taken.
    Cut,
}

/// A listening end whose connections go on to a server. Dropping it cuts the cable for good.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    cable: watch::Sender<Cable>,
}

impl Proxy {
    /// Listens on a free port of the loopback and carries everything to `port` there.
    pub async fn to(port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let own = listener.local_addr()?.port();
        let (cable, state) = watch::channel(Cable::Whole);
        tokio::spawn(accept(listener, (Ipv4Addr::LOCALHOST, port).into(), state));
        Ok(Self { port: own, cable })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes the cable, for connections that stand as well.
    pub fn set(&self, cable: Cable) {
        self.cable.send_replace(cable);
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, cable: watch::Receiver<Cable>) {
    let mut ended = cable.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // An error says that the proxy is gone.
            changed = ended.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        let Ok((client, _)) = accepted else { return };
        if *cable.borrow() != Cable::Cut {
            tokio::spawn(carry(client, server, cable.clone()));
        }
    }
}

async fn carry(client: TcpStream, server: SocketAddr, cable: watch::Receiver<Cable>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = one_way(from_client, to_server, cable.clone()) => {}
        () = one_way(from_server, to_client, cable.clone()) => {}
        () = cut(cable) => {}
    }
}

/// Ends once the cable is cut.
async fn cut(mut cable: watch::Receiver<Cable>) {
    let _ = cable.wait_for(|cable| *cable == Cable::Cut).await;
}

async fn one_way(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut cable: watch::Receiver<Cable>) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(read) = from.read(&mut chunk).await
        && read > 0
    {
        let Ok(state) = cable.wait_for(|cable| *cable != Cable::Clamped).await.map(|state| *state) else {
            return;
        };
        if let Cable::Slow(late) = state {
            tokio::time::sleep(late).await;
        }
        if to.write_all(&chunk[..read]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends back what it gets.
    async fn echo() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        port
    }

    async fn say(stream: &mut TcpStream) -> std::io::Result<u8> {
        stream.write_u8(7).await?;
        stream.read_u8().await
    }

    #[tokio::test]
    async fn a_cut_ends_connections_and_takes_none_until_it_is_mended() {
        let proxy = Proxy::to(echo().await).await.unwrap();
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port()));
        let mut stream = connect().await.unwrap();
        assert_eq!(say(&mut stream).await.unwrap(), 7);
        proxy.set(Cable::Cut);
        assert!(say(&mut stream).await.is_err());
        assert!(say(&mut connect().await.unwrap()).await.is_err(), "it is accepted and ended");
        proxy.set(Cable::Whole);
        assert_eq!(say(&mut connect().await.unwrap()).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn what_is_clamped_arrives_once_it_is_let_go() {
        let proxy = Proxy::to(echo().await).await.unwrap();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await.unwrap();
        assert_eq!(say(&mut stream).await.unwrap(), 7);
        proxy.set(Cable::Clamped);
        stream.write_u8(9).await.unwrap();
        let waited = tokio::time::timeout(Duration::from_millis(50), stream.read_u8()).await;
        assert!(waited.is_err(), "nothing arrives");
        proxy.set(Cable::Whole);
        assert_eq!(stream.read_u8().await.unwrap(), 9);
    }
}
