//! Saga `address-disposal`: when the law no longer wants an erased person's addresses kept, they
//! are dropped. Nobody could read them since the erasure: the person's key is gone.

use std::sync::{Arc, LazyLock};

use backbone::collection::Query;
use backbone::saga::{
    Action, Answer, CallFailure, CallKey, Definition, Moment, Outcome, Saga, SagaRegistration, Step,
};
use backbone::timer::TimerHandler;
use backbone::workspace::Key;
use backbone::{Context, Refusal, Workspace};
use kernel::{Duration, OrderId, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{CONSIGNMENTS, Consignment};

/// The timer that starts it.
pub const TIMER: &str = "drop-addresses";

/// Consignments that one run drops the address of.
const PAGE: usize = 200;

/// The saga.
pub enum AddressDisposal {}

/// What it remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Data {
    /// The erased person.
    pub user_id: UserId,
    /// The orders that were found.
    pub orders: Vec<OrderId>,
}

/// What it changes here.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Drop the addresses of the orders that were found.
    Drop,
}

/// What it asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Call {
    /// Which orders of this person still have an address.
    Find(UserId),
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reply {
    /// These.
    Found(Vec<OrderId>),
}

const FIND: &str = "find-consignments";
const DROP: &str = "drop-addresses";

static DEFINITION: LazyLock<Definition<AddressDisposal>> = LazyLock::new(|| {
    let find =
        Step::retriable(FIND, |data: &mut Data, _: Moment| vec![Action::Call(Call::Find(data.user_id))]);
    let drop = Step::retriable(DROP, |_: &mut Data, _: Moment| {
        vec![Action::Effect(Effect::Drop), Action::Finish(Outcome::Succeeded)]
    });
    Definition::build(vec![find, drop]).expect("two retriable steps are a saga")
});

impl Saga for AddressDisposal {
    const NAME: &'static str = "address-disposal";

    type Data = Data;
    type Effect = Effect;
    type Call = Call;
    type Reply = Reply;

    fn definition(version: u32) -> Option<&'static Definition<Self>> {
        (version == 1).then(|| &*DEFINITION)
    }

    fn absorb(data: &mut Data, reply: &Reply) -> Answer {
        let Reply::Found(orders) = reply;
        data.orders.clone_from(orders);
        Answer::to(FIND, Outcome::Succeeded)
    }

    fn effect(_: Uuid, effect: Effect, data: &Data, ws: &mut Workspace<'_>) -> Result<(), Refusal> {
        let Effect::Drop = effect;
        ws.need(data.orders.iter().map(Key::document::<Consignment>))?;
        for order in &data.orders {
            if let Some(consignment) = ws.get::<Consignment>(order)? {
                ws.put(Consignment { address: None, ..Arc::unwrap_or_clone(consignment) })?;
            }
        }
        if data.orders.len() == PAGE {
            let next = ws.now().plus(Duration::from_secs(1));
            ws.set_timer(TIMER, data.user_id, next, 0);
        }
        Ok(())
    }
}

/// Registers the saga over this service's own documents.
pub fn registration(context: &Context) -> SagaRegistration {
    let context = context.clone();
    SagaRegistration::new::<AddressDisposal>("saga:address-disposal", move |call: Call, _: CallKey| {
        let context = context.clone();
        Box::pin(async move {
            let Call::Find(user) = call;
            let query =
                Query::all(&CONSIGNMENTS).equal("customer", user.0).equal("has_address", true).limit(PAGE);
            match context.find::<Consignment>(query).await {
                Ok(found) => Ok(Reply::Found(found.into_iter().map(|c| c.document.order_id).collect())),
                Err(error) => Err(CallFailure::Failed { reason: error.to_string(), retryable: true }),
            }
        })
    })
}

/// The timer. It may fire twice: dropping what is dropped changes nothing.
pub fn timer() -> TimerHandler {
    TimerHandler::new(TIMER, |timer, ws| {
        let user = timer.key.parse::<UserId>().map_err(|e| {
            Refusal::failed(kernel::ErrorKind::Permanent, format!("the timer names no person: {e}"))
        })?;
        let id = ws.uuid();
        ws.start_saga::<AddressDisposal>(id, Data { user_id: user, orders: Vec::new() })
    })
}
