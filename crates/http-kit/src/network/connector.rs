//! Connections: TCP, with TLS where the address says so, within a short time.

use std::sync::Arc;
use std::task::{Context, Poll};

use axum::BoxError;
use backbone::environment::Clock;
use futures::future::{BoxFuture, Either, TryFutureExt as _};
use http::Uri;
use http::uri::Scheme;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use kernel::Duration;
use tower::Service;

/// The longest that a connection may take: a process that is there answers in a fraction, and one
/// that is not must leave time for the next replica.
const CONNECT_LIMIT: Duration = Duration::from_millis(250);

type Tcp = <HttpConnector as Service<Uri>>::Response;

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector {
    plain: HttpConnector,
    tls: Option<HttpsConnector<HttpConnector>>,
    clock: Arc<dyn Clock>,
}

impl Connector {
    /// The system's certificates are read only where some address wants them.
    pub(super) fn new(clock: Arc<dyn Clock>, wants_tls: bool) -> std::io::Result<Self> {
        let mut plain = HttpConnector::new();
        plain.set_nodelay(true);
        plain.enforce_http(false);
        let tls = match wants_tls {
            true => {
                let builder = HttpsConnectorBuilder::new().with_native_roots()?;
                Some(builder.https_only().enable_http1().wrap_connector(plain.clone()))
            }
            false => None,
        };
        Ok(Self { plain, tls, clock })
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<Tcp>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting: Self::Future = match &mut self.tls {
            Some(tls) if uri.scheme() == Some(&Scheme::HTTPS) => Box::pin(tls.call(uri)),
            _ => Box::pin(self.plain.call(uri).map_ok(MaybeHttpsStream::Http).map_err(BoxError::from)),
        };
        let late = self.clock.sleep(CONNECT_LIMIT);
        Box::pin(async move {
            match futures::future::select(connecting, late).await {
                Either::Left((connected, _)) => connected,
                Either::Right(_) => {
                    Err(format!("no connection within {} ms", CONNECT_LIMIT.as_millis()).into())
                }
            }
        })
    }
}
