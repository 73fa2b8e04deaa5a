//! Starting: passwords, errors by name, TLS.

use adapter_redis::Options;
use kernel::Secret;
use testservers::{RedisServer, skip};

use crate::replica::{LONG, now, replica, server};

fn at(address: &str) -> Options {
    Options::at(Secret::new(address))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_fails_says_where_and_why_and_shows_no_password() {
    let Some(server) = server() else { return };
    let place = server.url().replace("redis://", "");
    drop(server);
    let error = replica(at(&format!("redis://ana:pssst@{place}"))).await.err().unwrap();
    assert!(error.starts_with(&format!("connecting to Redis at ***@{place}: ")), "{error}");
    let error = replica(at("nats://ana:pssst@one:4222")).await.err().unwrap();
    assert!(error.contains("write redis://HOST:PORT") && !error.contains("pssst"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_a_password_wants_it() {
    let server = match RedisServer::start_with(&["--requirepass", "pssst"]) {
        Ok(server) => server,
        Err(missing) => return skip(&missing),
    };
    let place = server.url().replace("redis://", "");
    assert!(replica(at(&format!("redis://:wrong@{place}"))).await.is_err());
    let replica = replica(at(&format!("redis://:pssst@{place}"))).await.unwrap();
    assert_eq!(replica.claims.once("token", now().plus(LONG)).await, Ok(true));
    // The channel of the hints is another connection, with the same password.
    let other = crate::replica::replica(at(&format!("redis://:pssst@{place}"))).await.unwrap();
    let mut listener = other.hints.listen("orders/1");
    for _ in 0..200 {
        replica.hints.tell("orders/1");
        let heard = tokio::time::timeout(std::time::Duration::from_millis(50), listener.heard()).await;
        if heard.is_ok() {
            return;
        }
    }
    panic!("no hint came through");
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn without_tls_an_address_that_asks_for_it_is_refused() {
    let error = replica(at("rediss://127.0.0.1:1")).await.err().unwrap();
    assert!(error.contains("built without it"), "{error}");
}

/// A server that speaks TLS alone, with the certificate and key that it has; `clients` says whether it
/// asks for theirs.
#[cfg(feature = "tls")]
fn encrypted(certificate: &str, key: &str, clients: &str) -> Option<(RedisServer, String)> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    drop(listener);
    let settings = [
        ["--tls-port", &port],
        ["--tls-cert-file", certificate],
        ["--tls-key-file", key],
        ["--tls-ca-cert-file", certificate],
        ["--tls-auth-clients", clients],
    ];
    match RedisServer::start_with(&settings.concat()) {
        Ok(server) => Some((server, format!("rediss://localhost:{port}"))),
        Err(missing) => {
            skip(&missing);
            None
        }
    }
}

#[cfg(feature = "tls")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_certificates_count_on_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) =
        (file("cert.pem", made.cert.pem()), file("key.pem", made.signing_key.serialize_pem()));
    let authority = Some(certificate.clone().into());
    let identity = Some((certificate.clone().into(), key.clone().into()));
    for (clients, is_let_in) in [("no", true), ("yes", false)] {
        let Some((_server, address)) = encrypted(&certificate, &key, clients) else { return };
        assert!(replica(at(&address)).await.is_err(), "nobody knows this authority");
        let known = Options { authority: authority.clone(), ..at(&address) };
        assert_eq!(replica(known.clone()).await.is_ok(), is_let_in, "without our certificate");
        let replica = replica(Options { identity: identity.clone(), ..known }).await.unwrap();
        assert_eq!(replica.claims.once("token", now().plus(LONG)).await, Ok(true));
    }
}
