//! What `a4co sagas` takes.

use clap::{Args, Subcommand};

/// Which sagas.
#[derive(Clone, Debug, Default, Args)]
pub struct SagaFilter {
    /// Of one service.
    #[arg(long)]
    pub service: Option<String>,
    /// blocked, late, running or ended.
    #[arg(long)]
    pub state: Option<String>,
    /// Of one name: `order-fulfilment`.
    #[arg(long)]
    pub saga: Option<String>,
    /// In one step: `process-payment`.
    #[arg(long)]
    pub step: Option<String>,
    /// Last changed at this time or later (RFC 3339).
    #[arg(long)]
    pub from: Option<String>,
    /// Last changed before this time.
    #[arg(long)]
    pub to: Option<String>,
    /// How many are shown.
    #[arg(long, default_value_t = 100)]
    pub limit: usize,
}

/// An act that needs a reason.
#[derive(Clone, Debug, Args)]
pub struct Act {
    /// The saga, as it is listed: `order.order-fulfilment.ORDER_ID`.
    pub id: String,
    /// Why.
    #[arg(long)]
    pub reason: String,
    /// Only say what it would do.
    #[arg(long)]
    pub dry_run: bool,
    /// A market that runs.
    #[arg(long, env = "A4CO_URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
}

/// What `sagas` can do.
#[derive(Debug, Subcommand)]
pub enum Sagas {
    /// Lists sagas: those that wait for somebody the oldest first, others the latest first.
    List {
        /// Which.
        #[command(flatten)]
        filter: SagaFilter,
        /// A market that runs.
        #[arg(long, env = "A4CO_URL", default_value = "http://127.0.0.1:8080")]
        url: String,
    },
    /// Shows one: where it is, what it asks and undoes, what can be done, what happened.
    Show {
        /// The saga, as it is listed: `order.order-fulfilment.ORDER_ID`.
        id: String,
        /// A market that runs.
        #[arg(long, env = "A4CO_URL", default_value = "http://127.0.0.1:8080")]
        url: String,
    },
    /// Tries again what is blocked, with a fresh budget.
    Retry {
        /// The saga, as it is listed: `order.order-fulfilment.ORDER_ID`.
        id: String,
        /// Only say what it would do.
        #[arg(long)]
        dry_run: bool,
        /// A market that runs.
        #[arg(long, env = "A4CO_URL", default_value = "http://127.0.0.1:8080")]
        url: String,
    },
    /// Passes over what is blocked: the first of it, where there are several.
    Skip(Act),
    /// Says that what is blocked was done by hand: the first of it, where there are several.
    Done(Act),
    /// Gives up going forward and undoes: possible until the pivot has succeeded.
    Compensate(Act),
}

impl Sagas {
    /// The market that runs.
    pub(crate) fn url(&self) -> &str {
        match self {
            Sagas::List { url, .. } | Sagas::Show { url, .. } | Sagas::Retry { url, .. } => url,
            Sagas::Skip(act) | Sagas::Done(act) | Sagas::Compensate(act) => &act.url,
        }
    }
}
