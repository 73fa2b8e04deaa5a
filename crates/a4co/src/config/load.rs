//! From a file and the environment to settings that hold together, or one error that says where
//! what is wrong and what to write.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use garde::Validate as _;
use serde_json::{Map, Value};

use super::{Configuration, Settings, shape};

/// `A4CO__ORDER__WITHDRAWAL_DAYS=30` is `withdrawal_days = 30` in `[order]`.
const PREFIX: &str = "A4CO__";
/// `x_file = "path"` gives the secret `x`.
const FILE: &str = "_file";
/// Longer is no secret but a mistake.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Why nothing starts.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("the configuration {path} cannot be read: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no TOML. The line is not shown: it may hold a secret.
    #[error("{path}, line {line}: {reason}; the form is TOML (docs/configuration.md)")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A value is not what its key wants.
    #[error("{origin}: {key}: {reason}; `a4co config` prints every key with what it may hold")]
    Value {
        /// The file or variable.
        origin: String,
        /// The key.
        key: String,
        /// What is wrong.
        reason: String,
    },
}

/// What is read, and where it stands.
struct Reading {
    values: Map<String, Value>,
    file: Option<PathBuf>,
    /// Key to variable.
    variables: BTreeMap<String, String>,
    secret_files: BTreeMap<String, String>,
}

/// Reads the file, where there is one, and the variables over it.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Configuration, Error> {
    let shape = shape::of_settings();
    let mut reading = Reading {
        values: file.map_or_else(|| Ok(Map::new()), read)?,
        file: file.map(Path::to_owned),
        variables: BTreeMap::new(),
        secret_files: BTreeMap::new(),
    };
    for (name, text) in environment {
        if let Some(path) = name.strip_prefix(PREFIX) {
            reading.put(&shape, path, &name, text)?;
        }
    }
    let mut values = std::mem::take(&mut reading.values);
    reading.reveal(&shape, "", &mut values)?;
    let settings: Settings = serde_path_to_error::deserialize(Value::Object(values)).map_err(|error| {
        let key = error.path().to_string();
        reading.wrong(&key, error.into_inner().to_string())
    })?;
    if let Err(report) = settings.validate() {
        let first = report.iter().next().map(|(key, error)| (key.to_string(), error.to_string()));
        let (key, reason) = first.unwrap_or_default();
        return Err(reading.wrong(&key, reason));
    }
    Ok(Configuration { settings, secret_files: reading.secret_files })
}

fn read(path: &Path) -> Result<Map<String, Value>, Error> {
    let text =
        std::fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
    let syntax = |line, reason| Error::Syntax { path: path.to_owned(), line, reason };
    let table: toml::Table = toml::from_str(&text).map_err(|error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start).min(text.len());
        let line = 1 + text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
        syntax(line, error.message().to_owned())
    })?;
    match serde_json::to_value(table) {
        Ok(Value::Object(values)) => Ok(values),
        _ => Err(syntax(1, "it holds no table".to_owned())),
    }
}

impl Reading {
    fn wrong(&self, key: &str, reason: String) -> Error {
        let below = |known: &str| key.starts_with(known) || known.starts_with(&format!("{key}."));
        let variable = self.variables.iter().find(|(known, _)| below(known)).map(|(_, name)| name.clone());
        let file = || self.file.as_ref().map(|path| path.display().to_string());
        let origin = variable.or_else(file).unwrap_or_else(|| "the environment".to_owned());
        Error::Value { origin, key: key.to_owned(), reason }
    }

    /// Puts a variable in its place.
    fn put(&mut self, shape: &Value, path: &str, name: &str, text: String) -> Result<(), Error> {
        let keys: Vec<String> = path.split("__").map(str::to_lowercase).collect();
        let joined = keys.join(".");
        self.variables.insert(joined.clone(), name.to_owned());
        let [sections @ .., last] = keys.as_slice() else { return Ok(()) };
        let (mut shape, mut table) = (Some(shape), &mut self.values);
        for section in sections {
            shape = shape.and_then(|shape| shape::child(shape, section));
            let inner = table.entry(section.clone()).or_insert_with(|| Value::Object(Map::new()));
            table = match inner {
                Value::Object(inner) => inner,
                _ => return Err(self.wrong(&joined, "there is no section of this name".to_owned())),
            };
        }
        let wanted = shape.and_then(|shape| shape::child(shape, last));
        let is_text = last.ends_with(FILE) || wanted.is_some_and(shape::is_text);
        let value = if is_text { Value::String(text) } else { plain(text) };
        table.insert(last.clone(), value);
        Ok(())
    }

    /// Reads the secrets that stand in files.
    fn reveal(&mut self, shape: &Value, at: &str, table: &mut Map<String, Value>) -> Result<(), Error> {
        for key in table.keys().cloned().collect::<Vec<_>>() {
            let path = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
            let own = shape.get("properties").and_then(|own| own.get(&key));
            if let (None, Some(name)) = (own, key.strip_suffix(FILE))
                && shape::child(shape, name).is_some_and(shape::is_secret)
            {
                let file = table.remove(&key);
                let secret = self.secret(&path, file.as_ref())?;
                if table.contains_key(name) {
                    let reason = format!("{name} is given as well: leave one of the two");
                    return Err(self.wrong(&path, reason));
                }
                self.secret_files.insert(path[..path.len() - FILE.len()].to_owned(), secret.0);
                table.insert(name.to_owned(), Value::String(secret.1));
                continue;
            }
            let Some(shape) = shape::child(shape, &key) else { continue };
            match table.get_mut(&key) {
                Some(Value::Object(inner)) => self.reveal(shape, &path, inner)?,
                // Whatever else stands here must not be shown in the error of its type.
                Some(value) if shape::is_secret(shape) && !value.is_string() => {
                    return Err(self.wrong(&path, "a secret is a text in quotes".to_owned()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A secret and the file that holds it.
    fn secret(&self, key: &str, file: Option<&Value>) -> Result<(String, String), Error> {
        let file = file.and_then(Value::as_str);
        let file = file.ok_or_else(|| self.wrong(key, "write the path of a file in quotes".to_owned()))?;
        let unreadable = |error: std::io::Error| self.wrong(key, format!("{file} cannot be read: {error}"));
        let metadata = std::fs::metadata(file).map_err(unreadable)?;
        if metadata.permissions().mode() & 0o007 != 0 {
            let reason =
                format!("{file} can be read by everybody: `chmod o-rwx {file}`, and change the secret");
            return Err(self.wrong(key, reason));
        }
        if metadata.len() > SECRET_BYTES_MAX {
            return Err(self.wrong(key, format!("{file} is no secret: it is larger than 64 KiB")));
        }
        let text = std::fs::read_to_string(file).map_err(unreadable)?;
        // Editors end a file with a new line, which is no part of the secret.
        Ok((file.to_owned(), text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

/// A variable's text as a value: as TOML would read it, or else as it stands.
fn plain(text: String) -> Value {
    let read = toml::from_str::<toml::Table>(&format!("value = {text}"));
    let value = read.ok().and_then(|mut table| table.remove("value"));
    value.and_then(|value| serde_json::to_value(value).ok()).unwrap_or(Value::String(text))
}
