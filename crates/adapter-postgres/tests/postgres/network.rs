//! A network that goes away without a word: the server does not notice while it waits for a lock.

use backbone::journal::Error;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::sample::{appending, beside, committed, journal, stream_length, take_turn, until_one_waits};
use crate::server::{open, server};

/// Passes connections on until it is cut.
struct Network {
    address: String,
    cut: watch::Sender<u32>,
}

impl Network {
    /// Between a client and the server at `address`.
    async fn to(address: &str) -> Self {
        let (start, rest) = address.split_once("127.0.0.1:").unwrap();
        let (port, database) = rest.split_once('/').unwrap();
        let (listener, port) =
            (TcpListener::bind("127.0.0.1:0").await.unwrap(), port.parse::<u16>().unwrap());
        let own = listener.local_addr().unwrap().port();
        let cut = watch::Sender::new(0);
        let cuts = cut.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                tokio::spawn(pass_on(client, server, cuts.subscribe()));
            }
        });
        Self { address: format!("{start}127.0.0.1:{own}/{database}"), cut }
    }

    /// Cuts all connections that there are; new ones can be made.
    fn cut(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }
}

async fn pass_on(mut client: TcpStream, mut server: TcpStream, mut cut: watch::Receiver<u32>) {
    let was_cut = tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => false,
        changed = cut.changed() => changed.is_ok(),
    };
    drop(client);
    if was_cut {
        // The server is told nothing: what it sends gets lost.
        std::future::pending::<()>().await;
    }
}

/// Otherwise it would be written after whoever asked was told that it was not there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_cut_connection_had_under_way_is_over_before_the_answer() {
    let Some(server) = server() else { return };
    let address = server.database();
    let network = Network::to(&address).await;
    let journal = journal(&open(&network.address).await).await;
    committed(&journal, appending("order-1", 0)).await;
    let other = beside(&address).await;
    take_turn(&other).await;
    let lost = journal.submit(appending("order-1", 1));
    until_one_waits(&beside(&address).await).await;
    network.cut();
    let answer = lost.await.unwrap();
    assert!(matches!(answer, Err(Error::Unavailable { .. })), "{answer:?}");
    other.batch_execute("ROLLBACK").await.unwrap();
    // Whoever had its turn before this one would have been done by now.
    take_turn(&other).await;
    other.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(stream_length(&journal, "order-1").await, 1);
    committed(&journal, appending("order-1", 1)).await;
    assert_eq!(stream_length(&journal, "order-1").await, 2);
}
