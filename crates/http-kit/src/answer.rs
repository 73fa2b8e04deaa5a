//! Good answers.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::{EntityTag, Problem};

/// A good answer: a status, a JSON body where there is one, a place and a version.
#[derive(Debug)]
pub struct Answer {
    response: Response,
}

impl Answer {
    /// 200 with a body.
    pub fn ok(body: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, body)
    }

    /// 201: the thing stands at `location`.
    pub fn created(location: impl AsRef<str>, body: &impl Serialize) -> Self {
        Self::json(StatusCode::CREATED, body).located(location.as_ref())
    }

    /// 202: it is under way; look at `location`.
    pub fn accepted(location: impl AsRef<str>, body: &impl Serialize) -> Self {
        Self::json(StatusCode::ACCEPTED, body).located(location.as_ref())
    }

    /// 204.
    pub fn no_content() -> Self {
        Self { response: StatusCode::NO_CONTENT.into_response() }
    }

    /// `status` with a body that is JSON text already: a stored document, a kept answer.
    pub fn json_bytes(status: StatusCode, body: impl Into<Bytes>) -> Self {
        let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        Self { response: (status, json, body.into()).into_response() }
    }

    /// `status` with a body.
    pub fn json(status: StatusCode, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => Self::json_bytes(status, bytes),
            Err(error) => {
                let defect = Problem::defect(format!("the answer is not JSON: {error}"));
                Self { response: defect.into_response() }
            }
        }
    }

    /// States the version of what is answered, for the `If-Match` of its next change.
    #[must_use]
    pub fn etag(self, version: u64) -> Self {
        self.header(header::ETAG, EntityTag(version).into())
    }

    /// States where the thing stands.
    #[must_use]
    pub fn located(self, location: &str) -> Self {
        match HeaderValue::try_from(location) {
            Ok(value) => self.header(header::LOCATION, value),
            // Locations are made of paths and ids: what cannot be a header is a defect, but the
            // work is done and must be answered as done.
            Err(_) => self,
        }
    }

    /// Sets a header.
    #[must_use]
    pub fn header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.response.headers_mut().insert(name, value);
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        self.response
    }
}
