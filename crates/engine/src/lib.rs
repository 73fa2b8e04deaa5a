//! Floor 2: what runs modules.
//!
//! What this crate must not know: any service, any event's meaning, any database, broker, HTTP
//! library or clock. It knows how work is decided, committed, delivered, retried, given up,
//! resumed and encrypted; where it is kept and how it travels is the adapters' business.

mod alerts;
mod assemble;
mod cache;
mod consumer;
mod counting;
mod dead_letters;
mod decider;
mod documents;
mod doubt;
mod engine;
mod event_log;
mod failures;
mod fit;
mod health;
mod host;
mod keys;
mod lanes;
mod leases;
mod marks;
mod metrics;
mod operators;
mod projections;
mod rebuilds;
mod recovery;
mod rehearsal;
mod relay;
mod retention;
mod saga_desk;
mod sagas;
mod sealing;
mod service_watch;
mod shutdown;
mod signs;
mod since;
mod spans;
mod subscriptions;
mod tenure;
mod timers;
mod told;
mod watch;

pub use alerts::{Alert, RULES, Rule};
pub use dead_letters::{
    DeadLetterError, DeadLetters, Filter, Letter, Place, Sweep, SweepEnd, id_of, service_of,
};
pub use engine::{Engine, Options, Parts, Running, StartError};
pub use event_log::{EventFilter, EventLog, EventLogError, EventPart};
pub use health::{ConsumerHealth, Health, ProjectionHealth, SagaCount, ServiceHealth};
pub use host::Host;
pub use keys::Keys;
pub use operators::By;
pub use rebuilds::{Listed, Projections, RebuildError};
pub use rehearsal::{Rehearsal, Touched};
pub use relay::{Beginning, RELAY, RepublishError, Republished, Republisher};
pub use saga_desk::{FoundSaga, SagaDesk, SagaError, SagaFilter, SagaList, SagaPlace, SagaState, ShownSaga};
pub use watch::Watch;
