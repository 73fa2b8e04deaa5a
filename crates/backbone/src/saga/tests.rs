//! The pure core, on a toy: book, charge, then the pivot, then send. What follows from what
//! happened, and what does not.

use std::sync::LazyLock;

use kernel::{Duration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::instance::RecordedCall;
use super::react::{Happening, instance, react};
use super::*;
use crate::outcome::Refusal;
use crate::workspace::Workspace;

mod definition;
mod forward;
mod operating;
mod trace;
mod undo;

/// A journey: a hotel is booked and a card charged, which can be undone; then tickets are sent.
enum Trip {}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Data {
    begun: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Effect {
    Book,
    Unbook,
    Refund,
    Commit,
    Send,
    Abandon(String),
    Ended(Phase),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Call {
    Charge,
    Ask,
}

static TRIP: LazyLock<Definition<Trip>> = LazyLock::new(|| {
    const RETRIES: &[Duration] = &[Duration::from_secs(1), Duration::from_secs(2)];
    let steps: Vec<Step<Trip>> = vec![
        Step::compensatable(
            "book",
            |data, moment| begin(data, "book", moment, vec![Action::Effect(Effect::Book)]),
            Undo::with(|_, _| vec![Action::Effect(Effect::Unbook)]).attempts_max(3),
        ),
        Step::compensatable(
            "charge",
            |data, moment| begin(data, "charge", moment, vec![Action::Call(Call::Charge)]),
            Undo::with(|_, _| vec![Action::Effect(Effect::Refund)])
                .attempts_max(2)
                .limit(Duration::from_secs(10)),
        )
        .retries(RETRIES)
        .ask(|_, _| vec![Action::Call(Call::Ask)]),
        Step::pivot("commit", |data, moment| {
            begin(
                data,
                "commit",
                moment,
                vec![Action::Effect(Effect::Commit), Action::Finish(Outcome::Succeeded)],
            )
        }),
        Step::retriable("send", |data, moment| {
            begin(data, "send", moment, vec![Action::Effect(Effect::Send)])
        }),
    ];
    Definition::build(steps)
        .expect("a possible trip")
        .on_abandon(|_, reason| vec![Effect::Abandon(reason.to_owned())])
        .on_end(|_, phase| vec![Effect::Ended(phase)])
});

fn begin(data: &mut Data, step: &str, moment: Moment, actions: Vec<Action<Trip>>) -> Vec<Action<Trip>> {
    data.begun.push(format!("{step} {}.{}", moment.attempt, moment.part));
    actions
}

impl Saga for Trip {
    const NAME: &'static str = "trip";

    type Data = Data;
    type Effect = Effect;
    type Call = Call;
    type Reply = Answer;

    fn definition(_: u32) -> Option<&'static Definition<Self>> {
        Some(&TRIP)
    }

    fn absorb(_: &mut Data, reply: &Answer) -> Answer {
        reply.clone()
    }

    fn effect(_: Uuid, _: Effect, _: &Data, _: &mut Workspace<'_>) -> Result<(), Refusal> {
        Ok(())
    }
}

/// A trip under way, with its clock.
struct Journey {
    saga: InstanceOf<Trip>,
    now: Timestamp,
}

impl Journey {
    /// Just begun.
    fn begun() -> Self {
        let now = Timestamp::from_micros(0);
        let mut journey = Self { saga: instance::<Trip>(Uuid::nil(), "flow", Data::default(), now), now };
        assert_eq!(journey.happen(Happening::Begin), [Effect::Book]);
        journey
    }

    /// The hotel is booked, the charge asked for.
    fn charging() -> Self {
        let mut journey = Self::begun();
        journey.answer("book", Outcome::Succeeded);
        assert_eq!(journey.calls(), [Call::Charge]);
        journey
    }

    /// Past the pivot.
    fn sending() -> Self {
        let mut journey = Self::charging();
        assert_eq!(journey.answer("charge", Outcome::Succeeded), [Effect::Commit, Effect::Send]);
        journey
    }

    fn happen(&mut self, happening: Happening) -> Vec<Effect> {
        react::<Trip>(&TRIP, &mut self.saga, happening, self.now)
    }

    fn answer(&mut self, step: &str, outcome: Outcome) -> Vec<Effect> {
        self.happen(Happening::Answered(Answer::to(step, outcome)))
    }

    fn undone(&mut self, step: &str, outcome: Outcome) -> Vec<Effect> {
        self.happen(Happening::Answered(Answer::to_undo(step, outcome)))
    }

    fn operate(&mut self, act: Operator) -> Vec<Effect> {
        self.happen(Happening::Operator(act))
    }

    /// Time passes until the deadline, and its timer fires.
    fn deadline(&mut self) -> Vec<Effect> {
        self.now = self.saga.due.expect("there is a deadline");
        let generation = self.saga.generation;
        self.happen(Happening::Deadline(generation))
    }

    fn calls(&self) -> Vec<Call> {
        self.saga.calls.iter().map(|call| call.call.clone()).collect()
    }

    fn keys(&self) -> Vec<String> {
        self.saga.calls.iter().map(|call: &RecordedCall<Call>| call.key.clone()).collect()
    }

    /// Seconds until the next deadline.
    fn wait(&self) -> u64 {
        self.saga.due.expect("there is a deadline").since(self.now).as_secs()
    }

    /// What happened to a step, or to `undo:<step>`.
    fn told(&self, step: &str) -> Vec<&str> {
        let lines = self.saga.timeline.iter().filter(|entry| entry.step == step);
        lines.map(|entry| entry.what.as_str()).collect()
    }

    fn undo(&self, step: &str) -> UndoStatus {
        self.saga.undo.iter().find(|undo| undo.step == step).expect("it is to be undone").status
    }
}

fn failed(retryable: bool) -> Outcome {
    Outcome::Failed { reason: "no".to_owned(), retryable }
}
