//! Where the services of other processes are: service to the addresses of its replicas.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use kernel::{Duration, Timestamp};

/// How long a replica that did not answer is asked only after the others.
const LEFT_FOR_LAST: Duration = Duration::from_secs(5);

/// The address of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    scheme: Scheme,
    authority: Authority,
}

/// Why a text is no address of a process.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address of a process: write it as http://127.0.0.1:8101, or with https")]
pub struct AddressError(String);

impl std::str::FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError(text.to_owned());
        let parts = text.parse::<Uri>().map_err(|_| wrong())?.into_parts();
        let path = parts.path_and_query.as_ref().map_or("", PathAndQuery::as_str);
        match (parts.scheme, parts.authority) {
            (Some(scheme), Some(authority))
                if [Scheme::HTTP, Scheme::HTTPS].contains(&scheme)
                    && matches!(path, "" | "/")
                    && !authority.as_str().contains('@') =>
            {
                Ok(Self { scheme, authority })
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

impl Address {
    /// A place at it.
    pub(super) fn uri(&self, path: PathAndQuery) -> Uri {
        let parts = Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone());
        parts.path_and_query(path).build().expect("scheme, authority and path are each checked")
    }
}

/// A replica, and until when it is left for last.
#[derive(Debug)]
struct Replica {
    address: Address,
    last_until: AtomicI64,
}

/// An attempt to ask a replica. One that is dropped without an answer - it failed, or whoever asked
/// waits no longer - leaves the replica for last for a while: so a replica that is gone or stands
/// still costs a call now and then, not each second one.
#[derive(Debug)]
pub(super) struct Trial<'d> {
    replica: &'d Replica,
    now: Timestamp,
    is_answered: bool,
}

impl Trial<'_> {
    /// Whom.
    pub(super) fn address(&self) -> &Address {
        &self.replica.address
    }

    /// It answered, whatever it said.
    pub(super) fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        let until = if self.is_answered { 0 } else { self.now.plus(LEFT_FOR_LAST).as_micros() };
        self.replica.last_until.store(until, Ordering::Relaxed);
    }
}

/// The replicas of a service, asked in turn.
#[derive(Debug)]
struct Replicas {
    all: Vec<Replica>,
    next: AtomicUsize,
}

/// Where services are.
#[derive(Debug, Default)]
pub struct Directory {
    services: BTreeMap<String, Replicas>,
}

impl Directory {
    /// From texts.
    pub fn new<'t>(
        services: impl IntoIterator<Item = (&'t String, &'t Vec<String>)>,
    ) -> Result<Self, AddressError> {
        let mut found = BTreeMap::new();
        for (service, texts) in services {
            let replica = |text: &String| {
                let address = text.parse()?;
                Ok(Replica { address, last_until: AtomicI64::new(0) })
            };
            let all = texts.iter().map(replica).collect::<Result<_, _>>()?;
            found.insert(service.clone(), Replicas { all, next: AtomicUsize::new(0) });
        }
        Ok(Self { services: found })
    }

    /// Whether it says where a service is.
    pub fn knows(&self, service: &str) -> bool {
        self.services.get(service).is_some_and(|replicas| !replicas.all.is_empty())
    }

    /// Every address, once, with the services that are there.
    pub fn processes(&self) -> Vec<(&Address, BTreeSet<&str>)> {
        let mut found: Vec<(&Address, BTreeSet<&str>)> = Vec::new();
        for (service, replicas) in &self.services {
            for Replica { address, .. } in &replicas.all {
                match found.iter_mut().find(|(known, _)| *known == address) {
                    Some((_, services)) => drop(services.insert(service)),
                    None => found.push((address, BTreeSet::from([service.as_str()]))),
                }
            }
        }
        found
    }

    /// The replicas of a service, each once, beginning with another one each time.
    pub fn turn(&self, service: &str) -> impl Iterator<Item = &Address> {
        self.in_turn(service).map(|replica| &replica.address)
    }

    /// The same to be tried: those that did not answer a moment ago come last.
    pub(super) fn trials(&self, service: &str, now: Timestamp) -> impl Iterator<Item = Trial<'_>> {
        let mut replicas: Vec<&Replica> = self.in_turn(service).collect();
        replicas.sort_by_key(|replica| replica.last_until.load(Ordering::Relaxed) > now.as_micros());
        replicas.into_iter().map(move |replica| Trial { replica, now, is_answered: false })
    }

    fn in_turn(&self, service: &str) -> impl Iterator<Item = &Replica> {
        let replicas = self.services.get(service);
        let begin = replicas.map_or(0, |replicas| replicas.next.fetch_add(1, Ordering::Relaxed));
        let all = replicas.map_or(&[][..], |replicas| &replicas.all);
        let (before, from) = all.split_at(begin % all.len().max(1));
        from.iter().chain(before)
    }

    /// Whether any address is https.
    pub(super) fn wants_tls(&self) -> bool {
        let mut all = self.services.values().flat_map(|replicas| &replicas.all);
        all.any(|replica| replica.address.scheme == Scheme::HTTPS)
    }
}
