//! Breaks things when their time has come, and mends them when it is over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::fault::{Fault, How, Side, Target};
use crate::fleet::Fleet;
use crate::ledger::Ledger;
use crate::member::Member;
use crate::proxy::{Cable, Proxy};
use crate::servers::Servers;

/// How often `a4co republish` is tried.
const REPUBLISH_TRIES: u32 = 30;

/// Injects faults, each at its time; returns when the last one is mended.
pub async fn run(faults: &[Fault], fleet: &Fleet, ledger: &Ledger, begun: Instant) {
    let all = faults.iter().map(|fault| async move {
        tokio::time::sleep(fault.at.saturating_sub(begun.elapsed())).await;
        ledger.broke(fault.how.kind());
        println!("{}", line(fault, fleet));
        if let Err(error) = inject(fault, fleet).await {
            ledger.find(format!("{}: {error:#}", line(fault, fleet)));
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
        Target::Broker => {
            blocking(&fleet.servers, Servers::kill_broker).await?;
            tokio::time::sleep(lasts).await;
            if fault.how == How::Wipe {
                blocking(&fleet.servers, Servers::lose_broker_data).await?;
            }
            blocking(&fleet.servers, Servers::start_broker).await?;
            if fault.how == How::Wipe { republish(fleet, fault.at).await } else { Ok(()) }
        }
    }
}

/// As an operator does after a broker lost what it had: everything of this run is published again.
/// Other things are broken meanwhile, so it may take several tries.
async fn republish(fleet: &Fleet, since: Duration) -> anyhow::Result<()> {
    let (from, url) = (format!("{}m", since.as_secs() / 60 + 2), fleet.url());
    for _ in 0..REPUBLISH_TRIES {
        if fleet.product(&["republish", "--from", &from, "--url", &url]).await? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    anyhow::bail!("republish failed {REPUBLISH_TRIES} times")
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
        Side::Callers => &cables.callers,
    };
    proxy.set(cable);
    tokio::time::sleep(lasts).await;
    proxy.set(Cable::Whole);
}
