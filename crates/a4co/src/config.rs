//! What an operator can set, read once: the command line is over the environment, that over the
//! file, that over the defaults (docs/configuration.md).

mod engines;
mod limits;
mod load;
mod print;
mod shape;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use garde::Validate;
use http_kit::network::Directory;
use kernel::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use engines::{Engines, Tls};
pub use limits::Limits;
pub use load::{Error, load};
pub use print::print;

/// Everything that can be set: a section for the process, one for its keys, one for each service
/// that has settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How the process runs.
    #[garde(dive)]
    pub serve: Serve,
    /// Keys from outside. Production wants all of them; development makes what is not given.
    #[garde(dive)]
    pub keys: Keys,
    /// Where state is kept and how events travel: in one file of the data directory, unless
    /// servers are named.
    #[garde(dive)]
    pub engines: Engines,
    /// Where the services of other processes are: a service's name to the addresses of its
    /// replicas, `order = ["http://127.0.0.1:8101"]`; `auth` is whoever signs the tokens of people.
    #[garde(custom(are_addresses))]
    pub discovery: BTreeMap<String, Vec<String>>,
    /// How often somebody may ask.
    #[garde(dive)]
    pub limits: Limits,
    /// Stock and reservations.
    #[garde(dive)]
    pub inventory: service_inventory::Config,
    /// Messages to people.
    #[garde(dive)]
    pub notification: service_notification::Config,
    /// Orders, returns and their deadlines.
    #[garde(dive)]
    pub order: service_order::Config,
    /// Charges, shares and gateways.
    #[garde(dive)]
    pub payment: service_payment::Config,
    /// The catalogue.
    #[garde(dive)]
    pub product: service_product::Config,
    /// Delivery.
    #[garde(dive)]
    pub shipping: service_shipping::Config,
    /// Accounts.
    #[garde(dive)]
    pub user: service_user::Settings,
}

/// How the process runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Serve {
    /// Where to listen (--listen, A4CO_LISTEN).
    #[garde(custom(is_address))]
    pub listen: String,
    /// Which services run here (--only, A4CO_ONLY); all where none is named. `gateway` runs none and
    /// passes every request on. Only on servers: see `engines` and `discovery`.
    #[garde(skip)]
    pub only: Vec<String>,
    /// The data directory (--data, A4CO_DATA).
    #[garde(skip)]
    pub data: PathBuf,
    /// What is logged: `info`, or `engine=debug,info` (--log, A4CO_LOG).
    #[garde(length(min = 1))]
    pub log: String,
    /// `development` makes the keys that it lacks and a demonstration market; `production` wants
    /// its keys from outside and refuses both (--mode, --production, A4CO_MODE).
    #[garde(skip)]
    pub mode: Mode,
    /// Whether production may charge through the sandbox gateway, which moves no money.
    #[garde(skip)]
    pub sandbox_gateway: bool,
}

impl Default for Serve {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            only: Vec::new(),
            data: PathBuf::from("data"),
            log: "info".to_owned(),
            mode: Mode::Development,
            sandbox_gateway: false,
        }
    }
}

fn is_address(address: &str, (): &()) -> garde::Result {
    let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
    match port.is_some_and(|port| port.parse::<u16>().is_ok()) {
        true => Ok(()),
        false => Err(garde::Error::new("write host and port, such as 127.0.0.1:8080")),
    }
}

fn are_addresses(discovery: &BTreeMap<String, Vec<String>>, (): &()) -> garde::Result {
    Directory::new(discovery).map(|_| ()).map_err(garde::Error::new)
}

/// Keys from outside. A secret may be read from a file: `master_key_file = "path"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Keys {
    /// The folder of the keys that sign tokens: `<service>/<name>.pem`, RSA as PKCS #8, mode 0600.
    #[garde(skip)]
    pub signing_keys: Option<PathBuf>,
    /// Wraps the data keys of persons: 64 hexadecimal digits.
    #[garde(skip)]
    pub master_key: Option<Secret>,
    /// Master keys of before, by any name: what they wrapped can still be read.
    #[garde(skip)]
    pub previous_master_keys: BTreeMap<String, Secret>,
    /// Hashes the addresses that accounts are looked up by, the same for the life of the market:
    /// 64 hexadecimal digits.
    #[garde(skip)]
    pub email_key: Option<Secret>,
}

/// Whether this is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Makes what it lacks.
    #[default]
    Development,
    /// Refuses what is made for trying out.
    Production,
}

/// The settings with what is known of their origin.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    /// What is set.
    pub settings: Settings,
    /// Secrets that were read from files: key to path, both as they were written.
    pub(crate) secret_files: BTreeMap<String, String>,
}

impl Settings {
    /// The defaults, on the market in `directory`.
    pub fn on(directory: &Path) -> Self {
        let serve = Serve { data: directory.to_owned(), ..Serve::default() };
        Self { serve, ..Self::default() }
    }

    /// Whether this is meant.
    pub fn is_production(&self) -> bool {
        self.serve.mode == Mode::Production
    }
}
