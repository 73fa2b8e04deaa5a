//! What was committed is told to whoever listens.

use std::sync::Arc;
use std::time::Duration;

use adapter_memory::Capacity;
use adapter_sim::SimWorld;
use backbone::ephemeral::{Hints, Listener};
use backbone::work::{Origin, Work};
use backbone::{Context, Module, Rejection};
use engine::{Engine, Options, Parts, Running};
use kernel::Event;
use serde_json::Value;
use uuid::Uuid;

use super::probe::{NoCalls, Ping, SEEN, Seen};

const KEY: Uuid = Uuid::from_u128(7);
const OTHER: Uuid = Uuid::from_u128(8);

/// An engine in a simulated world; `told` says whether its module has its documents told.
async fn begin(world: &SimWorld, hints: Arc<dyn Hints>, told: bool) -> (Context, Running) {
    let environment = world.environment();
    let (storage, bus, keyring) = (world.storage(), world.bus(), world.keyring());
    let mut engine = Engine::new(Parts { environment, storage, bus, keyring }).hinting(hints);
    let context = engine.context("probe", Arc::new(NoCalls));
    let told = if told { vec![&SEEN] } else { Vec::new() };
    let module =
        Module { publishes: vec![&Ping::TYPE], collections: vec![&SEEN], told, ..Module::new("probe") };
    engine.mount(module).unwrap();
    (context, engine.start(Options::default()).await.unwrap())
}

async fn write(context: &Context, key: Uuid, is_refused: bool) {
    let work = Work::new("write", Origin::default(), move |ws| {
        ws.need([backbone::workspace::Key::document::<Seen>(key)])?;
        let seen = ws.get::<Seen>(key)?;
        let mut seen = seen.map_or_else(|| Seen { key, ..Seen::default() }, Arc::unwrap_or_clone);
        seen.order.push(1);
        ws.put(seen)?;
        match is_refused {
            true => Err(Rejection::conflict("no", "on second thoughts").into()),
            false => Ok(Value::Null),
        }
    });
    assert_eq!(context.commands.execute(work).await.is_err(), is_refused);
}

async fn is_heard(listener: &mut Listener) -> bool {
    tokio::time::timeout(Duration::from_secs(1), listener.heard()).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_document_that_was_written_is_told_and_one_that_was_refused_is_not() {
    let world = SimWorld::new(41);
    let hints = adapter_memory::ephemeral(&world.environment(), Capacity::default()).hints;
    let (context, running) = begin(&world, hints.clone(), true).await;
    let (mut of_key, mut of_other) = (context.listen::<Seen>(KEY), context.listen::<Seen>(OTHER));
    // As another replica hears it.
    let mut elsewhere = hints.listen(&format!("probe.seen/{KEY}"));
    for round in 1..=2 {
        write(&context, KEY, false).await;
        assert!(is_heard(&mut of_key).await && is_heard(&mut elsewhere).await);
        let seen = context.get::<Seen>(KEY).await.unwrap().unwrap().document;
        assert_eq!(seen.order.len(), round, "whoever is told finds it");
    }
    write(&context, KEY, true).await;
    assert!(!is_heard(&mut of_key).await && !is_heard(&mut of_other).await);
    running.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_module_does_not_have_told_is_not_told() {
    let world = SimWorld::new(42);
    let hints = adapter_memory::ephemeral(&world.environment(), Capacity::default()).hints;
    let (context, running) = begin(&world, hints, false).await;
    let mut of_key = context.listen::<Seen>(KEY);
    write(&context, KEY, false).await;
    assert!(!is_heard(&mut of_key).await);
    running.shut_down().await;
}
