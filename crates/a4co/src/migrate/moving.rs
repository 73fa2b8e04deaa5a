//! The move from beginning to end.

use std::sync::Arc;
use std::time::Instant;

use adapter_postgres::Import;
use adapter_sqlite::Export;
use anyhow::{Context as _, bail, ensure};
use indicatif::ProgressBar;

use super::carry::{Carried, Carrier};
use super::known::{self, Known};
use super::plan::Plan;
use super::{Moved, Target, compare};
use crate::config::{Engines, Settings};
use crate::services::SERVICES;
use crate::verify::{self, Report};
use crate::{environment, production};

/// Says what is to be done where a difference shows.
const DIFFERS: &str = "the market stays where it is: what arrived is not what left, and the target stays closed \
                       (--again clears it)";

/// Moves, compares, and opens the target.
pub(super) async fn run(settings: &Settings, target: &Target, bar: &ProgressBar) -> anyhow::Result<Moved> {
    production::check(settings)?;
    let data = settings.serve.data.clone();
    let export = Arc::new(Export::open(&data)?);
    if !export.was_clean_shutdown() {
        tracing::warn!("the market was not stopped in order: what was under way goes on in the target");
    }
    let services = known::services(settings, &data)?;
    let schemas: Vec<_> = services.iter().map(|known| known.schema.clone()).collect();
    export.check(&schemas).with_context(|| format!("the market in {} is not moved", data.display()))?;
    let source = checked(settings).await?;
    let address = target.postgres.reveal();
    let mut import = Import::begin(address, SERVICES, target.again).await.context("the target")?;
    let begun = Instant::now();
    let (plan, services) = planned(&export, services).await?;
    let carrier = Carrier {
        export: &export,
        plan: &plan,
        partitions: settings.engines.partitions,
        now: environment::system().clock.now(),
        bar,
    };
    let (carried, keys) = carry(&carrier, &services, &mut import).await?;
    let took = begun.elapsed();
    for (known, carried) in services.iter().zip(&carried) {
        compare::service(&export, &known.schema, carried, &mut import).await.context(DIFFERS)?;
    }
    let storage = import.storage().await?;
    let arrived = verify::moved(&storage, &data).await?;
    if let Err(what) = compare::reports(&source, &arrived) {
        bail!("source: {}\ntarget: {}\n{what}\n{DIFFERS}", source.line(), arrived.line());
    }
    import.finish().await?;
    let rows = carried.iter().map(Carried::rows).sum();
    let waiting = carried.iter().map(|carried| carried.waiting).sum();
    Ok(Moved { source, target: arrived, rows, keys, took, waiting })
}

/// What `verify` says of the source; a damaged file does not move.
async fn checked(settings: &Settings) -> anyhow::Result<Report> {
    // The configuration may name the target already.
    let embedded = Settings { engines: Engines::default(), ..settings.clone() };
    let report = verify::run_with(&embedded).await?;
    if let Some(damage) = report.violations.iter().find(|violation| violation.rule == "rule 24") {
        bail!("the market is not moved: {damage}");
    }
    Ok(report)
}

async fn planned(export: &Arc<Export>, services: Vec<Known>) -> anyhow::Result<(Arc<Plan>, Vec<Known>)> {
    let export = export.clone();
    let planning = tokio::task::spawn_blocking(move || {
        Plan::make(&export, &services).map(|plan| (Arc::new(plan), services))
    });
    Ok(planning.await??)
}

/// Carries all services over, and the keys of persons; gives what was written and how many keys.
async fn carry(
    carrier: &Carrier<'_>,
    services: &[Known],
    import: &mut Import,
) -> anyhow::Result<(Vec<Carried>, u64)> {
    let mut expected = 0;
    for known in services {
        expected += carrier.expected(known)?;
    }
    carrier.bar.set_length(expected);
    let mut carried = Vec::with_capacity(services.len());
    for known in services {
        carrier.bar.set_message(known.schema.service);
        let service = carrier.service(known, import).await;
        carried.push(service.with_context(|| format!("moving {}", known.schema.service))?);
    }
    carrier.bar.set_message("keys");
    let keys = carrier.keys(import).await?;
    ensure!(import.count_keys().await? == keys, "not all keys of persons arrived: {DIFFERS}");
    carrier.bar.set_length(carrier.bar.position());
    carrier.bar.finish_with_message("moved");
    Ok((carried, keys.0))
}
