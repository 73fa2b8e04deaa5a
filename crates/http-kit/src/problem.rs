//! Problems: what a client reads when it cannot have what it asked for (RFC 9457).

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

mod from_failures;
mod titles;
mod wire;

pub(crate) use titles::Language;
pub(crate) use wire::Wire;

/// The media type of a problem.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// What is wrong with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct FieldError {
    /// Where: `items[0].quantity`; empty where it is the whole body.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// A problem+json answer. It never carries a stack trace, a token or the cause of a defect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// Stable, for programs; it names the kind of problem (`/problems/<code>`).
    pub code: Cow<'static, str>,
    /// The kind of problem in a few words.
    pub title: Cow<'static, str>,
    /// What is wrong here and what to do.
    pub detail: String,
    /// The fields to blame.
    pub errors: Vec<FieldError>,
    /// Seconds after which another try may help (`Retry-After`); 0 where nothing is said.
    pub retry_after_seconds: u16,
    /// Names this occurrence by the request's id; the gate sets it.
    pub(crate) instance: Option<Box<str>>,
}

impl Problem {
    /// A problem; `code` is stable and kebab-case, `title` short, `detail` says what to do.
    pub fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        title: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            title: title.into(),
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_seconds: 0,
            instance: None,
        }
    }

    /// A problem with the status's usual title.
    pub fn of(status: StatusCode, code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(status, code, titles::title(status, Language::English), detail)
    }

    /// 404: there is no such thing; `what` names it: `order 0190…`.
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::of(StatusCode::NOT_FOUND, "not-found", format!("there is no {what}: check its id"))
    }

    /// 403: the caller may not; the message says who may.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::of(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// 422: this field of the request is wrong.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        let (field, message) = (field.into(), message.into());
        Self::of(StatusCode::UNPROCESSABLE_ENTITY, "invalid", format!("{field}: {message}"))
            .at(field, message)
    }

    /// 503: nothing is wrong with the request; try again after a second.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let problem = Self::of(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail);
        Self { retry_after_seconds: 1, ..problem }
    }

    /// 500: a defect. The cause is for the log, where it is written here and nowhere else.
    pub fn defect(cause: impl std::fmt::Display) -> Self {
        tracing::error!(event.action = "defect", error.message = %cause, "a request failed by a defect");
        Self::of(
            StatusCode::INTERNAL_SERVER_ERROR,
            "defect",
            "something is wrong on our side: it is logged under this request's id; trying again with the \
             same idempotency key is safe",
        )
    }

    /// Names a field to blame.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.push(FieldError { field: field.into(), message: message.into() });
        self
    }

    /// Sets the title in `language` where it is the status's usual one.
    pub(crate) fn translate(&mut self, language: Language) {
        if self.title == titles::title(self.status, Language::English) {
            self.title = titles::title(self.status, language).into();
        }
    }

    /// The response without the copy of the problem that the frame rewrites.
    pub(crate) fn render(&self) -> Response {
        let body = serde_json::to_vec(&Wire::from(self)).expect("a problem is text and numbers");
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if self.retry_after_seconds > 0 {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after_seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.status.as_u16(), self.code, self.detail)
    }
}

impl std::error::Error for Problem {}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.render();
        response.extensions_mut().insert(self);
        response
    }
}
