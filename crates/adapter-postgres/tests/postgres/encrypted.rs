//! Connections that are encrypted, and those that are refused for lack of it.

use std::path::{Path, PathBuf};

use adapter_postgres::{OpenError, Options, PostgresStorage};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use testservers::PostgresServer;

use crate::sample::{appending, committed, journal};

/// An authority that was made for this run alone.
struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Result<Self, rcgen::Error> {
        let mut own = CertificateParams::new(Vec::new())?;
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        own.distinguished_name.push(DnType::CommonName, "an authority for tests");
        let key = KeyPair::generate()?;
        let folder = tempfile::tempdir().expect("a place for the certificate");
        std::fs::write(folder.path().join("ca.pem"), own.self_signed(&key)?.pem()).expect("it is written");
        Ok(Self { folder, issuer: Issuer::new(own, key) })
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate for a name, and its key.
    fn certify(&self, name: &str) -> Result<(String, String), rcgen::Error> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, &self.issuer)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}

fn encrypted(authority: &Authority, name: &str) -> Option<PostgresServer> {
    let (certificate, key) = authority.certify(name).expect("a certificate is made");
    match PostgresServer::start_encrypted(&certificate, &key) {
        Ok(server) => Some(server),
        Err(missing) => {
            testservers::skip(&missing);
            None
        }
    }
}

async fn open(address: &str, query: &str) -> Result<PostgresStorage, OpenError> {
    PostgresStorage::open(&format!("{address}?{query}"), Options::default()).await
}

fn trusting(authority: &Path) -> String {
    format!("sslmode=verify-full&sslrootcert={}", authority.display())
}

/// How many connections of ours there are, and how many of them are encrypted.
fn connections(server: &PostgresServer) -> String {
    let count = "SELECT count(*), count(*) FILTER (WHERE ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                 WHERE application_name = 'a4co'";
    server.sql("postgres", count)
}

#[tokio::test]
async fn what_is_to_be_encrypted_is_and_an_unknown_server_is_refused() {
    let authority = Authority::new().expect("an authority is made");
    let Some(server) = encrypted(&authority, "127.0.0.1") else { return };
    let address = server.database();
    let trusted = open(&address, &trusting(&authority.file())).await.expect("it is known");
    committed(&journal(&trusted).await, appending("order-1", 0)).await;
    let seen = connections(&server);
    let (all, safe) = seen.split_once('|').expect("two numbers");
    assert!(all == safe && all != "0", "{seen}");
    let other = Authority::new().expect("an authority is made");
    for query in [trusting(&other.file()), "sslmode=require".to_owned()] {
        let refused = open(&address, &query).await.map(drop).map_err(|error| error.to_string());
        assert!(refused.as_ref().is_err_and(|said| said.contains("certificate")), "{query}: {refused:?}");
    }
}

#[tokio::test]
async fn a_server_of_another_name_or_without_tls_is_refused() {
    let authority = Authority::new().expect("an authority is made");
    let Some(server) = encrypted(&authority, "db.example.org") else { return };
    let query = trusting(&authority.file());
    let refused = open(&server.database(), &query).await.map(drop).map_err(|error| error.to_string());
    assert!(refused.as_ref().is_err_and(|said| said.contains("not valid for name")), "{refused:?}");
    let Ok(plain) = PostgresServer::start() else { return };
    let refused = open(&plain.database(), &query).await.map(drop).map_err(|error| error.to_string());
    assert!(refused.as_ref().is_err_and(|said| said.contains("does not support TLS")), "{refused:?}");
}
