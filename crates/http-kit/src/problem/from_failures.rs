//! The one place where failures become HTTP statuses.

use backbone::calls::CallError;
use backbone::tokens::TokenError;
use backbone::work;
use backbone::{Rejection, RejectionKind, journal};
use http::StatusCode;

use super::Problem;

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let status = match rejection.kind {
            RejectionKind::NotFound => StatusCode::NOT_FOUND,
            RejectionKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            RejectionKind::Conflict => StatusCode::CONFLICT,
            RejectionKind::Stale => StatusCode::PRECONDITION_FAILED,
            RejectionKind::Forbidden => StatusCode::FORBIDDEN,
        };
        let problem = Problem::of(status, rejection.code, rejection.message.clone());
        match rejection.field {
            Some(field) => problem.at(field, rejection.message),
            None => problem,
        }
    }
}

impl From<work::Error> for Problem {
    fn from(error: work::Error) -> Self {
        match error {
            work::Error::Rejected(rejection) => rejection.into(),
            work::Error::KeyReused => {
                Problem::of(StatusCode::CONFLICT, "idempotency-key-reused", error.to_string())
            }
            work::Error::Unavailable(cause) => {
                tracing::warn!(event.action = "unavailable", error.message = %cause, "work could not be done");
                Problem::unavailable(
                    "the work may or may not be done: try again with the same idempotency key",
                )
            }
            work::Error::Failed(cause) => Problem::defect(cause),
        }
    }
}

impl From<journal::Error> for Problem {
    fn from(error: journal::Error) -> Self {
        match error {
            journal::Error::Unavailable { .. } => {
                tracing::warn!(event.action = "unavailable", error.message = %error, "a read failed");
                Problem::unavailable("the data cannot be read just now: try again")
            }
            journal::Error::Unusable(_) | journal::Error::Malformed(_) => Problem::defect(error),
        }
    }
}

impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        tracing::warn!(event.action = "call-failed", error.message = %error, "another service was needed");
        match error {
            CallError::Unreachable { to, .. } => {
                Problem::unavailable(format!("the service {to} cannot be reached just now: try again"))
            }
            CallError::Unknown { to, .. } => Problem::of(
                StatusCode::GATEWAY_TIMEOUT,
                "no-answer",
                format!("the service {to} did not answer in time: try again with the same idempotency key"),
            ),
            CallError::Answered { to, status, .. } => Problem::of(
                StatusCode::BAD_GATEWAY,
                "bad-answer",
                format!(
                    "the service {to} answered {}: it is logged under this request's id",
                    status.as_u16()
                ),
            ),
        }
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        let code = match error {
            TokenError::Invalid(_) => "token-invalid",
            TokenError::Expired => "token-expired",
            TokenError::Replayed => "token-replayed",
            TokenError::Unavailable(cause) => {
                tracing::warn!(event.action = "unavailable", error.message = %cause, "a token was not checked");
                return Problem::unavailable("tokens cannot be checked just now: try again");
            }
        };
        Problem::of(StatusCode::UNAUTHORIZED, code, error.to_string())
    }
}
