//! Calls between services: in memory where the called one runs here, over HTTP where it does not.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};

use super::{Network, read};
use crate::client::{InMemory, Transport, TransportError};

#[async_trait]
impl Transport for Network {
    async fn send(
        &self,
        to: &'static str,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, TransportError> {
        read(self.exchange(to, request.map(Body::from)).await?).await
    }
}

/// The services of this process and those of the others.
pub struct Split {
    /// Who runs here.
    pub here: BTreeSet<&'static str>,
    /// The way to them.
    pub memory: Arc<InMemory>,
    /// The way to the others.
    pub network: Arc<Network>,
}

#[async_trait]
impl Transport for Split {
    async fn send(
        &self,
        to: &'static str,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, TransportError> {
        match self.here.contains(to) {
            true => self.memory.send(to, request).await,
            false => self.network.send(to, request).await,
        }
    }
}
