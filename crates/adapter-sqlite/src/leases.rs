//! Leases: who may do alone what one alone may do. One process owns this file, so its tasks are
//! the only ones that could want the same; the rule is the same as on a shared store.

use backbone::commit::Fence;
use backbone::journal::LeaseRequest;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{now, rows};

/// Takes or renews a lease, in the caller's transaction; gives its token, or nothing while
/// another holds it.
pub(crate) fn take(
    conn: &Connection,
    service: &str,
    request: &LeaseRequest,
) -> rusqlite::Result<Option<u64>> {
    let at = now();
    let until = at.plus(request.lasts).as_micros();
    let owner = &request.owner.as_bytes()[..];
    // Renewed in time by its owner it keeps its token; whoever takes it over gets the next.
    conn.prepare_cached(
        "INSERT INTO _leases (service, name, owner, token, until) VALUES (?1, ?2, ?3, 1, ?4) \
         ON CONFLICT (service, name) DO UPDATE SET owner = ?3, until = ?4, \
         token = token + (owner <> ?3 OR until <= ?5) WHERE owner = ?3 OR until <= ?5 RETURNING token",
    )?
    .query_row(params![service, request.name, owner, until, at.as_micros()], |row| rows::number(row, 0))
    .optional()
}

/// Gives a lease back: the next one may take it at once.
pub(crate) fn give_back(conn: &Connection, service: &str, fence: &Fence) -> rusqlite::Result<()> {
    conn.prepare_cached("UPDATE _leases SET until = 0 WHERE service = ?1 AND name = ?2 AND token = ?3")?
        .execute(params![service, fence.lease, rows::signed(fence.token)])
        .map(drop)
}

/// Whether nobody took the lease over.
pub(crate) fn holds(conn: &Connection, service: &str, fence: &Fence) -> rusqlite::Result<bool> {
    let mut statement =
        conn.prepare_cached("SELECT 1 FROM _leases WHERE service = ?1 AND name = ?2 AND token = ?3")?;
    statement.exists(params![service, fence.lease, rows::signed(fence.token)])
}
