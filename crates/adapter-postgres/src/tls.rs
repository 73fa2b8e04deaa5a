//! Encryption of connections, as the address asks for it in the words of every client of PostgreSQL:
//! `sslmode`, `sslrootcert`, `sslcert`, `sslkey`. What is encrypted is also checked, certificate and
//! name: an encrypted connection to nobody knows whom protects nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Socket;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;

/// Stands for the authorities of the machine, which are trusted where nothing is said.
const SYSTEM: &str = "system";

/// What an address says about encryption.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    mode: Option<String>,
    authority: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

/// Takes out of an address what the client's library does not know.
pub(crate) fn take_out(address: &str) -> (String, Asked) {
    let mut asked = Asked::default();
    let Some((place, query)) = address.split_once('?') else { return (address.to_owned(), asked) };
    let mut rest = Vec::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value);
        match name {
            "sslmode" => asked.mode = Some(value),
            "sslrootcert" => asked.authority = Some(value.into()),
            "sslcert" => asked.certificate = Some(value.into()),
            "sslkey" => asked.key = Some(value.into()),
            _ => rest.push(pair),
        }
    }
    let rest = if rest.is_empty() { String::new() } else { format!("?{}", rest.join("&")) };
    (format!("{place}{rest}"), asked)
}

/// The text of a value; what is no escape stands for itself.
fn decoded(value: &str) -> String {
    let mut parts = value.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).map(|digits| u8::from_str_radix(digits, 16)) {
            Some(Ok(byte)) => {
                bytes.push(byte);
                bytes.extend_from_slice(&part.as_bytes()[2..]);
            }
            _ => {
                bytes.push(b'%');
                bytes.extend_from_slice(part.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// How connections are encrypted.
#[derive(Clone)]
pub(crate) struct Encryption(Arc<ClientConfig>);

impl Encryption {
    /// As it is asked for; nothing where connections go as they are. An error says what to write.
    pub(crate) fn of(asked: &Asked) -> Result<Option<Self>, String> {
        let Asked { mode, authority, certificate, key } = asked;
        match mode.as_deref() {
            Some("require" | "verify-full") => {}
            None | Some("disable") if authority.is_some() || certificate.is_some() || key.is_some() => {
                return Err("it names certificates and does not encrypt: add sslmode=verify-full".to_owned());
            }
            None | Some("disable") => return Ok(None),
            Some(other) => {
                return Err(format!(
                    "sslmode={other} would talk to a server that it does not know, or not encrypt, without a word: \
                     write sslmode=verify-full, or sslmode=disable on a private network"
                ));
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| error.to_string())?;
        let builder = builder.with_root_certificates(trusted(authority.as_deref())?);
        let config = match (certificate, key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let chain = certificates("sslcert", certificate)?;
                let secret = PrivateKeyDer::from_pem_file(key)
                    .map_err(|error| format!("sslkey: {} is no private key: {error}", key.display()))?;
                let both = builder.with_client_auth_cert(chain, secret);
                both.map_err(|error| format!("sslcert and sslkey do not fit: {error}"))?
            }
            _ => return Err("sslcert and sslkey go together: set both or neither".to_owned()),
        };
        Ok(Some(Self(Arc::new(config))))
    }
}

/// Whose word is taken for a server: the authority that is named and nobody else, or the machine's.
fn trusted(authority: Option<&Path>) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    match authority.filter(|path| *path != Path::new(SYSTEM)) {
        Some(path) => {
            for certificate in certificates("sslrootcert", path)? {
                let added = store.add(certificate);
                added.map_err(|error| format!("sslrootcert: {} is no authority: {error}", path.display()))?;
            }
        }
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if store.is_empty() {
                return Err(
                    "this machine trusts no authority: name the server's as sslrootcert=FILE".to_owned()
                );
            }
        }
    }
    Ok(store)
}

fn certificates(what: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unreadable = |error| format!("{what}: {} cannot be read: {error}", path.display());
    let read = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    let found = read.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    match found.is_empty() {
        true => Err(format!("{what}: {} holds no certificate (PEM)", path.display())),
        false => Ok(found),
    }
}

impl MakeTlsConnect<Socket> for Encryption {
    type Stream = Encrypted;
    type TlsConnect = Handshake;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<Handshake> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(Handshake { config: self.0.clone(), name })
    }
}

/// One connection that is about to be encrypted.
pub(crate) struct Handshake {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl TlsConnect<Socket> for Handshake {
    type Stream = Encrypted;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Encrypted>>;

    fn connect(self, socket: Socket) -> Self::Future {
        let connecting = TlsConnector::from(self.config).connect(self.name, socket);
        Box::pin(async move { connecting.await.map(Box::new).map(Encrypted) })
    }
}

/// An encrypted connection.
pub(crate) struct Encrypted(Box<tokio_rustls::client::TlsStream<Socket>>);

impl TlsStream for Encrypted {
    /// None: the certificate is checked in any case.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_address_says_of_encryption_is_taken_out_of_it() {
        let address =
            "postgres://a:b@c/d?sslmode=verify-full&application_name=x&sslrootcert=/my%20own/ca.pem";
        let (rest, asked) = take_out(address);
        assert_eq!(rest, "postgres://a:b@c/d?application_name=x");
        let (mode, authority) = (Some("verify-full".to_owned()), Some("/my own/ca.pem".into()));
        assert_eq!(asked, Asked { mode, authority, ..Asked::default() });
        for plain in ["postgres://a@c/d", "host=c dbname=d"] {
            assert_eq!(take_out(plain), (plain.to_owned(), Asked::default()));
        }
        assert_eq!(take_out("postgres://a@c/d?sslmode=disable").0, "postgres://a@c/d");
        assert_eq!(decoded("100%25%zz%"), "100%%zz%");
    }

    #[test]
    fn what_would_not_protect_is_refused_with_what_to_write() {
        let said = |query: &str| match Encryption::of(&take_out(&format!("postgres://c/d?{query}")).1) {
            Ok(found) => if found.is_some() { "encrypted" } else { "as it is" }.to_owned(),
            Err(reason) => reason,
        };
        assert_eq!((said("").as_str(), said("sslmode=disable").as_str()), ("as it is", "as it is"));
        for mode in ["prefer", "allow", "verify-ca", "on"] {
            assert!(said(&format!("sslmode={mode}")).contains("write sslmode=verify-full"), "{mode}");
        }
        let asked = [
            ("sslrootcert=/nowhere", "add sslmode=verify-full"),
            (
                "sslmode=verify-full&sslrootcert=/nowhere/ca.pem",
                "sslrootcert: /nowhere/ca.pem cannot be read",
            ),
            ("sslmode=require&sslrootcert=/dev/null", "holds no certificate"),
        ];
        for (query, reason) in asked {
            assert!(said(query).contains(reason), "{query}: {}", said(query));
        }
    }
}
