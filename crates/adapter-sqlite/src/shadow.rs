//! Rebuilds in a shadow (reliability.md, rule 20), in the writer's transaction: all collections of a
//! projection take a step, or none.

use backbone::collection::Collection;
use backbone::commit::Fence;
use backbone::journal::{Error, ShadowStep};
use rusqlite::{Connection, params};

use crate::journal::checkpoint;
use crate::tables::{CollectionTables, Tables};
use crate::{error, leases, schema};

const STEP: &str = "rebuilding a collection";

fn failed(source: rusqlite::Error) -> Error {
    error::journal(STEP, &source)
}

/// Takes a step with the shadows of these collections.
pub(crate) fn take(
    conn: &Connection,
    tables: &Tables,
    collections: &[&'static Collection],
    step: &ShadowStep,
) -> Result<(), Error> {
    let of = collections.iter().map(|of| tables.collection(of)).collect::<Result<Vec<_>, _>>()?;
    let each = |change: fn(&Connection, &str, &CollectionTables) -> rusqlite::Result<()>| {
        of.iter().try_for_each(|of| change(conn, &tables.prefix, of)).map_err(failed)
    };
    match step {
        ShadowStep::Begin { shadow } => {
            forget(conn, tables, shadow)?;
            each(schema::make_shadow)
        }
        ShadowStep::Look => look(conn, &of),
        ShadowStep::Drop { shadow } => {
            forget(conn, tables, shadow)?;
            each(|conn, _, of| schema::drop_shadow(conn, of))
        }
        ShadowStep::Swap { consumer, shadow, fence } => {
            look(conn, &of)?;
            check(conn, tables, (consumer, shadow), fence.as_ref())?;
            each(schema::swap_shadow)
        }
    }
}

fn forget(conn: &Connection, tables: &Tables, shadow: &str) -> Result<(), Error> {
    let sql = format!("DELETE FROM {}_checkpoints WHERE consumer = ?1", tables.prefix);
    conn.execute(&sql, params![shadow]).map(drop).map_err(failed)
}

/// That there is a shadow of each.
fn look(conn: &Connection, of: &[&CollectionTables]) -> Result<(), Error> {
    for of in of {
        if !schema::exists(conn, &of.shadow.table).map_err(failed)? {
            let name = of.collection.name;
            return Err(Error::Malformed(format!("`{name}` has no shadow: begin one first")));
        }
    }
    Ok(())
}

/// That shadows and collections stand at one place, and that nobody took the lease over.
fn check(
    conn: &Connection,
    tables: &Tables,
    (consumer, shadow): (&str, &str),
    fence: Option<&Fence>,
) -> Result<(), Error> {
    let stands = |name: &str| checkpoint(conn, tables, name).map_err(failed);
    let (live, aside) = (stands(consumer)?, stands(shadow)?);
    if live != aside {
        let reason = format!("{consumer} stands at {live}, {shadow} at {aside}: catch up");
        return Err(error::unavailable(STEP, reason));
    }
    match fence {
        Some(fence) if !leases::holds(conn, tables.service, fence).map_err(failed)? => {
            Err(error::unavailable(STEP, format!("the lease {} was taken over", fence.lease)))
        }
        _ => Ok(()),
    }
}
