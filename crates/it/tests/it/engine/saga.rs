//! Sagas on the engine: calls after the commit that records them, again after a crash, deadlines.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use backbone::collection::Query;
use backbone::commit::{Commit, Expected, Put};
use backbone::saga::{
    Action, Answer, CallFailure, Definition, InstanceOf, Outcome, Phase, Saga, SagaRegistration, Step, Undo,
};
use backbone::timer::{TIMERS, Timer};
use backbone::work::{Origin, Work};
use backbone::{Context, Document, Module, Refusal, Workspace};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::bench::{Bench, until};
use super::place::Place;

struct Errand;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Data {
    done: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Call {
    Fetch,
    Return,
    Deliver,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Reply {
    Fetched,
    Returned,
    Delivered,
}

static DEFINITION: LazyLock<Definition<Errand>> = LazyLock::new(|| {
    Definition::build(vec![
        Step::compensatable(
            "fetch",
            |_, _| vec![Action::Call(Call::Fetch)],
            Undo::with(|_, _| vec![Action::Call(Call::Return)]),
        )
        .limit(Duration::from_secs(300)),
        Step::compensatable("deliver", |_, _| vec![Action::Call(Call::Deliver)], Undo::nothing())
            .limit(Duration::from_secs(2)),
        Step::pivot("done", |_, _| vec![Action::Finish(Outcome::Succeeded)]),
    ])
    .expect("the errand is a saga")
});

impl Saga for Errand {
    const NAME: &'static str = "errand";
    type Data = Data;
    type Effect = ();
    type Call = Call;
    type Reply = Reply;

    fn definition(_: u32) -> Option<&'static Definition<Self>> {
        Some(&DEFINITION)
    }

    fn absorb(data: &mut Data, reply: &Reply) -> Answer {
        data.done.push(format!("{reply:?}"));
        match reply {
            Reply::Fetched => Answer::to("fetch", Outcome::Succeeded),
            Reply::Returned => Answer::to_undo("fetch", Outcome::Succeeded),
            Reply::Delivered => Answer::to("deliver", Outcome::Succeeded),
        }
    }

    fn effect(_: Uuid, (): (), _: &Data, _: &mut Workspace<'_>) -> Result<(), Refusal> {
        Ok(())
    }
}

/// How the outside behaves.
#[derive(Default)]
struct Outside {
    fetches: AtomicU32,
    returns: AtomicU32,
    under_way: AtomicU32,
    silent_fetch: AtomicU32,
    silent_delivery: AtomicU32,
}

/// A call that is under way until it has ended, or is dropped.
struct UnderWay(Arc<Outside>);

impl UnderWay {
    fn begin(outside: &Arc<Outside>) -> Self {
        outside.under_way.fetch_add(1, Ordering::SeqCst);
        Self(outside.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

fn module(outside: &Arc<Outside>) -> Module {
    let outside = outside.clone();
    let registration = SagaRegistration::new::<Errand>("saga:errand", move |call, _| {
        let outside = outside.clone();
        Box::pin(async move {
            let _under_way = UnderWay::begin(&outside);
            match call {
                Call::Fetch => {
                    outside.fetches.fetch_add(1, Ordering::SeqCst);
                    if outside.silent_fetch.load(Ordering::SeqCst) > 0 {
                        std::future::pending::<()>().await;
                    }
                    Ok(Reply::Fetched)
                }
                Call::Return => {
                    outside.returns.fetch_add(1, Ordering::SeqCst);
                    Ok(Reply::Returned)
                }
                Call::Deliver if outside.silent_delivery.load(Ordering::SeqCst) > 0 => {
                    std::future::pending::<()>().await;
                    Err(CallFailure::Unknown { reason: String::new() })
                }
                Call::Deliver => Ok(Reply::Delivered),
            }
        })
    });
    Module { sagas: vec![registration], ..Module::new("probe") }
}

async fn begin(context: &Context, id: Uuid) {
    let work = Work::new("begin", Origin::default(), move |ws| {
        ws.start_saga::<Errand>(id, Data::default())?;
        Ok(Value::Null)
    });
    context.commands.execute(work).await.unwrap();
}

async fn until_it_is(context: &Context, id: Uuid, phase: Phase) -> InstanceOf<Errand> {
    let look = async || context.get::<InstanceOf<Errand>>(format!("errand/{id}")).await.unwrap();
    let found = until(look, |found| found.as_ref().is_some_and(|found| found.document.phase == phase)).await;
    let found = found.expect("it has begun").document;
    assert_eq!(found.phase, phase, "{:?}", found.timeline);
    found
}

pub(super) async fn a_saga_goes_through_its_steps(place: Place) {
    let outside = Arc::new(Outside::default());
    let bench = Bench::start(&place, Arc::default(), |_| module(&outside)).await;
    let id = Uuid::now_v7();
    begin(&bench.context, id).await;
    let ended = until_it_is(&bench.context, id, Phase::Completed).await;
    assert_eq!(ended.data.done, ["Fetched", "Delivered"]);
    assert!(ended.calls.is_empty());
    bench.stop().await;
}

pub(super) async fn silence_past_the_deadline_is_unknown_and_undoes_what_was_done(place: Place) {
    let outside = Arc::new(Outside::default());
    outside.silent_delivery.store(1, Ordering::SeqCst);
    let bench = Bench::start(&place, Arc::default(), |_| module(&outside)).await;
    let id = Uuid::now_v7();
    begin(&bench.context, id).await;
    let ended = until_it_is(&bench.context, id, Phase::Compensated).await;
    assert_eq!(outside.returns.load(Ordering::SeqCst), 1);
    assert!(ended.timeline.iter().any(|entry| entry.what == "unknown"));
    bench.stop().await;
}

pub(super) async fn a_call_without_an_answer_before_the_stop_is_made_again_after_it(place: Place) {
    // Where there may be replicas it is made again after half a minute.
    let place = place.hasty(4);
    let outside = Arc::new(Outside::default());
    outside.silent_fetch.store(1, Ordering::SeqCst);
    let bench = Bench::start(&place, Arc::default(), |_| module(&outside)).await;
    let id = Uuid::now_v7();
    begin(&bench.context, id).await;
    while outside.fetches.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bench.stop().await;

    outside.silent_fetch.store(0, Ordering::SeqCst);
    let bench = Bench::start(&place, Arc::default(), |_| module(&outside)).await;
    until_it_is(&bench.context, id, Phase::Completed).await;
    assert_eq!(outside.fetches.load(Ordering::SeqCst), 2, "asked again under the same key");
    bench.stop().await;
}

/// The call was under way; whoever comes next asks again and gets one answer.
pub(super) async fn a_saga_whose_process_is_killed_goes_on_with_the_same_call(place: Place) {
    // Where there may be replicas it is made again after half a minute.
    let place = place.hasty(4);
    let outside = Arc::new(Outside::default());
    outside.silent_fetch.store(1, Ordering::SeqCst);
    let bench = Bench::start(&place, Arc::default(), |_| module(&outside)).await;
    let id = Uuid::now_v7();
    begin(&bench.context, id).await;
    while outside.fetches.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bench.kill().await;

    outside.silent_fetch.store(0, Ordering::SeqCst);
    let bench = Bench::start(&place, Arc::default(), |_| module(&outside)).await;
    let ended = until_it_is(&bench.context, id, Phase::Completed).await;
    assert_eq!(ended.data.done, ["Fetched", "Delivered"]);
    assert_eq!(outside.fetches.load(Ordering::SeqCst), 2);
    bench.stop().await;
}

/// The timers that wait, of all sagas.
async fn timers(bench: &Bench) -> Vec<Timer> {
    let found = bench.running.host("probe").unwrap().journal().find(Query::all(&TIMERS)).await.unwrap();
    found.iter().map(|stored| serde_json::from_slice(&stored.body).unwrap()).collect()
}

pub(super) async fn a_saga_has_one_timer_with_its_next_deadline_and_none_once_it_has_ended(place: Place) {
    let outside = Arc::new(Outside::default());
    outside.silent_delivery.store(1, Ordering::SeqCst);
    let bench = Bench::start(&place, Arc::default(), |_| module(&outside)).await;
    let id = Uuid::now_v7();
    begin(&bench.context, id).await;
    let delivering = loop {
        let found = bench.context.get::<InstanceOf<Errand>>(format!("errand/{id}")).await.unwrap();
        let found = found.expect("it has begun").document;
        if found.step_name == "deliver" {
            break found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let waiting = timers(&bench).await;
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    assert_eq!((Some(waiting[0].due), waiting[0].generation), (delivering.due, delivering.generation));
    until_it_is(&bench.context, id, Phase::Compensated).await;
    assert_eq!(timers(&bench).await, []);
    bench.stop().await;
}

pub(super) async fn a_deadline_that_passed_while_nothing_ran_is_met_after_the_start(place: Place) {
    let outside = Arc::new(Outside::default());
    outside.silent_delivery.store(1, Ordering::SeqCst);
    let bench = Bench::start(&place, Arc::default(), |_| module(&outside)).await;
    let id = Uuid::now_v7();
    begin(&bench.context, id).await;
    bench.stop().await;
    tokio::time::sleep(Duration::from_millis(2_100)).await;

    let bench = Bench::start(&place, Arc::default(), |_| module(&outside)).await;
    until_it_is(&bench.context, id, Phase::Compensated).await;
    bench.stop().await;
}

pub(super) async fn a_call_is_not_made_where_the_commit_that_records_it_is_not_written(place: Place) {
    let outside = Arc::new(Outside::default());
    let bench = Bench::start(&place, Arc::default(), |_| module(&outside)).await;
    let id = Uuid::now_v7();
    begin(&bench.context, id).await;
    until_it_is(&bench.context, id, Phase::Completed).await;
    // Takes the saga to be new, which it is not: a conflict each time that it is decided.
    let again = Work::new("begin", Origin::default(), move |ws| {
        ws.start_saga::<Errand>(id, Data::default())?;
        Ok(Value::Null)
    });
    assert!(bench.context.commands.execute(again).await.is_err());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(outside.fetches.load(Ordering::SeqCst), 1, "only the call that was recorded");
    bench.stop().await;
}

pub(super) async fn once_the_engine_has_shut_down_no_call_is_under_way(place: Place) {
    let outside = Arc::new(Outside::default());
    outside.silent_fetch.store(1, Ordering::SeqCst);
    let bench = Bench::start(&place, Arc::default(), |_| module(&outside)).await;
    begin(&bench.context, Uuid::now_v7()).await;
    while outside.fetches.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(outside.under_way.load(Ordering::SeqCst), 1);
    bench.stop().await;
    assert_eq!(outside.under_way.load(Ordering::SeqCst), 0);
}

pub(super) async fn a_timer_whose_row_was_moved_fires_when_the_row_says(place: Place) {
    let outside = Arc::new(Outside::default());
    outside.silent_delivery.store(1, Ordering::SeqCst);
    let bench = Bench::start(&place, Arc::default(), |_| module(&outside)).await;
    let id = Uuid::now_v7();
    begin(&bench.context, id).await;
    let mut row = loop {
        // The delivery's limit; that of the step before it is far away.
        let soon = timers(&bench).await.pop().filter(|timer| timer.generation > 1);
        if let Some(timer) = soon {
            break timer;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    row.due = row.due.plus(Duration::from_millis(600));
    let moved = row.due;
    let put = Put {
        collection: &TIMERS,
        shadow: false,
        id: row.id(),
        expected: Expected::Any,
        person: None,
        body: serde_json::to_vec(&row).unwrap().into(),
        columns: row.columns(),
    };
    let journal = bench.running.host("probe").unwrap().journal();
    journal.submit(Commit { puts: vec![put], ..Commit::default() }).await.unwrap().unwrap();
    let ended = until_it_is(&bench.context, id, Phase::Compensated).await;
    let unknown = ended.timeline.iter().find(|entry| entry.what == "unknown").unwrap();
    assert!(unknown.at >= moved, "it fired at {}, {} was its time", unknown.at, moved);
    bench.stop().await;
}
