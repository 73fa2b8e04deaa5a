//! The promises of `backbone::keyring::KeyRing`.

use backbone::keyring::{DataKey, KeyRing, PersonKey};
use uuid::Uuid;

use crate::World;
use crate::expect::{Shown, ensure, equal};
use crate::sample::id;
use crate::scenario::{Scenario, scenarios};

/// Every promise of the key ring.
pub fn keyring_scenarios() -> Vec<Scenario> {
    scenarios! {
        "a key is made once and found again", "KeyRing: ensure", made_once;
        "persons have different keys, given in order, however often one is asked for", "KeyRing: ensure", in_order;
        "looking for a key makes none", "KeyRing: find", find_makes_none;
        "an erased key never comes back and no new one is made", "KeyRing: erase", erased;
        "keys and erasures are there after a restart", "KeyRing: durable", reopen;
        "the master key keeps its name", "KeyRing: master_id", master;
    }
}

fn ring(world: &World) -> &dyn KeyRing {
    &*world.ports().keyring
}

async fn ensured(world: &World, persons: &[Uuid]) -> Result<Vec<PersonKey>, String> {
    let keys = ring(world).ensure(persons).await.shown("ensuring keys")?;
    equal("how many keys were given", keys.len(), persons.len())?;
    Ok(keys)
}

async fn found(world: &World, persons: &[Uuid]) -> Result<Vec<PersonKey>, String> {
    ring(world).find(persons).await.shown("finding keys")
}

fn known(key: &PersonKey) -> Result<&DataKey, String> {
    match key {
        PersonKey::Known(key) => Ok(key),
        other => Err(format!("expected a key, found {other:?}")),
    }
}

async fn made_once(world: World) -> Result<(), String> {
    let first = ensured(&world, &[id(1)]).await?;
    ensure(known(&first[0])?.0 != [0; 32], "the key is all zeros")?;
    equal("ensured again", ensured(&world, &[id(1)]).await?, first.clone())?;
    equal("found", found(&world, &[id(1)]).await?, first)
}

async fn in_order(world: World) -> Result<(), String> {
    let persons = [id(3), id(1), id(2)];
    let keys = ensured(&world, &persons).await?;
    for (index, key) in keys.iter().enumerate() {
        let same = keys.iter().filter(|other| *other == key).count();
        ensure(known(key).is_ok() && same == 1, format_args!("key {index} is shared or missing"))?;
    }
    let mixed = ensured(&world, &[id(2), id(4), id(3), id(2), id(4)]).await?;
    ensure(mixed[0] == keys[2] && mixed[3] == keys[2] && mixed[2] == keys[0], "keys came in another order")?;
    ensure(mixed[1] == mixed[4], "one person got two keys")?;
    known(&mixed[1])?;
    equal("nobody", ensured(&world, &[]).await?, Vec::new())
}

async fn find_makes_none(world: World) -> Result<(), String> {
    let there = ensured(&world, &[id(1)]).await?;
    let expected = vec![PersonKey::Absent, there[0].clone(), PersonKey::Absent];
    for _ in 0..2 {
        equal("found", found(&world, &[id(2), id(1), id(3)]).await?, expected.clone())?;
    }
    Ok(())
}

async fn erased(world: World) -> Result<(), String> {
    let keys = ensured(&world, &[id(1), id(2)]).await?;
    for _ in 0..2 {
        ring(&world).erase(id(1)).await.shown("erasing")?;
        let expected = vec![PersonKey::Erased, keys[1].clone()];
        equal("found", found(&world, &[id(1), id(2)]).await?, expected.clone())?;
        equal("ensured", ensured(&world, &[id(1), id(2)]).await?, expected)?;
    }
    // Whoever is erased before there was a key gets none later.
    ring(&world).erase(id(3)).await.shown("erasing")?;
    equal("ensured", ensured(&world, &[id(3)]).await?, vec![PersonKey::Erased])
}

async fn reopen(world: World) -> Result<(), String> {
    let persons = [id(1), id(2), id(3)];
    let mut keys = ensured(&world, &persons[..2]).await?;
    ring(&world).erase(id(2)).await.shown("erasing")?;
    let world = world.reopen().await?;
    keys[1] = PersonKey::Erased;
    equal("ensured", ensured(&world, &persons[..2]).await?, keys.clone())?;
    keys.push(PersonKey::Absent);
    equal("found", found(&world, &persons).await?, keys)
}

async fn master(world: World) -> Result<(), String> {
    let name = ring(&world).master_id();
    ensure(!name.is_empty(), "the master key has no name")?;
    let world = world.reopen().await?;
    equal("the name after a restart", ring(&world).master_id(), name)
}
