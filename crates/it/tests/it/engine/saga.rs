//! Sagas on the engine: calls after the commit that records them, again after a crash, deadlines.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use backbone::saga::{
    Action, Answer, CallFailure, Definition, InstanceOf, Outcome, Phase, Saga, SagaRegistration, Step, Undo,
};
use backbone::work::{Origin, Work};
use backbone::{Context, Module, Refusal, Workspace};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::probe::Bench;

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
        ),
        Step::compensatable("deliver", |_, _| vec![Action::Call(Call::Deliver)], Undo::nothing())
            .limit(Duration::from_millis(400)),
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
    silent_fetch: AtomicU32,
    silent_delivery: AtomicU32,
}

fn module(outside: &Arc<Outside>) -> Module {
    let outside = outside.clone();
    let registration = SagaRegistration::new::<Errand>("saga:errand", move |call, _| {
        let outside = outside.clone();
        Box::pin(async move {
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

async fn until(context: &Context, id: Uuid, phase: Phase) -> InstanceOf<Errand> {
    for _ in 0..1_000 {
        let found = context.get::<InstanceOf<Errand>>(format!("errand/{id}")).await.unwrap();
        if let Some(found) = found.filter(|found| found.document.phase == phase) {
            return found.document;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("errand {id} never was {phase:?}");
}

#[tokio::test]
async fn a_saga_goes_through_its_steps() {
    let directory = tempfile::tempdir().unwrap();
    let outside = Arc::new(Outside::default());
    let bench = Bench::start(directory.path(), Arc::default(), |_| module(&outside)).await;
    let id = Uuid::now_v7();
    begin(&bench.context, id).await;
    let ended = until(&bench.context, id, Phase::Completed).await;
    assert_eq!(ended.data.done, ["Fetched", "Delivered"]);
    assert!(ended.calls.is_empty());
    bench.stop().await;
}

#[tokio::test]
async fn silence_past_the_deadline_is_unknown_and_undoes_what_was_done() {
    let directory = tempfile::tempdir().unwrap();
    let outside = Arc::new(Outside::default());
    outside.silent_delivery.store(1, Ordering::SeqCst);
    let bench = Bench::start(directory.path(), Arc::default(), |_| module(&outside)).await;
    let id = Uuid::now_v7();
    begin(&bench.context, id).await;
    let ended = until(&bench.context, id, Phase::Compensated).await;
    assert_eq!(outside.returns.load(Ordering::SeqCst), 1);
    assert!(ended.timeline.iter().any(|entry| entry.what == "unknown"));
    bench.stop().await;
}

#[tokio::test]
async fn a_call_without_an_answer_before_the_stop_is_made_again_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let outside = Arc::new(Outside::default());
    outside.silent_fetch.store(1, Ordering::SeqCst);
    let bench = Bench::start(directory.path(), Arc::default(), |_| module(&outside)).await;
    let id = Uuid::now_v7();
    begin(&bench.context, id).await;
    while outside.fetches.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bench.stop().await;

    outside.silent_fetch.store(0, Ordering::SeqCst);
    let bench = Bench::start(directory.path(), Arc::default(), |_| module(&outside)).await;
    until(&bench.context, id, Phase::Completed).await;
    assert_eq!(outside.fetches.load(Ordering::SeqCst), 2, "asked again under the same key");
    bench.stop().await;
}
