//! The key ring.

use std::sync::Arc;

use async_trait::async_trait;
use backbone::keyring::{DataKey, Error, KeyRing, PersonKey};
use uuid::Uuid;

use crate::dice::Dice;
use crate::plight::Side;
use crate::process::Process;
use crate::shared::{Inside, Latency, Shared};

pub(crate) struct SimKeyRing {
    pub(crate) shared: Arc<Shared>,
    pub(crate) process: Arc<Process>,
}

/// From the seed, so that a run can be played again: worth nothing as a secret.
fn new_key(dice: &mut Dice) -> DataKey {
    let mut key = [0; 32];
    for part in key.chunks_mut(8) {
        part.copy_from_slice(&dice.roll().to_le_bytes());
    }
    DataKey(key)
}

fn key_of(inside: &Inside, person: &Uuid) -> PersonKey {
    match inside.disk.keys.get(person) {
        None => PersonKey::Absent,
        Some(None) => PersonKey::Erased,
        Some(Some(key)) => PersonKey::Known(key.clone()),
    }
}

impl SimKeyRing {
    async fn begin(&self, latency: &Latency) -> Result<(), Error> {
        let reached = self.shared.request(&self.process, Side::Store, latency).await;
        reached.map_err(|reason| Error(reason.to_owned()))?;
        if self.shared.fails("key ring", |faults| faults.keyring_fails_permille) {
            return Err(Error("injected".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl KeyRing for SimKeyRing {
    fn master_id(&self) -> String {
        "sim-master-1".to_owned()
    }

    async fn ensure(&self, persons: &[Uuid]) -> Result<Vec<PersonKey>, Error> {
        self.begin(&self.shared.settings.sync_time_ms).await?;
        let mut inside = self.shared.lock();
        let Inside { disk, dice, .. } = &mut *inside;
        for person in persons {
            disk.keys.entry(*person).or_insert_with(|| Some(new_key(&mut dice.keys)));
        }
        Ok(persons.iter().map(|person| key_of(&inside, person)).collect())
    }

    async fn find(&self, persons: &[Uuid]) -> Result<Vec<PersonKey>, Error> {
        self.begin(&self.shared.settings.read_time_ms).await?;
        let inside = self.shared.lock();
        Ok(persons.iter().map(|person| key_of(&inside, person)).collect())
    }

    async fn erase(&self, person: Uuid) -> Result<(), Error> {
        self.begin(&self.shared.settings.sync_time_ms).await?;
        self.shared.lock().disk.keys.insert(person, None);
        Ok(())
    }
}
