//! The market's public API as a client sees it: over keep-alive connections, or in memory through
//! the same router. Seeding, the demonstration and the benches know nothing else of the market.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backbone::route::Role;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

mod memory;
mod socket;

pub use memory::InMemory;
pub use socket::{AddressError, Socket};

/// Issues a token for a person with a role: how the market knows them.
pub type Tokens = Arc<dyn Fn(Role, Uuid) -> String + Send + Sync>;

/// How long an answer is waited for.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Larger answers than this are refused: nothing here asks for more than a page.
pub(crate) const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How often a call is made again where the market was not available.
const RETRIES: u32 = 6;

/// Why a call did not give what was asked for.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No answer: it may have been done or not.
    #[error("{call}: the market gave no answer: {reason}")]
    Silent {
        /// Method and path.
        call: String,
        /// What happened.
        reason: String,
    },
    /// The market said no.
    #[error("{call}: {status} {code}: {detail}")]
    Refused {
        /// Method and path.
        call: String,
        /// The status.
        status: StatusCode,
        /// The problem's code, for programs.
        code: String,
        /// The problem's sentence, for people.
        detail: String,
    },
    /// The answer is not of the shape that was expected.
    #[error("{call}: the answer cannot be read: {reason}")]
    Unreadable {
        /// Method and path.
        call: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// The status, where there was an answer with one.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Error::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The problem's code, where the market said no.
    pub fn code(&self) -> Option<&str> {
        match self {
            Error::Refused { code, .. } => Some(code),
            _ => None,
        }
    }

    /// True where the same call may succeed later.
    pub fn is_passing(&self) -> bool {
        match self {
            Error::Silent { .. } => true,
            Error::Refused { status, .. } => {
                matches!(status.as_u16(), 429 | 502 | 503 | 504)
            }
            Error::Unreadable { .. } => false,
        }
    }
}

/// A request to the market.
#[derive(Clone, Debug)]
pub struct Call {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Call {
    /// A call of `path`, with its query where it has one.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// A read.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// A POST.
    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    /// A PUT.
    pub fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path)
    }

    /// As somebody, with their token.
    #[must_use]
    pub fn by(self, token: &str) -> Self {
        self.header(header::AUTHORIZATION, &format!("Bearer {token}"))
    }

    /// With an idempotency key: 1 to 128 visible ASCII characters.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.header(header::HeaderName::from_static("idempotency-key"), key)
    }

    /// On condition that the resource still has this entity tag.
    #[must_use]
    pub fn if_match(self, tag: &str) -> Self {
        self.header(header::IF_MATCH, tag)
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: header::HeaderName, value: &str) -> Self {
        let value = header::HeaderValue::from_str(value).expect("headers here are visible ASCII");
        self.headers.insert(name, value);
        self
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(self, body: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(body).expect("bodies here are JSON");
        self.body("application/json", bytes)
    }

    /// With a body of another kind.
    #[must_use]
    pub fn body(mut self, content_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        self.body = bytes.into();
        self.header(header::CONTENT_TYPE, content_type)
    }

    /// Method and path, for messages.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// As an HTTP request whose body is made of the bytes.
    pub(crate) fn request<B>(&self, body: impl FnOnce(Bytes) -> B) -> Result<Request<B>, Error> {
        let mut request = Request::new(body(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.path.parse().map_err(|e| self.silent(format!("no path: {e}")))?;
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }

    pub(crate) fn silent(&self, reason: impl ToString) -> Error {
        Error::Silent { call: self.name(), reason: reason.to_string() }
    }
}

/// An answer of the market, whatever its status.
#[derive(Clone, Debug)]
pub struct Reply {
    /// What it answers, for messages.
    pub call: String,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

#[derive(serde::Deserialize)]
struct Problem {
    #[serde(default)]
    code: String,
    #[serde(default)]
    detail: String,
}

impl Reply {
    /// Itself, where the status says success.
    pub fn good(self) -> Result<Self, Error> {
        if self.status.is_success() {
            return Ok(self);
        }
        let problem = serde_json::from_slice(&self.body).unwrap_or_else(|_| Problem {
            code: String::new(),
            detail: String::from_utf8_lossy(&self.body).chars().take(200).collect(),
        });
        let Problem { code, detail } = problem;
        Err(Error::Refused { call: self.call, status: self.status, code, detail })
    }

    /// The body of a success as `T`.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, Error> {
        let reply = self.good()?;
        serde_json::from_slice(&reply.body)
            .map_err(|e| Error::Unreadable { call: reply.call, reason: e.to_string() })
    }

    /// The entity tag.
    pub fn entity_tag(&self) -> Option<&str> {
        self.headers.get(header::ETAG)?.to_str().ok()
    }
}

/// A market that answers.
#[async_trait]
pub trait Api: Send + Sync + 'static {
    /// Makes a call once; any status is an answer.
    async fn send(&self, call: &Call) -> Result<Reply, Error>;
}

/// Makes a call; where the market is not available just now, again and again for some seconds.
/// Whatever creates something carries an idempotency key, so that making it again is safe.
pub async fn ask(api: &dyn Api, call: Call) -> Result<Reply, Error> {
    let mut wait = Duration::from_millis(100);
    let mut attempt = 0;
    loop {
        let answered = api.send(&call).await.and_then(Reply::good);
        match answered {
            Err(error) if error.is_passing() && attempt < RETRIES => {
                tracing::debug!(%error, attempt, "a call is made again");
                tokio::time::sleep(wait).await;
                wait *= 2;
                attempt += 1;
            }
            other => return other,
        }
    }
}

/// [`ask`], and the body as `T`.
pub async fn fetch<T: DeserializeOwned>(api: &dyn Api, call: Call) -> Result<T, Error> {
    ask(api, call).await?.read()
}

/// A page of a list.
#[derive(serde::Deserialize)]
struct Page<T> {
    items: Vec<T>,
    #[serde(default)]
    next: Option<String>,
}

/// All pages of a list, by cursor. `path` has no cursor or limit yet; at most `most` rows.
pub async fn fetch_all<T: DeserializeOwned>(
    api: &dyn Api,
    path: &str,
    token: Option<&str>,
    most: usize,
) -> Result<Vec<T>, Error> {
    let mut rows: Vec<T> = Vec::new();
    let mut cursor = String::new();
    loop {
        let mark = if path.contains('?') { '&' } else { '?' };
        let call = Call::get(format!("{path}{mark}limit=100{cursor}"));
        let call = match token {
            Some(token) => call.by(token),
            None => call,
        };
        let page: Page<T> = fetch(api, call).await?;
        rows.extend(page.items);
        match page.next {
            Some(next) if rows.len() < most => cursor = format!("&cursor={next}"),
            _ => return Ok(rows),
        }
    }
}

#[cfg(test)]
mod tests;
