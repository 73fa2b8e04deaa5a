//! What a seed does: who buys what and how, and what goes wrong.

use adapter_sim::{BusKind, CommitFault, Dice, Faults, Settings, Side, SimWorld};
use kernel::Duration;

/// How orders are paid, and how often.
const METHODS: &[(u64, &str)] = &[
    (8, "sandbox-card-ok"),
    (2, "sandbox-bizum-600000001"),
    (3, "sandbox-card-declined"),
    (3, "sandbox-card-retry-1"),
    (2, "sandbox-card-retry-2"),
    (1, "sandbox-card-broken"),
    (4, "sandbox-card-3ds"),
    (2, "sandbox-card-timeout"),
    (2, "sandbox-card-lost"),
    (2, "sandbox-card-slow"),
    (1, "sandbox-refund-fails-1"),
];

/// An order of a plan.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) number: u64,
    pub(super) at: Duration,
    pub(super) method: &'static str,
    /// Stock-keeping units with pieces.
    pub(super) lines: Vec<(&'static str, u32)>,
    /// What its buyer tells their bank, where that asks; nothing: they went away.
    pub(super) bank: Option<bool>,
    /// So long after it was taken it is called off.
    pub(super) called_off_after: Option<Duration>,
    /// It is sent a second time under its key.
    pub(super) sent_again: bool,
}

/// What happens to a replica, or to the broker, at some moment.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) at: Duration,
    pub(super) replica: usize,
    pub(super) what: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// It stands still; what it had submitted arrives afterwards, or in time.
    Pause { lasts: Duration, holds: bool },
    /// It reaches somebody no more for a while.
    Cut { side: Side, lasts: Duration },
    /// It dies.
    Crash,
    /// It stops in order.
    Stop,
    /// The broker dies and starts again.
    BrokerCrash,
}

/// What a seed does.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) orders: Vec<Planned>,
    pub(super) faults: Faults,
    /// Commits, counted from now on, at which something certain happens.
    pub(super) at: Vec<(u64, CommitFault)>,
    pub(super) troubles: Vec<Trouble>,
}

/// How a seed's market is set up: a quarter runs as one process on the embedded log, a quarter as one
/// process with a broker, and half of them as two replicas, now and then three.
pub(super) fn settings(seed: u64) -> Settings {
    let mut dice = Dice::new(seed, "settings");
    let partitions = [1, 1, 1, 2, 2, 3, 4, 4][dice.below(8) as usize];
    let replicas = if dice.chance(100) { 3 } else { 2 };
    match seed % 4 {
        1 => Settings::default(),
        2 => Settings { bus: BusKind::Broker, partitions, ..Settings::default() },
        _ => Settings { bus: BusKind::Broker, partitions, replicas, ..Settings::default() },
    }
}

impl Plan {
    /// Nothing goes wrong but that each of two replicas stands still for a minute, one after the
    /// other, while orders come in.
    pub(super) fn of_pauses(world: &SimWorld) -> Self {
        let mut dice = world.dice("plan");
        let orders = (0..8).map(|number| planned(number, Duration::from_secs(130), &mut dice)).collect();
        let pause = |replica: usize, at| Trouble {
            at: Duration::from_secs(at),
            replica,
            what: Kind::Pause { lasts: Duration::from_secs(60), holds: true },
        };
        Self { orders, faults: Faults::default(), at: Vec::new(), troubles: vec![pause(0, 3), pause(1, 70)] }
    }

    pub(super) fn of(world: &SimWorld, settings: &Settings) -> Self {
        let replicas = settings.replicas;
        let mut dice = world.dice("plan");
        let count = dice.between(3, 6);
        let hurry = Duration::from_millis(if replicas > 1 { dice.between(2_000, 25_000) } else { 3_000 });
        let orders = (0..count).map(|number| planned(number, hurry, &mut dice)).collect();
        let at = crashes(&mut dice, if replicas > 1 { 2 } else { 4 });
        let faults = faults(&mut dice, settings);
        let troubles = troubles(&mut dice, replicas, hurry);
        Self { orders, faults, at, troubles }
    }
}

fn milliseconds(dice: &mut Dice, most: u64) -> Duration {
    Duration::from_millis(dice.below(most))
}

fn planned(number: u64, hurry: Duration, dice: &mut Dice) -> Planned {
    let mut lines = vec![("HONEY", dice.between(1, 3) as u32)];
    if dice.chance(400) {
        lines.push(("OIL", dice.between(1, 2) as u32));
    }
    // Three chests for everybody: some come too late.
    if dice.chance(350) {
        lines.push(("CHEST", dice.between(1, 2) as u32));
    }
    Planned {
        number,
        at: milliseconds(dice, hurry.as_millis() as u64),
        method: method(dice),
        lines,
        bank: [Some(true), Some(true), Some(false), None][dice.below(4) as usize],
        called_off_after: dice.chance(250).then(|| milliseconds(dice, 6_000)),
        sent_again: dice.chance(300),
    }
}

fn method(dice: &mut Dice) -> &'static str {
    let all: u64 = METHODS.iter().map(|(weight, _)| weight).sum();
    let mut rest = dice.below(all);
    for (weight, method) in METHODS {
        if rest < *weight {
            return method;
        }
        rest -= weight;
    }
    "sandbox-card-ok"
}

/// Some seeds are calm in one respect, some in all but one. A start asks every reader of every
/// partition, and one failure is enough to fail it.
fn faults(dice: &mut Dice, settings: &Settings) -> Faults {
    let mut often = |most: u64| if dice.chance(500) { dice.below(most) as u32 } else { 0 };
    let calmer = if settings.replicas > 1 { 4 } else { u64::from(settings.partitions) };
    // The embedded log is in the same process: nothing between them is lost or late.
    let (lost, late) = if settings.bus == BusKind::Log { (0, 0) } else { (2, 5) };
    Faults {
        answer_lost_permille: often(40),
        not_written_permille: often(40),
        slow_sync_permille: often(60),
        read_fails_permille: often(15 / calmer),
        fetch_fails_permille: often(60 / calmer),
        publish_fails_permille: often(60),
        redelivery_permille: often(100),
        twice_permille: often(60),
        keyring_fails_permille: often(20),
        lost_permille: often(lost),
        late_permille: often(late),
        late: Duration::from_millis([100, 2_000, 6_000, 20_000][often(4_000) as usize % 4]),
        crash_permille: often(8 / calmer),
        torn_permille: often(1_000),
        slow_sync: Duration::from_millis(400),
        ..Faults::default()
    }
}

/// Fewer than `most` deaths at certain commits.
fn crashes(dice: &mut Dice, most: u64) -> Vec<(u64, CommitFault)> {
    let count = dice.below(most);
    (0..count)
        .map(|_| {
            let fault = [CommitFault::CrashBefore, CommitFault::CrashAfter][dice.below(2) as usize];
            (dice.between(1, 120), fault)
        })
        .collect()
}

/// Up to four troubles; a lease runs out in 15 seconds, so some last longer.
fn troubles(dice: &mut Dice, replicas: usize, hurry: Duration) -> Vec<Trouble> {
    let count = dice.below(if replicas > 1 { 5 } else { 3 });
    let trouble = |dice: &mut Dice| {
        let lasts = Duration::from_millis(match dice.below(3) {
            0 => dice.between(100, 4_000),
            1 => dice.between(12_000, 24_000),
            _ => dice.between(15_000, 65_000),
        });
        let what = match dice.below(if replicas > 1 { 12 } else { 8 }) {
            0..=1 => Kind::Stop,
            2 => Kind::Crash,
            3 => Kind::BrokerCrash,
            4 => Kind::Cut { side: Side::Store, lasts },
            5 => Kind::Cut { side: Side::Broker, lasts },
            6..=8 => Kind::Pause { lasts, holds: dice.chance(500) },
            _ => Kind::Cut { side: Side::Leases, lasts },
        };
        let at = milliseconds(dice, hurry.as_millis() as u64);
        Trouble { at, replica: dice.below(replicas as u64) as usize, what }
    };
    (0..count).map(|_| trouble(dice)).collect()
}
