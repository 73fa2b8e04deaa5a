//! The files that `[engines]` names, looked at before anything is connected: what is wrong with one is said
//! by its key, and not by a handshake that fails.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::config::Tls;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";
const PRIVATE_KEY: &str = "PRIVATE KEY-----";

/// An authority, and a certificate with its key, each where it is named.
pub(super) type Files = (Option<PathBuf>, Option<(PathBuf, PathBuf)>);

/// The files under `engines.<key>`.
pub(super) fn of(key: &str, tls: &Tls) -> anyhow::Result<Files> {
    let Tls { authority, certificate, key: secret } = tls;
    if let Some(path) = authority {
        holds(&format!("engines.{key}.authority"), path, CERTIFICATE)?;
    }
    let identity = match (certificate, secret) {
        (None, None) => None,
        (Some(certificate), Some(secret)) => {
            holds(&format!("engines.{key}.certificate"), certificate, CERTIFICATE)?;
            let name = format!("engines.{key}.key");
            is_private(&name, secret)?;
            holds(&name, secret, PRIVATE_KEY)?;
            Some((certificate.clone(), secret.clone()))
        }
        _ => bail!("engines.{key}.certificate and engines.{key}.key go together: set both or neither"),
    };
    Ok((authority.clone(), identity))
}

/// A secret's file: there, and not for everybody.
pub(super) fn is_private(key: &str, path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    let metadata = std::fs::metadata(path).with_context(|| format!("{key}: {shown} cannot be read"))?;
    if metadata.permissions().mode() & 0o007 != 0 {
        bail!("{key}: {shown} can be read by everybody: `chmod o-rwx {shown}`, and change the secret");
    }
    Ok(())
}

fn holds(key: &str, path: &Path, mark: &str) -> anyhow::Result<()> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("{key}: {shown} cannot be read"))?;
    if !text.contains(mark) {
        let what = if mark == CERTIFICATE { "certificate" } else { "private key" };
        bail!("{key}: {shown} holds no {what} (PEM)");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_serve_is_named_with_its_key_and_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str, mode: u32| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            Some(path)
        };
        let certificate = file("a.pem", CERTIFICATE, 0o644);
        let key = file("a-key.pem", "-----BEGIN PRIVATE KEY-----", 0o600);
        let open = file("open.pem", "-----BEGIN PRIVATE KEY-----", 0o644);
        let (nothing, nowhere) = (file("nothing.pem", "", 0o600), Some(folder.path().join("nowhere.pem")));
        let said = |authority: &Option<PathBuf>, certificate: &Option<PathBuf>, key: &Option<PathBuf>| {
            let [authority, certificate, key] = [authority, certificate, key].map(Clone::clone);
            let found = of("nats_tls", &Tls { authority, certificate, key });
            found.map(drop).map_err(|error| format!("{error:#}")).err().unwrap_or_default()
        };
        assert_eq!(said(&certificate, &certificate, &key), "");
        assert_eq!(said(&None, &None, &None), "");
        let cases = [
            (
                said(&nowhere, &None, &None),
                "engines.nats_tls.authority: ",
                "nowhere.pem cannot be read: No such",
            ),
            (said(&nothing, &None, &None), "engines.nats_tls.authority: ", "holds no certificate (PEM)"),
            (said(&None, &certificate, &None), "engines.nats_tls.certificate and ", "set both or neither"),
            (said(&None, &None, &key), "engines.nats_tls.certificate and ", "set both or neither"),
            (said(&None, &certificate, &nothing), "engines.nats_tls.key: ", "holds no private key (PEM)"),
            (said(&None, &certificate, &open), "engines.nats_tls.key: ", "chmod o-rwx"),
        ];
        for (said, key, reason) in cases {
            assert!(said.starts_with(key) && said.contains(reason), "{key} {reason}: {said}");
        }
    }
}
