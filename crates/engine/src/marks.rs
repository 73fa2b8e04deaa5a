//! What commits say about their service: the sagas that are under way, the dead letters that came
//! or went, the events that were published. Read off what is written, so that nobody has to ask
//! the store.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use backbone::collection::{ColumnValue, LIMIT_MAX, Query};
use backbone::journal::{self, Journal};
use backbone::saga::{AnyInstance, Phase, SAGAS};
use backbone::system::{DEAD_LETTERS, FAILURE_KINDS};
use kernel::{Duration, Timestamp};

use crate::assemble::Assembled;
use crate::failures::KnownKinds;
use crate::metrics::ServiceMetrics;

/// A relay that has not looked for so long runs elsewhere: publishing takes less.
const RELAY_SILENT_MAX: Duration = Duration::from_secs(60);

/// What a commit will have said once it is durable.
#[derive(Default)]
pub(crate) struct Marks {
    published: Vec<&'static str>,
    sagas: Vec<(String, Option<SagaMark>)>,
    dead_letters: bool,
    failure_kinds: Vec<String>,
}

/// A saga as a commit leaves it.
struct SagaMark {
    saga: String,
    phase: String,
    step: String,
    at: Timestamp,
}

impl Marks {
    pub(crate) fn of(assembled: &Assembled) -> Self {
        let sagas = assembled.documents(&SAGAS);
        Self {
            published: assembled.published().collect(),
            sagas: sagas.map(|(id, columns)| (id.to_owned(), columns.and_then(SagaMark::of))).collect(),
            dead_letters: assembled.documents(&DEAD_LETTERS).next().is_some(),
            failure_kinds: assembled.documents(&FAILURE_KINDS).map(|(id, _)| id.to_owned()).collect(),
        }
    }
}

impl SagaMark {
    /// In the order in which `SAGAS` declares them.
    fn of(columns: &[ColumnValue]) -> Option<Self> {
        let [
            ColumnValue::Text(saga),
            ColumnValue::Text(phase),
            ColumnValue::Text(step),
            _,
            ColumnValue::Timestamp(at),
        ] = columns
        else {
            return None;
        };
        Some(Self { saga: saga.clone(), phase: phase.clone(), step: step.clone(), at: *at })
    }
}

/// A saga that has not ended.
struct UnderWay {
    saga: String,
    step: String,
    is_blocked: bool,
    started_at: Timestamp,
    step_since: Timestamp,
}

/// How many sagas of a name are under way.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sagas {
    /// Those that run or are being undone.
    pub(crate) active: u64,
    /// Those that wait for an operator.
    pub(crate) blocked: u64,
}

/// What is known of a service without asking its store.
#[derive(Default)]
pub(crate) struct ServiceSigns {
    metrics: OnceLock<ServiceMetrics>,
    sagas: Mutex<BTreeMap<String, UnderWay>>,
    /// Names that were seen, so that a count can fall to nothing.
    known: Mutex<BTreeMap<String, ()>>,
    letters_changed: AtomicBool,
    operations: AtomicU64,
    errors: AtomicU64,
    outbox: Mutex<Outbox>,
    pub(crate) failure_kinds: KnownKinds,
    asked_again: AtomicBool,
}

/// What the relay saw when it last looked.
#[derive(Clone, Copy, Default)]
struct Outbox {
    /// When the first event was committed that is not published.
    oldest: Option<Timestamp>,
    /// When it looked; `None` where nothing runs a relay.
    seen_at: Option<Timestamp>,
}

impl ServiceSigns {
    /// Before anything else runs: what is counted, and what is under way since the last run.
    pub(crate) async fn begin(
        &self,
        journal: &dyn Journal,
        metrics: ServiceMetrics,
        sagas: &[&'static str],
    ) -> Result<(), journal::Error> {
        let _ = self.metrics.set(metrics);
        self.letters_changed();
        for saga in sagas {
            self.known().insert((*saga).to_owned(), ());
        }
        if sagas.is_empty() {
            return Ok(());
        }
        self.load(journal).await
    }

    /// Reads what is under way. Other replicas of a shared store move sagas too, so there it is read
    /// again from time to time; what commits say meanwhile is made good at the next reading.
    pub(crate) async fn load(&self, journal: &dyn Journal) -> Result<(), journal::Error> {
        let mut found = BTreeMap::new();
        for phase in [Phase::Running, Phase::Compensating, Phase::Blocked] {
            Self::load_phase(journal, phase, &mut found).await?;
        }
        *self.under_way() = found;
        Ok(())
    }

    async fn load_phase(
        journal: &dyn Journal,
        phase: Phase,
        into: &mut BTreeMap<String, UnderWay>,
    ) -> Result<(), journal::Error> {
        let mut after = None;
        loop {
            let mut query = Query::all(&SAGAS).equal("phase", phase.name());
            query.after = after;
            let page = journal.find(query).await?;
            for stored in &page {
                let found: AnyInstance = serde_json::from_slice(&stored.body)
                    .map_err(|e| journal::Error::Unusable(format!("saga {}: {e}", stored.id)))?;
                let under_way = UnderWay {
                    saga: found.saga,
                    step: found.step_name,
                    is_blocked: phase == Phase::Blocked,
                    started_at: found.started_at,
                    step_since: found.updated_at,
                };
                into.insert(stored.id.clone(), under_way);
            }
            match page.last() {
                Some(last) if page.len() == LIMIT_MAX => after = Some((ColumnValue::Null, last.id.clone())),
                _ => return Ok(()),
            }
        }
    }

    fn under_way(&self) -> MutexGuard<'_, BTreeMap<String, UnderWay>> {
        self.sagas.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, ()>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is counted of the service; `None` before it begins.
    pub(crate) fn metrics(&self) -> Option<&ServiceMetrics> {
        self.metrics.get()
    }

    /// A commit is durable.
    pub(crate) fn committed(&self, marks: Marks) {
        let Some(metrics) = self.metrics() else { return };
        metrics.commits.increment(1);
        marks.published.iter().for_each(|kind| metrics.published(kind));
        if marks.dead_letters {
            self.letters_changed();
        }
        for failure in marks.failure_kinds.into_iter().filter(|id| self.failure_kinds.tell(id)) {
            metrics.failure_kinds.increment(1);
            tracing::error!(failure, "a new kind of failure: `a4co dlq list` shows what died of it");
        }
        for (id, mark) in marks.sagas {
            self.note(id, mark, metrics);
        }
    }

    fn note(&self, id: String, mark: Option<SagaMark>, metrics: &ServiceMetrics) {
        let mut under_way = self.under_way();
        let before = under_way.remove(&id);
        let Some(SagaMark { saga, phase, step, at }) = mark else { return };
        let is_final = [Phase::Completed, Phase::Compensated].iter().any(|ended| ended.name() == phase);
        let is_undone = phase == Phase::Compensating.name();
        let goes_on = |before: &UnderWay| before.step == step && !is_final && !is_undone;
        let step_since = match &before {
            Some(before) if goes_on(before) => before.step_since,
            Some(before) if !before.step.is_empty() => {
                metrics.step_ended(&saga, &before.step, at.since(before.step_since));
                at
            }
            _ => at,
        };
        let started_at = before.map_or(at, |before| before.started_at);
        if is_final {
            metrics.saga_ended(&saga, &phase, at.since(started_at));
            return;
        }
        // The steps of a saga that is undone have ended.
        let step = if is_undone { String::new() } else { step };
        let is_blocked = phase == Phase::Blocked.name();
        under_way.insert(id, UnderWay { saga, step, is_blocked, started_at, step_since });
    }

    /// How many sagas are under way, by name.
    pub(crate) fn sagas(&self) -> BTreeMap<String, Sagas> {
        let mut counts: BTreeMap<String, Sagas> =
            self.known().keys().map(|saga| (saga.clone(), Sagas::default())).collect();
        for saga in self.under_way().values() {
            let counts = counts.entry(saga.saga.clone()).or_default();
            if saga.is_blocked {
                counts.blocked += 1;
            } else {
                counts.active += 1;
            }
        }
        counts
    }

    /// A dead letter came or went.
    pub(crate) fn letters_changed(&self) {
        self.letters_changed.store(true, Ordering::SeqCst);
    }

    /// True once after each change.
    pub(crate) fn take_letters_changed(&self) -> bool {
        self.letters_changed.swap(false, Ordering::SeqCst)
    }

    /// Somebody asked that something is published again.
    pub(crate) fn ask_again(&self) {
        self.asked_again.store(true, Ordering::SeqCst);
    }

    /// Whether the relay has not looked since.
    pub(crate) fn is_asked_again(&self) -> bool {
        self.asked_again.load(Ordering::SeqCst)
    }

    /// True once after each time.
    pub(crate) fn was_asked_again(&self) -> bool {
        self.asked_again.swap(false, Ordering::SeqCst)
    }

    /// The relay looked: since when the first event waits that is not published.
    pub(crate) fn relays(&self, oldest: Option<Timestamp>, now: Timestamp) {
        *self.outbox.lock().unwrap_or_else(PoisonError::into_inner) = Outbox { oldest, seen_at: Some(now) };
    }

    /// For how long the oldest event has waited to be published; `None` where nothing is relayed
    /// here, or where the relay moved to another replica.
    pub(crate) fn outbox_age(&self, now: Timestamp) -> Option<Duration> {
        let outbox = *self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        let is_here = outbox.seen_at.is_some_and(|seen| now.since(seen) < RELAY_SILENT_MAX);
        is_here.then(|| outbox.oldest.map_or(Duration::ZERO, |oldest| now.since(oldest)))
    }

    /// A request was answered or a delivery handled, well or not.
    pub(crate) fn operated(&self, operations: u64, errors: u64) {
        self.operations.fetch_add(operations, Ordering::Relaxed);
        self.errors.fetch_add(errors, Ordering::Relaxed);
    }

    /// Operations and errors since the start.
    pub(crate) fn operations(&self) -> (u64, u64) {
        (self.operations.load(Ordering::Relaxed), self.errors.load(Ordering::Relaxed))
    }
}
