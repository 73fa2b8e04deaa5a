//! Documents: versions, guards, unique keys.

use backbone::commit::{Commit, Expected, Guard, Target};
use backbone::journal::StoredDocument;
use bytes::Bytes;

use super::look::{document, note_version};
use crate::World;
use crate::expect::{committed, conflict, equal, malformed};
use crate::sample::{self, NOTES, appending, guard_note, note, noting, removing};

pub(super) async fn round_trip(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    equal("a document never written", document(&journal, &NOTES, "a").await?, None)?;
    let mut put = note("a", Expected::Version(0), "first");
    put.person = Some(sample::id(9));
    put.body = Bytes::from_static("{\"text\":\"ñandú 'quoted' \\u0000\"}".as_bytes());
    let body = put.body.clone();
    committed(journal.submit(Commit { puts: vec![put], ..Commit::default() }).await)?;
    let stored = StoredDocument { id: "a".to_owned(), version: 1, person: Some(sample::id(9)), body };
    equal("the document", document(&journal, &NOTES, "a").await?, Some(stored))?;
    for version in 1..4 {
        committed(journal.submit(noting("a", Expected::Version(version), "again")).await)?;
    }
    let body = note("a", Expected::Any, "again").body;
    let stored = StoredDocument { id: "a".to_owned(), version: 4, person: None, body };
    equal("the document after four writes", document(&journal, &NOTES, "a").await?, Some(stored))
}

pub(super) async fn expected_version(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    conflict(journal.submit(noting("a", Expected::Version(1), "x")).await, "a")?;
    committed(journal.submit(noting("a", Expected::Version(0), "x")).await)?;
    for other in [0, 2] {
        conflict(journal.submit(noting("a", Expected::Version(other), "y")).await, "a")?;
    }
    equal("the version after conflicts", note_version(&journal, "a").await?, 1)?;
    let body = document(&journal, &NOTES, "a").await?.map(|found| found.body);
    equal("the body after conflicts", body, Some(note("a", Expected::Any, "x").body))
}

pub(super) async fn any_version(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    for version in 1..4 {
        committed(journal.submit(noting("a", Expected::Any, "x")).await)?;
        equal("the version", note_version(&journal, "a").await?, version)?;
    }
    Ok(())
}

pub(super) async fn deletes(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    committed(journal.submit(removing("a", Expected::Any)).await)?;
    conflict(journal.submit(removing("a", Expected::Version(1))).await, "a")?;
    committed(journal.submit(noting("a", Expected::Version(0), "x")).await)?;
    committed(journal.submit(noting("a", Expected::Version(1), "x")).await)?;
    for other in [0, 1] {
        conflict(journal.submit(removing("a", Expected::Version(other))).await, "a")?;
    }
    committed(journal.submit(removing("a", Expected::Version(2))).await)?;
    equal("the deleted document", document(&journal, &NOTES, "a").await?, None)?;
    conflict(journal.submit(noting("a", Expected::Version(2), "x")).await, "a")?;
    committed(journal.submit(noting("a", Expected::Version(0), "x")).await)?;
    equal("the version of a document made again", note_version(&journal, "a").await?, 1)?;
    committed(journal.submit(removing("a", Expected::Any)).await)?;
    equal("the version after the second delete", note_version(&journal, "a").await?, 0)
}

pub(super) async fn unique(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let claims: Vec<_> = (0..20)
        .map(|claimant: u32| journal.submit(noting("email/ana", Expected::Version(0), &claimant.to_string())))
        .collect();
    let mut claims = claims.into_iter();
    committed(claims.next().expect("there are twenty").await)?;
    for claim in claims {
        conflict(claim.await, "email/ana")?;
    }
    let body = document(&journal, &NOTES, "email/ana").await?.map(|found| found.body);
    equal("who has it", body, Some(note("email/ana", Expected::Any, "0").body))?;
    committed(journal.submit(removing("email/ana", Expected::Any)).await)?;
    committed(journal.submit(noting("email/ana", Expected::Version(0), "later")).await).map(|_| ())
}

pub(super) async fn guards(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    committed(journal.submit(noting("read", Expected::Any, "x")).await)?;
    committed(journal.submit(appending("order-1", 0, 2)).await)?;
    let stream = |version| Guard { target: Target::Stream("order-1".to_owned()), version };
    let nothing = Guard { target: Target::Stream("order-2".to_owned()), version: 0 };
    let guarded = |guards| Commit { guards, ..noting("written", Expected::Any, "x") };
    let hold = vec![guard_note("read", 1), guard_note("absent", 0), stream(2), nothing];
    committed(journal.submit(guarded(hold)).await)?;
    for (guard, names) in [
        (guard_note("read", 0), "read"),
        (guard_note("read", 2), "read"),
        (guard_note("absent", 1), "absent"),
        (stream(1), "order-1"),
        (stream(3), "order-1"),
        (stream(0), "order-1"),
    ] {
        conflict(journal.submit(guarded(vec![guard])).await, names)?;
    }
    equal("what conflicting commits wrote", note_version(&journal, "written").await?, 1)
}

pub(super) async fn guards_in_flight(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    committed(journal.submit(noting("read", Expected::Any, "x")).await)?;
    let changes = journal.submit(noting("read", Expected::Version(1), "y"));
    let stale = Commit { guards: vec![guard_note("read", 1)], ..noting("written", Expected::Any, "x") };
    let stale = journal.submit(stale);
    let fresh = Commit { guards: vec![guard_note("read", 2)], ..noting("written", Expected::Any, "x") };
    let fresh = journal.submit(fresh);
    committed(changes.await)?;
    conflict(stale.await, "read")?;
    committed(fresh.await)?;
    equal("what was written", note_version(&journal, "written").await?, 1)
}

pub(super) async fn columns_missing(world: World) -> Result<(), String> {
    let journal = world.journal("order").await?;
    let short = sample::good("a", vec!["only a title".into()]);
    malformed(journal.submit(Commit { puts: vec![short], ..Commit::default() }).await)?;
    equal("the malformed document", document(&journal, &sample::GOODS, "a").await?, None)
}
