//! Breaks things when their time has come, and mends them when it is over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kernel::Timestamp;

use crate::fault::{Fault, How, Side, Target};
use crate::fleet::Fleet;
use crate::ledger::Ledger;
use crate::member::Member;
use crate::proxy::{Cable, Proxy};
use crate::servers::Servers;

/// How often `a4co republish` is tried.
const REPUBLISH_TRIES: u32 = 30;
/// No consumer is kept from reading for longer than this by the faults before.
const UNREAD_MAX: Duration = Duration::from_secs(120);

/// Injects faults, each at its time; returns when the last one is mended. A server may take longer to
/// start than the schedule knows: what is to break it again waits until it is there.
pub async fn run(faults: &[Fault], fleet: &Fleet, ledger: &Ledger, begun: Instant) {
    let mut of_target: BTreeMap<Target, Vec<&Fault>> = BTreeMap::new();
    faults.iter().for_each(|fault| of_target.entry(fault.target).or_default().push(fault));
    let all = of_target.into_values().map(|faults| async move {
        for fault in faults {
            tokio::time::sleep(fault.at.saturating_sub(begun.elapsed())).await;
            ledger.broke(fault.how.kind());
            println!("{}", line(fault, fleet));
            if let Err(error) = inject(fault, fleet).await {
                ledger.find(format!("{}: {error:#}", line(fault, fleet)));
            }
        }
    });
    futures::future::join_all(all).await;
}

/// A line of the schedule.
pub fn line(fault: &Fault, fleet: &Fleet) -> String {
    let target = match fault.target {
        Target::Member(number) => fleet.members[number].name.as_str(),
        Target::Broker => "the broker",
        Target::Database => "the database",
        Target::Redis => "redis",
    };
    let at = fault.at.as_secs_f64();
    format!("{at:7.1} s  {target}: {}, for {:.1} s", fault.how, fault.lasts.as_secs_f64())
}

async fn inject(fault: &Fault, fleet: &Fleet) -> anyhow::Result<()> {
    let lasts = fault.lasts;
    match fault.target {
        Target::Member(number) => broken_member(&fleet.members[number], fault.how, lasts).await,
        Target::Database => {
            blocking(&fleet.servers, Servers::crash_database).await?;
            tokio::time::sleep(lasts).await;
            blocking(&fleet.servers, Servers::start_database).await
        }
        Target::Redis => {
            blocking(&fleet.servers, Servers::kill_redis).await?;
            tokio::time::sleep(lasts).await;
            blocking(&fleet.servers, Servers::start_redis).await
        }
        Target::Broker => {
            blocking(&fleet.servers, Servers::kill_broker).await?;
            let lost = SystemTime::now();
            tokio::time::sleep(lasts).await;
            if fault.how == How::Wipe {
                blocking(&fleet.servers, Servers::lose_broker_data).await?;
            }
            blocking(&fleet.servers, Servers::start_broker).await?;
            if fault.how == How::Wipe { republish(fleet, lost).await } else { Ok(()) }
        }
    }
}

/// As an operator does after a broker lost what it had: what was published shortly before is published
/// again, with whatever somebody may not have read yet. Other things are broken meanwhile, so it may
/// take several tries.
async fn republish(fleet: &Fleet, lost: SystemTime) -> anyhow::Result<()> {
    let (from, url) = (moment(lost - UNREAD_MAX).to_string(), fleet.url());
    for _ in 0..REPUBLISH_TRIES {
        if fleet.product(&["republish", "--from", &from, "--url", &url]).await? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    anyhow::bail!("republish failed {REPUBLISH_TRIES} times")
}

fn moment(at: SystemTime) -> Timestamp {
    let since_epoch = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or_default())
}

async fn blocking(servers: &Arc<Servers>, act: fn(&Servers)) -> anyhow::Result<()> {
    let servers = servers.clone();
    Ok(tokio::task::spawn_blocking(move || act(&servers)).await?)
}

async fn broken_member(member: &Member, how: How, lasts: Duration) -> anyhow::Result<()> {
    match how {
        How::Kill | How::Wipe => {
            member.kill().await;
            tokio::time::sleep(lasts).await;
            member.start_again().await;
        }
        How::Stop => {
            member.stop().await;
            tokio::time::sleep(lasts).await;
            member.start_again().await;
        }
        How::Pause => {
            member.pause()?;
            tokio::time::sleep(lasts).await;
            member.go_on()?;
        }
        How::Cut(side) => on_cable(member, side, Cable::Cut, lasts).await,
        How::Clamp(side) => on_cable(member, side, Cable::Clamped, lasts).await,
        How::Slow(side, late) => {
            on_cable(member, side, Cable::Slow(Duration::from_millis(late)), lasts).await;
        }
    }
    Ok(())
}

async fn on_cable(member: &Member, side: Side, cable: Cable, lasts: Duration) {
    let Some(cables) = &member.cables else { return };
    let proxy: &Proxy = match side {
        Side::Database => &cables.database,
        Side::Broker => &cables.broker,
        Side::Redis => &cables.redis,
        Side::Callers => &cables.callers,
    };
    proxy.set(cable);
    tokio::time::sleep(lasts).await;
    proxy.set(Cable::Whole);
}
