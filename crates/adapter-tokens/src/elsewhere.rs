//! Public keys of services that run in other processes, as those publish them. A process is
//! believed for the services that it is discovered for, and for nobody else: none can vouch for
//! another's service.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::Mode;
use crate::public_key::{Jwk, PublicKey, by_kid};

/// How often known keys are read again: a new one is published for longer before it signs.
const AGAIN_SECONDS: u64 = 60;
/// How often a process that gave no keys is asked.
const MISSED_SECONDS: u64 = 1;
/// How often an unknown key has everybody asked.
const WANTED_SECONDS: u64 = 10;

/// A process whose keys are followed.
struct Process {
    services: Vec<String>,
    keys: Vec<Jwk>,
    by_kid: BTreeMap<String, Arc<PublicKey>>,
    /// It gave its keys when it was last asked.
    was_reached: bool,
    /// An unknown key waits for it to be asked.
    is_wanted: bool,
    asked: Option<u64>,
}

/// What is known of the keys of other processes.
#[derive(Default)]
pub(crate) struct Elsewhere {
    processes: BTreeMap<String, Process>,
    wanted: Option<u64>,
}

/// A key that was looked for.
pub(crate) enum Sought {
    /// It is the issuer's.
    Found(Arc<PublicKey>),
    /// It may be the issuer's: whoever could say so is asked, or cannot be reached.
    NotYet,
    /// Nobody who may vouch for the issuer knows it.
    Unknown,
}

impl Elsewhere {
    /// Begins to follow a process, for these services.
    pub(crate) fn follow(&mut self, process: String, services: Vec<String>) {
        let new = Process {
            services,
            keys: Vec::new(),
            by_kid: BTreeMap::new(),
            was_reached: false,
            is_wanted: false,
            asked: None,
        };
        self.processes.insert(process, new);
    }

    /// Who is to be asked now; they count as asked.
    pub(crate) fn due(&mut self, now: u64) -> Vec<String> {
        let mut due = Vec::new();
        for (name, process) in &mut self.processes {
            let pause = if process.was_reached { AGAIN_SECONDS } else { MISSED_SECONDS };
            if process.is_wanted || process.asked.is_none_or(|asked| now >= asked + pause) {
                process.asked = Some(now);
                due.push(name.clone());
            }
        }
        due
    }

    /// Takes what a process publishes, or that it gave nothing: what was known of it stays then.
    /// True where something changed.
    pub(crate) fn learn(&mut self, process: &str, published: Option<Vec<Jwk>>, mode: Mode) -> bool {
        let Some(known) = self.processes.get_mut(process) else { return false };
        known.is_wanted = false;
        known.was_reached = published.is_some();
        let Some(published) = published else { return false };
        let keys: Vec<Jwk> =
            published.into_iter().filter_map(|jwk| bounded(jwk, &known.services, mode)).collect();
        if keys == known.keys {
            return false;
        }
        known.by_kid = by_kid(&keys);
        known.keys = keys;
        true
    }

    /// The key of this name that an issuer may sign with. Where it is unknown and may be new, its
    /// process is to be asked; every ten seconds at most, so that nobody keeps us asking.
    pub(crate) fn seek(&mut self, kid: &str, issuer: &str, now: u64) -> Sought {
        let may_vouch = |process: &&mut Process| process.services.iter().any(|service| service == issuer);
        let mut vouching: Vec<_> = self.processes.values_mut().filter(may_vouch).collect();
        let own =
            |process: &&mut Process| process.by_kid.get(kid).filter(|key| key.belongs_to(issuer)).cloned();
        if let Some(key) = vouching.iter().find_map(own) {
            return Sought::Found(key);
        }
        if vouching.is_empty() {
            return Sought::Unknown;
        }
        if self.wanted.is_none_or(|wanted| now >= wanted + WANTED_SECONDS) {
            self.wanted = Some(now);
            vouching.iter_mut().for_each(|process| process.is_wanted = true);
        }
        match vouching.iter().all(|process| process.was_reached && !process.is_wanted) {
            true => Sought::Unknown,
            false => Sought::NotYet,
        }
    }
}

/// The key, for those of its issuers that its process may vouch for.
fn bounded(mut jwk: Jwk, services: &[String], mode: Mode) -> Option<Jwk> {
    let is_for_all = jwk.issuers.iter().any(|issuer| issuer == "*");
    match (is_for_all, mode) {
        // Development signs for all with one key, which is believed for its own services here.
        (true, Mode::Development) => jwk.issuers = services.to_vec(),
        (true, Mode::Production) => return None,
        (false, _) => jwk.issuers.retain(|issuer| services.contains(issuer)),
    }
    (!jwk.issuers.is_empty()).then_some(jwk)
}

#[derive(Deserialize)]
struct Claimed {
    iss: String,
}

/// Who a token says that it comes from; nothing of it is believed.
pub(crate) fn claimed_issuer(token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Claimed>(&claims).ok().map(|claimed| claimed.iss)
}
