//! What is forgotten, and when (reliability.md, rules 10 and 31): on simulated time, on a bus that
//! delivers again, over restarts.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use adapter_sim::{BusKind, Settings, SimWorld};
use backbone::journal::Journal;
use backbone::reaction::on;
use backbone::saga::{Action, Answer, Definition, InstanceOf, Outcome, Phase, Saga, SagaRegistration, Step};
use backbone::work::{Idempotency, Origin, Work};
use backbone::{Context, Module, Refusal, Workspace};
use engine::{Engine, Options, Parts, Running};
use kernel::{Envelope, Event};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::probe::{NoCalls, Ping, SEEN, Seen};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);
const KEY: Uuid = Uuid::from_u128(7);
const BEGINS: u64 = 1;
const ENDS: u64 = 2;

/// A saga that waits for the second ping.
struct Wait;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pinged;

static DEFINITION: LazyLock<Definition<Wait>> = LazyLock::new(|| {
    let wait = Step::pivot("wait", |_, _| vec![Action::Effect(())]).limit(2_000 * DAY);
    Definition::build(vec![wait]).expect("waiting is a saga")
});

impl Saga for Wait {
    const NAME: &'static str = "wait";
    type Data = ();
    type Effect = ();
    type Call = ();
    type Reply = Pinged;

    fn definition(_: u32) -> Option<&'static Definition<Self>> {
        Some(&DEFINITION)
    }

    fn absorb((): &mut (), _: &Pinged) -> Answer {
        Answer::to("wait", Outcome::Succeeded)
    }

    /// Leaves a trace of each time that it begins.
    fn effect(key: Uuid, (): (), (): &(), ws: &mut Workspace<'_>) -> Result<(), Refusal> {
        let seen = ws.get::<Seen>(key)?;
        let mut seen = seen.map_or_else(|| Seen { key, ..Seen::default() }, Arc::unwrap_or_clone);
        seen.order.push(BEGINS);
        ws.put(seen)
    }
}

/// The engine in a simulated world whose broker delivers what it is given, again and again.
struct Life {
    world: SimWorld,
    context: Context,
    running: Running,
}

impl Life {
    async fn begin(world: &SimWorld) -> Self {
        let environment = world.environment();
        let (storage, bus, keyring) = (world.storage(), world.bus(), world.keyring());
        let mut engine = Engine::new(Parts { environment, storage, bus, keyring });
        let context = engine.context("probe", Arc::new(NoCalls));
        engine.mount(module()).unwrap();
        let running = engine.start(Options::default()).await.unwrap();
        // Long enough for deliveries, and for the house to be kept once.
        tokio::time::sleep(HOUR + MINUTE).await;
        Self { world: world.clone(), context, running }
    }

    /// Stops, and begins again much later.
    async fn after(self, days: u32) -> Self {
        let Self { world, context, running } = self;
        drop(context);
        running.shut_down().await;
        tokio::time::advance(days * DAY).await;
        Self::begin(&world).await
    }

    async fn deliver_again(&self, event: &Envelope) {
        self.world.bus().publish(vec![event.clone()]).await.unwrap();
        tokio::time::sleep(MINUTE).await;
    }

    fn journal(&self) -> &Arc<dyn Journal> {
        self.running.host("probe").expect("the probe runs").journal()
    }

    /// Whether the claim of this delivery is still there.
    async fn remembers(&self, event: &Envelope) -> bool {
        !self.journal().claimed("probe-probe", &[event.id.0]).await.unwrap().is_empty()
    }

    async fn saga(&self) -> Option<InstanceOf<Wait>> {
        let found = self.context.get::<InstanceOf<Wait>>(format!("wait/{KEY}")).await.unwrap();
        found.map(|found| found.document)
    }

    /// How often the saga began.
    async fn begun(&self) -> usize {
        self.context.get::<Seen>(KEY).await.unwrap().map_or(0, |seen| seen.document.order.len())
    }
}

fn module() -> Module {
    let react = on::<Ping>(|ping, ws| {
        let is_known = ws.saga::<Wait>(ping.key)?.is_some();
        match (is_known, ping.n) {
            (false, BEGINS) => ws.start_saga::<Wait>(ping.key, ()),
            (true, ENDS) => ws.reply_to_saga::<Wait>(ping.key, &Pinged).map(drop),
            _ => Ok(()),
        }
    });
    let saga = SagaRegistration::new::<Wait>("saga:wait", |(), _| Box::pin(async { Ok(Pinged) }));
    Module {
        publishes: vec![&Ping::TYPE],
        reactions: vec![react],
        sagas: vec![saga],
        collections: vec![&SEEN],
        ..Module::new("probe")
    }
}

fn ping(ws: &mut Workspace<'_>, n: u64) {
    ws.publish(Ping { key: KEY, n, secret: "s".to_owned().into() });
}

#[tokio::test(start_paused = true)]
async fn a_tombstone_outlives_the_claims_so_that_a_late_duplicate_has_no_effect() {
    let world = SimWorld::with(31, Settings { bus: BusKind::Broker, ..Settings::default() });
    let life = Life::begin(&world).await;
    let work = Work::new("ping", Origin::default(), |ws| {
        ping(ws, BEGINS);
        ping(ws, ENDS);
        Ok(Value::Null)
    });
    life.context.commands.execute(work).await.unwrap();
    tokio::time::sleep(MINUTE).await;
    assert_eq!(life.saga().await.map(|saga| saga.phase), Some(Phase::Completed));
    let first = life.journal().outgoing(0, 1).await.unwrap().remove(0).envelope;

    let life = life.after(366).await;
    assert!(life.remembers(&first).await);
    life.deliver_again(&first).await;
    assert_eq!(life.begun().await, 1, "the claim is there, so the duplicate has no effect");

    let life = life.after(40).await;
    assert!(!life.remembers(&first).await, "the claim is forgotten");
    assert_eq!(life.saga().await.map(|saga| saga.phase), Some(Phase::Completed), "the tombstone is not");
    life.deliver_again(&first).await;
    assert!(life.remembers(&first).await, "it was taken for new");
    assert_eq!(life.begun().await, 1, "but it begins nothing a second time");

    let life = life.after(30).await;
    assert!(life.saga().await.is_none(), "the tombstone is forgotten");
    assert_eq!(life.begun().await, 1, "what it did stays");
    life.running.shut_down().await;
    assert_eq!(world.panics(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_saga_that_is_not_finished_is_never_forgotten() {
    let world = SimWorld::with(32, Settings { bus: BusKind::Broker, ..Settings::default() });
    let life = Life::begin(&world).await;
    let work = Work::new("ping", Origin::default(), |ws| {
        ping(ws, BEGINS);
        Ok(Value::Null)
    });
    life.context.commands.execute(work).await.unwrap();
    tokio::time::sleep(MINUTE).await;
    let phase = life.saga().await.expect("it began").phase;
    assert_eq!(phase, Phase::Running);
    let life = life.after(500).await;
    assert!(life.saga().await.is_some());
    life.running.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_request_is_kept_for_31_days() {
    let world = SimWorld::with(33, Settings { bus: BusKind::Broker, ..Settings::default() });
    let life = Life::begin(&world).await;
    let idempotency = Idempotency { key: "POST /api/pings|anna|1".to_owned(), fingerprint: 1 };
    let work = Work::new("answer", Origin::default(), |_| Ok(json!("answered")));
    life.context.commands.execute(work.idempotent(Some(idempotency.clone()))).await.unwrap();

    let life = life.after(30).await;
    let again = life.context.commands.answered(&idempotency).await.unwrap().expect("it is kept");
    assert_eq!(&again.answer[..], br#""answered""#);
    let life = life.after(1).await;
    assert_eq!(life.context.commands.answered(&idempotency).await.unwrap(), None);
    life.running.shut_down().await;
}
