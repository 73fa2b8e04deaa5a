//! A problem as it travels.

use schemars::JsonSchema;
use serde::Serialize;

use super::{FieldError, Problem};

/// What is wrong and what to do (RFC 9457).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct Wire<'a> {
    /// Names the kind of problem: `/problems/<code>`.
    #[serde(rename = "type")]
    kind: String,
    /// The kind of problem in a few words, Spanish or English.
    title: &'a str,
    /// The HTTP status again, for readers that have only the body.
    status: u16,
    /// What is wrong here and what to do.
    detail: &'a str,
    /// Names this occurrence by the request's id, for whoever asks for help.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    /// Stable, for programs.
    code: &'a str,
    /// The fields to blame.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

impl<'a> From<&'a Problem> for Wire<'a> {
    fn from(problem: &'a Problem) -> Self {
        Self {
            kind: format!("/problems/{}", problem.code),
            title: &problem.title,
            status: problem.status.as_u16(),
            detail: &problem.detail,
            instance: problem.instance.as_deref(),
            code: &problem.code,
            errors: &problem.errors,
        }
    }
}
