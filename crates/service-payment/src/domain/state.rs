//! What is known of a payment, and how its events change that.

use std::collections::BTreeMap;

use kernel::{Duration, Money, RefundId, Timestamp};
use serde::{Deserialize, Serialize};

use super::account::Failure;
use super::payment::{Event, Identity, Terms, VoidCause};
use super::shares::{self, Part};

/// Where a payment is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Nothing was asked yet.
    #[default]
    New,
    /// The gateway is being asked.
    Processing,
    /// Waits for the customer's answer to their bank.
    AwaitingCustomer,
    /// Waits for a transfer.
    AwaitingTransfer,
    /// Being called off.
    Voiding,
    /// The money was taken.
    Succeeded,
    /// The last attempt failed.
    Failed,
    /// Called off.
    Voided,
}

impl Phase {
    /// Its outcome is open.
    pub fn is_open(self) -> bool {
        matches!(self, Phase::Processing | Phase::AwaitingCustomer | Phase::AwaitingTransfer | Phase::Voiding)
    }
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// Where the customer is sent and the question's token; none for a transfer.
    pub challenge: Option<(String, String)>,
    /// The deadline.
    pub until: Timestamp,
}

/// How far a refund is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RefundStatus {
    /// The gateway is being asked.
    Running,
    /// The money went back.
    Processed,
    /// The gateway refused.
    Failed,
}

/// Money going back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refunding {
    /// The gateway's idempotency key.
    pub key: String,
    /// How much.
    pub amount: Money,
    /// How far.
    pub status: RefundStatus,
}

/// What decisions need.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// What it is for.
    pub identity: Option<Identity>,
    /// What the latest attempt group was accepted on.
    pub terms: Option<Terms>,
    /// Where it is in its life.
    pub phase: Phase,
    /// The latest attempt.
    pub attempt: u32,
    /// The gateway has the latest attempt group.
    pub heard: bool,
    /// What is waited for.
    pub waiting: Option<Waiting>,
    /// Why it is being called off.
    pub void_cause: Option<VoidCause>,
    /// Why the latest attempt failed.
    pub failure: Option<Failure>,
    /// The gateway's reference, once the money was taken.
    pub transaction: Option<String>,
    /// What is left of the shares.
    pub left: Vec<Part>,
    /// What went back or is about to.
    pub refunds: BTreeMap<RefundId, Refunding>,
    /// What is left of the shares is payable.
    pub payable: bool,
    /// When it was first asked for.
    pub requested_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl State {
    /// What can still be given back, refunds under way taken off.
    pub fn refundable(&self) -> Option<Money> {
        let amount = self.terms.as_ref().filter(|_| self.phase == Phase::Succeeded)?.amount;
        let open = self.refunds.values().filter(|refund| refund.status != RefundStatus::Failed);
        let gone: i64 = open.map(|refund| refund.amount.amount).sum();
        Some(Money::new(amount.amount - gone, amount.currency))
    }

    /// How long the customer may take.
    pub(super) fn wait_limit(&self) -> Duration {
        Duration::from_secs(self.terms.as_ref().map_or(0, |terms| u64::from(terms.wait_limit_seconds)))
    }

    fn settle(&mut self, phase: Phase, at: Timestamp) {
        self.phase = phase;
        self.waiting = None;
        self.void_cause = None;
        self.updated_at = at;
    }

    fn wait(&mut self, phase: Phase, waiting: Waiting, at: Timestamp) {
        self.settle(phase, at);
        self.waiting = Some(waiting);
    }

    fn refund(&mut self, refund_id: RefundId, status: RefundStatus, at: Timestamp) {
        if let Some(refund) = self.refunds.get_mut(&refund_id) {
            refund.status = status;
        }
        self.updated_at = at;
    }

    fn begin(&mut self, identity: Identity, attempt: u32, at: Timestamp) {
        if self.identity.is_none() {
            self.requested_at = at;
        }
        self.identity = Some(identity);
        self.attempt = attempt;
        self.updated_at = at;
    }
}

/// What an event changes.
pub(super) fn evolve(mut state: State, event: &Event) -> State {
    match event {
        Event::Requested(terms) => {
            state.begin(terms.identity, terms.attempt, terms.at);
            state.terms = Some(terms.clone());
            state.phase = Phase::Processing;
            state.heard = false;
            state.failure = None;
        }
        Event::Refused { identity, attempt, failure, at } => {
            state.begin(*identity, *attempt, *at);
            state.phase = Phase::Failed;
            state.failure = Some(failure.clone());
        }
        Event::Joined { attempt } => state.attempt = *attempt,
        Event::ProcessingStarted { at } => {
            state.heard = true;
            state.updated_at = *at;
        }
        Event::AwaitingCustomer { url, token, until, at } => {
            let challenge = Some((url.clone(), token.clone()));
            state.wait(Phase::AwaitingCustomer, Waiting { challenge, until: *until }, *at);
        }
        Event::AwaitingTransfer { until, at } => {
            state.wait(Phase::AwaitingTransfer, Waiting { challenge: None, until: *until }, *at);
        }
        Event::ThreeDsAnswered { at } => {
            state.phase = Phase::Processing;
            state.updated_at = *at;
        }
        Event::VoidStarted { cause, at } => {
            state.settle(Phase::Voiding, *at);
            state.void_cause = Some(*cause);
        }
        Event::Succeeded { transaction, parts, at, .. } => {
            state.settle(Phase::Succeeded, *at);
            state.failure = None;
            state.transaction = Some(transaction.clone());
            state.left = parts.clone();
        }
        Event::Failed { failure, at } => {
            state.settle(Phase::Failed, *at);
            state.failure = Some(failure.clone());
        }
        Event::Voided { at } => state.settle(Phase::Voided, *at),
        Event::RefundStarted { refund_id, key, amount, at } => {
            let refund = Refunding { key: key.clone(), amount: *amount, status: RefundStatus::Running };
            state.refunds.insert(*refund_id, refund);
            state.updated_at = *at;
        }
        Event::RefundCompleted { refund_id, reversed, at, .. } => {
            state.left = shares::less(&state.left, reversed);
            state.refund(*refund_id, RefundStatus::Processed, *at);
        }
        Event::RefundDeclined { refund_id, at, .. } => state.refund(*refund_id, RefundStatus::Failed, *at),
        Event::BecamePayable { at, .. } => {
            state.payable = true;
            state.updated_at = *at;
        }
    }
    state
}
