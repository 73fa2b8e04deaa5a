//! What a seed does: who buys what and how, and what goes wrong.

use adapter_sim::{BusKind, CommitFault, Dice, Faults, Settings, SimWorld};
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

/// What a seed does.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) orders: Vec<Planned>,
    pub(super) faults: Faults,
    /// Commits, counted from now on, at which something certain happens.
    pub(super) at: Vec<(u64, CommitFault)>,
}

/// Every second seed has a broker between its services, every other the embedded log.
pub(super) fn settings(seed: u64) -> Settings {
    let bus = if seed.is_multiple_of(2) { BusKind::Broker } else { BusKind::Log };
    Settings { bus, ..Settings::default() }
}

impl Plan {
    pub(super) fn of(world: &SimWorld) -> Self {
        let mut dice = world.dice("plan");
        let count = dice.between(3, 6);
        let orders = (0..count).map(|number| planned(number, &mut dice)).collect();
        Self { orders, faults: faults(&mut dice), at: crashes(&mut dice) }
    }
}

fn planned(number: u64, dice: &mut Dice) -> Planned {
    let mut lines = vec![("HONEY", dice.between(1, 3) as u32)];
    if dice.chance(400) {
        lines.push(("OIL", dice.between(1, 2) as u32));
    }
    // Three chests for everybody: some come too late.
    if dice.chance(350) {
        lines.push(("CHEST", dice.between(1, 2) as u32));
    }
    let milliseconds = |dice: &mut Dice, most| Duration::from_millis(dice.below(most));
    Planned {
        number,
        at: milliseconds(dice, 3_000),
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

/// Some seeds are calm in one respect, some in all but one.
fn faults(dice: &mut Dice) -> Faults {
    let mut often = |most: u64| if dice.chance(500) { dice.below(most) as u32 } else { 0 };
    Faults {
        answer_lost_permille: often(40),
        not_written_permille: often(40),
        slow_sync_permille: often(60),
        read_fails_permille: often(15),
        fetch_fails_permille: often(60),
        keyring_fails_permille: often(20),
        crash_permille: often(8),
        slow_sync: Duration::from_millis(400),
        ..Faults::default()
    }
}

/// Up to three deaths at certain commits.
fn crashes(dice: &mut Dice) -> Vec<(u64, CommitFault)> {
    let count = dice.below(4);
    (0..count)
        .map(|_| {
            let fault = [CommitFault::CrashBefore, CommitFault::CrashAfter][dice.below(2) as usize];
            (dice.between(1, 120), fault)
        })
        .collect()
}
