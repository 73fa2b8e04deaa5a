//! Saga `user-erasure`: a person leaves. What is known of them here goes at once and others are
//! told; then the key of their personal fields is destroyed, however often that has to be tried.

use std::sync::{Arc, LazyLock};

use backbone::keyring::KeyRing;
use backbone::saga::{
    Action, Answer, CallFailure, CallKey, Definition, Moment, Outcome, Saga, SagaRegistration, Step,
};
use backbone::system::Claim;
use backbone::{Refusal, Workspace};
use contracts::user::Erased;
use kernel::UserId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::commands::claim_id;
use crate::domain::{Account, Standing, Wallet};

/// The saga.
pub enum UserErasure {}

/// Whom it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Data {
    /// The person.
    pub user_id: UserId,
}

/// What it changes here.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Forget the person and tell the others.
    Forget,
}

/// What it asks of the outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Call {
    /// Destroy the person's data key.
    DestroyKey(UserId),
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reply {
    /// The key is gone.
    KeyDestroyed,
}

const FORGET: &str = "forget-account";
const DESTROY_KEY: &str = "destroy-key";

// Forgetting is the point of no return: an erasure is never taken back.
static DEFINITION: LazyLock<Definition<UserErasure>> = LazyLock::new(|| {
    let forget = Step::pivot(FORGET, |_: &mut Data, _: Moment| {
        vec![Action::Effect(Effect::Forget), Action::Finish(Outcome::Succeeded)]
    });
    let destroy = Step::retriable(DESTROY_KEY, |data: &mut Data, _: Moment| {
        vec![Action::Call(Call::DestroyKey(data.user_id))]
    });
    Definition::build(vec![forget, destroy]).expect("a pivot and a retriable step are a saga")
});

impl Saga for UserErasure {
    const NAME: &'static str = "user-erasure";

    type Data = Data;
    type Effect = Effect;
    type Call = Call;
    type Reply = Reply;

    fn definition(version: u32) -> Option<&'static Definition<Self>> {
        (version == 1).then(|| &*DEFINITION)
    }

    fn absorb(_: &mut Data, reply: &Reply) -> Answer {
        match reply {
            Reply::KeyDestroyed => Answer::to(DESTROY_KEY, Outcome::Succeeded),
        }
    }

    fn effect(_: Uuid, effect: Effect, data: &Data, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
        match effect {
            Effect::Forget => forget(ws, data.user_id),
        }
    }
}

fn forget(ws: &mut Workspace<'_>, user_id: UserId) -> Result<(), Refusal> {
    if let Some(account) = ws.get::<Account>(user_id)? {
        let account = Arc::unwrap_or_clone(account);
        if let Some(hash) = &account.email_claim {
            ws.delete::<Claim>(claim_id(hash));
        }
        ws.put(account.erased())?;
        ws.put(Standing { active: false, ..Standing::fresh(user_id) })?;
        ws.delete::<Wallet>(user_id);
    }
    let erased_at = ws.now();
    ws.publish(Erased { user_id, erased_at });
    Ok(())
}

/// Registers the saga over the store of keys.
pub fn registration(keyring: Arc<dyn KeyRing>) -> SagaRegistration {
    SagaRegistration::new::<UserErasure>("saga:user-erasure", move |call: Call, _: CallKey| {
        let keyring = keyring.clone();
        Box::pin(async move {
            let Call::DestroyKey(user) = call;
            match keyring.erase(user.0).await {
                Ok(()) => Ok(Reply::KeyDestroyed),
                Err(error) => Err(CallFailure::Failed { reason: error.to_string(), retryable: true }),
            }
        })
    })
}
