//! The bus's log: one table in the journal's file, written in the commits' own transactions.

use backbone::bus::{BACKLOG_COUNTED_MAX, Backlog};
use backbone::journal::Sought;
use kernel::{Envelope, MAX_DATA_BYTES, Timestamp};
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use crate::rows;

const APPEND: &str = "INSERT INTO log (position, context, id, kind, subject, source, time, correlation, causation, \
                      sequence, traceparent, keyid, data) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

/// Appends events after position `end`; gives the new end.
pub(crate) fn append(conn: &Connection, mut end: u64, events: &[Envelope]) -> rusqlite::Result<u64> {
    if events.is_empty() {
        return Ok(end);
    }
    let mut statement = conn.prepare_cached(APPEND)?;
    for event in events {
        end += 1;
        statement.execute(params![
            rows::signed(end),
            event.context(),
            &event.id.0.as_bytes()[..],
            event.kind,
            event.subject,
            event.source,
            event.time.as_micros(),
            event.correlation_id,
            event.causation_id,
            rows::signed(event.sequence),
            event.traceparent,
            event.key_id,
            &event.data[..],
        ])?;
    }
    Ok(end)
}

/// Appends those events that were never published so before, and leaves only them in `events`:
/// whoever got no answer publishes again, and behind a position there is no inbox to notice.
pub(crate) fn append_once(conn: &Connection, end: u64, events: &mut Vec<Envelope>) -> rusqlite::Result<u64> {
    let mut statement = conn.prepare_cached("INSERT OR IGNORE INTO _published (id) VALUES (?1)")?;
    let mut is_new = Vec::with_capacity(events.len());
    for event in events.iter() {
        is_new.push(statement.execute([&event.id.0.as_bytes()[..]])? == 1);
    }
    let mut is_new = is_new.into_iter();
    events.retain(|_| is_new.next().unwrap_or(false));
    append(conn, end, events)
}

/// Where the log ends; 0 where it is empty.
pub(crate) fn end(conn: &Connection) -> rusqlite::Result<u64> {
    conn.query_row("SELECT coalesce(max(position), 0) FROM log", [], |row| rows::number(row, 0))
}

/// At most `limit` events of a context after `position`, in order.
pub(crate) fn after(
    conn: &Connection,
    context: &str,
    position: u64,
    limit: usize,
) -> rusqlite::Result<Vec<(u64, Envelope)>> {
    let columns = rows::LOG_COLUMNS;
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {columns} FROM log WHERE context = ?1 AND position > ?2 ORDER BY position LIMIT ?3"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    statement.query_map(params![context, rows::signed(position), limit], rows::envelope)?.collect()
}

/// At most `limit` events of a service after `position`, in order.
pub(crate) fn of(
    conn: &Connection,
    service: &str,
    position: u64,
    limit: usize,
) -> rusqlite::Result<Vec<(u64, Envelope)>> {
    let columns = rows::LOG_COLUMNS;
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {columns} FROM log WHERE source = ?1 AND position > ?2 ORDER BY position LIMIT ?3"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    statement.query_map(params![service, rows::signed(position), limit], rows::envelope)?.collect()
}

/// The statement that finds what is sought, with its values. A flow is found by its index, anything
/// else by the service's: the plus keeps SQLite from taking that one for a flow, because it knows
/// nothing of their sizes.
fn statement<'s>(service: &'s str, sought: &'s Sought) -> (String, Vec<ToSqlOutput<'s>>) {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX).into();
    let mut values: Vec<ToSqlOutput<'_>> = vec![service.into(), number(sought.after), number(sought.upto)];
    let mark = if sought.correlation.is_some() { "+" } else { "" };
    let columns = rows::LOG_COLUMNS;
    let mut sql =
        format!("SELECT {columns} FROM log WHERE {mark}source = ?1 AND position > ?2 AND position <= ?3");
    let texts = [("kind", &sought.kind), ("subject", &sought.subject), ("correlation", &sought.correlation)];
    for (column, value) in texts {
        if let Some(value) = value {
            values.push(value.as_str().into());
            sql.push_str(&format!(" AND {column} = ?{}", values.len()));
        }
    }
    if let Some(from) = sought.from {
        values.push(from.as_micros().into());
        sql.push_str(&format!(" AND time >= ?{}", values.len()));
    }
    values.push(number(sought.limit as u64));
    sql.push_str(&format!(" ORDER BY position LIMIT ?{}", values.len()));
    (sql, values)
}

/// A service's events that are sought, in order.
pub(crate) fn sought(
    conn: &Connection,
    service: &str,
    sought: &Sought,
) -> rusqlite::Result<Vec<(u64, Envelope)>> {
    let (sql, values) = statement(service, sought);
    let mut statement = conn.prepare_cached(&sql)?;
    statement.query_map(params_from_iter(values), rows::envelope)?.collect()
}

/// What a context holds after `position`, counted as far as the port wants it.
pub(crate) fn backlog(conn: &Connection, context: &str, position: u64) -> rusqlite::Result<Backlog> {
    const OLDEST: &str =
        "SELECT time FROM log WHERE context = ?1 AND position > ?2 ORDER BY position LIMIT 1";
    const COUNT: &str =
        "SELECT count(*) FROM (SELECT 1 FROM log WHERE context = ?1 AND position > ?2 LIMIT ?3)";
    let position = rows::signed(position);
    let mut oldest = conn.prepare_cached(OLDEST)?;
    let oldest = oldest.query_row(params![context, position], |row| row.get(0)).optional()?;
    if oldest.is_none() {
        return Ok(Backlog::default());
    }
    let mut count = conn.prepare_cached(COUNT)?;
    let most = rows::signed(BACKLOG_COUNTED_MAX);
    let waiting = count.query_row(params![context, position, most], |row| rows::number(row, 0))?;
    Ok(Backlog { waiting, oldest: oldest.map(Timestamp::from_micros) })
}

/// What is wrong with the first event that cannot be kept (reliability.md, rule 7).
pub(crate) fn too_large(events: &[Envelope]) -> Option<String> {
    let event = events.iter().find(|event| event.data.len() > MAX_DATA_BYTES)?;
    Some(format!("{} has {} bytes, at most {MAX_DATA_BYTES} are carried", event.kind, event.data.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(sought: &Sought) -> String {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(crate::schema::BASE).unwrap();
        let (sql, values) = statement("order", sought);
        let mut explained = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let lines = explained.query_map(params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
        lines.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
    }

    #[test]
    fn no_search_for_events_reads_the_log_through_or_sorts_it() {
        let some = || Some("x".to_owned());
        let flow = Sought { correlation: some(), upto: u64::MAX, limit: 10, ..Sought::default() };
        let flow_of_kind = Sought { kind: some(), subject: some(), ..flow.clone() };
        let part = Sought { kind: some(), upto: 50_000, limit: 10, ..Sought::default() };
        let by = |index: &str, mark: &str| {
            format!("SEARCH log USING INDEX {index} ({mark}=? AND rowid>? AND rowid<?)")
        };
        for (sought, expected) in [
            (flow, by("log_correlation", "correlation")),
            (flow_of_kind, by("log_correlation", "correlation")),
            (part, by("log_source", "source")),
        ] {
            assert_eq!(plan(&sought), expected, "{sought:?}");
        }
    }
}
