//! Money, for the customer.

use std::sync::Arc;

use backbone::reaction::Reaction;
use contracts::payment::{Failed, RefundProcessed, Succeeded};

use super::{amount, says, short};
use crate::config::Config;
use crate::outbox::Message;

pub(super) fn reactions(config: &Arc<Config>) -> Vec<Reaction> {
    vec![
        says::<Succeeded>(config, |payment, _| {
            let with = [
                ("order", short(payment.order_id)),
                ("amount", amount(payment.amount)),
                ("reference", payment.transaction_id.clone()),
            ];
            Ok(vec![Message::new(payment.customer_id, "payment-receipt", with)])
        }),
        says::<Failed>(config, |payment, _| {
            // A retryable failure is tried again within seconds: there is nothing to do yet.
            if payment.retryable {
                return Ok(Vec::new());
            }
            let with = [("order", short(payment.order_id)), ("reason", payment.error_message.clone())];
            Ok(vec![Message::new(payment.customer_id, "payment-failed", with)])
        }),
        says::<RefundProcessed>(config, |refund, _| {
            let with = [("order", short(refund.order_id)), ("amount", amount(refund.amount))];
            Ok(vec![Message::new(refund.customer_id, "payment-refunded", with)])
        }),
    ]
}
