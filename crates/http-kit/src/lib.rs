//! Floor 2: HTTP manners, once for all services.
//!
//! What this crate must not know: any service, any event's payload, any database or broker; it
//! opens no socket but in `network`, reads no clock and makes no id but through
//! `backbone::environment`. It says
//! how a request is read, who may make it, how an answer and a problem look, and how one service
//! calls another.

mod answer;
mod body;
mod caller;
mod client;
mod entity_tag;
#[cfg(test)]
mod environment;
mod execute;
mod gate;
mod idempotency;
mod in_flight;
#[cfg(any(test, feature = "network"))]
pub mod network;
pub mod openapi;
pub mod page;
mod problem;
mod query;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use answer::Answer;
pub use body::{BODY_LIMIT_BYTES, Body};
pub use caller::{CallerIs, Origin};
pub use client::{BreakerPolicy, CallLimits, Client, InMemory, Transport, TransportError};
pub use entity_tag::{EntityTag, IfMatch};
pub use execute::Execute;
pub use gate::{Gate, Rates, RouteConflict, router, router_between};
pub use idempotency::Idempotency;
pub use in_flight::OneAtATime;
pub use page::PageQuery;
pub use problem::{FieldError, Problem};
pub use query::{UrlPath, UrlQuery};
