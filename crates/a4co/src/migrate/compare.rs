//! Whether what arrived is what left.

use adapter_postgres::Import;
use adapter_sqlite::Export;
use anyhow::{bail, ensure};
use backbone::journal::Schema;
use backbone::moving::Counts;
use backbone::system::STANDINGS;

use super::carry::Carried;
use crate::verify::Report;

/// How many streams are compared at a time.
const STREAMS_MAX: usize = 5_000;
/// Tables of which the other store has more or fewer rows by design: what was written counts.
const TRANSLATED: &[&str] = &["inbox", "checkpoints"];

/// Compares the tables and the streams of a service on both sides.
pub(super) async fn service(
    export: &Export,
    schema: &Schema,
    carried: &Carried,
    import: &mut Import,
) -> anyhow::Result<()> {
    let (left, arrived) = (export.counts(schema)?, import.counts(schema).await?);
    if let Some(what) = differing(&left, carried, &arrived) {
        bail!("{}: {what}", schema.service);
    }
    let mut after = String::new();
    loop {
        let left = export.heads(schema, &after, STREAMS_MAX)?;
        let arrived = import.heads(schema, &after, STREAMS_MAX).await?;
        if let Some((stream, version)) = left.iter().find(|head| arrived.binary_search(head).is_err()) {
            bail!(
                "{}: the stream {stream} is at version {version} in the source and not in the target",
                schema.service
            );
        }
        ensure!(
            left.len() == arrived.len(),
            "{}: the target has streams that the source has not",
            schema.service
        );
        match left.into_iter().next_back() {
            Some((last, _)) => after = last,
            None => return Ok(()),
        }
    }
}

/// The first table that has other rows than it should.
fn differing(left: &Counts, carried: &Carried, arrived: &Counts) -> Option<String> {
    let standings = format!("c_{}", STANDINGS.name);
    arrived.iter().find_map(|(table, arrived)| {
        let is_own = TRANSLATED.contains(&table.as_str()) || *table == standings;
        let expected = if is_own { &carried.counts } else { left };
        let expected = expected.get(table).copied().unwrap_or_default();
        (expected != *arrived).then(|| format!("{table} should have {expected} rows, and has {arrived}"))
    })
}

/// What `verify` says of one side and not of the other.
pub(super) fn reports(source: &Report, target: &Report) -> Result<(), String> {
    let figures = |report: &Report| {
        let Report { orders, payments, items, events, open_sagas, parked, .. } = report;
        [*orders, *payments, *items, *events, *open_sagas, *parked]
    };
    if figures(source) != figures(target) || source.order_states != target.order_states {
        return Err("`verify` counts something else on the two sides".to_owned());
    }
    let violations = |report: &Report| {
        let mut found: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
        found.sort_unstable();
        found
    };
    if violations(source) != violations(target) {
        let found = violations(target).join("\n");
        return Err(format!("`verify` finds something else on the two sides; in the target:\n{found}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(rows: &[(&str, u64)]) -> Counts {
        rows.iter().map(|(table, rows)| ((*table).to_owned(), *rows)).collect()
    }

    #[test]
    fn a_row_too_few_or_too_many_is_named_by_its_table() {
        let left = counts(&[("events", 4), ("inbox", 0), ("checkpoints", 9)]);
        let written = || Carried { counts: counts(&[("inbox", 7), ("checkpoints", 2)]), waiting: 0 };
        for (arrived, said) in [
            (&[("events", 4), ("inbox", 7), ("checkpoints", 2)][..], None),
            (&[("events", 3)], Some("events should have 4 rows, and has 3")),
            (&[("inbox", 6)], Some("inbox should have 7 rows, and has 6")),
            (&[("checkpoints", 9)], Some("checkpoints should have 2 rows, and has 9")),
            (&[("c_new", 1)], Some("c_new should have 0 rows, and has 1")),
        ] {
            assert_eq!(differing(&left, &written(), &counts(arrived)).as_deref(), said, "{arrived:?}");
        }
    }
}
