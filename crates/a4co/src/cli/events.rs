//! What `a4co events` takes.

use clap::Args;

/// Which events.
#[derive(Clone, Debug, Args)]
pub struct Events {
    /// Published by one service.
    #[arg(long)]
    pub service: Option<String>,
    /// Of one type: `order.created.v1`.
    #[arg(long = "type")]
    pub kind: Option<String>,
    /// Of one business flow, looked up by its correlation id.
    #[arg(long)]
    pub correlation: Option<String>,
    /// About one aggregate: their key, the order's id, say. Give --from as well where it is known.
    #[arg(long)]
    pub aggregate: Option<String>,
    /// Published at this time or later (RFC 3339).
    #[arg(long)]
    pub from: Option<String>,
    /// How many are shown.
    #[arg(long, default_value_t = 100)]
    pub limit: usize,
    /// One JSON object a line, payload included (personal fields encrypted), instead of a table.
    #[arg(long)]
    pub json: bool,
    /// A market that runs.
    #[arg(long, env = "A4CO_URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
}
