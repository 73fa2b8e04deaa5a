//! NATS as an operator set it.

use adapter_nats::{Credentials, Options, Tls};
use anyhow::bail;

use super::files;
use crate::config::{Engines, Settings};
use crate::processes::GATEWAY;

/// How to connect to the servers at `address`.
pub(super) fn options(settings: &Settings, address: &str) -> anyhow::Result<Options> {
    let engines = &settings.engines;
    let servers: Vec<String> = address.split(',').map(|server| server.trim().to_owned()).collect();
    if servers.iter().any(String::is_empty) {
        bail!("engines.nats has a comma with no server beside it");
    }
    Ok(Options {
        credentials: credentials(engines)?,
        user: engines.nats_user.clone(),
        tls: tls(engines, &servers)?,
        services: services(settings),
        partitions: engines.partitions,
        ack_wait: engines.nats_ack_wait,
        in_flight_max: u32::from(engines.in_flight_max),
        server_syncs_always: engines.nats_syncs_always,
        servers,
        ..Options::default()
    })
}

/// The services that run here, whose streams are kept as the table says; all where nothing is said.
fn services(settings: &Settings) -> Option<Vec<String>> {
    let only = &settings.serve.only;
    (!only.is_empty()).then(|| only.iter().filter(|name| *name != GATEWAY).cloned().collect())
}

/// Who this process is: one of a password, an nkey and a file.
fn credentials(engines: &Engines) -> anyhow::Result<Credentials> {
    let Engines { nats_user: user, nats_password: password, nats_nkey: nkey, nats_creds: file, .. } = engines;
    let set = [
        ("engines.nats_password", password.is_some()),
        ("engines.nats_nkey", nkey.is_some()),
        ("engines.nats_creds", file.is_some()),
    ];
    let set: Vec<&str> = set.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect();
    if set.len() > 1 {
        bail!("{} say who this process is, each in its own way: leave one of them", set.join(" and "));
    }
    Ok(match (user, password, nkey, file) {
        (None, None, None, None) => Credentials::None,
        (Some(name), Some(password), ..) => {
            Credentials::User { name: name.clone(), password: password.clone() }
        }
        (None, Some(_), ..) => {
            bail!("engines.nats_user and engines.nats_password go together: set both or neither")
        }
        (_, _, Some(seed), _) => Credentials::NKey(seed.clone()),
        (_, _, _, Some(path)) => {
            files::is_private("engines.nats_creds", path)?;
            Credentials::File(path.clone())
        }
        (Some(_), None, None, None) => bail!(
            "engines.nats_user says a name and nothing proves it: set engines.nats_password, engines.nats_nkey or \
             engines.nats_creds"
        ),
    })
}

fn tls(engines: &Engines, servers: &[String]) -> anyhow::Result<Tls> {
    let (authority, identity) = files::of("nats_tls", &engines.nats_tls)?;
    let is_asked_for = servers.iter().any(|server| server.starts_with("tls://"));
    let is_required = is_asked_for || engines.nats_tls_first || engines.nats_tls.is_set();
    Ok(Tls { is_required, first: engines.nats_tls_first, authority, identity })
}

#[cfg(test)]
mod tests;
