//! Services of other processes, over HTTP/1.1: calls between services, and requests of people for a
//! service that does not run here (feature `network`, which only the binary switches on).
//!
//! On hyper-util's pooled client with rustls: it is in the program already, and of the libraries at
//! hand it alone says whether a failed request was a failed connection, which decides whether the
//! next replica may be asked. A proxy from a library would bring a second client and a second pool.

mod body;
mod connector;
mod directory;
mod forward;
#[cfg(test)]
mod tests;
mod transport;

use axum::body::Body;
use backbone::environment::{Environment, Spawner};
use bytes::Bytes;
use futures::future::{BoxFuture, Either};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioTimer;
use kernel::Duration;
use std::sync::Arc;

pub use directory::{Address, AddressError, Directory};
pub use forward::{Forwarder, is_passed_on};
pub use transport::Split;

use crate::client::{ANSWER_BYTES_MAX, TransportError};
use body::Shared;
use connector::Connector;

/// Marks what one process asks of another with the id of the asking one: it is answered there, or
/// not at all.
pub(crate) const PASSED_ON: &str = "x-a4co-passed-on";

/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(60);
/// Unused connections to one process.
const IDLE_CONNECTIONS_MAX: usize = 64;

/// The way to the services of other processes.
pub struct Network {
    client: Client<Connector, Body>,
    directory: Directory,
    environment: Environment,
    mark: HeaderValue,
}

/// Runs a connection as a task of the environment.
#[derive(Clone)]
struct OnSpawner(Arc<dyn Spawner>);

impl hyper::rt::Executor<BoxFuture<'static, ()>> for OnSpawner {
    fn execute(&self, task: BoxFuture<'static, ()>) {
        self.0.spawn("connection", task);
    }
}

impl Network {
    /// The way to whatever `directory` names. Certificates are believed as the system believes
    /// them; the error says why that cannot be read.
    pub fn new(directory: Directory, environment: Environment) -> std::io::Result<Self> {
        let connector = Connector::new(environment.clock.clone(), directory.wants_tls())?;
        let client = Client::builder(OnSpawner(environment.spawner.clone()))
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .build(connector);
        let mark = environment.ids.uuid().to_string();
        let mark = HeaderValue::try_from(mark).expect("an id is plain text");
        Ok(Self { client, directory, environment, mark })
    }

    /// Where the services of other processes are.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Whether this request went out from this very process.
    pub fn is_own(&self, headers: &HeaderMap) -> bool {
        headers.get(PASSED_ON) == Some(&self.mark)
    }

    /// Asks one process, for whatever is not a call between services; reads the whole answer.
    pub async fn ask(
        &self,
        at: &Address,
        request: Request<Bytes>,
        limit: Duration,
    ) -> Result<Response<Bytes>, TransportError> {
        let asked = async {
            let request = self.marked(request.map(Body::from));
            read(self.attempt(at, request).await?).await
        };
        let late = || TransportError::Broken(format!("nothing within {} ms", limit.as_millis()));
        self.limited(limit, asked).await.unwrap_or_else(|| Err(late()))
    }

    fn marked(&self, mut request: Request<Body>) -> Request<Body> {
        request.headers_mut().insert(PASSED_ON, self.mark.clone());
        request
    }

    /// Asks the replicas of a service, one after the other until one can be connected to: a request
    /// that may have arrived is not made again.
    async fn exchange(&self, to: &str, request: Request<Body>) -> Result<Response<Incoming>, TransportError> {
        let (parts, body) = self.marked(request).into_parts();
        let body = Shared::new(body);
        let mut refused = Vec::new();
        for trial in self.directory.trials(to, self.environment.clock.now()) {
            let again = Request::from_parts(parts.clone(), Body::new(body.clone()));
            match self.attempt(trial.address(), again).await {
                Err(TransportError::Connect(reason)) => {
                    refused.push(format!("{}: {reason}", trial.address()))
                }
                Err(broken) => return Err(broken),
                Ok(answer) => {
                    trial.answered();
                    return Ok(answer);
                }
            }
        }
        if refused.is_empty() {
            refused.push(format!("{to} does not run here, and [discovery] does not say where it does"));
        }
        Err(TransportError::Connect(refused.join("; ")))
    }

    async fn attempt(
        &self,
        at: &Address,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, TransportError> {
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = at.uri(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        *request.version_mut() = http::Version::HTTP_11;
        self.client.request(request).await.map_err(|error| {
            let reason = chain(&error);
            if error.is_connect() { TransportError::Connect(reason) } else { TransportError::Broken(reason) }
        })
    }

    /// `task`, or `None` when `limit` is over first.
    async fn limited<T>(&self, limit: Duration, task: impl Future<Output = T>) -> Option<T> {
        let task = std::pin::pin!(task);
        match futures::future::select(task, self.environment.clock.sleep(limit)).await {
            Either::Left((done, _)) => Some(done),
            Either::Right(_) => None,
        }
    }
}

/// The whole answer.
async fn read(response: Response<Incoming>) -> Result<Response<Bytes>, TransportError> {
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| TransportError::Broken(error.to_string()))?;
    Ok(Response::from_parts(parts, body.to_bytes()))
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    std::iter::once(error).chain(causes).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
