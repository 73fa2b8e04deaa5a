//! What an operator does with sagas: finds them, sees what can be done, does it, once.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use adapter_sim::BusKind;
use backbone::commit::{Commit, Expected, Put};
use backbone::outcome::Rejection;
use backbone::saga::{
    Action, Answer, CallFailure, Definition, Operator, Outcome, Phase, Saga, SagaRegistration, Step, Undo,
    timer_name,
};
use backbone::timer::{TIMERS, Timer};
use backbone::work::{Error, Idempotency, Origin, Work};
use backbone::{Document, Module, Refusal, Workspace};
use engine::{By, SagaDesk, SagaError, SagaFilter, SagaPlace, SagaState};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::ground::{Ground, seconds, world};

/// Something is fetched, which can be undone; then comes the pivot; then it is delivered.
struct Parcel;

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Call {
    Fetch,
    Return,
    Deliver,
}

static DEFINITION: LazyLock<Definition<Parcel>> = LazyLock::new(|| {
    Definition::build(vec![
        Step::compensatable(
            "fetch",
            |_, _| vec![Action::Call(Call::Fetch)],
            Undo::with(|_, _| vec![Action::Call(Call::Return)]),
        ),
        Step::pivot("pay", |_, _| vec![Action::Finish(Outcome::Succeeded)]),
        Step::retriable("deliver", |_, _| vec![Action::Call(Call::Deliver)]),
    ])
    .expect("a parcel is a saga")
});

impl Saga for Parcel {
    const NAME: &'static str = "parcel";
    type Data = ();
    type Effect = ();
    type Call = Call;
    type Reply = Call;

    fn definition(_: u32) -> Option<&'static Definition<Self>> {
        Some(&DEFINITION)
    }

    fn absorb((): &mut (), reply: &Call) -> Answer {
        match reply {
            Call::Fetch => Answer::to("fetch", Outcome::Succeeded),
            Call::Return => Answer::to_undo("fetch", Outcome::Succeeded),
            Call::Deliver => Answer::to("deliver", Outcome::Succeeded),
        }
    }

    fn effect(_: Uuid, (): (), (): &(), _: &mut Workspace<'_>) -> Result<(), Refusal> {
        Ok(())
    }
}

/// How the outside behaves.
#[derive(Default)]
struct Outside {
    fetches_nothing: AtomicBool,
    takes_nothing: AtomicBool,
    deliveries: AtomicU32,
}

fn module(outside: &Arc<Outside>) -> Module {
    let outside = outside.clone();
    let registration = SagaRegistration::new::<Parcel>("saga:parcel", move |call, _| {
        let outside = outside.clone();
        Box::pin(async move {
            if matches!(call, Call::Fetch) && outside.fetches_nothing.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            if matches!(call, Call::Deliver) {
                outside.deliveries.fetch_add(1, Ordering::SeqCst);
                if outside.takes_nothing.load(Ordering::SeqCst) {
                    return Err(CallFailure::Failed { reason: "nobody is at home".into(), retryable: false });
                }
            }
            Ok(call)
        })
    });
    Module { sagas: vec![registration], ..Module::new("probe") }
}

fn key(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn id(number: u128) -> String {
    format!("probe.parcel.{}", key(number))
}

/// `count` parcels that begin one second after the other.
async fn begun(seed: u64, count: u128, outside: &Arc<Outside>) -> Ground {
    let ground = Ground::start(&world(seed, BusKind::Log), module(outside)).await;
    for number in 1..=count {
        let work = Work::new("begin", Origin::default(), move |ws| {
            ws.start_saga::<Parcel>(key(number), ())?;
            Ok(Value::Null)
        });
        ground.context.commands.execute(work).await.unwrap();
        seconds(1).await;
    }
    ground
}

/// The same, and nobody takes them.
async fn blocked(seed: u64, count: u128) -> (Ground, Arc<Outside>) {
    let outside = Arc::new(Outside::default());
    outside.takes_nothing.store(true, Ordering::SeqCst);
    (begun(seed, count, &outside).await, outside)
}

fn in_state(state: SagaState) -> SagaFilter {
    SagaFilter { state: Some(state), ..SagaFilter::default() }
}

async fn ids(desk: &SagaDesk, filter: &SagaFilter) -> Vec<String> {
    let mut found = Vec::new();
    let mut after: Option<SagaPlace> = None;
    loop {
        let page = desk.find(filter, after.as_ref(), 2).await.unwrap();
        assert!(page.sagas.len() <= 2);
        found.extend(page.sagas.into_iter().map(|saga| saga.id));
        match page.next {
            // What travels in a cursor.
            Some(next) => after = SagaPlace::of(next.at, &next.mark()),
            None => return found,
        }
    }
}

fn code(error: SagaError) -> &'static str {
    match error {
        SagaError::Work(Error::Rejected(Rejection { code, .. })) => code,
        other => panic!("{other}"),
    }
}

fn ana() -> By {
    By::new("ana")
}

fn reason() -> String {
    "the customer fetched it".to_owned()
}

#[tokio::test(start_paused = true)]
async fn sagas_are_found_by_their_state_page_by_page() {
    let (ground, outside) = blocked(1, 5).await;
    let desk = ground.running.sagas();
    let expected: Vec<String> = (1..=5).map(id).collect();
    assert_eq!(ids(&desk, &in_state(SagaState::Blocked)).await, expected, "the oldest first");
    outside.takes_nothing.store(false, Ordering::SeqCst);
    for number in [4, 2, 5] {
        desk.operate(&id(number), Operator::Retry, &ana(), None).await.unwrap();
        seconds(1).await;
    }
    assert_eq!(ids(&desk, &in_state(SagaState::Blocked)).await, [id(1), id(3)]);
    assert_eq!(ids(&desk, &in_state(SagaState::Ended)).await, [id(5), id(2), id(4)], "the latest first");
    assert_eq!(ids(&desk, &in_state(SagaState::Running)).await, Vec::<String>::new());
    assert_eq!(ids(&desk, &SagaFilter::default()).await, [id(5), id(2), id(4), id(3), id(1)]);
    let changed = desk.show(&id(2)).await.unwrap().found.saga.updated_at;
    let none = Vec::<String>::new();
    let of = |change: fn(&mut SagaFilter)| {
        let mut filter = SagaFilter::default();
        change(&mut filter);
        filter
    };
    for (filter, expected) in [
        (SagaFilter { from: Some(changed), ..SagaFilter::default() }, vec![id(5), id(2)]),
        (SagaFilter { to: Some(changed), ..SagaFilter::default() }, vec![id(4), id(3), id(1)]),
        (of(|filter| filter.saga = Some("errand".to_owned())), none.clone()),
        (of(|filter| filter.step = Some("fetch".to_owned())), none),
        (SagaFilter { step: Some("deliver".to_owned()), ..in_state(SagaState::Blocked) }, vec![id(1), id(3)]),
    ] {
        assert_eq!(ids(&desk, &filter).await, expected, "{filter:?}");
    }
    let nowhere = SagaFilter { service: Some("nowhere".to_owned()), ..SagaFilter::default() };
    assert!(matches!(desk.find(&nowhere, None, 2).await, Err(SagaError::NoService(_))));
    ground.running.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_saga_past_its_deadline_is_found_by_its_timer() {
    let outside = Arc::new(Outside::default());
    outside.fetches_nothing.store(true, Ordering::SeqCst);
    let ground = begun(2, 3, &outside).await;
    let desk = ground.running.sagas();
    assert_eq!(ids(&desk, &in_state(SagaState::Running)).await, [id(1), id(2), id(3)]);
    assert_eq!(ids(&desk, &in_state(SagaState::Late)).await, Vec::<String>::new());
    // As after an outage of the store in which it should have fired; and one that is no saga's.
    let now = ground.world.environment().clock.now();
    let names = [(timer_name("parcel"), key(2), 40), (timer_name("parcel"), key(1), 29)];
    let late = names.into_iter().chain([("reminder".to_owned(), key(9), 50)]);
    let puts = late.map(|(name, key, age)| {
        let due = now.minus(Duration::from_secs(age));
        let row = Timer { name, key: key.to_string(), due, generation: 1, traceparent: None };
        Put {
            collection: &TIMERS,
            shadow: false,
            id: row.id(),
            expected: Expected::Any,
            person: None,
            body: serde_json::to_vec(&row).unwrap().into(),
            columns: row.columns(),
        }
    });
    let commit = Commit { puts: puts.collect(), ..Commit::default() };
    ground.running.host("probe").unwrap().journal().submit(commit).await.unwrap().unwrap();
    assert_eq!(ids(&desk, &in_state(SagaState::Late)).await, [id(2)]);
    ground.running.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn an_act_is_done_once_for_a_key_and_written_down_with_who_and_why() {
    let (ground, outside) = blocked(3, 2).await;
    let desk = ground.running.sagas();
    assert_eq!(desk.show(&id(1)).await.unwrap().open_acts, ["retry", "skip", "done"]);
    let once = || Some(Idempotency { key: "retry/1".to_owned(), fingerprint: 1 });
    for _ in 0..2 {
        desk.operate(&id(1), Operator::Retry, &ana(), once()).await.unwrap();
        seconds(1).await;
    }
    assert_eq!(outside.deliveries.load(Ordering::SeqCst), 3, "tried again once");
    desk.operate(&id(1), Operator::MarkDone { reason: reason() }, &ana(), None).await.unwrap();
    let shown = desk.show(&id(1)).await.unwrap();
    assert_eq!((shown.found.saga.phase, shown.open_acts), (Phase::Completed, vec![]));
    desk.operate(&id(2), Operator::Skip { reason: "lost".into() }, &ana(), None).await.unwrap();
    let acts = ground.running.dead_letters().acts("probe", None, 10).await.unwrap();
    let told = acts.iter().map(|act| (act.what.as_str(), act.about.clone(), act.reason.as_deref()));
    let expected = [
        ("saga-skip", id(2), Some("lost")),
        ("saga-done", id(1), Some("the customer fetched it")),
        ("saga-retry", id(1), None),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    assert!(acts.iter().all(|act| act.who == "ana"));
    assert_eq!(acts[0].outcome, "it is completed now");
    ground.running.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_refused_and_leaves_no_trace() {
    let (ground, _) = blocked(4, 2).await;
    let desk = ground.running.sagas();
    let (skip, compensate) = (Operator::Skip { reason: reason() }, Operator::Compensate { reason: reason() });
    desk.operate(&id(2), skip.clone(), &ana(), None).await.unwrap();
    let commits = ground.world.commits();
    let refused =
        async |id: &str, act: &Operator| code(desk.operate(id, act.clone(), &ana(), None).await.unwrap_err());
    assert_eq!(refused(&id(1), &compensate).await, "saga-past-its-pivot");
    for act in [&Operator::Retry, &skip, &compensate] {
        assert_eq!(refused(&id(2), act).await, "saga-ended");
    }
    assert_eq!(refused(&id(7), &Operator::Retry).await, "no-such-saga");
    assert_eq!(refused("probe.errand.00000000-0000-0000-0000-000000000001", &skip).await, "no-such-saga");
    assert!(matches!(desk.show("nonsense").await, Err(SagaError::NoId(_))));
    assert_eq!(code(desk.show(&id(7)).await.unwrap_err()), "no-such-saga");
    assert_eq!(ground.world.commits(), commits);
    ground.running.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_saga_that_goes_on_by_itself_can_only_be_undone() {
    let outside = Arc::new(Outside::default());
    outside.fetches_nothing.store(true, Ordering::SeqCst);
    let ground = begun(5, 1, &outside).await;
    let desk = ground.running.sagas();
    assert_eq!(desk.show(&id(1)).await.unwrap().open_acts, ["compensate"]);
    let retried = desk.operate(&id(1), Operator::Retry, &ana(), None).await;
    assert_eq!(code(retried.unwrap_err()), "saga-not-blocked");
    let compensate = Operator::Compensate { reason: reason() };
    desk.operate(&id(1), compensate.clone(), &ana(), None).await.unwrap();
    let shown = desk.show(&id(1)).await.unwrap();
    assert_eq!(shown.found.saga.reason, Some(reason()));
    seconds(1).await;
    assert_eq!(desk.show(&id(1)).await.unwrap().found.saga.phase, Phase::Compensated);
    ground.running.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_rehearsed_act_says_what_it_would_do_and_leaves_no_trace() {
    let (ground, outside) = blocked(6, 1).await;
    let desk = ground.running.sagas();
    let commits = ground.world.commits();
    let would = desk.rehearse(&id(1), Operator::Retry, &ana()).await.unwrap();
    assert!(would.succeeds, "{would:?}");
    let writes: Vec<&str> = would.writes.iter().map(|touched| touched.what.as_str()).collect();
    assert_eq!((writes.contains(&"sagas"), would.calls), (true, 1), "{would:?}");
    let refused = desk.rehearse(&id(1), Operator::Compensate { reason: reason() }, &ana()).await.unwrap();
    assert!(!refused.succeeds && refused.error.unwrap().contains("past its pivot"));
    seconds(5).await;
    assert_eq!((ground.world.commits(), outside.deliveries.load(Ordering::SeqCst)), (commits, 1));
    assert_eq!(desk.show(&id(1)).await.unwrap().found.saga.phase, Phase::Blocked);
    ground.running.shut_down().await;
}
