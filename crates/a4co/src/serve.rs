//! `a4co serve`: opens the market, fills an empty one, listens, and stops in order.

mod door;
mod entry;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::Router;
use backbone::route::Role;
use indicatif::ProgressBar;
use tokio::net::TcpListener;

use crate::cli::Serve;
use crate::client::InMemory;
use crate::config::Settings;
use crate::market::{self, Market};
use crate::services::SERVICES;
use crate::{processes, seed};
use door::Door;

/// How long open requests and streams may take at shutdown.
const DRAIN: Duration = Duration::from_secs(5);
/// How long a process that stops says so before it takes no more connections, where it may be one of
/// several.
const LEAVE: Duration = Duration::from_secs(1);

/// Runs the market until it is told to stop.
pub(crate) async fn run(settings: &Settings, options: &Serve) -> anyhow::Result<()> {
    let begun = Instant::now();
    let metrics = telemetry::Metrics::install()?;
    let listen = &settings.serve.listen;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}: choose another address with --listen"))?;
    let door = Door::default();
    let server = Server::on(listener, door.router())?;
    let market = market::open_with(settings, Some(metrics.clone())).await?;
    let here: Vec<_> = SERVICES.iter().filter(|service| processes::runs(settings, service)).collect();
    let is_whole = here.len() == SERVICES.len();
    let is_filled = !options.empty && !settings.is_production();
    if is_filled && is_whole {
        fill(&market).await?;
    }
    door.open(market.router.clone());
    let fills_others = is_filled && !is_whole && processes::is_gateway(settings);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            metrics.upkeep();
        }
    });
    let ready_ms = begun.elapsed().as_millis() as u64;
    tracing::info!(url = server.url, services = ?here, ready_ms, "ready");
    println!("{}", welcome(settings, &server.url)?);
    let meanwhile = async {
        if fills_others {
            entry::fill(market.router.clone(), market.person_tokens()).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        told = told_to_stop() => told?,
        () = meanwhile => {}
    }
    tracing::info!("stopping: no new requests, what is open is finished");
    door.close();
    if settings.engines.postgres.is_some() {
        // Balancers and other processes see it and go elsewhere.
        tokio::time::sleep(LEAVE).await;
    }
    server.stop().await;
    drop(door);
    market.close().await?;
    tracing::info!("stopped in order");
    Ok(())
}

/// A market that listens.
pub(crate) struct Server {
    /// Where.
    pub(crate) url: String,
    stop: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

/// Listens on an address.
pub(crate) async fn listen(market: &Market, address: &str) -> anyhow::Result<Server> {
    Server::on(TcpListener::bind(address).await?, market.router.clone())
}

impl Server {
    fn on(listener: TcpListener, router: Router) -> anyhow::Result<Self> {
        let url = format!("http://{}", listener.local_addr()?);
        let router = router.into_make_service_with_connect_info::<SocketAddr>();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            axum::serve(listener, router).with_graceful_shutdown(stopped).await
        });
        Ok(Self { url, stop, task })
    }

    /// Takes no new requests and finishes those that are open; streams are cut after a while.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        if tokio::time::timeout(DRAIN, self.task).await.is_err() {
            tracing::warn!("streams were still open and are cut");
        }
    }
}

/// Fills an empty market with the demonstration.
pub(crate) async fn fill(market: &Market) -> anyhow::Result<()> {
    let api = InMemory::new(market.router.clone());
    let bar = ProgressBar::new(0);
    let report = seed::run(&api, &market.person_tokens(), &bar).await?;
    bar.finish_and_clear();
    tracing::info!(?report, "the demonstration market");
    Ok(())
}

async fn told_to_stop() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Where it listens, and two commands to paste: one places an order, one watches it.
fn welcome(settings: &Settings, url: &str) -> anyhow::Result<String> {
    let data = market::shown(&settings.serve.data);
    if settings.is_production() {
        return Ok(format!("a4co listens on {url}, in production\ndata: {}", data.display()));
    }
    if !SERVICES.iter().all(|service| processes::runs(settings, service)) && !processes::is_gateway(settings)
    {
        let here = settings.serve.only.join(", ");
        return Ok(format!("a4co runs {here} and listens on {url}\ndata: {}", data.display()));
    }
    let token = market::token(settings, Role::Admin, seed::operator(), Duration::from_secs(12 * 3_600))?;
    let order = example_order();
    Ok(format!(
        "\na4co listens on {url}   (the API to try: {url}/docs)\n\
         data: {}\n\n\
         Place an order:\n\
         curl -s {url}/api/orders -H 'content-type: application/json' -H \"idempotency-key: first-$(date +%s)\" \\\n  \
         -d '{order}'\n\n\
         Watch it (with the id from the answer; an operator's token for twelve hours):\n\
         curl -sN {url}/api/orders/ORDER_ID/stream -H 'authorization: Bearer {token}'\n",
        data.display()
    ))
}

/// An order that anybody may place: one piece of the first product that has no sizes.
fn example_order() -> serde_json::Value {
    serde_json::json!({
        "guest": {"name": "Ana Ruiz", "email": "ana@example.org"},
        "items": [{"productId": seed::example_products().first(), "quantity": 1}],
        "deliveryAddress": {
            "recipient": "Ana Ruiz", "line1": "Calle Real 1", "city": "Úbeda", "province": "Jaén",
            "postalCode": "23400", "country": "ES",
        },
        "paymentMethodId": "sandbox-card-ok",
    })
}
