//! Makes the sagas' calls: the only place that talks to gateways.

use backbone::Context;
use backbone::saga::CallFailure;
use kernel::{PaymentId, Personal, Timestamp};

use crate::charge::{self, Reply, Task};
use crate::ports::{Answer, Charge, Gateway, GatewayError, Gateways, Refund};
use crate::refund;
use crate::views::PaymentView;

/// Knows the gateways, and since when this process has been running.
#[derive(Clone)]
pub(crate) struct Cashier {
    context: Context,
    gateways: Gateways,
    began_at: Timestamp,
}

type Replied = Result<Reply, CallFailure>;

fn answered(answer: Result<Answer, GatewayError>) -> Replied {
    match answer {
        Ok(answer) => Ok(Reply::Answered(answer)),
        Err(GatewayError::Unreachable(reason)) => Ok(Reply::Unreachable(reason)),
        Err(GatewayError::Unknown(reason)) => Err(CallFailure::Unknown { reason }),
    }
}

fn no(code: &str, message: &str) -> Replied {
    let (code, message) = (code.to_owned(), message.to_owned());
    Ok(Reply::Answered(Answer::Declined { code, message, retryable: false }))
}

fn later(reason: impl ToString) -> CallFailure {
    CallFailure::Failed { reason: reason.to_string(), retryable: true }
}

impl Cashier {
    /// One for these gateways.
    pub(crate) fn new(context: &Context, gateways: Gateways) -> Self {
        Self { context: context.clone(), gateways, began_at: context.now() }
    }

    async fn payment(&self, payment_id: PaymentId) -> Result<PaymentView, CallFailure> {
        let found = self.context.get::<PaymentView>(payment_id).await.map_err(later)?;
        found.map(|found| found.document).ok_or_else(|| later("the payment cannot be read yet"))
    }

    fn gateway(&self, payment: &PaymentView) -> Result<&dyn Gateway, CallFailure> {
        let name = payment.gateway.as_deref().unwrap_or_default();
        let found = self.gateways.named(name).map(AsRef::as_ref);
        // Somebody took the gateway out of the configuration: it waits until it is back.
        found.ok_or_else(|| later(format!("gateway {name} is not configured here")))
    }

    /// Makes a call of the saga `charge`.
    pub(crate) async fn charge(&self, call: charge::Call) -> Replied {
        let payment = self.payment(call.payment_id).await?;
        let gateway = self.gateway(&payment)?;
        match &call.task {
            Task::Charge => self.take(gateway, payment, &call).await,
            Task::ThreeDs(answer) => answered(gateway.complete_three_ds(&call.key, answer).await),
            Task::Void => answered(gateway.void(&call.key).await),
            Task::Ask => ask(gateway, &call.key).await,
        }
    }

    async fn take(&self, gateway: &dyn Gateway, payment: PaymentView, call: &charge::Call) -> Replied {
        if call.at < self.began_at {
            // Decided before a crash, so it may have been made already.
            match ask(gateway, &call.key).await? {
                Reply::Unheard => {}
                known => return Ok(known),
            }
        }
        let (Some(amount), Some(token)) = (payment.amount, payment.token) else {
            return no("payment-closed", "the payment does not wait for a charge");
        };
        let Personal::Known(token) = token else {
            return no("person-erased", "the method belongs to a person who was erased");
        };
        let (payment_id, order_id) = (payment.payment_id, payment.order_id);
        answered(gateway.charge(&call.key, &Charge { token, amount, payment_id, order_id }).await)
    }

    /// Makes a call of the saga `refund`.
    pub(crate) async fn refund(&self, call: refund::Call) -> Replied {
        let payment = self.payment(call.payment_id).await?;
        let gateway = self.gateway(&payment)?;
        if call.ask || call.at < self.began_at {
            match ask(gateway, &call.key).await? {
                Reply::Unheard if !call.ask => {}
                known => return Ok(known),
            }
        }
        let refunding = payment.refunds.get(&call.refund_id);
        let (Some(refunding), Some(transaction), Some(charge_key)) =
            (refunding, payment.transaction, payment.key)
        else {
            return no("nothing-charged", "no money was taken, so none can go back");
        };
        answered(
            gateway.refund(&call.key, &Refund { charge_key, transaction, amount: refunding.amount }).await,
        )
    }
}

async fn ask(gateway: &dyn Gateway, key: &str) -> Replied {
    match gateway.ask(key).await {
        Ok(Some(answer)) => Ok(Reply::Answered(answer)),
        Ok(None) => Ok(Reply::Unheard),
        Err(GatewayError::Unreachable(reason)) => Ok(Reply::Unreachable(reason)),
        Err(GatewayError::Unknown(reason)) => Err(CallFailure::Unknown { reason }),
    }
}
