//! From what an operator writes to a broker that is used, or one error that says what to write.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use backbone::bus::{Bus, Subscription};
use bytes::Bytes;
use kernel::{Envelope, Timestamp};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use testservers::{NatsServer, skip};

use super::super::{Servers, broker};
use super::*;
use crate::config;

/// Where an operator keeps files, readable by their owner alone.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// What is read of a file with these lines under `[engines]`.
    fn settings(&self, lines: &str) -> Result<Settings, String> {
        let text = format!("[engines]\npostgres = \"postgres://elsewhere\"\n{lines}\n");
        let file = self.write("market.toml", &text);
        let read = config::load(Some(&file), []).map_err(|error| error.to_string())?;
        Ok(read.settings)
    }

    /// The bus of such a file.
    async fn bus(&self, lines: &str) -> Result<Arc<dyn Bus>, String> {
        let settings = self.settings(lines)?;
        let servers = Servers::of(&settings).map_err(|error| error.to_string())?.ok_or("no servers")?;
        broker::open(&settings, &servers).await.map_err(|error| format!("{error:#}"))
    }
}

#[test]
fn what_is_not_set_is_as_the_specification_has_it() {
    let options = Folder::new().settings("nats = \"nats://a:4222\"").map(|s| options(&s, "nats://a:4222"));
    let options = options.unwrap().unwrap();
    assert_eq!((options.ack_wait, options.in_flight_max), (Duration::from_secs(30), 1_600));
    assert!(!options.tls.is_required && options.services.is_none());
}

#[test]
fn what_is_set_arrives() {
    let folder = Folder::new();
    let lines = "nats = \"tls://a:4222, tls://b:4222\"\nnats_ack_wait = \"2 minutes\"\nin_flight_max = 400\npartitions = 3";
    let mut settings = folder.settings(lines).unwrap();
    settings.serve.only = vec!["order".to_owned(), "gateway".to_owned()];
    let found = options(&settings, settings.engines.nats.as_deref().unwrap()).unwrap();
    assert_eq!(found.servers, ["tls://a:4222", "tls://b:4222"]);
    assert_eq!((found.ack_wait, found.in_flight_max, found.partitions), (Duration::from_secs(120), 400, 3));
    assert!(found.tls.is_required, "tls:// says so");
    assert_eq!(found.services, Some(vec!["order".to_owned()]), "its streams alone are changed here");
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_the_key_and_the_remedy() {
    let folder = Folder::new();
    let seed = nkeys::KeyPair::new_user().seed().unwrap();
    let account = nkeys::KeyPair::new_account().seed().unwrap();
    let creds = folder.write("user.creds", "nothing of the kind");
    let open = folder.write("open.creds", "x");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    let nowhere = folder.0.path().join("nowhere");
    let cases = [
        (
            format!("nats_nkey = {seed:?}\nnats_creds = {creds:?}"),
            "engines.nats_nkey and engines.nats_creds say who",
        ),
        (format!("nats_user = \"a\"\nnats_password = \"b\"\nnats_nkey = {seed:?}"), "leave one of them"),
        ("nats_password = \"b\"".to_owned(), "engines.nats_user and engines.nats_password go together"),
        ("nats_user = \"a\"".to_owned(), "engines.nats_user says a name and nothing proves it"),
        (format!("nats_nkey = {account:?}"), "the nkey is not the seed of a user"),
        (format!("nats_nkey_file = {nowhere:?}"), "engines.nats_nkey_file: "),
        (format!("nats_creds = {nowhere:?}"), "engines.nats_creds: "),
        (format!("nats_creds = {open:?}"), "chmod o-rwx"),
        (format!("nats_creds = {creds:?}"), "is no file of credentials with a JWT and its seed"),
        ("nats_ack_wait = \"1 second\"".to_owned(), "engines.nats_ack_wait: write a span from 5s to 1h"),
        ("in_flight_max = 0".to_owned(), "engines.in_flight_max: "),
        (format!("[engines.nats_tls]\nauthority = {nowhere:?}"), "engines.nats_tls.authority: "),
        (
            format!("[engines.nats_tls]\nkey = {creds:?}"),
            "engines.nats_tls.certificate and engines.nats_tls.key go",
        ),
        ("[engines.nats_tls]\nca = \"x\"".to_owned(), "unknown field `ca`"),
    ];
    for (lines, expected) in cases {
        let said = folder.bus(&format!("nats = \"nats://127.0.0.1:1\"\n{lines}")).await.err();
        let said = said.unwrap_or_else(|| panic!("{lines}"));
        assert!(said.contains(expected), "{lines}: {said}");
        assert!(!said.contains(&seed) && !said.contains(&account), "{said}");
    }
    let said = folder.bus("nats = \"nats://127.0.0.1:1,\"").await.err().unwrap();
    assert!(said.contains("engines.nats has a comma"), "{said}");
}

/// An authority that is made for one run, and what it certifies.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut own = CertificateParams::new(Vec::new()).unwrap();
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        own.distinguished_name.push(DnType::CommonName, "an authority for tests");
        let key = KeyPair::generate().unwrap();
        let pem = own.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(own, key) }
    }

    /// A certificate and its key.
    fn certify(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let of = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (of.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

fn event() -> Envelope {
    Envelope {
        id: uuid::Uuid::from_u128(1 << 80 | 7 << 76 | 1 << 63).into(),
        source: "order".into(),
        kind: "order.created.v1".into(),
        subject: "one".into(),
        time: Timestamp::from_micros(1_767_607_200_000_000),
        correlation_id: "flow".into(),
        causation_id: "cause".into(),
        sequence: 1_000,
        traceparent: None,
        key_id: None,
        data: Bytes::from_static(b"{}"),
    }
}

#[tokio::test]
async fn a_server_with_its_own_authority_that_asks_for_certificates_and_nkeys_is_used() {
    let (folder, authority) = (Folder::new(), Authority::new());
    let ca = folder.write("ca.pem", &authority.pem);
    let (certificate, key) = authority.certify("127.0.0.1");
    let server_pem = folder.write("server.pem", &certificate);
    let server_key = folder.write("server-key.pem", &key);
    let (certificate, key) = authority.certify("order");
    let own = folder.write("own.pem", &certificate);
    let own_key = folder.write("own-key.pem", &key);
    let pair = nkeys::KeyPair::new_user();
    let seed = folder.write("seed", &format!("{}\n", pair.seed().unwrap()));
    let server = match NatsServer::start_with(&format!(
        "tls {{ cert_file: {server_pem:?}, key_file: {server_key:?}, ca_file: {ca:?}, verify: true }}\n\
         authorization {{ users = [ {{ nkey: {} }} ] }}",
        pair.public_key(),
    )) {
        Ok(server) => server,
        Err(missing) => return skip(&missing),
    };
    // The first of the servers is away.
    let address = format!("nats = \"nats://127.0.0.1:1,{}\"", server.url());
    let who = format!("nats_user = \"order\"\nnats_nkey_file = {seed:?}");
    let trust = format!("[engines.nats_tls]\nauthority = {ca:?}");
    let proof = format!("certificate = {own:?}\nkey = {own_key:?}");

    let bus = folder.bus(&format!("{address}\n{who}\n{trust}\n{proof}")).await.unwrap();
    let subscription = Subscription {
        consumer: "payment-order".to_owned(),
        service: "payment",
        context: "order",
        partition: 0,
        after: None,
    };
    let mut reader = bus.open(subscription).await.unwrap();
    bus.publish(vec![event()]).await.unwrap();
    let taken = tokio::time::timeout(Duration::from_secs(20), reader.fetch(1)).await.unwrap().unwrap();
    assert_eq!(taken[0].envelope.id, event().id);

    let stranger = folder.write("stranger", &nkeys::KeyPair::new_user().seed().unwrap());
    let foreign = folder.write("foreign.pem", &Authority::new().pem);
    let refused = [
        format!("{address}\n{trust}\n{proof}"),
        format!("{address}\nnats_nkey_file = {stranger:?}\n{trust}\n{proof}"),
        format!("{address}\n{who}\n{trust}"),
        format!("{address}\n{who}\n[engines.nats_tls]\nauthority = {foreign:?}\n{proof}"),
    ];
    for lines in refused {
        let said = folder.bus(&lines).await.err();
        assert!(said.as_ref().is_some_and(|said| said.contains("connecting to NATS")), "{lines}: {said:?}");
    }
}
