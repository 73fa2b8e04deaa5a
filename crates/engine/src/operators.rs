//! Operators: who acts and why, and what stands of it in the journal, in the same commit as the act.

use backbone::collection::{ColumnValue, Direction, Query};
use backbone::environment::Environment;
use backbone::journal::{self, Journal};
use backbone::system::{OPERATOR_ACTS, OperatorAct};
use backbone::work::Origin;
use backbone::workspace::{Draft, Key, Slot, States, Workspace};
use kernel::Timestamp;

use crate::host::Host;

/// Who acts, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// The operator.
    pub who: String,
    /// Why, in the operator's words.
    pub reason: Option<String>,
}

impl By {
    /// An operator who gives no reason.
    pub fn new(who: impl Into<String>) -> Self {
        Self { who: who.into(), reason: None }
    }

    /// With a reason.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// What the engine does by itself.
    pub(crate) fn engine(reason: &str) -> Self {
        Self::new("engine").because(reason)
    }

    /// Writes the act down beside what it changes.
    pub(crate) fn note(&self, what: &str, about: &str, outcome: &str, ws: &mut Workspace<'_>) {
        let act = OperatorAct {
            id: ws.uuid(),
            who: self.who.clone(),
            what: what.to_owned(),
            about: about.to_owned(),
            reason: self.reason.clone(),
            outcome: outcome.to_owned(),
            at: ws.now(),
        };
        ws.create(act);
    }
}

/// No state is at hand: an act is written without looking.
struct Nothing;

impl States for Nothing {
    fn get(&self, _: &Key) -> Option<Slot> {
        None
    }
}

impl By {
    /// The act alone, for a commit that is put together by hand.
    pub(crate) fn draft(&self, host: &Host, (what, about, outcome): (&str, &str, &str)) -> Draft {
        let Environment { ids, clock, .. } = host.environment();
        let mut ws = Workspace::new(&Nothing, &**ids, clock.now(), Origin::default());
        self.note(what, about, outcome, &mut ws);
        ws.into_draft()
    }
}

/// What operators did to a service, the latest first, before a place.
pub(crate) async fn acts(
    journal: &dyn Journal,
    before: Option<(Timestamp, String)>,
    limit: usize,
) -> Result<Vec<OperatorAct>, journal::Error> {
    let mut query = Query::all(&OPERATOR_ACTS).sorted("at", Direction::Descending).limit(limit);
    query.after = before.map(|(at, id)| (ColumnValue::Timestamp(at), id));
    let found = journal.find(query).await?;
    let read = |stored: &journal::StoredDocument| {
        serde_json::from_slice(&stored.body)
            .map_err(|e| journal::Error::Unusable(format!("operator's act {}: {e}", stored.id)))
    };
    found.iter().map(read).collect()
}
