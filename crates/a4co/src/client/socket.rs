//! A market over HTTP/1.1 with keep-alive connections: one for each call under way, reused.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{ANSWER_BYTES_MAX, ANSWER_LIMIT, Api, Call, Error, Reply};

/// Why an address names no market.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address of a market: write it as http://127.0.0.1:8080")]
pub struct AddressError(String);

type Connection = SendRequest<Full<Bytes>>;

/// A market at an address.
#[derive(Debug)]
pub struct Socket {
    authority: String,
    host: HeaderValue,
    idle: Mutex<Vec<Connection>>,
}

impl Socket {
    /// The market at `http://host:port`; connections are made when they are needed.
    pub fn new(address: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError(address.to_owned());
        let uri: Uri = address.parse().map_err(|_| wrong())?;
        let (Some("http"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong());
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong());
        }
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| wrong())?;
        let port = authority.port_u16().unwrap_or(80);
        let authority = format!("{}:{port}", authority.host());
        Ok(Self { authority, host, idle: Mutex::default() })
    }

    fn reuse(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(connection) = idle.pop() {
            if !connection.is_closed() {
                return Some(connection);
            }
        }
        None
    }

    fn keep(&self, connection: Connection) {
        if !connection.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }

    async fn connect(&self) -> std::io::Result<Connection> {
        let stream = TcpStream::connect(&self.authority).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
        tokio::spawn(async move {
            // Ends with its connection; whoever waits for an answer is told by the sender.
            let _ = connection.await;
        });
        Ok(sender)
    }

    /// Sends over a connection that was kept, or over a new one where the market has closed that
    /// one meanwhile and certainly never saw the request.
    async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Connection), String> {
        while let Some(mut connection) = self.reuse() {
            if connection.ready().await.is_err() {
                continue;
            }
            match connection.try_send_request(request).await {
                Ok(response) => return Ok((response, connection)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().to_string()),
                },
            }
        }
        let connected = self.connect().await;
        let mut connection = connected.map_err(|e| format!("no connection to {}: {e}", self.authority))?;
        let response = connection.send_request(request).await.map_err(|e| e.to_string())?;
        Ok((response, connection))
    }
}

#[async_trait]
impl Api for Socket {
    async fn send(&self, call: &Call) -> Result<Reply, Error> {
        let mut request = call.request(Full::new)?;
        request.headers_mut().insert(header::HOST, self.host.clone());
        let answered = async {
            let (response, connection) = self.exchange(request).await.map_err(|e| call.silent(e))?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|e| call.silent(e))?;
            self.keep(connection);
            Ok(Reply {
                call: call.name(),
                status: parts.status,
                headers: parts.headers,
                body: body.to_bytes(),
            })
        };
        match tokio::time::timeout(ANSWER_LIMIT, answered).await {
            Ok(answer) => answer,
            Err(_) => Err(call.silent("no answer in 30 seconds")),
        }
    }
}
