//! A broker that holds an event twice, as one does after a publish whose confirmation was lost.

use std::sync::Arc;

use adapter_sim::{BusKind, Settings, SimWorld};
use backbone::work::{Origin, Work};
use engine::{Engine, Options, Parts};
use kernel::Duration;
use serde_json::Value;
use uuid::Uuid;

use super::probe::{NoCalls, Orders, Ping, Seen, probe_module};

const KEY: Uuid = Uuid::from_u128(9);

#[tokio::test(start_paused = true)]
async fn an_event_that_lies_twice_in_one_batch_takes_effect_once() {
    let world = SimWorld::with(51, Settings { bus: BusKind::Broker, ..Settings::default() });
    world.faults(|faults| faults.twice_permille = 1_000);
    let (environment, storage) = (world.environment(), world.storage());
    let (bus, keyring) = (world.bus(), world.keyring());
    let mut engine = Engine::new(Parts { environment, storage, bus, keyring });
    let context = engine.context("probe", Arc::new(NoCalls));
    engine.mount(probe_module(Arc::new(Orders::default()))).unwrap();
    let running = engine.start(Options::default()).await.unwrap();
    let ping = Work::new("ping", Origin::default(), |ws| {
        (1..=3).for_each(|n| ws.publish(Ping { key: KEY, n, secret: "s".to_owned().into() }));
        Ok(Value::Null)
    });
    context.commands.execute(ping).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let seen = context.get::<Seen>(KEY).await.unwrap().expect("the pings were seen");
    assert_eq!(seen.document.order, [1, 2, 3]);
    assert!(world.trace().iter().any(|line| line.contains("published twice")), "nothing lay there twice");
    running.shut_down().await;
    assert_eq!(world.panics(), Vec::<String>::new());
}
