//! The start: streams, accounts, and the connection's state.

use adapter_nats::{Credentials, NatsBus, Options, StartError, StreamSpec, Tls};
use async_nats::jetstream::stream::{RetentionPolicy, StorageType};
use backbone::bus::Bus;
use kernel::{Duration, Secret};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use testservers::NatsServer;
use tokio::time::timeout;

use crate::broker::{PATIENCE, bus, connect, event, options, other_client, reason, server, subscription};

fn with_orders(options: Options, change: impl Fn(StreamSpec) -> StreamSpec) -> Options {
    let change = |spec: StreamSpec| if spec.context == "order" { change(spec) } else { spec };
    let streams = options.streams.into_iter().map(change).collect();
    Options { streams, ..options }
}

#[tokio::test]
async fn every_stream_of_the_table_is_made_as_the_table_says() {
    let Some(server) = server() else { return };
    bus(&server).await;
    // A second start finds everything as it should be.
    bus(&server).await;
    let other = other_client(&server).await;
    for spec in options(&server).streams {
        let stream = other.get_stream(spec.name).await.expect(spec.name);
        let config = &stream.cached_info().config;
        assert_eq!(config.subjects, [format!("{}.>", spec.context)]);
        assert_eq!((config.num_replicas, config.max_age), (1, spec.age_max), "{}", spec.name);
        assert_eq!(config.max_messages, spec.messages_max.map_or(-1, i64::from));
        assert_eq!(config.duplicate_window, Duration::from_secs(120));
        assert_eq!(config.max_message_size, 1024 * 1024);
    }
    let notifications = other.get_stream("NOTIFICATIONS").await.expect("it is there");
    let config = &notifications.cached_info().config;
    assert_eq!((config.retention, config.storage), (RetentionPolicy::Interest, StorageType::Memory));
}

#[tokio::test]
async fn a_safe_difference_is_changed_and_an_unsafe_one_is_a_start_up_error_by_name() {
    let Some(server) = server() else { return };
    let smaller = with_orders(options(&server), |spec| StreamSpec { messages_max: Some(50), ..spec });
    connect(smaller.clone()).await;
    bus(&server).await;
    let stream = other_client(&server).await.get_stream("ORDERS").await.expect("it is there");
    assert_eq!(stream.cached_info().config.max_messages, 1_000_000, "a limit may grow");
    match NatsBus::connect(smaller).await.err() {
        Some(StartError::Unsafe { stream: "ORDERS", differences }) => {
            assert!(differences.starts_with("max_msgs is 1000000, wanted 50 (edit"), "{differences}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_process_changes_the_streams_of_its_services_and_leaves_those_of_others() {
    let Some(server) = server() else { return };
    let smaller = with_orders(options(&server), |spec| StreamSpec { messages_max: Some(50), ..spec });
    connect(smaller).await;
    let messages_max = async || {
        let stream = other_client(&server).await.get_stream("ORDERS").await.expect("it is there");
        stream.cached_info().config.max_messages
    };
    for (service, expected) in [("payment", 50), ("order", 1_000_000)] {
        let services = Some(vec![service.to_owned()]);
        connect(Options { services, ..options(&server) }).await;
        assert_eq!(messages_max().await, expected, "after a start of {service}");
    }
}

#[tokio::test]
async fn who_is_not_known_is_refused_and_who_is_known_is_served() {
    let pair = nkeys::KeyPair::new_user();
    let (seed, key) = (pair.seed().expect("a new pair has its seed"), pair.public_key());
    let users = format!("authorization {{ users = [ {{user: ana, password: pssst}}, {{nkey: {key}}} ] }}");
    let Ok(server) = NatsServer::start_with(&users) else { return };
    let with = |credentials| NatsBus::connect(Options { credentials, ..options(&server) });
    let ana = |password: &str| Credentials::User { name: "ana".into(), password: Secret::new(password) };
    assert!(with(ana("pssst")).await.is_ok());
    assert!(with(Credentials::NKey(Secret::new(seed))).await.is_ok());
    for credentials in [Credentials::None, ana("guess")] {
        match with(credentials).await.err() {
            Some(StartError::Connect { reason, .. }) => assert!(!reason.contains("pssst")),
            other => panic!("{other:?}"),
        }
    }
}

/// An authority's certificate, and a server's with its key, made for this run alone.
fn certificates() -> Result<(String, String, String), rcgen::Error> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "an authority for tests");
    let authority_key = KeyPair::generate()?;
    let authority_pem = authority.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate()?;
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let certificate = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
    Ok((authority_pem, certificate.pem(), key.serialize_pem()))
}

#[tokio::test]
async fn an_encrypted_connection_trusts_the_authority_that_is_named_and_nobody_else() {
    let files = tempfile::tempdir().expect("a place for the certificates");
    let [authority, certificate, key] =
        ["authority.pem", "server.pem", "server-key.pem"].map(|name| files.path().join(name));
    let (authority_pem, certificate_pem, key_pem) = certificates().expect("certificates are made");
    for (file, text) in [(&authority, authority_pem), (&certificate, certificate_pem), (&key, key_pem)] {
        std::fs::write(file, text).expect("it is written");
    }
    let settings = format!("tls {{ cert_file: {certificate:?}, key_file: {key:?} }}");
    let Ok(encrypted) = NatsServer::start_with(&settings) else { return };
    let Some(plain) = server() else { return };
    let trusting = Tls { is_required: true, authority: Some(authority), ..Tls::default() };
    let with = |server: &NatsServer, tls| NatsBus::connect(Options { tls, ..options(server) });
    assert!(with(&encrypted, trusting.clone()).await.is_ok());
    let required = Tls { is_required: true, ..Tls::default() };
    for refused in [with(&encrypted, required).await.err(), with(&plain, trusting).await.err()] {
        assert!(matches!(refused, Some(StartError::Connect { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn the_state_of_the_connection_shows_and_it_comes_back_by_itself() {
    let Some(server) = server() else { return };
    let bus = bus(&server).await;
    let mut state = bus.connection();
    assert!(state.borrow().is_up);
    server.kill();
    timeout(PATIENCE, state.wait_for(|state| !state.is_up)).await.expect("it shows").expect("it is watched");
    let refused = bus.publish(vec![event(1, 1)]).await.expect_err("there is no server");
    assert!(reason(&refused).contains("not connected"), "{refused}");
    assert!(bus.backlog(&subscription(0)).await.is_err());
    server.start_again();
    let back = timeout(PATIENCE, state.wait_for(|state| state.is_up)).await.expect("it comes back");
    assert_eq!(back.expect("it is watched").ups, 2);
    bus.publish(vec![event(1, 1)]).await.expect("it is published");
}
