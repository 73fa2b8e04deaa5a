//! What is broken, when, and for how long: all of it drawn from a seed before anything runs, so that
//! the same seed gives the same schedule.

use std::fmt;
use std::time::Duration;

use a4co::dice::Dice;

/// Before the first fault, and after the last one has ended.
const CALM: Duration = Duration::from_secs(3);
/// The pauses between the beginnings of two faults, in milliseconds.
const GAP_MS: (u64, u64) = (2_000, 5_500);

/// How often it is a server that is broken, of a hundred times; else it is a process.
const SERVERS: [(u64, Option<Target>); 4] =
    [(85, None), (7, Some(Target::Broker)), (5, Some(Target::Database)), (3, Some(Target::Redis))];

/// A cable of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// To the database.
    Database,
    /// To the broker.
    Broker,
    /// To Redis.
    Redis,
    /// From those who call it.
    Callers,
}

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A process, by its number in the fleet.
    Member(usize),
    /// The broker.
    Broker,
    /// The database.
    Database,
    /// What processes share besides: it forgets everything.
    Redis,
}

/// How it is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Ended at once, and started again.
    Kill,
    /// Stopped in order, and started again.
    Stop,
    /// Kept from running, past its leases at times: it comes back and believes that it has them.
    Pause,
    /// A cable is cut.
    Cut(Side),
    /// A cable carries nothing, and nobody is told.
    Clamp(Side),
    /// A cable carries late, by so many milliseconds.
    Slow(Side, u64),
    /// Ended at once, its storage thrown away, and started again.
    Wipe,
}

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// When it begins.
    pub at: Duration,
    /// For how long.
    pub lasts: Duration,
    /// What is broken.
    pub target: Target,
    /// How.
    pub how: How,
}

/// Of what a schedule is made.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The same seed gives the same schedule.
    pub seed: u64,
    /// How long things are broken.
    pub length: Duration,
    /// How many processes there are.
    pub members: usize,
    /// Whether the broker loses its storage once, in the middle.
    pub wipes: bool,
}

impl Plan {
    /// The faults in the order in which they begin. At any moment a thing is broken in one way.
    pub fn faults(&self) -> Vec<Fault> {
        let mut dice = Dice::new(self.seed);
        let mut faults: Vec<Fault> = Vec::new();
        let mut at = CALM;
        let mut wiped = !self.wipes;
        loop {
            let left = self.length.saturating_sub(at + CALM);
            if left < Duration::from_secs(1) {
                return faults;
            }
            let fault = if !wiped && at >= self.length / 2 {
                wiped = true;
                Fault { at, lasts: Duration::from_secs(2), target: Target::Broker, how: How::Wipe }
            } else {
                self.draw(&mut dice, at)
            };
            let fault = Fault { lasts: fault.lasts.min(left), ..fault };
            let is_busy = |other: &Fault| other.target == fault.target && other.at + other.lasts + CALM > at;
            if !faults.iter().any(is_busy) || fault.how == How::Wipe {
                faults.push(fault);
                at += Duration::from_millis(dice.between(GAP_MS.0, GAP_MS.1));
            }
        }
    }

    fn draw(&self, dice: &mut Dice, at: Duration) -> Fault {
        let target = *dice.weighted(&SERVERS);
        let (target, how, (shortest, longest)) = match target {
            Some(server) => (server, How::Kill, (200, 4_000)),
            None => {
                let member = dice.below(self.members as u64) as usize;
                let (how, lasts) = draw_how(dice);
                (Target::Member(member), how, lasts)
            }
        };
        Fault { at, lasts: Duration::from_millis(dice.between(shortest, longest)), target, how }
    }
}

/// How a process is broken, and for how many milliseconds.
fn draw_how(dice: &mut Dice) -> (How, (u64, u64)) {
    let side = *dice.pick(&[Side::Database, Side::Broker, Side::Redis, Side::Callers]);
    let late = dice.between(20, 400);
    *dice.weighted(&[
        (30, (How::Kill, (100, 5_000))),
        (10, (How::Stop, (100, 3_000))),
        (12, (How::Pause, (500, 6_000))),
        // Longer than a lease lasts.
        (6, (How::Pause, (16_000, 30_000))),
        (16, (How::Cut(side), (500, 12_000))),
        (12, (How::Clamp(side), (500, 20_000))),
        (14, (How::Slow(side, late), (1_000, 15_000))),
    ])
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Database => "to the database",
            Side::Broker => "to the broker",
            Side::Redis => "to redis",
            Side::Callers => "from its callers",
        })
    }
}

impl How {
    /// Its kind, for counting.
    pub fn kind(&self) -> &'static str {
        match self {
            How::Kill => "killed",
            How::Stop => "stopped",
            How::Pause => "paused",
            How::Cut(_) => "cut off",
            How::Clamp(_) => "clamped",
            How::Slow(..) => "slowed",
            How::Wipe => "wiped",
        }
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            How::Cut(side) => write!(f, "cable cut {side}"),
            How::Clamp(side) => write!(f, "cable clamped {side}"),
            How::Slow(side, late) => write!(f, "cable {late} ms late {side}"),
            How::Wipe => f.write_str("killed and its storage wiped"),
            other => f.write_str(other.kind()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64) -> Plan {
        Plan { seed, length: Duration::from_secs(600), members: 12, wipes: true }
    }

    #[test]
    fn the_same_seed_gives_the_same_schedule_and_another_one_another() {
        assert_eq!(plan(7).faults(), plan(7).faults());
        assert_ne!(plan(7).faults(), plan(8).faults());
    }

    #[test]
    fn ten_minutes_hold_a_hundred_faults_of_every_kind_and_all_of_them_end() {
        for seed in 0..50 {
            let faults = plan(seed).faults();
            assert!(faults.len() >= 100, "seed {seed}: {}", faults.len());
            assert!(faults.iter().all(|fault| fault.at + fault.lasts <= plan(seed).length), "seed {seed}");
            assert_eq!(faults.iter().filter(|fault| fault.how == How::Wipe).count(), 1, "seed {seed}");
            for kind in ["killed", "stopped", "paused", "cut off", "clamped", "slowed"] {
                assert!(faults.iter().any(|fault| fault.how.kind() == kind), "seed {seed}: none {kind}");
            }
        }
    }

    #[test]
    fn a_process_is_broken_in_one_way_at_a_time() {
        for seed in 0..50 {
            let faults: Vec<Fault> = plan(seed).faults();
            for (n, fault) in faults.iter().enumerate().filter(|(_, fault)| fault.how != How::Wipe) {
                let before = faults[..n].iter().filter(|before| before.target == fault.target);
                assert!(before.clone().all(|before| before.at + before.lasts < fault.at), "seed {seed}");
            }
        }
    }
}
