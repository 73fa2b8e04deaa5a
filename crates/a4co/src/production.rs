//! What a production market is given from outside, and what it refuses (security.md).

#[cfg(test)]
mod tests;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use adapter_sqlite::{MASTER_KEY_FILE, MasterKey};
use adapter_tokens::{Mode as TokenMode, PEOPLE_ISSUER, SigningKeys};
use anyhow::{Context as _, bail, ensure};
use kernel::Secret;

use crate::config::{Keys, Settings};
use crate::market::EMAIL_KEY;
use crate::processes;
use crate::secrets;
use crate::services::SERVICES;

/// Says that the market in this directory is meant. Development leaves it alone.
pub const MARK: &str = "production";
const MARK_TEXT: &str = "This market runs in production: give --production, or mode = \"production\".\n";
/// What development makes in a data directory.
const DEVELOPMENT: &[&str] = &[MASTER_KEY_FILE, EMAIL_KEY, "token-keys/development.pem"];

/// The keys of a market.
pub(crate) struct Given {
    pub(crate) signing: SigningKeys,
    pub(crate) master: MasterKey,
    pub(crate) previous: Vec<MasterKey>,
    pub(crate) email: [u8; 32],
}

/// Refuses a directory that is of the other mode, and what production lacks; touches nothing.
pub(crate) fn check(settings: &Settings) -> anyhow::Result<()> {
    let directory = &settings.serve.data;
    if !settings.is_production() {
        ensure!(
            !directory.join(MARK).exists(),
            "{} is a production market: give --production (A4CO_MODE=production), or choose another --data",
            directory.display()
        );
        return Ok(());
    }
    if let Some(made) = DEVELOPMENT.iter().find(|name| directory.join(name).exists()) {
        bail!(
            "{} holds the development key {made}: production does not go on with it; begin in an empty --data",
            directory.display()
        );
    }
    let Keys { signing_keys, master_key, email_key, .. } = &settings.keys;
    let mut missing = Vec::new();
    for (name, is_given) in [
        ("signing_keys", signing_keys.is_some()),
        ("master_key_file", master_key.is_some()),
        ("email_key_file", email_key.is_some()),
    ] {
        if !is_given {
            missing.push(format!("keys.{name}"));
        }
    }
    ensure!(
        missing.is_empty(),
        "production needs its keys from outside, and these are not given: {}; `a4co new-keys FOLDER` makes \
         them and prints what to write into the configuration",
        missing.join(", ")
    );
    if let Some(folder) = signing_keys {
        let [inner, outer] = [folder, directory].map(|path| fs::canonicalize(path).unwrap_or(path.clone()));
        ensure!(
            !inner.starts_with(&outer),
            "keys.signing_keys is inside the data directory {}: keep keys apart from what they protect",
            outer.display()
        );
    }
    Ok(())
}

/// The keys of the market, checked; development makes what it is not given.
pub(crate) fn keys(settings: &Settings) -> anyhow::Result<Given> {
    check(settings)?;
    let directory = settings.serve.data.as_path();
    let Keys { signing_keys, master_key, previous_master_keys, email_key } = &settings.keys;
    let mode = if settings.is_production() { TokenMode::Production } else { TokenMode::Development };
    let mut signers = signers();
    // Whoever signs for others here could speak for them: a process has the keys of its own services.
    signers.retain(|service| processes::runs(settings, service));
    let signing = match signing_keys {
        Some(folder) => SigningKeys::open_folder(folder, mode, &signers)?,
        None => SigningKeys::open(directory, mode, &signers)?,
    };
    let master = match master_key {
        Some(key) => master("keys.master_key", key)?,
        None => MasterKey::for_development(directory)?,
    };
    let previous = previous_master_keys.iter();
    let previous =
        previous.map(|(name, key)| self::master(&format!("keys.previous_master_keys.{name}"), key));
    let email = match email_key {
        Some(key) => hexadecimal(key).context("keys.email_key is not 64 hexadecimal digits")?,
        None => secrets::key_file(directory, EMAIL_KEY)?,
    };
    Ok(Given { signing, master, previous: previous.collect::<Result<_, _>>()?, email })
}

/// Marks the directory, once the market is open.
pub(crate) fn mark(settings: &Settings) -> anyhow::Result<()> {
    let path = settings.serve.data.join(MARK);
    if settings.is_production() && !path.exists() {
        fs::write(&path, MARK_TEXT).with_context(|| format!("making {}", path.display()))?;
    }
    Ok(())
}

/// Refuses what is only for trying out.
pub(crate) fn refuse(settings: &Settings, what: &str, instead: &str) -> anyhow::Result<()> {
    check(settings)?;
    ensure!(!settings.is_production(), "{what} is for development, and this is production: {instead}");
    Ok(())
}

/// Whose keys sign: every service's, and the one's that signs for people.
fn signers() -> Vec<&'static str> {
    let mut signers = SERVICES.to_vec();
    if !signers.contains(&PEOPLE_ISSUER) {
        signers.push(PEOPLE_ISSUER);
    }
    signers
}

fn master(key: &str, secret: &Secret) -> anyhow::Result<MasterKey> {
    MasterKey::from_hex(secret.reveal()).with_context(|| format!("{key} cannot be used"))
}

fn hexadecimal(secret: &Secret) -> Option<[u8; 32]> {
    let text = secret.reveal().trim().as_bytes();
    let mut key = [0; 32];
    if text.len() != 64 || !text.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, digits) in key.iter_mut().zip(text.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(key)
}

/// Makes all keys of a production market in a new folder; gives what to write into its
/// configuration.
pub(crate) fn new_keys(folder: &Path) -> anyhow::Result<String> {
    let environment = crate::environment::system();
    let made = fs::DirBuilder::new().mode(0o700).create(folder);
    made.with_context(|| format!("making {}: name a folder that does not exist", folder.display()))?;
    for service in signers() {
        adapter_tokens::generate(folder, service, environment.clock.now())?;
    }
    let folder = fs::canonicalize(folder)?;
    let write = |name: &str| -> anyhow::Result<PathBuf> {
        let key: String = environment.secrets.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let path = folder.join(name);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        writeln!(file, "{key}")?;
        file.sync_all()?;
        Ok(path)
    };
    let (master, email) = (write("master-key")?, write("email-key")?);
    Ok(format!(
        "[serve]\nmode = \"production\"\n\n[keys]\nsigning_keys = {:?}\nmaster_key_file = {master:?}\n\
         email_key_file = {email:?}\n",
        folder.join("token-keys")
    ))
}
