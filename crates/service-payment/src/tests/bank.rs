//! A gateway for tests: does what a test tells it, counts what it did.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;

use crate::ports::{Answer, Charge, Gateway, GatewayError, MethodType, Recognised, Refund};

/// What happens with the next new key.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// It answers, and remembers.
    Says(Answer),
    /// It remembers, but the answer is lost.
    Swallows(Answer),
    /// It never arrives, and nobody knows.
    Loses,
    /// It certainly never arrives.
    Unreachable,
}

#[derive(Default)]
struct Inner {
    acts: VecDeque<Act>,
    keys: BTreeMap<String, Answer>,
    charges: u32,
    refunded: i64,
    asked: u32,
    /// What is to end a wait for the customer and never arrives.
    lost: u32,
}

/// The bank. Where a test says nothing, charges and refunds succeed.
#[derive(Clone, Default)]
pub(crate) struct Bank(Arc<Mutex<Inner>>);

pub(crate) fn charged() -> Answer {
    Answer::Charged { transaction: "bank-1".to_owned() }
}

pub(crate) fn declined(retryable: bool) -> Answer {
    Answer::Declined { code: "no-funds".to_owned(), message: "not enough money".to_owned(), retryable }
}

pub(crate) fn asks() -> Answer {
    Answer::ActionRequired { url: "https://bank.example/ask".to_owned(), token: "question-1".to_owned() }
}

impl Bank {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// What happens next, in order.
    pub(crate) fn will(&self, acts: impl IntoIterator<Item = Act>) {
        self.lock().acts.extend(acts);
    }

    /// The next call that is to end a wait for the customer never arrives, and nobody knows.
    pub(crate) fn loses_one(&self) {
        self.lock().lost += 1;
    }

    /// How often money was taken.
    pub(crate) fn charges(&self) -> u32 {
        self.lock().charges
    }

    /// What went back in all, in minor units.
    pub(crate) fn refunded(&self) -> i64 {
        self.lock().refunded
    }

    /// How often it was asked what became of a key.
    pub(crate) fn asked(&self) -> u32 {
        self.lock().asked
    }

    /// The standing of a key.
    pub(crate) fn standing(&self, key: &str) -> Option<Answer> {
        self.lock().keys.get(key).cloned()
    }

    fn settle(&self, key: &str, usual: Answer, amount: i64) -> Result<Answer, GatewayError> {
        let mut inner = self.lock();
        if let Some(known) = inner.keys.get(key) {
            return Ok(known.clone());
        }
        let act = inner.acts.pop_front().unwrap_or(Act::Says(usual));
        let answer = match &act {
            Act::Says(answer) | Act::Swallows(answer) => answer.clone(),
            Act::Loses => return Err(GatewayError::Unknown("no answer".to_owned())),
            Act::Unreachable => return Err(GatewayError::Unreachable("no connection".to_owned())),
        };
        inner.keys.insert(key.to_owned(), answer.clone());
        inner.count(&answer, amount);
        match act {
            Act::Swallows(_) => Err(GatewayError::Unknown("no answer".to_owned())),
            _ => Ok(answer),
        }
    }
}

impl Inner {
    fn arrives(&mut self) -> Result<(), GatewayError> {
        if self.lost == 0 {
            return Ok(());
        }
        self.lost -= 1;
        Err(GatewayError::Unknown("no answer".to_owned()))
    }

    fn count(&mut self, answer: &Answer, amount: i64) {
        match answer {
            Answer::Charged { .. } => self.charges += 1,
            Answer::Refunded { .. } => self.refunded += amount,
            _ => {}
        }
    }
}

#[async_trait]
impl Gateway for Bank {
    fn name(&self) -> &'static str {
        "bank"
    }

    fn recognise(&self, token: &str) -> Option<Recognised> {
        let three_ds = token == "bank-3ds";
        (token == "bank-card" || three_ds).then_some(Recognised { method_type: MethodType::Card, three_ds })
    }

    async fn charge(&self, key: &str, charge: &Charge) -> Result<Answer, GatewayError> {
        self.settle(key, charged(), charge.amount.amount)
    }

    async fn complete_three_ds(&self, key: &str, answer: &str) -> Result<Answer, GatewayError> {
        let mut inner = self.lock();
        inner.arrives()?;
        let outcome = if answer == "approve" { charged() } else { declined(false) };
        inner.count(&outcome, 0);
        inner.keys.insert(key.to_owned(), outcome.clone());
        Ok(outcome)
    }

    async fn refund(&self, key: &str, refund: &Refund) -> Result<Answer, GatewayError> {
        self.settle(key, Answer::Refunded { reference: key.to_owned() }, refund.amount.amount)
    }

    async fn void(&self, key: &str) -> Result<Answer, GatewayError> {
        let mut inner = self.lock();
        inner.arrives()?;
        match inner.keys.get(key) {
            Some(known @ (Answer::Charged { .. } | Answer::Declined { .. })) => Ok(known.clone()),
            _ => {
                inner.keys.insert(key.to_owned(), Answer::Voided);
                Ok(Answer::Voided)
            }
        }
    }

    async fn ask(&self, key: &str) -> Result<Option<Answer>, GatewayError> {
        let mut inner = self.lock();
        inner.asked += 1;
        Ok(inner.keys.get(key).cloned())
    }
}
