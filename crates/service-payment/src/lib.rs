#![doc = include_str!("../README.md")]

pub mod bookkeeping;
mod cashier;
pub mod charge;
pub mod commands;
pub mod config;
pub mod domain;
pub mod handlers;
pub mod http;
pub mod ports;
pub mod refund;
pub mod transfer;
pub mod views;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use backbone::saga::SagaRegistration;
use backbone::{Context, Module};
use contracts::payment as public;
use kernel::Event as _;

pub use config::Config;
pub use ports::Gateway;

use crate::cashier::Cashier;
use crate::charge::ChargeSaga;
use crate::commands::charging::Counter;
use crate::domain::{account, invoice};
use crate::ports::{Gateways, PAYMENT_METHODS, PAYMENT_PROFILE, UserService};
use crate::refund::RefundSaga;

/// What this service registers. `transfer` is always among the gateways.
pub fn module(context: &Context, config: Config, gateways: Vec<Arc<dyn Gateway>>) -> Module {
    let own: Arc<dyn Gateway> = Arc::new(transfer::Transfer);
    let gateways = Gateways::new(std::iter::once(own).chain(gateways));
    let cashier = Cashier::new(context, gateways.clone());
    let counter = Arc::new(Counter { config, gateways });
    let payers = Arc::new(UserService(context.calls.clone()));
    let (charging, refunding) = (cashier.clone(), cashier);
    Module {
        publishes: vec![
            &public::MethodValidated::TYPE,
            &public::Initiated::TYPE,
            &public::ProcessingStarted::TYPE,
            &public::Succeeded::TYPE,
            &public::Failed::TYPE,
            &public::SplitCreated::TYPE,
            &public::RefundProcessed::TYPE,
            &public::RefundFailed::TYPE,
        ],
        reactions: handlers::reactions(&counter),
        sagas: vec![
            SagaRegistration::new::<ChargeSaga>("saga:charge", move |call, _| {
                let cashier = charging.clone();
                Box::pin(async move { cashier.charge(call).await })
            }),
            SagaRegistration::new::<RefundSaga>("saga:refund", move |call, _| {
                let cashier = refunding.clone();
                Box::pin(async move { cashier.refund(call).await })
            }),
        ],
        timers: commands::waiting::timers(),
        projections: vec![bookkeeping::projection()],
        collections: vec![
            &account::ORDER_ACCOUNTS,
            &views::PAYMENTS,
            &views::CHECKED_METHODS,
            &views::PAYERS,
            &bookkeeping::LEDGER_ENTRIES,
            &bookkeeping::BALANCES,
            &invoice::INVOICES,
            &invoice::INVOICE_SERIES,
        ],
        routes: http::routes(http::Desk { context: context.clone(), counter, payers }),
        calls: vec![&PAYMENT_METHODS, &PAYMENT_PROFILE],
        ..Module::new("payment")
    }
}
