//! The SQL on the tables that every service has. Every statement takes arrays: there are as many
//! statements for a thousand rows as for one.

use backbone::journal::Sought;

use crate::connection::{Value, value};

/// The columns of an event.
const EVENT: &str = "version, name, schema, at, correlation, causation, person, data";
/// The columns of a public event.
const PUBLIC: &str =
    "id, kind, subject, source, time, correlation, causation, sequence, traceparent, keyid, data";
/// The store's clock.
const NOW_MICROS: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/// Statements on the tables that every service has.
#[derive(Debug)]
pub(crate) struct ServiceSql {
    pub(crate) known: KnownSql,
    pub(crate) write: WriteSql,
    pub(crate) read: ReadSql,
}

impl ServiceSql {
    /// Those of the quoted schema `s`.
    pub(crate) fn new(s: &str) -> Self {
        Self { known: KnownSql::new(s), write: WriteSql::new(s), read: ReadSql::new(s) }
    }
}

/// What is read before a batch is decided.
#[derive(Debug)]
pub(crate) struct KnownSql {
    pub(crate) heads: String,
    pub(crate) checkpoints: String,
    pub(crate) claims: String,
    pub(crate) answers: String,
    pub(crate) leases: String,
}

impl KnownSql {
    fn new(s: &str) -> Self {
        let head = head(s);
        Self {
            heads: format!("SELECT w.stream, {head} FROM unnest($1::text[]) AS w(stream)"),
            checkpoints: format!("SELECT consumer, position FROM {s}.checkpoints WHERE consumer = ANY($1)"),
            claims: format!(
                "SELECT i.consumer, i.event FROM unnest($1::text[], $2::uuid[]) AS w(consumer, event) \
                 JOIN {s}.inbox i ON i.consumer = w.consumer AND i.event = w.event"
            ),
            answers: format!("SELECT key, fingerprint, body, at FROM {s}.answers WHERE key = ANY($1)"),
            leases: format!("SELECT name, token FROM {s}.leases WHERE name = ANY($1)"),
        }
    }
}

/// What is done in the transaction of a batch.
#[derive(Debug)]
pub(crate) struct WriteSql {
    pub(crate) turn: String,
    pub(crate) positions: String,
    pub(crate) hold_heads: String,
    pub(crate) hold_leases: String,
    pub(crate) append: String,
    pub(crate) snapshots_put: String,
    pub(crate) answers_put: String,
    pub(crate) claim: String,
    pub(crate) checkpoints_begin: String,
    pub(crate) checkpoints_move: String,
    pub(crate) publish: String,
}

impl WriteSql {
    fn new(s: &str) -> Self {
        let head = head(s);
        Self {
            turn: format!("SELECT true FROM {s}.positions FOR UPDATE"),
            positions: format!("UPDATE {s}.positions SET events = events + $1, log = log + $2 RETURNING log"),
            hold_heads: held(
                s,
                &format!("unnest($1::text[], $2::bigint[]) AS w(stream, version) WHERE {head} <> w.version"),
            ),
            hold_leases: held(
                s,
                &format!(
                    "unnest($1::text[], $2::bigint[]) AS w(name, token) WHERE NOT EXISTS \
                     (SELECT 1 FROM {s}.leases l WHERE l.name = w.name AND l.token = w.token)"
                ),
            ),
            append: format!(
                "INSERT INTO {s}.events (position, stream, {EVENT}) \
                 SELECT p.events - cardinality($1::text[]) + w.place, w.stream, w.version, w.name, w.schema, w.at, \
                 w.correlation, w.causation, w.person, w.data FROM {s}.positions p, \
                 unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], \
                 $8::uuid[], $9::bytea[]) WITH ORDINALITY AS w(stream, {EVENT}, place)"
            ),
            snapshots_put: format!(
                "INSERT INTO {s}.snapshots (stream, version, schema, person, data) SELECT * FROM \
                 unnest($1::text[], $2::bigint[], $3::bigint[], $4::uuid[], $5::bytea[]) \
                 ON CONFLICT (stream) DO UPDATE SET version = excluded.version, schema = excluded.schema, \
                 person = excluded.person, data = excluded.data"
            ),
            answers_put: format!(
                "INSERT INTO {s}.answers (key, fingerprint, body, at) \
                 SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::bigint[])"
            ),
            claim: format!(
                "INSERT INTO {s}.inbox (consumer, event, at) SELECT w.consumer, w.event, {NOW_MICROS} \
                 FROM unnest($1::text[], $2::uuid[]) AS w(consumer, event)"
            ),
            checkpoints_begin: changed(
                s,
                &format!(
                    "INSERT INTO {s}.checkpoints AS c (consumer, position) SELECT * FROM \
                     unnest($1::text[], $2::bigint[]) ON CONFLICT (consumer) DO UPDATE \
                     SET position = excluded.position WHERE c.position = 0"
                ),
            ),
            checkpoints_move: changed(
                s,
                &format!(
                    "UPDATE {s}.checkpoints c SET position = w.upto FROM \
                     unnest($1::text[], $2::bigint[], $3::bigint[]) AS w(consumer, base, upto) \
                     WHERE c.consumer = w.consumer AND c.position = w.base"
                ),
            ),
            publish: format!(
                "INSERT INTO {s}.log (position, {PUBLIC}) \
                 SELECT p.log - cardinality($2::text[]) + w.place, w.id, w.kind, w.subject, w.source, w.time, \
                 w.correlation, w.causation, w.sequence, w.traceparent, w.keyid, w.data FROM {s}.positions p, \
                 unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], \
                 $8::bigint[], $9::text[], $10::text[], $11::bytea[]) WITH ORDINALITY AS w({PUBLIC}, place)"
            ),
        }
    }
}

/// What whoever else reads and does.
#[derive(Debug)]
pub(crate) struct ReadSql {
    pub(crate) streams: String,
    pub(crate) history: String,
    pub(crate) feed: String,
    pub(crate) outgoing: String,
    pub(crate) lease: String,
    pub(crate) release: String,
    pub(crate) prune_answers: String,
    pub(crate) prune_claims: String,
}

impl ReadSql {
    fn new(s: &str) -> Self {
        Self {
            streams: format!(
                "SELECT w.stream, n.version, NULL::text AS name, n.schema, NULL::bigint AS at, \
                 NULL::text AS correlation, NULL::text AS causation, n.person, n.data \
                 FROM unnest($1::text[]) AS w(stream) JOIN {s}.snapshots n ON n.stream = w.stream \
                 UNION ALL SELECT e.stream, e.version, e.name, e.schema, e.at, e.correlation, e.causation, e.person, \
                 e.data FROM unnest($1::text[]) AS w(stream) JOIN {s}.events e ON e.stream = w.stream AND e.version > \
                 coalesce((SELECT n.version FROM {s}.snapshots n WHERE n.stream = w.stream), 0)"
            ),
            history: format!(
                "SELECT stream, {EVENT} FROM {s}.events WHERE stream = $1 AND version > $2 ORDER BY version LIMIT $3"
            ),
            feed: format!(
                "SELECT stream, {EVENT}, position FROM {s}.events WHERE position > $1 ORDER BY position LIMIT $2"
            ),
            outgoing: outgoing(s),
            lease: format!(
                "INSERT INTO {s}.leases AS l (name, owner, token, until) VALUES ($1, $2, 1, {NOW_MICROS} + $3) \
                 ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until, \
                 token = l.token + CASE WHEN l.owner <> excluded.owner OR l.until <= {NOW_MICROS} THEN 1 ELSE 0 END \
                 WHERE l.owner = excluded.owner OR l.until <= {NOW_MICROS} RETURNING token"
            ),
            release: format!("UPDATE {s}.leases SET until = 0 WHERE name = $1 AND token = $2"),
            prune_answers: format!(
                "WITH gone AS (DELETE FROM {s}.answers WHERE key IN \
                 (SELECT key FROM {s}.answers WHERE at < $1 ORDER BY at LIMIT $2) RETURNING 1) \
                 SELECT count(*) FROM gone"
            ),
            prune_claims: format!(
                "WITH gone AS (DELETE FROM {s}.inbox WHERE (consumer, event) IN \
                 (SELECT consumer, event FROM {s}.inbox WHERE at < $1 ORDER BY at LIMIT $2) RETURNING 1) \
                 SELECT count(*) FROM gone"
            ),
        }
    }
}

/// The version of `w.stream`: the last one is the first entry of the index from its end.
fn head(s: &str) -> String {
    format!(
        "coalesce((SELECT e.version FROM {s}.events e WHERE e.stream = w.stream ORDER BY e.version DESC LIMIT 1), 0)"
    )
}

/// A statement that fails where `broken`, rows of what does not hold any more, has one.
pub(crate) fn held(s: &str, broken: &str) -> String {
    format!("SELECT {s}.held(count(*), 0) FROM {broken}")
}

/// A statement that fails unless `write` writes a row for each element of its first array.
pub(crate) fn changed(s: &str, write: &str) -> String {
    format!(
        "WITH changed AS ({write} RETURNING 1) SELECT {s}.held(count(*), cardinality($1::text[])) FROM changed"
    )
}

/// The public events of the service of a schema.
pub(crate) fn outgoing(s: &str) -> String {
    format!("SELECT position, {PUBLIC} FROM {s}.log WHERE position > $1 ORDER BY position LIMIT $2")
}

/// Finds the public events that are sought of the service of a schema, with its values. Every
/// combination of marks is a statement of its own, so that each has the plan that fits it.
pub(crate) fn published<'s>(s: &str, sought: &'s Sought) -> (String, Vec<Value<'s>>) {
    let number = |number: u64| value(i64::try_from(number).unwrap_or(i64::MAX));
    let mut values = vec![number(sought.after), number(sought.upto), number(sought.limit as u64)];
    let mut wanted = String::new();
    let texts = [("kind", &sought.kind), ("subject", &sought.subject), ("correlation", &sought.correlation)];
    for (column, text) in texts {
        if let Some(text) = text {
            values.push(value(text.as_str()));
            wanted.push_str(&format!(" AND {column} = ${}", values.len()));
        }
    }
    if let Some(from) = sought.from {
        values.push(value(from.as_micros()));
        wanted.push_str(&format!(" AND time >= ${}", values.len()));
    }
    let sql = format!(
        "SELECT position, {PUBLIC} FROM {s}.log WHERE position > $1 AND position <= $2{wanted} \
         ORDER BY position LIMIT $3"
    );
    (sql, values)
}
