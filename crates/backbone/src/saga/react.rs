//! What follows from what happened: a function from values to values.

use kernel::Timestamp;
use uuid::Uuid;

use super::answer::{Answer, Direction, Operator, Outcome};
use super::instance::RecordedCall;
use super::{
    Action, Definition, FORWARD_BACKOFF, Instance, InstanceOf, Moment, Phase, Saga, Step, StepKind,
    StepState, UndoState, UndoStatus, wait_after,
};

/// What happened to a saga.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    /// It begins.
    Begin,
    /// A step was answered.
    Answered(Answer),
    /// The deadline of a generation passed.
    Deadline(u64),
    /// Somebody wants it undone: possible until the pivot has succeeded.
    Abort(String),
    /// An operator acts.
    Operator(Operator),
}

/// A new instance, not begun.
pub(crate) fn instance<S: Saga>(id: Uuid, correlation: &str, data: S::Data, now: Timestamp) -> InstanceOf<S> {
    Instance {
        saga: S::NAME.to_owned(),
        id,
        version: S::VERSION,
        correlation_id: correlation.to_owned(),
        traceparent: None,
        phase: Phase::Running,
        step: 0,
        step_name: String::new(),
        state: StepState::Running,
        attempt: 0,
        part: 0,
        due: None,
        generation: 0,
        undo: Vec::new(),
        calls: Vec::new(),
        held: Vec::new(),
        reason: None,
        data,
        timeline: Vec::new(),
        started_at: now,
        updated_at: now,
    }
}

/// Applies what happened; gives the effects to do now. New calls stand in `instance.calls`.
pub(crate) fn react<S: Saga>(
    definition: &Definition<S>,
    instance: &mut InstanceOf<S>,
    happening: Happening,
    now: Timestamp,
) -> Vec<S::Effect> {
    instance.generation += 1;
    instance.updated_at = now;
    let mut run = Run { definition, instance, now, effects: Vec::new() };
    match happening {
        Happening::Begin => run.begin_step(0),
        Happening::Answered(answer) => run.answered(answer),
        Happening::Deadline(generation) => run.deadline(generation),
        Happening::Abort(reason) => run.abort(reason),
        Happening::Operator(act) => run.operate(act),
    }
    run.effects
}

struct Run<'a, S: Saga> {
    definition: &'a Definition<S>,
    instance: &'a mut InstanceOf<S>,
    now: Timestamp,
    effects: Vec<S::Effect>,
}

impl<S: Saga> Run<'_, S> {
    fn note(&mut self, what: &str, detail: Option<String>) {
        let step = self.instance.step_name.clone();
        self.instance.note(self.now, &step, what, detail);
    }

    fn moment(&self, attempt: u32, part: u32) -> Moment {
        Moment { now: self.now, id: self.instance.id, attempt, part }
    }

    /// Takes in actions; gives the outcome, where they say it themselves.
    fn take(&mut self, actions: Vec<Action<S>>, step: &str, how: &str) -> Option<Outcome> {
        let mut outcome = None;
        for (index, action) in actions.into_iter().enumerate() {
            match action {
                Action::Effect(effect) => self.effects.push(effect),
                Action::Finish(finished) => outcome = Some(finished),
                Action::Call(call) => {
                    let undo = how.starts_with("undo");
                    let key = format!("{}/{}/{step}/{how}/{index}", S::NAME, self.instance.id);
                    self.instance.calls.push(RecordedCall { key, step: step.to_owned(), undo, call });
                }
            }
        }
        outcome
    }

    // ── forward ─────────────────────────────────────────────────────────────────────────────

    fn begin_step(&mut self, index: usize) {
        self.instance.step = index;
        let Some(step) = self.definition.steps.get(index) else {
            return self.end(Phase::Completed);
        };
        self.instance.step_name = step.name.to_owned();
        self.instance.attempt = 0;
        self.try_step();
    }

    fn try_step(&mut self) {
        let step = &self.definition.steps[self.instance.step];
        self.instance.phase = Phase::Running;
        self.instance.state = StepState::Running;
        self.instance.attempt += 1;
        let attempt = self.instance.attempt;
        self.note("started", (attempt > 1).then(|| format!("attempt {attempt}")));
        self.begin_part(step, 0);
    }

    fn begin_part(&mut self, step: &Step<S>, part: u32) {
        let attempt = self.instance.attempt;
        self.instance.part = part;
        self.instance.due = Some(self.now.plus(step.limit));
        let moment = self.moment(attempt, part);
        let actions = (step.begin)(&mut self.instance.data, moment);
        if let Some(outcome) = self.take(actions, step.name, &format!("do/{attempt}.{part}")) {
            self.step_ended(outcome);
        }
        // What came before its time counts now, in the order in which it came, as long as it is
        // this attempt that it answers.
        let open = |run: &Self| {
            let now = &run.instance;
            now.phase == Phase::Running
                && (now.step_name.as_str(), now.attempt) == (step.name, attempt)
                && matches!(now.state, StepState::Running | StepState::Waiting)
        };
        while open(self)
            && let Some(held) = self.instance.held.iter().position(|held| held.step == step.name)
        {
            let answer = self.instance.held.remove(held);
            self.step_ended(answer.outcome);
        }
    }

    fn answered(&mut self, answer: Answer) {
        let known = self.definition.index(&answer.step);
        match (answer.direction, self.instance.phase) {
            (Direction::Undo, _) => self.undo_ended(&answer.step, answer.outcome),
            (_, Phase::Running | Phase::Blocked)
                if known == Some(self.instance.step) && self.undoing_none() =>
            {
                self.step_ended(answer.outcome);
            }
            (_, Phase::Running) if known.is_some_and(|index| index > self.instance.step) => {
                self.instance.held.push(answer);
            }
            _ => {
                let detail = format!("{:?}", answer.outcome);
                self.instance.note(self.now, &answer.step, "late answer", Some(detail));
            }
        }
    }

    fn undoing_none(&self) -> bool {
        self.instance.undo.is_empty()
    }

    fn step_ended(&mut self, outcome: Outcome) {
        let index = self.instance.step;
        let step = &self.definition.steps[index];
        // Waiting is no end: what was asked along with it still counts.
        if !matches!(outcome, Outcome::Waiting { .. }) {
            self.instance.calls.retain(|call| call.undo || call.step != step.name);
        }
        match outcome {
            Outcome::Proceed => {
                self.note("proceeded", None);
                self.instance.state = StepState::Running;
                self.begin_part(step, self.instance.part + 1);
            }
            Outcome::Succeeded => {
                self.note("succeeded", None);
                self.begin_step(index + 1);
            }
            Outcome::Waiting { until } => {
                self.note("waiting", Some(format!("until {until}")));
                self.instance.state = StepState::Waiting;
                self.instance.due = Some(until);
            }
            Outcome::Failed { reason, retryable } => self.step_failed(reason, retryable),
            Outcome::Unknown => self.step_unknown(),
            Outcome::Void { reason } => {
                self.note("void", Some(reason.clone()));
                self.compensate(reason, true);
            }
        }
    }

    fn step_failed(&mut self, reason: String, retryable: bool) {
        let step = &self.definition.steps[self.instance.step];
        let attempt = self.instance.attempt;
        self.note("failed", Some(reason.clone()));
        if retryable && (attempt as usize) <= step.retries.len() {
            return self.retry_after(wait_after(step.retries, attempt));
        }
        match step.kind {
            StepKind::Retriable if retryable => self.retry_after(wait_after(FORWARD_BACKOFF, attempt)),
            StepKind::Retriable => self.block(reason),
            StepKind::Compensatable | StepKind::Pivot => self.compensate(reason, false),
        }
    }

    fn retry_after(&mut self, wait: kernel::Duration) {
        self.instance.state = StepState::Retrying;
        self.instance.due = Some(self.now.plus(wait));
        self.note("retrying", Some(format!("in {} s", wait.as_secs_f32())));
    }

    fn step_unknown(&mut self) {
        let step = &self.definition.steps[self.instance.step];
        self.note("unknown", None);
        if let (Some(ask), true) = (step.ask, self.instance.state != StepState::Asking) {
            self.instance.state = StepState::Asking;
            self.instance.due = Some(self.now.plus(step.limit));
            let (attempt, part) = (self.instance.attempt, self.instance.part);
            let moment = self.moment(attempt, part);
            let actions = ask(&mut self.instance.data, moment);
            if let Some(outcome) = self.take(actions, step.name, &format!("ask/{attempt}.{part}")) {
                self.step_ended(outcome);
            }
        } else if step.kind == StepKind::Retriable {
            self.retry_after(wait_after(FORWARD_BACKOFF, self.instance.attempt));
        } else {
            self.compensate(format!("{}: no answer", step.name), true);
        }
    }

    fn deadline(&mut self, generation: u64) {
        if self.instance.phase.is_final() || generation + 1 != self.instance.generation {
            return;
        }
        if self.instance.due.is_none_or(|due| due > self.now) {
            return;
        }
        let undoing = self
            .instance
            .undo
            .iter()
            .position(|undo| matches!(undo.status, UndoStatus::Running | UndoStatus::Retrying));
        match (undoing, self.instance.state) {
            (Some(index), _) if self.instance.undo[index].status == UndoStatus::Retrying => {
                self.try_undo(index)
            }
            (Some(index), _) => {
                let step = self.instance.undo[index].step.clone();
                self.undo_ended(&step, Outcome::Unknown);
            }
            (None, StepState::Retrying) => self.try_step(),
            (None, _) => self.step_ended(Outcome::Unknown),
        }
    }

    fn block(&mut self, reason: String) {
        self.note("blocked", Some(reason.clone()));
        self.instance.phase = Phase::Blocked;
        self.instance.reason = Some(reason);
        self.instance.due = None;
    }

    // ── backward ────────────────────────────────────────────────────────────────────────────

    fn abort(&mut self, reason: String) {
        let kind = self.definition.steps.get(self.instance.step).map(|step| step.kind);
        let forward = matches!(self.instance.phase, Phase::Running | Phase::Blocked);
        let possible = forward && self.undoing_none() && kind.is_some_and(|kind| kind != StepKind::Retriable);
        if possible {
            self.compensate(reason, true);
        } else {
            self.note("abort refused", Some(reason));
        }
    }

    /// Decides to undo; `this_too` where the current step may have taken effect.
    fn compensate(&mut self, reason: String, this_too: bool) {
        self.instance.reason = Some(reason.clone());
        self.instance.phase = Phase::Compensating;
        self.instance.calls.clear();
        self.instance.due = None;
        self.note("abandoned", Some(reason.clone()));
        self.effects.extend((self.definition.abandon)(&mut self.instance.data, &reason));
        let last = self.instance.step + usize::from(this_too);
        let done = self.definition.steps[..last.min(self.definition.steps.len())].iter().rev();
        self.instance.undo = done
            .filter(|step| step.undo.as_ref().is_some_and(|undo| undo.begin.is_some()))
            .map(|step| UndoState { step: step.name.to_owned(), status: UndoStatus::Pending, attempts: 0 })
            .collect();
        self.next_undo();
    }

    /// Undoes what comes next, each answered before the next begins.
    fn next_undo(&mut self) {
        let statuses = || self.instance.undo.iter().map(|undo| undo.status);
        if statuses().any(|status| matches!(status, UndoStatus::Running | UndoStatus::Retrying)) {
            return;
        }
        if let Some(index) = statuses().position(|status| status == UndoStatus::Pending) {
            return self.try_undo(index);
        }
        self.instance.due = None;
        if statuses().any(|status| status == UndoStatus::Blocked) {
            self.instance.phase = Phase::Blocked;
        } else {
            self.end(Phase::Compensated);
        }
    }

    fn try_undo(&mut self, index: usize) {
        self.instance.phase = Phase::Compensating;
        let name = self.instance.undo[index].step.clone();
        let undo = self.definition.index(&name).and_then(|step| self.definition.steps[step].undo.as_ref());
        let Some((undo, begin)) = undo.and_then(|undo| undo.begin.map(|begin| (undo, begin))) else {
            return self.undo_ended(&name, Outcome::Succeeded);
        };
        self.instance.undo[index].status = UndoStatus::Running;
        self.instance.undo[index].attempts += 1;
        let attempt = self.instance.undo[index].attempts;
        self.instance.due = Some(self.now.plus(undo.limit));
        let label = format!("undo:{name}");
        self.instance.note(self.now, &label, "started", (attempt > 1).then(|| format!("attempt {attempt}")));
        let moment = self.moment(attempt, 0);
        let actions = begin(&mut self.instance.data, moment);
        if let Some(outcome) = self.take(actions, &name, &format!("undo/{attempt}")) {
            self.undo_ended(&name, outcome);
        }
    }

    fn undo_ended(&mut self, step: &str, outcome: Outcome) {
        let open = |undo: &UndoState| {
            undo.step == step && !matches!(undo.status, UndoStatus::Done | UndoStatus::Skipped)
        };
        // Whatever is not being undone just now can be found undone, but cannot fail.
        let under_way = |undo: &UndoState| matches!(undo.status, UndoStatus::Running | UndoStatus::Retrying);
        let good = matches!(outcome, Outcome::Succeeded | Outcome::Void { .. });
        let label = format!("undo:{step}");
        let found = self.instance.undo.iter().position(open);
        let Some(index) = found.filter(|index| good || under_way(&self.instance.undo[*index])) else {
            self.instance.note(self.now, &label, "late answer", Some(format!("{outcome:?}")));
            return;
        };
        self.instance.calls.retain(|call| !call.undo || call.step != step);
        let budget = self.definition.index(step).and_then(|i| self.definition.steps[i].undo.as_ref());
        let attempts_max = budget.map_or(0, |undo| undo.attempts_max);
        let attempts = self.instance.undo[index].attempts;
        let (retryable, reason) = match outcome {
            Outcome::Succeeded | Outcome::Void { .. } => {
                self.instance.note(self.now, &label, "succeeded", None);
                self.instance.undo[index].status = UndoStatus::Done;
                return self.next_undo();
            }
            Outcome::Waiting { until } => {
                self.instance.note(self.now, &label, "waiting", Some(format!("until {until}")));
                self.instance.undo[index].status = UndoStatus::Running;
                self.instance.due = Some(until);
                return;
            }
            // Undoing has one part: its answer is awaited on.
            Outcome::Proceed => return,
            Outcome::Failed { reason, retryable } => (retryable, reason),
            Outcome::Unknown => (true, "no answer".to_owned()),
        };
        self.instance.note(self.now, &label, "failed", Some(reason.clone()));
        if retryable && attempts < attempts_max {
            self.instance.undo[index].status = UndoStatus::Retrying;
            self.instance.due = Some(self.now.plus(wait_after(FORWARD_BACKOFF, attempts)));
        } else {
            self.instance.undo[index].status = UndoStatus::Blocked;
            self.instance.note(self.now, &label, "blocked", Some(reason));
            self.next_undo();
        }
    }

    // ── the end ─────────────────────────────────────────────────────────────────────────────

    fn end(&mut self, phase: Phase) {
        self.instance.phase = phase;
        self.instance.due = None;
        self.instance.calls.clear();
        self.note(phase.name(), None);
        self.effects.extend((self.definition.ended)(&mut self.instance.data, phase));
    }

    fn operate(&mut self, act: Operator) {
        let blocked = self.instance.undo.iter().position(|undo| undo.status == UndoStatus::Blocked);
        let reason = act.reason().map_or_else(String::new, |reason| format!(": {reason}"));
        self.note("operator", Some(format!("{}{reason}", act.name())));
        match (act, blocked) {
            (Operator::Compensate { reason }, None) => self.abort(reason),
            (_, None) if self.instance.phase != Phase::Blocked => {}
            (Operator::Retry, Some(_)) => {
                for undo in self.instance.undo.iter_mut().filter(|u| u.status == UndoStatus::Blocked) {
                    undo.status = UndoStatus::Pending;
                    undo.attempts = 0;
                }
                self.next_undo();
            }
            (Operator::Skip { .. }, Some(index)) => {
                self.instance.undo[index].status = UndoStatus::Skipped;
                self.next_undo();
            }
            (Operator::MarkDone { .. }, Some(index)) => {
                self.instance.undo[index].status = UndoStatus::Done;
                self.next_undo();
            }
            (Operator::Retry, None) => {
                self.instance.attempt = 0;
                self.try_step();
            }
            (Operator::Skip { .. } | Operator::MarkDone { .. }, None) => self.step_ended(Outcome::Succeeded),
            (Operator::Compensate { .. }, Some(_)) => {}
        }
    }
}
