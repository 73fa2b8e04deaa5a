//! Calls between services: one client for all of them, in one process or between several. Every
//! call has a service token, a limit, retries where they are safe, a breaker and a bulkhead; each
//! of these is a file below.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use backbone::calls::{CallError, CallReply, CallRequest, CallSpec, Calls};
use backbone::environment::Environment;
use backbone::tokens::Tokens;
use http::Method;
use kernel::{Duration, Timestamp};

mod backoff;
mod breaker;
mod bulkhead;
mod measurement;
mod request;
#[cfg(test)]
mod tests;
mod transport;

pub use breaker::BreakerPolicy;
#[cfg(any(test, feature = "network"))]
pub(crate) use transport::ANSWER_BYTES_MAX;
pub use transport::{InMemory, Transport, TransportError};

use breaker::{Breaker, Permit};
use bulkhead::Bulkhead;
use measurement::Measurement;

/// The limits of calls to one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// Calls at a time.
    pub concurrent: usize,
    /// Calls that wait for their turn; more are refused at once.
    pub waiting: usize,
    /// When a target is left alone, and for how long.
    pub breaker: BreakerPolicy,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self { concurrent: 64, waiting: 256, breaker: BreakerPolicy::default() }
    }
}

/// Makes the calls of all services in this process.
pub struct Client {
    transport: Arc<dyn Transport>,
    tokens: Arc<dyn Tokens>,
    environment: Environment,
    limits: CallLimits,
    targets: RwLock<HashMap<&'static str, Arc<Target>>>,
    lines: RwLock<HashMap<usize, Arc<Line>>>,
}

/// What all calls to a service share.
struct Target {
    breaker: Arc<Breaker>,
    bulkhead: Bulkhead,
}

/// A row of the table of calls at work.
struct Line {
    target: Arc<Target>,
    measurement: Measurement,
}

/// Why an attempt gave no answer.
enum Failure {
    /// It certainly did not arrive.
    NotArrived(String),
    /// It may have arrived.
    NoAnswer(String),
}

impl Failure {
    fn of(self, to: &'static str) -> CallError {
        match self {
            Failure::NotArrived(reason) => CallError::Unreachable { to, reason },
            Failure::NoAnswer(reason) => CallError::Unknown { to, reason },
        }
    }
}

impl Client {
    /// A client over a transport.
    pub fn new(
        transport: Arc<dyn Transport>,
        tokens: Arc<dyn Tokens>,
        environment: Environment,
        limits: CallLimits,
    ) -> Self {
        let (targets, lines) = (RwLock::default(), RwLock::default());
        Self { transport, tokens, environment, limits, targets, lines }
    }

    fn now(&self) -> Timestamp {
        self.environment.clock.now()
    }

    fn target(&self, to: &'static str) -> Arc<Target> {
        let mut targets = self.targets.write().unwrap_or_else(PoisonError::into_inner);
        let made = targets.entry(to).or_insert_with(|| {
            let bulkhead = Bulkhead::new(self.limits.concurrent, self.limits.waiting);
            Arc::new(Target { breaker: Breaker::new(to, self.limits.breaker), bulkhead })
        });
        Arc::clone(made)
    }

    fn line(&self, spec: &'static CallSpec) -> Arc<Line> {
        // A row is a static: its place names it.
        let key = std::ptr::from_ref(spec) as usize;
        if let Some(line) = self.lines.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(line);
        }
        let line = Arc::new(Line { target: self.target(spec.to), measurement: Measurement::of(spec) });
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lines.entry(key).or_insert(line))
    }

    /// `task`, or `None` when `limit` is over first.
    async fn limited<T>(&self, limit: Duration, task: impl Future<Output = T>) -> Option<T> {
        let task = std::pin::pin!(task);
        match futures::future::select(task, self.environment.clock.sleep(limit)).await {
            futures::future::Either::Left((done, _)) => Some(done),
            futures::future::Either::Right(_) => None,
        }
    }

    /// Attempts within the limit, in the bulkhead, through the breaker.
    async fn attempts(&self, line: &Line, call: &CallRequest) -> Result<CallReply, CallError> {
        let spec = call.spec;
        let deadline = self.now().plus(spec.limit);
        let entered = self.limited(spec.limit, line.target.bulkhead.enter()).await;
        let _place = match entered {
            Some(Ok(place)) => place,
            Some(Err(full)) => return Err(Failure::NotArrived(full.to_string()).of(spec.to)),
            None => {
                let reason = "no turn within the limit".to_owned();
                return Err(Failure::NotArrived(reason).of(spec.to));
            }
        };
        let safe = is_repeatable(call);
        let mut last: Option<Result<CallReply, CallError>> = None;
        for attempt in 0..=spec.retries {
            let permit = match line.target.breaker.admit(self.now()) {
                Ok(permit) => permit,
                // The answer that opened the breaker says more than that it is open.
                Err(open) => {
                    return last.unwrap_or_else(|| Err(Failure::NotArrived(open.to_string()).of(spec.to)));
                }
            };
            let left = deadline.since(self.now());
            // A call that may be repeated leaves time for its repetitions.
            let share = if safe { left / (spec.retries - attempt + 1) } else { left };
            let result = self.attempt(line, call, share, permit).await;
            let again = match &result {
                Ok(reply) => safe && matches!(reply.status.as_u16(), 502..=504),
                Err(Failure::NotArrived(_)) => true,
                Err(Failure::NoAnswer(_)) => safe,
            };
            let result = result.map_err(|failure| failure.of(spec.to));
            let pause = backoff::pause(attempt, self.environment.ids.random());
            if !again || attempt == spec.retries || deadline.since(self.now()) <= pause {
                return result;
            }
            last = Some(result);
            line.measurement.retried();
            self.environment.clock.sleep(pause).await;
        }
        unreachable!("the last attempt returns")
    }

    async fn attempt(
        &self,
        line: &Line,
        call: &CallRequest,
        limit: Duration,
        permit: Permit,
    ) -> Result<CallReply, Failure> {
        let spec = call.spec;
        let request = request::signed(call, &*self.tokens, &self.environment).map_err(Failure::NotArrived)?;
        let sent = self.limited(limit, self.transport.send(spec.to, request)).await;
        let result = match sent {
            Some(Ok(response)) => {
                let (parts, body) = response.into_parts();
                Ok(CallReply { status: parts.status, body })
            }
            Some(Err(TransportError::Connect(reason))) => Err(Failure::NotArrived(reason)),
            Some(Err(TransportError::Broken(reason))) => Err(Failure::NoAnswer(reason)),
            None => Err(Failure::NoAnswer(format!("nothing within {} ms", limit.as_millis()))),
        };
        let healthy = result.as_ref().is_ok_and(|reply| !reply.status.is_server_error());
        let state = permit.settle(healthy, self.now());
        line.measurement.breaker(state);
        result
    }
}

/// True where doing it twice is doing it once: by the method, or by the idempotency key.
fn is_repeatable(call: &CallRequest) -> bool {
    let method = &call.spec.method;
    [Method::GET, Method::HEAD, Method::PUT, Method::DELETE].contains(method)
        || call.idempotency_key.is_some()
}

#[async_trait]
impl Calls for Client {
    async fn call(&self, call: CallRequest) -> Result<CallReply, CallError> {
        let started = self.now();
        let line = self.line(call.spec);
        let result = self.attempts(&line, &call).await;
        line.measurement.done(&result, self.now().since(started));
        result
    }
}
