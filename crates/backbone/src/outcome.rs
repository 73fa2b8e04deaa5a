//! How a decision can fail.

use kernel::ErrorKind;

use crate::workspace::Key;

/// Why something was not done.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// The state of these things is needed first: the engine loads it and asks again. Decisions
    /// pass it on with `?` and never make it themselves.
    Missing(Vec<Key>),
    /// The domain's no: it would be the same tomorrow.
    Rejected(Rejection),
    /// Something went wrong.
    Failed {
        /// What kind of thing.
        kind: ErrorKind,
        /// What happened.
        message: String,
    },
}

/// The kinds of a domain's no; one place maps them to HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectionKind {
    /// There is no such thing (404).
    NotFound,
    /// The request makes no sense (422).
    Invalid,
    /// The state does not allow it (409).
    Conflict,
    /// Somebody else changed it in between (412).
    Stale,
    /// The caller may not (403).
    Forbidden,
}

/// The domain's no, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Rejection {
    /// What kind.
    pub kind: RejectionKind,
    /// A stable code for programs: `order-already-shipped`.
    pub code: &'static str,
    /// What is wrong and what to do, in a sentence.
    pub message: String,
    /// The field of the request, where one is to blame.
    pub field: Option<String>,
}

impl Rejection {
    /// A no of `kind` with a code and a sentence.
    pub fn new(kind: RejectionKind, code: &'static str, message: impl Into<String>) -> Self {
        Self { kind, code, message: message.into(), field: None }
    }

    /// There is no such thing.
    pub fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(RejectionKind::NotFound, code, message)
    }

    /// The request makes no sense.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(RejectionKind::Invalid, code, message)
    }

    /// The state does not allow it.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(RejectionKind::Conflict, code, message)
    }

    /// Names the field of the request that is to blame.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Refusal::Rejected(rejection)
    }
}

impl Refusal {
    /// A failure of `kind`.
    pub fn failed(kind: ErrorKind, message: impl Into<String>) -> Self {
        Refusal::Failed { kind, message: message.into() }
    }

    /// The kind that decides between a retry and a dead letter. A domain's no to an event is
    /// permanent: the same event gets the same answer.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Refusal::Missing(_) => ErrorKind::Conflict,
            Refusal::Rejected(_) => ErrorKind::Permanent,
            Refusal::Failed { kind, .. } => *kind,
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Missing(keys) => write!(f, "state not loaded yet: {keys:?}"),
            Refusal::Rejected(rejection) => write!(f, "{} ({})", rejection.message, rejection.code),
            Refusal::Failed { kind, message } => write!(f, "{message} ({kind:?})"),
        }
    }
}
