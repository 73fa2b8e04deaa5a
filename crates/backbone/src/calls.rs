//! Calls between services: few, each a row of communication.md, all made by one client.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode};
use kernel::Duration;
use serde::de::DeserializeOwned;

use crate::saga::CallFailure;

/// A row of the table of calls.
#[derive(Debug, PartialEq, Eq)]
pub struct CallSpec {
    /// The calling service.
    pub from: &'static str,
    /// The called service.
    pub to: &'static str,
    /// The method.
    pub method: Method,
    /// The path, with `{parameters}`.
    pub path: &'static str,
    /// The limit for the whole call, retries included.
    pub limit: Duration,
    /// How often it is tried again: only on connect errors, time-outs and 502, 503, 504.
    pub retries: u32,
}

/// A call to make.
#[derive(Clone, Debug)]
pub struct CallRequest {
    /// Its row.
    pub spec: &'static CallSpec,
    /// The path with its parameters filled in, and the query.
    pub path_and_query: String,
    /// The JSON body, where there is one.
    pub body: Option<Bytes>,
    /// Made the same for each retry, so that the other side does it once.
    pub idempotency_key: Option<String>,
    /// The business flow.
    pub correlation_id: String,
}

/// What the other side answered, whatever the status.
#[derive(Clone, Debug)]
pub struct CallReply {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// It certainly never arrived: no connection, breaker open, bulkhead full.
    #[error("{to} is unreachable: {reason}")]
    Unreachable {
        /// The called service.
        to: &'static str,
        /// What happened.
        reason: String,
    },
    /// It may have arrived: no answer within the limit, or a broken one.
    #[error("{to} gave no answer: {reason}")]
    Unknown {
        /// The called service.
        to: &'static str,
        /// What happened.
        reason: String,
    },
    /// It answered with an error.
    #[error("{to} answered {status}: {detail}")]
    Answered {
        /// The called service.
        to: &'static str,
        /// The status.
        status: StatusCode,
        /// The problem's detail.
        detail: String,
    },
}

/// Makes calls: with the service token, limits, retries and the target's breaker.
#[async_trait]
pub trait Calls: Send + Sync + 'static {
    /// Makes a call; any status is an answer.
    async fn call(&self, request: CallRequest) -> Result<CallReply, CallError>;
}

impl CallReply {
    /// The body of a 2xx answer as `T`; any other status, or another body, is an error.
    pub fn json<T: DeserializeOwned>(&self, to: &'static str) -> Result<T, CallError> {
        if !self.status.is_success() {
            return Err(CallError::Answered { to, status: self.status, detail: self.detail() });
        }
        serde_json::from_slice(&self.body)
            .map_err(|e| CallError::Unknown { to, reason: format!("the answer cannot be read: {e}") })
    }

    /// The detail of a problem+json body, or the start of any other.
    pub fn detail(&self) -> String {
        let problem = serde_json::from_slice::<serde_json::Value>(&self.body).ok();
        let detail = problem.as_ref().and_then(|p| p.get("detail")).and_then(|d| d.as_str());
        match detail {
            Some(detail) => detail.to_owned(),
            None => String::from_utf8_lossy(&self.body).chars().take(200).collect(),
        }
    }
}

impl From<CallError> for CallFailure {
    fn from(error: CallError) -> Self {
        let reason = error.to_string();
        match error {
            CallError::Unreachable { .. } => CallFailure::Failed { reason, retryable: true },
            CallError::Unknown { .. } => CallFailure::Unknown { reason },
            CallError::Answered { status, .. } => {
                CallFailure::Failed { reason, retryable: status.is_server_error() }
            }
        }
    }
}
