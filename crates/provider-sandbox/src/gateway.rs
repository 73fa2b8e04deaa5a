//! The gateway itself.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use backbone::environment::Clock;
use kernel::stable_hash;
use service_payment::ports::{Answer, Charge, Gateway, GatewayError, Recognised, Refund};

use crate::memory::{Memory, Operation, Record, Standing};
use crate::script::{SLOW, Script, TIMEOUT};

/// What the customer's bank gives a customer who agrees.
const APPROVE: &str = "approve";

/// The sandbox.
pub struct Sandbox {
    clock: Arc<dyn Clock>,
    memory: Arc<dyn Memory>,
    keys: Mutex<Keys>,
}

/// What is remembered, by what is asked for.
#[derive(Default)]
struct Keys {
    by_key: HashMap<String, Record>,
    /// Charges of an order that failed; refunds of a charge that failed.
    failures: HashMap<String, u32>,
}

impl Keys {
    fn keep(&mut self, record: Record) {
        if record.standing == Standing::Failed {
            let subject = match record.operation {
                Operation::Charge => record.order_id.map(|order_id| order_id.to_string()),
                Operation::Refund => record.charge_key.clone(),
            };
            *self.failures.entry(subject.unwrap_or_default()).or_default() += 1;
        }
        self.by_key.insert(record.key.clone(), record);
    }

    fn failures(&self, subject: &str) -> u32 {
        self.failures.get(subject).copied().unwrap_or(0)
    }
}

impl Sandbox {
    /// A sandbox that goes on where its memory ends.
    pub fn open(clock: Arc<dyn Clock>, memory: Arc<dyn Memory>) -> io::Result<Self> {
        let mut keys = Keys::default();
        memory.load()?.into_iter().for_each(|record| keys.keep(record));
        Ok(Self { clock, memory, keys: Mutex::new(keys) })
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what `decide` says, where the key is new or `decide` says so again; gives how the key
    /// stands. Of those who come with one key at the same time, one decides.
    async fn settle(
        &self,
        key: &str,
        decide: impl FnOnce(&Keys, Option<&Record>) -> Option<Record>,
    ) -> Result<Option<Record>, GatewayError> {
        let (record, is_new) = {
            let mut keys = self.keys();
            let known = keys.by_key.get(key).cloned();
            match decide(&keys, known.as_ref()) {
                None => (known, false),
                Some(record) => {
                    keys.keep(record.clone());
                    (Some(record), true)
                }
            }
        };
        match record {
            Some(record) if is_new => {
                if let Err(e) = self.memory.append(record).await {
                    // What may not outlive a crash was not done.
                    self.keys().by_key.remove(key);
                    return Err(GatewayError::Unknown(format!("the memory failed: {e}")));
                }
                Ok(self.keys().by_key.get(key).cloned())
            }
            known => Ok(known),
        }
    }

    fn charged(&self, key: &str, charge: &Charge, standing: Standing) -> Record {
        Record {
            key: key.to_owned(),
            operation: Operation::Charge,
            standing,
            token: Some(charge.token.clone()),
            charge_key: None,
            order_id: Some(charge.order_id),
            payment_id: Some(charge.payment_id),
            amount: Some(charge.amount),
            at: self.clock.now(),
        }
    }
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
                let known = self.keys().by_key.get(key).map(answer);
                return known.ok_or_else(|| GatewayError::Unknown("no answer".to_owned()));
            }
            _ => {}
        }
        let mut is_new = false;
        let record = self.settle(key, |keys, known| {
            if known.is_some() {
                return None;
            }
            is_new = true;
            let standing = match script {
                Script::Declines(_) => Standing::Declined,
                Script::FailsFirst(times) if keys.failures(&charge.order_id.to_string()) < times => {
                    Standing::Failed
                }
                Script::AsksCustomer => Standing::AwaitingCustomer,
                _ => Standing::Done,
            };
            Some(self.charged(key, charge, standing))
        });
        let record = record.await?;
        if script == Script::TimesOut && is_new {
            self.clock.sleep(TIMEOUT).await;
            return Err(GatewayError::Unknown("no answer".to_owned()));
        }
        Ok(record.as_ref().map_or_else(unknown_charge, answer))
    }

    async fn complete_three_ds(&self, key: &str, given: &str) -> Result<Answer, GatewayError> {
        let record = self.settle(key, |_, known| {
            let asked = known.filter(|known| known.standing == Standing::AwaitingCustomer)?;
            let standing = if given == APPROVE { Standing::Done } else { Standing::Declined };
            Some(Record { standing, at: self.clock.now(), ..asked.clone() })
        });
        Ok(record.await?.as_ref().map_or_else(unknown_charge, answer))
    }

    async fn refund(&self, key: &str, refund: &Refund) -> Result<Answer, GatewayError> {
        let record = self.settle(key, |keys, known| {
            if known.is_some() {
                return None;
            }
            let charge = keys.by_key.get(&refund.charge_key).filter(|c| c.standing == Standing::Done)?;
            let standing = match charge.token.as_deref().and_then(Script::of) {
                Some(Script::RefusesRefunds) => Standing::Declined,
                Some(Script::FailsRefunds(times)) if keys.failures(&refund.charge_key) < times => {
                    Standing::Failed
                }
                _ => Standing::Done,
            };
            Some(Record {
                key: key.to_owned(),
                operation: Operation::Refund,
                standing,
                token: None,
                charge_key: Some(refund.charge_key.clone()),
                order_id: charge.order_id,
                payment_id: charge.payment_id,
                amount: Some(refund.amount),
                at: self.clock.now(),
            })
        });
        Ok(record.await?.as_ref().map_or_else(unknown_charge, answer))
    }

    async fn void(&self, key: &str) -> Result<Answer, GatewayError> {
        let record = self.settle(key, |_, known| match known {
            Some(known) if known.standing == Standing::AwaitingCustomer => {
                Some(Record { standing: Standing::Voided, at: self.clock.now(), ..known.clone() })
            }
            Some(_) => None,
            None => Some(Record {
                key: key.to_owned(),
                operation: Operation::Charge,
                standing: Standing::Voided,
                token: None,
                charge_key: None,
                order_id: None,
                payment_id: None,
                amount: None,
                at: self.clock.now(),
            }),
        });
        Ok(record.await?.as_ref().map_or_else(unknown_charge, answer))
    }

    async fn ask(&self, key: &str) -> Result<Option<Answer>, GatewayError> {
        Ok(self.keys().by_key.get(key).map(answer))
    }
}
