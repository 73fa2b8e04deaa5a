//! Durable timers: one row per (timer, key), kept with the state they belong to.

use std::sync::Arc;

use kernel::Timestamp;
use serde::{Deserialize, Serialize};

use crate::collection::{Collection, Column, ColumnKind, ColumnValue};
use crate::document::Document;
use crate::outcome::Refusal;
use crate::workspace::Workspace;

/// Where timers are kept.
pub const TIMERS: Collection =
    Collection { name: "timers", columns: &[Column::indexed("due", ColumnKind::Timestamp)], children: &[] };

/// A deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// Which timer of the module.
    pub name: String,
    /// Whose.
    pub key: String,
    /// When it is due.
    pub due: Timestamp,
    /// Whatever the setter wants to recognise it by: a saga's generation.
    pub generation: u64,
    /// The trace context of what set it. Rows of older programs have none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub traceparent: Option<String>,
}

impl Document for Timer {
    const COLLECTION: &'static Collection = &TIMERS;

    fn id(&self) -> String {
        timer_id(&self.name, &self.key)
    }

    fn columns(&self) -> Vec<ColumnValue> {
        vec![self.due.into()]
    }
}

fn timer_id(name: &str, key: &str) -> String {
    format!("{name}/{key}")
}

type Fire = Arc<dyn Fn(&Timer, &mut Workspace<'_>) -> Result<(), Refusal> + Send + Sync>;

/// What a module does when a timer is due. Firing late, twice or after completion must be
/// harmless: look at the state, not at the timer.
#[derive(Clone)]
pub struct TimerHandler {
    /// The timer's name.
    pub name: &'static str,
    /// What to do. The timer is gone afterwards unless it is set again.
    pub fire: Fire,
}

impl TimerHandler {
    /// Registers `fire` for timers called `name`.
    pub fn new(
        name: &'static str,
        fire: impl Fn(&Timer, &mut Workspace<'_>) -> Result<(), Refusal> + Send + Sync + 'static,
    ) -> Self {
        Self { name, fire: Arc::new(fire) }
    }
}

impl Workspace<'_> {
    /// Sets (or moves) the timer `name` of `key`.
    pub fn set_timer(&mut self, name: &str, key: impl ToString, due: Timestamp, generation: u64) {
        let (name, key) = (name.to_owned(), key.to_string());
        let traceparent = self.origin().traceparent.clone();
        self.overwrite(Timer { name, key, due, generation, traceparent });
    }

    /// Takes the timer away.
    pub fn clear_timer(&mut self, name: &str, key: impl ToString) {
        self.delete::<Timer>(timer_id(name, &key.to_string()));
    }
}
