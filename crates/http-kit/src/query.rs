//! What stands in the URL: the query and the path's parameters.

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::Problem;
use crate::body::field_error;

/// The query. `#[serde(deny_unknown_fields)]` on `T` refuses a misspelt parameter by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UrlQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for UrlQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let text = parts.uri.query().unwrap_or("");
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
        serde_path_to_error::deserialize(pairs).map(Self).map_err(|error| {
            let path = error.path().to_string();
            let path = if path == "." { String::new() } else { path };
            let (code, error) = field_error(&path, &error.inner().to_string());
            let detail = match error.field.as_str() {
                "" => format!("the query cannot be read: {}", error.message),
                field => format!("the query's {field}: {}", error.message),
            };
            Problem::of(StatusCode::UNPROCESSABLE_ENTITY, code, detail).at(error.field, error.message)
        })
    }
}

/// The path's parameters: one value, a tuple, or a struct with their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UrlPath<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for UrlPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(failed)) => Err(unreadable(failed.into_kind())),
            Err(other) => Err(Problem::defect(other)),
        }
    }
}

fn unreadable(kind: ErrorKind) -> Problem {
    let (field, message) = match kind {
        ErrorKind::ParseErrorAtKey { key, expected_type, .. } => (key, format!("not a {expected_type}")),
        ErrorKind::DeserializeError { key, message, .. } => (key, message),
        ErrorKind::InvalidUtf8InPathParam { key } => (key, "not UTF-8".to_owned()),
        ErrorKind::ParseErrorAtIndex { index, expected_type, .. } => {
            (format!("parameter {}", index + 1), format!("not a {expected_type}"))
        }
        ErrorKind::ParseError { expected_type, .. } => {
            ("the parameter".to_owned(), format!("not a {expected_type}"))
        }
        ErrorKind::Message(message) => ("the parameter".to_owned(), message),
        other => return Problem::defect(other),
    };
    let detail = format!("the path cannot be read: {field}: {message}");
    Problem::of(StatusCode::BAD_REQUEST, "path-invalid", detail).at(field, message)
}
