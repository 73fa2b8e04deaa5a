//! Sessions.

use backbone::ephemeral::{Ephemeral, SESSION_BYTES_MAX, Session};
use bytes::Bytes;
use kernel::Duration;
use uuid::Uuid;

use super::{LONG, LONGER, Replicas, SHORT};
use crate::expect::{Shown, ensure, equal};
use crate::sample::id;

fn session(person: Option<Uuid>, data: &'static str) -> Session {
    Session { person, data: Bytes::from_static(data.as_bytes()) }
}

async fn keep(replica: &Ephemeral, id: &str, session: Session, lasts: Duration) -> Result<(), String> {
    replica.sessions.put(id, session, lasts).await.shown("keeping a session")
}

async fn read(replica: &Ephemeral, id: &str) -> Result<Option<Session>, String> {
    replica.sessions.get(id).await.shown("reading a session")
}

async fn put_and_read(replicas: &Replicas, written: Session) -> Result<(), String> {
    keep(&replicas.one, "s", written.clone(), LONG).await?;
    for replica in replicas.in_turn(2) {
        equal("the session", read(replica, "s").await?, Some(written.clone()))?;
    }
    Ok(())
}

pub(super) async fn put(replicas: Replicas) -> Result<(), String> {
    equal("nothing", read(&replicas.other, "s").await?, None)?;
    put_and_read(&replicas, session(None, "a basket")).await?;
    put_and_read(&replicas, session(Some(id(1)), "signed in")).await?;
    put_and_read(&replicas, session(Some(id(2)), "")).await?;
    equal("another session", read(&replicas.other, "t").await?, None)
}

pub(super) async fn ends(replicas: Replicas) -> Result<(), String> {
    keep(&replicas.one, "short", session(Some(id(1)), "x"), SHORT).await?;
    keep(&replicas.one, "touched", session(Some(id(1)), "y"), LONG).await?;
    let touched = replicas.other.sessions.touch("touched", SHORT).await.shown("touching")?;
    ensure(touched, "a session was not there to be touched")?;
    keep(&replicas.one, "kept", session(None, "z"), SHORT).await?;
    replicas.other.sessions.touch("kept", LONG).await.shown("touching")?;
    replicas.memory.pass(LONGER).await;
    equal("after its time", read(&replicas.other, "short").await?, None)?;
    equal("after the time it was given last", read(&replicas.other, "touched").await?, None)?;
    equal("within it", read(&replicas.one, "kept").await?, Some(session(None, "z")))?;
    let gone = replicas.one.sessions.touch("short", LONG).await.shown("touching")?;
    ensure(!gone, "what has ended was touched")?;
    equal("what has ended does not come back", read(&replicas.one, "short").await?, None)
}

pub(super) async fn deleted(replicas: Replicas) -> Result<(), String> {
    keep(&replicas.one, "s", session(Some(id(1)), "x"), LONG).await?;
    for replica in replicas.in_turn(2) {
        replica.sessions.delete("s").await.shown("ending a session")?;
        equal("the session", read(&replicas.one, "s").await?, None)?;
    }
    keep(&replicas.one, "s", session(None, "y"), LONG).await?;
    equal("a new one", read(&replicas.other, "s").await?, Some(session(None, "y")))
}

pub(super) async fn all_of_a_person(replicas: Replicas) -> Result<(), String> {
    for name in ["phone", "desk", "lent"] {
        keep(&replicas.one, name, session(Some(id(1)), "ana"), LONG).await?;
    }
    keep(&replicas.other, "tablet", session(Some(id(1)), "ana"), SHORT).await?;
    replicas.one.sessions.touch("tablet", LONG).await.shown("touching")?;
    replicas.memory.pass(LONGER).await;
    keep(&replicas.other, "lent", session(Some(id(2)), "ben"), LONG).await?;
    keep(&replicas.other, "guest", session(None, "nobody"), LONG).await?;
    for _ in 0..2 {
        replicas.other.sessions.delete_all_of(id(1)).await.shown("ending a person's sessions")?;
        for name in ["phone", "desk", "tablet"] {
            equal(name, read(&replicas.one, name).await?, None)?;
        }
        equal("somebody else's", read(&replicas.one, "lent").await?, Some(session(Some(id(2)), "ben")))?;
        equal("nobody's", read(&replicas.one, "guest").await?, Some(session(None, "nobody")))?;
    }
    keep(&replicas.one, "phone", session(Some(id(1)), "again"), LONG).await?;
    equal("a new one", read(&replicas.other, "phone").await?, Some(session(Some(id(1)), "again")))
}

pub(super) async fn bytes(replicas: Replicas) -> Result<(), String> {
    let all: Vec<u8> = (0..SESSION_BYTES_MAX).map(|n| (n % 256) as u8).collect();
    let largest = Session { person: None, data: all.clone().into() };
    put_and_read(&replicas, largest.clone()).await?;
    let larger = Session { person: None, data: [&all[..], &[0]].concat().into() };
    ensure(keep(&replicas.one, "s", larger, LONG).await.is_err(), "one byte too many was kept")?;
    equal("what was there", read(&replicas.other, "s").await?, Some(largest))
}
