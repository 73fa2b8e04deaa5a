//! The public keys of other processes, read where each publishes them: at the start, every minute,
//! and when a token comes whose key nobody knows yet.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use adapter_tokens::SignedTokens;
use backbone::environment::Environment;
use bytes::Bytes;
use futures::future::{join_all, select};
use http::Request;
use http_kit::network::{Address, Network};
use kernel::Duration;

const PATH: &str = "/.well-known/jwks.json";
/// How long a process may take to say its keys.
const LIMIT: Duration = Duration::from_secs(2);
/// How often it is looked whether somebody is due.
const LOOK: Duration = Duration::from_secs(1);
/// How often the own keys are read from their files, so that a new one is published.
const REREAD: Duration = Duration::from_secs(30);

/// Follows the keys of all processes that are discovered, for as long as the tokens live.
pub(super) fn follow(network: Arc<Network>, tokens: &Arc<SignedTokens>, environment: &Environment) {
    for (address, services) in network.directory().processes() {
        let services = services.into_iter().map(str::to_owned).collect();
        tokens.follow(address.to_string(), services);
    }
    let task = Follower { network, silent: BTreeSet::new() }.run(Arc::downgrade(tokens), environment.clone());
    environment.spawner.spawn("keys", Box::pin(task));
}

struct Follower {
    network: Arc<Network>,
    silent: BTreeSet<String>,
}

impl Follower {
    async fn run(mut self, tokens: Weak<SignedTokens>, environment: Environment) {
        let clock = environment.clock;
        let mut read = clock.now();
        loop {
            let Some(tokens) = tokens.upgrade() else { return };
            if clock.now().since(read) >= REREAD {
                read = clock.now();
                if let Err(error) = tokens.refresh() {
                    tracing::warn!(%error, "the signing keys cannot be read again: those of before stay");
                }
            }
            self.round(&tokens).await;
            let wanted = tokens.wanted();
            drop(tokens);
            select(std::pin::pin!(wanted.notified()), clock.sleep(LOOK)).await;
        }
    }

    /// Asks whoever is due.
    async fn round(&mut self, tokens: &SignedTokens) {
        let due = tokens.due();
        let asked = due.iter().map(|process| self.ask(process));
        for (process, answer) in due.iter().zip(join_all(asked).await) {
            let answer = answer.and_then(|jwks| match tokens.learn(process, Some(&jwks)) {
                true => Ok(()),
                false => Err("what it publishes is no JWKS".to_owned()),
            });
            match answer {
                Ok(()) => {
                    if self.silent.remove(process) {
                        tracing::info!(process, "its public keys are known again");
                    }
                }
                Err(reason) => {
                    tokens.learn(process, None);
                    if self.silent.insert(process.clone()) {
                        tracing::info!(process, reason, "its public keys cannot be read yet");
                    }
                }
            }
        }
    }

    async fn ask(&self, process: &str) -> Result<Bytes, String> {
        let address: Address = process.parse().map_err(|error| format!("{error}"))?;
        let request = Request::builder().uri(PATH).body(Bytes::new());
        let request = request.map_err(|error| error.to_string())?;
        let answer = self.network.ask(&address, request, LIMIT).await.map_err(|error| error.to_string())?;
        match answer.status().is_success() {
            true => Ok(answer.into_body()),
            false => Err(format!("it answers {}", answer.status().as_u16())),
        }
    }
}
