//! Signing keys in files below `<data directory>/token-keys`, readable by their owner alone:
//!
//! - `development.pem`: made at first start, signs for every service; refused in production.
//! - `<service>/<kid>.pem`: a service's own. All are published and believed; the one whose name
//!   sorts last signs, but not in the first two minutes of its life (names are the time in µs), so
//!   that other processes know it before they meet it. Rotation with overlap: add the new one, wait
//!   ten minutes, delete the old.
//! - `jwks.json`: public keys of services that run elsewhere.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::EncodingKey;
use kernel::{Duration, Timestamp};
use serde::Deserialize;

use crate::Secret;
use crate::public_key::Jwk;

const FOLDER: &str = "token-keys";
const DEVELOPMENT: &str = "development.pem";
const ELSEWHERE: &str = "jwks.json";
/// How long a new key is published before it signs: others read published keys every minute, and
/// the process itself reads its files every half minute.
const OVERLAP: Duration = Duration::from_secs(120);

/// Whether development keys will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One key made at first start signs for all services.
    Development,
    /// Every service has its own key.
    Production,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file or folder cannot be read or written.
    #[error("{operation} {path}: {source}")]
    File {
        /// What was attempted.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path} holds no {what}: replace it, or delete it to have a new one made")]
    Content {
        /// The file.
        path: PathBuf,
        /// What was expected.
        what: &'static str,
    },
    /// Others can read a private key.
    #[error("{path} can be read by others (mode {mode:o}): chmod 600 it, and make a new key if they did")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Production without a service's own key.
    #[error(
        "no signing key for {service} in {folder}: development keys are refused in production; make one key for each service"
    )]
    Missing {
        /// The service.
        service: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// The development key under another name.
    #[error("{path} is the development key: it is refused in production; make a new one")]
    Development {
        /// The file.
        path: PathBuf,
    },
    /// The library could not make a key.
    #[error("no RSA key could be made")]
    Generation,
}

fn file_error(operation: &'static str, path: &Path, source: std::io::Error) -> KeyError {
    KeyError::File { operation, path: path.to_owned(), source }
}

/// A private key that signs.
#[derive(Clone)]
pub(crate) struct SigningKey {
    pub(crate) kid: String,
    pub(crate) key: Secret<EncodingKey>,
    /// When it was made, where its name says so.
    made: Option<Timestamp>,
}

/// The keys of this process, as they stand in the files now.
pub struct SigningKeys {
    folder: PathBuf,
    development: Option<SigningKey>,
    /// The older ones first.
    by_service: BTreeMap<String, Vec<SigningKey>>,
    public: Vec<Jwk>,
    elsewhere: Vec<Jwk>,
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kids: Vec<&str> = self.public.iter().map(|jwk| jwk.kid.as_str()).collect();
        f.debug_struct("SigningKeys")
            .field("folder", &self.folder)
            .field("kids", &kids)
            .finish_non_exhaustive()
    }
}

impl SigningKeys {
    /// The keys below `data_directory`, for these services. Development makes its key where there
    /// is none; production wants one for each service.
    pub fn open(data_directory: &Path, mode: Mode, services: &[&str]) -> Result<Self, KeyError> {
        let folder = data_directory.join(FOLDER);
        make_folder(&folder)?;
        Self::open_folder(&folder, mode, services)
    }

    /// As `open`, of a folder that is there: production keeps its keys apart from the data.
    pub fn open_folder(folder: &Path, mode: Mode, services: &[&str]) -> Result<Self, KeyError> {
        if mode == Mode::Development {
            make_file(&folder.join(DEVELOPMENT))?;
        }
        let keys = Self::read(folder, mode)?;
        if mode == Mode::Production {
            for service in services {
                if !keys.by_service.contains_key(*service) {
                    let service = (*service).to_owned();
                    return Err(KeyError::Missing { service, folder: folder.to_owned() });
                }
            }
        }
        Ok(keys)
    }

    fn read(folder: &Path, mode: Mode) -> Result<Self, KeyError> {
        let mut keys = Self {
            folder: folder.to_owned(),
            development: None,
            by_service: BTreeMap::new(),
            public: Vec::new(),
            elsewhere: Vec::new(),
        };
        let path = folder.join(DEVELOPMENT);
        let known_development = match path.exists() {
            true => Some(read_pair(&path)?),
            false => None,
        };
        for (service, path) in service_files(folder)? {
            let pair = read_pair(&path)?;
            if known_development.as_ref().is_some_and(|known| known.modulus == pair.modulus) {
                return Err(KeyError::Development { path });
            }
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let kid = format!("{service}-{stem}");
            keys.public.push(pair.public(kid.clone(), vec![service.clone()]));
            let made = stem.parse().ok().map(Timestamp::from_micros);
            // Files come sorted by name.
            keys.by_service.entry(service).or_default().push(SigningKey { kid, key: pair.private, made });
        }
        if let (Some(pair), Mode::Development) = (known_development, mode) {
            let kid = format!("development-{}", pair.fingerprint());
            keys.public.push(pair.public(kid.clone(), vec!["*".to_owned()]));
            keys.development = Some(SigningKey { kid, key: pair.private, made: None });
        }
        let elsewhere = read_elsewhere(&folder.join(ELSEWHERE))?;
        // A key that is good for everybody is a development key, whoever published it.
        let believed =
            |jwk: &Jwk| mode == Mode::Development || !jwk.issuers.iter().any(|issuer| issuer == "*");
        keys.elsewhere = elsewhere.into_iter().filter(believed).collect();
        Ok(keys)
    }

    /// The keys as the files are now: rotation without a restart.
    pub(crate) fn reread(&self) -> Result<Self, KeyError> {
        Self::read(&self.folder, self.mode())
    }

    /// The key that signs for an issuer: its newest that others have had the time to read.
    pub(crate) fn for_issuer(&self, issuer: &str, now: Timestamp) -> Option<&SigningKey> {
        let Some(own) = self.by_service.get(issuer) else { return self.development.as_ref() };
        let is_known = |key: &&SigningKey| key.made.is_none_or(|made| made.plus(OVERLAP) <= now);
        own.iter().rev().find(is_known).or(own.first())
    }

    /// The public keys of this process, for `GET /.well-known/jwks.json`.
    pub fn public(&self) -> &[Jwk] {
        &self.public
    }

    /// All that its files say to believe.
    pub(crate) fn believed(&self) -> Vec<Jwk> {
        self.public.iter().chain(&self.elsewhere).cloned().collect()
    }

    /// Whether keys that are for all are believed.
    pub(crate) fn mode(&self) -> Mode {
        if self.development.is_some() { Mode::Development } else { Mode::Production }
    }
}

/// Makes a key for a service: published from the next reading on, and signing two minutes later
/// where there is an older one, because names say the time.
pub fn generate(data_directory: &Path, service: &str, now: Timestamp) -> Result<PathBuf, KeyError> {
    let folder = data_directory.join(FOLDER);
    make_folder(&folder)?;
    let folder = folder.join(service);
    make_folder(&folder)?;
    let path = folder.join(format!("{:020}.pem", now.as_micros()));
    make_file(&path)?;
    Ok(path)
}

fn make_folder(folder: &Path) -> Result<(), KeyError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| file_error("cannot make", folder, source))
}

/// Makes a new key in `path` unless there is one. A key is written aside and linked in, so that
/// neither a crash nor a second process leaves half of one.
fn make_file(path: &Path) -> Result<(), KeyError> {
    if path.exists() {
        return Ok(());
    }
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::Generation)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::Generation)?;
    let aside = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = (|| {
        let _ = fs::remove_file(&aside);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
        file.write_all(pem(der.as_ref()).as_bytes())?;
        file.sync_all()?;
        match fs::hard_link(&aside, path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    })();
    let _ = fs::remove_file(&aside);
    written.map_err(|source| file_error("cannot write", path, source))
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

struct Pair {
    private: Secret<EncodingKey>,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl Pair {
    fn public(&self, kid: String, issuers: Vec<String>) -> Jwk {
        Jwk::new(kid, &self.modulus, &self.exponent, issuers)
    }

    fn fingerprint(&self) -> String {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.modulus);
        digest.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn read_pair(path: &Path) -> Result<Pair, KeyError> {
    let metadata = fs::metadata(path).map_err(|source| file_error("cannot read", path, source))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    let text = fs::read(path).map_err(|source| file_error("cannot read", path, source))?;
    let content =
        || KeyError::Content { path: path.to_owned(), what: "RSA key of at least 2048 bits as PKCS #8 PEM" };
    let private = EncodingKey::from_rsa_pem(&text).map_err(|_| content())?;
    let pair = KeyPair::from_der(private.as_bytes()).map_err(|_| content())?;
    let public = pair.public_key();
    let modulus = public.modulus().big_endian_without_leading_zero().to_vec();
    let exponent = public.exponent().big_endian_without_leading_zero().to_vec();
    if modulus.len() < 256 {
        return Err(content());
    }
    Ok(Pair { private: Secret::new(private), modulus, exponent })
}

/// (service, file), sorted.
fn service_files(folder: &Path) -> Result<Vec<(String, PathBuf)>, KeyError> {
    let list = |folder: &Path| -> Result<Vec<PathBuf>, KeyError> {
        let entries = fs::read_dir(folder).map_err(|source| file_error("cannot list", folder, source))?;
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()
            .map_err(|source| file_error("cannot list", folder, source))?;
        paths.sort();
        Ok(paths)
    };
    let mut files = Vec::new();
    for service in list(folder)?.into_iter().filter(|path| path.is_dir()) {
        let name = service.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let keys = list(&service)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "pem"));
        files.extend(keys.map(|path| (name.clone(), path)));
    }
    Ok(files)
}

/// A JWKS.
#[derive(Deserialize)]
pub(crate) struct Published {
    pub(crate) keys: Vec<Jwk>,
}

fn read_elsewhere(path: &Path) -> Result<Vec<Jwk>, KeyError> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|source| file_error("cannot read", path, source))?,
    };
    let read: Published = serde_json::from_slice(&text).map_err(|_| KeyError::Content {
        path: path.to_owned(),
        what: "JWKS whose keys name their issuers",
    })?;
    Ok(read.keys)
}
