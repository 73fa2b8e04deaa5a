//! What kind of failure it is decides what happens next (reliability.md, rule 14).

/// The kinds of failure; one place maps them to a retry, a dead letter or an HTTP status.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// A database, broker or machine is down. Uses no attempts: nothing is wrong with the message.
    Infrastructure,
    /// May succeed when tried again. Uses an attempt.
    Transient,
    /// Fails the same way each time: straight to the dead letters.
    Permanent,
    /// Cannot even be read: straight to the dead letters.
    Undecodable,
    /// Lost a race for a version: reload and decide again. Uses no attempts.
    Conflict,
}

impl ErrorKind {
    /// True where trying again may help.
    pub fn is_retryable(self) -> bool {
        matches!(self, ErrorKind::Infrastructure | ErrorKind::Transient | ErrorKind::Conflict)
    }
}
