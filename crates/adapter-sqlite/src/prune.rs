//! Forgetting answers and claims that are old enough, a few at a time: the writer does nothing else
//! meanwhile.

use backbone::journal::{Prune, Pruned};
use rusqlite::{Connection, params};

use crate::tables::Tables;

/// Forgets, in the caller's transaction.
pub(crate) fn forget(conn: &Connection, tables: &Tables, prune: &Prune) -> rusqlite::Result<Pruned> {
    let p = &tables.prefix;
    let limit = i64::try_from(prune.limit).unwrap_or(i64::MAX);
    // Answers stand in the order in which they were given, so the first rows are the oldest: no
    // index has to be kept for them with each commit, and the look never goes further than the limit.
    let answers = conn
        .prepare_cached(&format!(
            "DELETE FROM {p}_answers WHERE rowid IN (SELECT place FROM \
             (SELECT rowid AS place, at FROM {p}_answers ORDER BY rowid LIMIT ?2) WHERE at < ?1)"
        ))?
        .execute(params![prune.answers_before.as_micros(), limit])?;
    // A consumer that reads by position claims nothing, so here the index costs nothing either.
    let claims = conn
        .prepare_cached(&format!(
            "DELETE FROM {p}_inbox WHERE (consumer, event) IN \
             (SELECT consumer, event FROM {p}_inbox WHERE at < ?1 ORDER BY at LIMIT ?2)"
        ))?
        .execute(params![prune.inbox_before.as_micros(), limit])?;
    Ok(Pruned { answers, claims })
}
