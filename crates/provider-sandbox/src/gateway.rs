//! The gateway itself.

use std::sync::Arc;

use async_trait::async_trait;
use backbone::environment::Clock;
use kernel::stable_hash;
use service_payment::ports::{Answer, Charge, Gateway, GatewayError, Recognised, Refund};

use crate::memory::{Memory, Settled};
use crate::record::{Book, Operation, Record, Standing};
use crate::script::{SLOW, Script, TIMEOUT};

/// What the customer's bank gives a customer who agrees.
const APPROVE: &str = "approve";

/// The sandbox.
pub struct Sandbox {
    clock: Arc<dyn Clock>,
    memory: Arc<dyn Memory>,
}

impl Sandbox {
    /// A sandbox that goes on where its memory ends.
    pub fn new(clock: Arc<dyn Clock>, memory: Arc<dyn Memory>) -> Self {
        Self { clock, memory }
    }

    /// Does what `decide` says, on all that is remembered; gives how the key stands.
    async fn settle(
        &self,
        key: &str,
        decide: impl FnOnce(&Book) -> Option<Record> + Send + 'static,
    ) -> Result<Settled, GatewayError> {
        let settled = self.memory.decide(key, Box::new(decide)).await;
        settled.map_err(|e| GatewayError::Unknown(format!("the memory failed: {e}")))
    }

    /// How a key stands.
    async fn known(&self, key: &str) -> Result<Option<Answer>, GatewayError> {
        Ok(self.settle(key, |_| None).await?.record.as_ref().map(answer))
    }

    /// A charge whose standing is not decided yet.
    fn charged(&self, key: &str, charge: &Charge) -> Record {
        Record {
            key: key.to_owned(),
            operation: Operation::Charge,
            standing: Standing::Done,
            token: Some(charge.token.clone()),
            charge_key: None,
            order_id: Some(charge.order_id),
            payment_id: Some(charge.payment_id),
            amount: Some(charge.amount),
            at: self.clock.now(),
        }
    }
}

/// A key's answer, or that nobody knows what it would be an answer about.
fn answered(settled: &Settled) -> Answer {
    settled.record.as_ref().map_or_else(unknown_charge, answer)
}

fn declined(code: &str, message: &str, retryable: bool) -> Answer {
    Answer::Declined { code: code.to_owned(), message: message.to_owned(), retryable }
}

/// The gateway's reference of a key.
fn reference(key: &str) -> String {
    format!("sandbox-{:016x}", stable_hash(key.as_bytes()))
}

fn unknown_charge() -> Answer {
    declined("unknown-charge", "there is no such charge", false)
}

/// A key's answer: the same whenever it is asked for.
fn answer(record: &Record) -> Answer {
    let reference = reference(&record.key);
    match (record.operation, record.standing) {
        (Operation::Charge, Standing::Done) => Answer::Charged { transaction: reference },
        (Operation::Refund, Standing::Done) => Answer::Refunded { reference },
        (Operation::Charge, Standing::Failed) => declined("processor-busy", "the processor is busy", true),
        (Operation::Refund, Standing::Failed) => {
            declined("refund-failed", "the refund did not go through", true)
        }
        (Operation::Charge, Standing::Declined) => match record.token.as_deref().and_then(Script::of) {
            Some(Script::Declines(code)) => declined(code, "the method was declined", false),
            _ => declined("three-ds-failed", "the customer's bank did not agree", false),
        },
        (Operation::Refund, Standing::Declined) => {
            declined("refund-refused", "the method takes no money back", false)
        }
        (_, Standing::AwaitingCustomer) => Answer::ActionRequired {
            url: format!("https://sandbox.invalid/3ds/{reference}"),
            token: reference,
        },
        (_, Standing::Voided) => Answer::Voided,
    }
}

#[async_trait]
impl Gateway for Sandbox {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn recognise(&self, token: &str) -> Option<Recognised> {
        Script::recognise(token)
    }

    async fn charge(&self, key: &str, charge: &Charge) -> Result<Answer, GatewayError> {
        let Some(script) = Script::of(&charge.token) else {
            return Ok(declined("unknown-method", "the sandbox does not know this method", false));
        };
        match script {
            Script::Slow => self.clock.sleep(SLOW).await,
            Script::IsLost => {
                self.clock.sleep(TIMEOUT).await;
                let known = self.known(key).await?;
                return known.ok_or_else(|| GatewayError::Unknown("no answer".to_owned()));
            }
            _ => {}
        }
        let record = self.charged(key, charge);
        let order = charge.order_id.to_string();
        let settled = self.settle(key, move |book| {
            if book.of(&record.key).is_some() {
                return None;
            }
            let standing = match script {
                Script::Declines(_) => Standing::Declined,
                Script::FailsFirst(times) if book.failures(&order) < times => Standing::Failed,
                Script::AsksCustomer => Standing::AwaitingCustomer,
                _ => Standing::Done,
            };
            Some(Record { standing, ..record })
        });
        let settled = settled.await?;
        if script == Script::TimesOut && settled.is_new {
            self.clock.sleep(TIMEOUT).await;
            return Err(GatewayError::Unknown("no answer".to_owned()));
        }
        Ok(answered(&settled))
    }

    async fn complete_three_ds(&self, key: &str, given: &str) -> Result<Answer, GatewayError> {
        let (known, at) = (key.to_owned(), self.clock.now());
        let standing = if given == APPROVE { Standing::Done } else { Standing::Declined };
        let settled = self.settle(key, move |book| {
            let asked = book.of(&known).filter(|known| known.standing == Standing::AwaitingCustomer)?;
            Some(Record { standing, at, ..asked.clone() })
        });
        Ok(answered(&settled.await?))
    }

    async fn refund(&self, key: &str, refund: &Refund) -> Result<Answer, GatewayError> {
        let (at, own) = (self.clock.now(), key.to_owned());
        let Refund { charge_key, amount, .. } = refund.clone();
        let settled = self.settle(key, move |book| {
            if book.of(&own).is_some() {
                return None;
            }
            let charge = book.of(&charge_key).filter(|charge| charge.standing == Standing::Done)?;
            let standing = match charge.token.as_deref().and_then(Script::of) {
                Some(Script::RefusesRefunds) => Standing::Declined,
                Some(Script::FailsRefunds(times)) if book.failures(&charge_key) < times => Standing::Failed,
                _ => Standing::Done,
            };
            let (order_id, payment_id) = (charge.order_id, charge.payment_id);
            Some(Record {
                key: own,
                operation: Operation::Refund,
                standing,
                token: None,
                charge_key: Some(charge_key),
                order_id,
                payment_id,
                amount: Some(amount),
                at,
            })
        });
        Ok(answered(&settled.await?))
    }

    async fn void(&self, key: &str) -> Result<Answer, GatewayError> {
        let (at, own) = (self.clock.now(), key.to_owned());
        let settled = self.settle(key, move |book| match book.of(&own) {
            Some(known) if known.standing == Standing::AwaitingCustomer => {
                Some(Record { standing: Standing::Voided, at, ..known.clone() })
            }
            Some(_) => None,
            None => Some(Record {
                key: own,
                operation: Operation::Charge,
                standing: Standing::Voided,
                token: None,
                charge_key: None,
                order_id: None,
                payment_id: None,
                amount: None,
                at,
            }),
        });
        Ok(answered(&settled.await?))
    }

    async fn ask(&self, key: &str) -> Result<Option<Answer>, GatewayError> {
        self.known(key).await
    }
}
